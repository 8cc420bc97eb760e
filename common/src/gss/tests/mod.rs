mod acceptance;
mod delegation;
mod exchange;
mod expiry;
mod messages;
mod mit_library;
mod mit_peer;
mod prf;
mod tampering;

use crate::ap;
use crate::ap::tests::fixture::{Counter, Forgetful, Issue, now};
use crate::gss::{AcceptError, Accepted, Acceptor, Context, ContextFlags, Initiator};

/// Octets out of hexadecimal digits.
pub(super) fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

fn acceptor() -> Acceptor {
    Acceptor::new(ap::Acceptor::for_any_service())
}

fn try_accept(acceptor: &Acceptor, issue: &Issue, token: &[u8]) -> Result<Accepted, AcceptError> {
    acceptor.accept(token, &issue.keys()[..], &Forgetful, None, now(), &mut Counter(50))
}

fn accept(issue: &Issue, token: &[u8]) -> Accepted {
    try_accept(&acceptor(), issue, token).unwrap()
}

/// Both ends of a context with an acceptor's subkey.
fn pair(issue: &Issue, without: ContextFlags) -> (Context, Context) {
    let credential = issue.credential();
    let (token, awaiting) = Initiator::new(&credential)
        .without(without)
        .start(now(), &mut Counter(1));
    let (reply, acceptor, ..) = accept(issue, &token).into_parts();
    (awaiting.finish(&reply.unwrap()).unwrap(), acceptor)
}

/// Both ends of a context without one.
fn one_way_pair(issue: &Issue, without: ContextFlags) -> (Context, Context) {
    let credential = issue.credential();
    let (token, initiator) = Initiator::new(&credential)
        .without(without)
        .start_one_way(now(), &mut Counter(1));
    (initiator, accept(issue, &token).into_parts().1)
}
