//! The client's side of the AS, TGS and password exchanges, without sockets, clock or files.
//!
//! An exchange is begun with what is wanted, the time and a source of randomness, and gives the first request as an
//! [`Outbound`]. Every answer goes back in and yields the next step: another request, a question, or the credential.
//! Whoever drives it decides how octets travel, how long to wait, and when to send the same request again.
//!
//! ```text
//! let (mut exchange, mut outbound) = AsExchange::begin(request, now, random);
//! loop {
//!     let step = exchange.receive(&link.ask(&outbound)?, now, random)?;
//!     let step = match step {
//!         AsStep::NeedKey(wanted) => exchange.key(&wanted.derive(password)?, now, random)?,
//!         step => step,
//!     };
//!     match step {
//!         AsStep::Send(next) => outbound = next,
//!         AsStep::Done(reply) => break reply.credential,
//!         AsStep::NeedKey(_) => unreachable,
//!     }
//! }
//! ```

mod as_exchange;
mod as_request;
mod clock;
mod error;
mod etype_info;
mod fast;
mod kdc_reply;
mod proof;
mod tgs_exchange;
mod tgs_request;
mod times;

pub use as_exchange::{AsExchange, AsReply, AsStep};
pub use as_request::AsRequest;
pub use clock::{ClockOffset, ClockRule};
pub use error::{ExchangeError, Refusal, ReplyFault};
pub use etype_info::{KeyRequest, MIN_ROUNDS};
pub use fast::Armor;
pub use tgs_exchange::{TgsExchange, TgsReply, TgsStep};
pub use tgs_request::{TgsRequest, common_options};
pub use times::{RequestedTimes, When};

use tessera_common::Random;
use tessera_common::crypto::EncType;
use tessera_common::name::{Name, Realm, name_type};

/// The most realms that an exchange may be referred to, one after the other.
pub const MAX_REFERRALS: usize = 10;

/// A request on its way to a KDC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// The realm whose KDC shall be asked.
    pub realm: Realm,
    /// The request. To ask again after a loss, send the same octets: the KDC then gives the same answer.
    pub octets: Vec<u8>,
    /// How it may travel.
    pub transport: Transport,
}

/// How a request may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By datagram or stream, as the driver likes.
    Any,
    /// By stream only: the answer does not fit into a datagram.
    Stream,
}

/// The name type that goes best with a name that was given without one.
#[must_use]
pub fn name_type_of(name: &Name) -> i32 {
    match name.component(0) {
        Some("krbtgt") if name.len() == 2 => name_type::SRV_INST,
        Some("WELLKNOWN") if name.len() > 1 => name_type::WELLKNOWN,
        _ => name_type::PRINCIPAL,
    }
}

// 31 bits: some peers write and read nonces signed.
fn nonce(random: &mut dyn Random) -> u32 {
    let mut octets = [0; 4];
    random.fill(&mut octets);
    u32::from_be_bytes(octets) & 0x7fff_ffff
}

fn etype_numbers(etypes: &[EncType]) -> Vec<i32> {
    etypes.iter().map(|etype| etype.number()).collect()
}
