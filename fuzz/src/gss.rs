//! Alice and host/www as the two ends of a context of GSS-API.

use std::cell::RefCell;

use tessera_common::ap::{self, ReplayCache, ReplayError, ReplayTag};
use tessera_common::credential::Credential;
use tessera_common::gss::{self, oid};
use tessera_common::spnego::{self, Accepting, Step};
use tessera_common::time::KerberosTime;

use crate::realm::{Counter, Day, NOON, key_of, principal, with_realm};

struct Forgetful;

impl ReplayCache for Forgetful {
    fn claim(&self, _: ReplayTag, _: KerberosTime) -> Result<(), ReplayError> {
        Ok(())
    }
}

thread_local! {
    static TICKET: RefCell<Option<Credential>> = const { RefCell::new(None) };
}

/// Alice's ticket for host/www.
pub fn alices_ticket() -> Credential {
    let known = TICKET.with_borrow(Clone::clone);
    known.unwrap_or_else(|| {
        let Day { credentials, .. } = with_realm(|realm| realm.day());
        let host = principal("host/www");
        let ticket = credentials.into_iter().find(|credential| credential.server == host);
        let ticket = ticket.expect("a ticket");
        TICKET.set(Some(ticket.clone()));
        ticket
    })
}

fn acceptor() -> gss::Acceptor {
    gss::Acceptor::new(ap::Acceptor::for_any_service())
}

fn keys() -> [(tessera_common::name::Principal, u32, tessera_common::crypto::Key); 1] {
    [(principal("host/www"), 1, key_of("host/www"))]
}

/// What host/www makes of a token of the krb5 mechanism.
pub fn gss_accept(token: &[u8]) -> Result<gss::Accepted, gss::AcceptError> {
    acceptor().accept(token, &keys()[..], &Forgetful, None, NOON, &mut Counter::default())
}

/// What host/www makes of a first token.
pub fn spnego_accept(token: &[u8]) -> Result<Step, spnego::AcceptError> {
    let acceptor = spnego::Acceptor::new(acceptor());
    acceptor.accept(token, &keys()[..], &Forgetful, None, NOON, &mut Counter::default())
}

/// What host/www makes of a later one.
pub fn spnego_step(state: Accepting, token: &[u8]) -> Result<Step, spnego::AcceptError> {
    state.step(token, &keys()[..], &Forgetful, None, NOON, &mut Counter::default())
}

/// How the fuzzer alters octets: where, in two octets, and by which bits, in one; then perhaps the same again, and last, in
/// one octet, how many are cut off.
pub struct Altered<'a>(&'a [u8]);

impl<'a> Altered<'a> {
    /// Any octets are a change.
    pub fn read(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// The octets, altered.
    pub fn apply(&self, octets: &[u8]) -> Vec<u8> {
        let mut altered = octets.to_vec();
        let (changes, rest) = self.0.as_chunks::<3>();
        for [high, low, bits] in changes {
            let at = usize::from(u16::from_be_bytes([*high, *low])) % octets.len().max(1);
            if let Some(octet) = altered.get_mut(at) {
                *octet ^= bits;
            }
        }
        if let Some(cut) = rest.first() {
            altered.truncate(octets.len().saturating_sub(usize::from(*cut)));
        }
        altered
    }
}

/// Whether two tokens of the krb5 mechanism differ in nothing but what Kerberos leaves open: which of its two numbers is
/// theirs, and, of an AP-REQ, the options and the type of the service's name.
pub fn krb5_is_the_same(one: &[u8], other: &[u8]) -> bool {
    let find = |part: &[u8]| one.windows(part.len()).position(|window| window == part);
    let number = find(oid::KRB5)
        .or_else(|| find(oid::MICROSOFT_KRB5))
        .map(|at| at..at + oid::KRB5.len());
    // Behind AP-REQ's message type.
    let options = find(&[2, 1, 14, 0xa2, 7, 3, 5, 0]).map(|at| at + 7..at + 12);
    let name_type = find(&[0xa0, 3, 2, 1, 1, 0xa1])
        .or_else(|| find(&[0xa0, 3, 2, 1, 2, 0xa1]))
        .map(|at| at + 4..at + 5);
    let open: Vec<usize> = [number, options, name_type].into_iter().flatten().flatten().collect();
    one.len() == other.len()
        && (one.iter().zip(other))
            .enumerate()
            .all(|(at, (one, other))| one == other || open.contains(&at))
}
