//! Requests made by hand, octet by octet if need be, and replies taken apart: for what no honest client sends, and for what
//! no client shows. Its own DER and its own `aes256-cts-hmac-sha1-96`, so that the product is not measured with itself.

pub mod admin;
pub mod crypto;
pub mod der;
pub mod keytab;
pub mod socket;

mod ap;
mod fast;
mod kdc_req;
mod passwd;
mod reply;
mod session;
mod ticket;

pub use ap::{ApReq, AuthenticatorChecksum};
pub use fast::{Armor, FastReply, FastReq, FastResponse, Finished, HIDE_CLIENT_NAMES, login_in_armor, pa};
pub use kdc_req::{KdcReq, Name, option, padata_of};
pub use passwd::{PasswordReply, PasswordRequest};
pub use reply::{EncPart, KrbError, Rep, Reply, flag};
pub use session::{Session, ask, login, login_by_preauth, pa_enc_timestamp};
pub use ticket::{EncTicketPart, authorization_data, authorization_types};

/// Seconds since 1970, by the true clock.
#[must_use]
pub fn now() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Octets that nobody has seen before.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    use std::io::Read;
    let mut octets = [0; N];
    std::fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut octets)
        .unwrap();
    octets
}

/// A microsecond of its own for every call, so that no two authenticators are alike by accident.
#[must_use]
pub fn fresh_cusec() -> i64 {
    use std::sync::atomic::{AtomicI64, Ordering};
    static LAST: AtomicI64 = AtomicI64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) % 1_000_000
}
