//! What a login would lead to, told without logging in: the rules of the exchanges, asked one by one.

use core::net::IpAddr;
use std::sync::Arc;

use tessera_common::time::KerberosTime;

use super::as_exchange::{demands_proof, entitlement};
use super::mechanism::{self, Audience};
use crate::realm::access::{AccessPolicy, Looked, Question};
use crate::realm::authentication::{Channel, Disclosure, Factors, Verdict, admit, channel_suffices, readmit};
use crate::realm::authorization::{Asked, Grant, Path, authorize_ticket};
use crate::realm::denied::Denied;
use crate::realm::lockout::{Attempt, Lockout};
use crate::realm::principal::PrincipalRecord;

/// What a client would be offered and given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained<'p> {
    /// Whether its account is good.
    pub account: Result<(), Denied>,
    /// Whether it has to prove who it is.
    pub proof_needed: bool,
    /// The mechanisms that it may use in the clear, the best first.
    pub open: Result<Vec<&'static str>, Denied>,
    /// Those that it may use through FAST armor.
    pub armored: Result<Vec<&'static str>, Denied>,
    /// What it gets from the AS.
    pub by_login: Result<Grant<'p>, Denied>,
    /// What it gets from the TGS, for a ticket that came of a proof.
    pub by_ticket: Result<Grant<'p>, Denied>,
    /// Every rule that is about the service, as it was looked at: realm.toml's by name, then the database's.
    pub rules: Vec<Looked<'p>>,
    /// Whether `default-access` counts where no rule that allows is about the service: not for what nobody may be locked out
    /// of.
    pub default_counts: bool,
}

/// Explains what would come of `client` asking for a ticket to `service`, from there and then.
#[must_use]
pub fn explain<'p>(
    policy: AccessPolicy<'p>,
    client: &Arc<PrincipalRecord>,
    service: &PrincipalRecord,
    lockout: &Lockout,
    (from, now): (IpAddr, KerberosTime),
) -> Explained<'p> {
    // What is asked of it is only thought of: nothing is counted.
    let counts = lockout.attempt(policy, Some(client), from, now);
    let attempted = Attempt::thought_of(now);
    let settings = policy.settings;
    let asked = |path| Asked { path, from, now };
    let question = Question {
        roles: &client.roles,
        service,
        from,
        now,
        keeps_ticket: false,
    };
    let offered = |channel| {
        channel_suffices(settings, Some(client), channel)?;
        let audience = Audience {
            settings,
            client: Some(client),
            channel,
        };
        Ok(mechanism::offered(&audience).map(mechanism::Mechanism::name).collect())
    };
    let attempt = |verdict| {
        let (concluded, _) = admit(client, attempted, now, Disclosure::AfterProof)?
            .demanding_proof(demands_proof(service))
            .conclude(verdict);
        concluded
    };
    let account = admit(client, attempted, now, Disclosure::BeforeProof).and_then(|_| counts.client_may_try());
    let proof_needed = matches!(attempt(Verdict::Absent), Err(Denied::ProofMissing));
    let best = if proof_needed {
        Verdict::Proved(Factors::LONG_TERM_KEY)
    } else {
        Verdict::Absent
    };
    let pre_authenticated = proof_needed;
    let network = if proof_needed { counts.network_may_try() } else { Ok(()) };
    let by_login = account
        .clone()
        .and(network)
        .and_then(|()| attempt(best))
        .and_then(|client| entitlement(policy, &client, service, &asked(Path::Initial)))
        // The flag is the TGS's to set, as with MIT.
        .map(|grant| Grant {
            ok_as_delegate: false,
            ..grant
        });
    Explained {
        account,
        proof_needed,
        open: offered(Channel::Open),
        armored: offered(Channel::Armored),
        by_login,
        by_ticket: readmit(client, now)
            .and_then(|client| authorize_ticket(policy, &client, service, &asked(Path::Tgt { pre_authenticated }))),
        rules: policy.look(&question).collect(),
        default_counts: !policy.is_protected(&question),
    }
}
