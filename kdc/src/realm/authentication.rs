//! Who is this? *Admit* the principal, let a mechanism take its own steps, *conclude*.

use std::sync::Arc;

use tessera_common::time::KerberosTime;

use super::access::AccessPolicy;
use super::denied::Denied;
use super::lockout::{Attempt, Trips};
use super::principal::{Attributes, PrincipalRecord};
use super::settings::RealmSettings;

/// How a principal proved who it is. Several may come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Factors(u8);

impl Factors {
    /// Nothing was proved.
    pub const NONE: Self = Self(0);
    /// A long-term key: a password, or a key from a keytab.
    pub const LONG_TERM_KEY: Self = Self(1);
    /// A ticket that the realm issued before.
    pub const TICKET: Self = Self(2);

    /// Whether anything was proved.
    #[must_use]
    pub const fn any(self) -> bool {
        self.0 != 0
    }

    /// The names in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "none",
            1 => "long-term-key",
            2 => "ticket",
            _ => "several",
        }
    }
}

/// What a mechanism found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These factors were proved.
    Proved(Factors),
    /// The proof was wrong.
    Wrong,
    /// The proof may be right, but not at this time, or it was used before.
    Untimely,
    /// Nobody tried.
    Absent,
}

/// A principal that may try to prove who it is.
pub struct Admitted<'l> {
    record: Arc<PrincipalRecord>,
    attempt: Attempt<'l>,
    barred: Option<Denied>,
    proof_demanded: bool,
}

/// A principal that has proved who it is, or did not have to.
#[derive(Clone, Debug)]
pub struct Authenticated {
    record: Arc<PrincipalRecord>,
    factors: Factors,
}

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// In the clear.
    Open,
    /// Within FAST armor (RFC 6113): what is sent for a proof is of no use to who sees or alters it.
    Armored,
}

/// Whether a principal may log in over this channel; `None`: a name that nobody has. What the realm requires of everybody is
/// for passwords: a machine with random keys, which nobody can guess, gets the ticket that armor is made of in the clear.
///
/// # Errors
/// [`Denied::ArmorRequired`].
pub fn channel_suffices(
    settings: &RealmSettings,
    record: Option<&PrincipalRecord>,
    channel: Channel,
) -> Result<(), Denied> {
    let own = record.is_some_and(|record| record.attributes.contains(Attributes::REQUIRE_FAST));
    let required = own || (settings.require_fast && may_be_guessed(record));
    match channel {
        Channel::Open if required => Err(Denied::ArmorRequired),
        Channel::Open | Channel::Armored => Ok(()),
    }
}

/// Whether an encrypted timestamp may travel in the clear: whoever records one can try passwords on it.
///
/// # Errors
/// [`Denied::ArmorRequired`].
pub fn open_timestamp_suffices(settings: &RealmSettings, record: Option<&PrincipalRecord>) -> Result<(), Denied> {
    if !settings.unarmored_encrypted_timestamp && may_be_guessed(record) {
        return Err(Denied::ArmorRequired);
    }
    channel_suffices(settings, record, Channel::Open)
}

fn may_be_guessed(record: Option<&PrincipalRecord>) -> bool {
    record.is_none_or(PrincipalRecord::has_password)
}

/// When a principal learns that its account is locked or has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure {
    /// At once, so that the reason is plain.
    BeforeProof,
    /// Only after it has proved who it is, so that a stranger cannot tell which names exist.
    AfterProof,
}

/// Lets `record` try, unless its account has expired or is locked, or too many wrong passwords were tried on it.
///
/// # Errors
/// [`Denied::ClientExpired`], [`Denied::ClientLocked`] and [`Denied::ClientShutOut`], in this order; with
/// [`Disclosure::AfterProof`], the same come from [`Admitted::conclude`] instead.
pub fn admit<'l>(
    record: &Arc<PrincipalRecord>,
    attempt: Attempt<'l>,
    now: KerberosTime,
    disclosure: Disclosure,
) -> Result<Admitted<'l>, Denied> {
    let shut_out = || match record.shut_out {
        Some(shut_out) if shut_out.is_in_force(now) => Some(Denied::ClientShutOut),
        _ => attempt.client_may_try().err(),
    };
    match (barred(record, now).or_else(shut_out), disclosure) {
        (Some(denied), Disclosure::BeforeProof) => Err(denied),
        (barred, _) => Ok(Admitted {
            record: Arc::clone(record),
            attempt,
            barred,
            proof_demanded: !record.attributes.contains(Attributes::NO_PREAUTH),
        }),
    }
}

/// Looks again at a principal that holds a ticket: passwords do not matter, locks and expiry do.
///
/// # Errors
/// [`Denied::ClientExpired`], [`Denied::ClientLocked`].
pub fn readmit(record: &Arc<PrincipalRecord>, now: KerberosTime) -> Result<Authenticated, Denied> {
    match barred(record, now) {
        Some(denied) => Err(denied),
        None => Ok(Authenticated {
            record: Arc::clone(record),
            factors: Factors::TICKET,
        }),
    }
}

fn barred(record: &PrincipalRecord, now: KerberosTime) -> Option<Denied> {
    if record.expires.is_some_and(|at| at <= now) {
        Some(Denied::ClientExpired)
    } else if record.attributes.contains(Attributes::LOCKED) {
        Some(Denied::ClientLocked)
    } else {
        None
    }
}

impl Admitted<'_> {
    /// The principal.
    #[must_use]
    pub fn record(&self) -> &Arc<PrincipalRecord> {
        &self.record
    }

    /// Demands a proof also of a principal that may do without one, if what it wants is not for such.
    #[must_use]
    pub const fn demanding_proof(mut self, demanded: bool) -> Self {
        self.proof_demanded |= demanded;
        self
    }

    /// Whether a proof is looked at, coming from there.
    ///
    /// # Errors
    /// [`Denied::NetworkShutOut`].
    pub fn hear(&self) -> Result<(), Denied> {
        self.attempt.network_may_try()
    }

    /// Ends the attempt. By value: an attempt counts once. Who is shut out by it is told besides.
    ///
    /// # Errors
    /// [`Denied::WrongProof`], [`Denied::ProofMissing`], what [`admit`] kept back, or that the limit of wrong proofs was reached
    /// before: then it tells nothing of this one.
    pub fn conclude(self, verdict: Verdict) -> (Result<Authenticated, Denied>, Trips) {
        if verdict != Verdict::Absent && self.barred == Some(Denied::ClientShutOut) {
            // So far comes only who is not to know that. For its network it counts as any wrong one: or that would tell.
            return match self.attempt.of_network().wrong() {
                Ok(trips) => (Err(Denied::ClientShutOut), trips),
                Err(denied) => (Err(denied), Trips::default()),
            };
        }
        if verdict == Verdict::Wrong {
            return match self.attempt.wrong() {
                Ok(trips) => (Err(Denied::WrongProof), trips),
                Err(denied) => (Err(denied), Trips::default()),
            };
        }
        (self.concluded(verdict), Trips::default())
    }

    fn concluded(self, verdict: Verdict) -> Result<Authenticated, Denied> {
        let factors = match verdict {
            Verdict::Proved(factors) => {
                self.attempt.right()?;
                factors
            }
            Verdict::Wrong => return Err(Denied::WrongProof),
            // It is for its mechanism to say what is wrong with it.
            Verdict::Untimely => {
                self.attempt.neither()?;
                return Err(Denied::WrongProof);
            }
            // Who is barred and learns that after the proof only, has to bring one.
            Verdict::Absent if self.proof_demanded || self.barred.is_some() => return Err(Denied::ProofMissing),
            Verdict::Absent => Factors::NONE,
        };
        match self.barred {
            Some(denied) => Err(denied),
            None => Ok(Authenticated {
                record: self.record,
                factors,
            }),
        }
    }
}

impl Authenticated {
    /// The principal.
    #[must_use]
    pub fn record(&self) -> &Arc<PrincipalRecord> {
        &self.record
    }

    /// How it proved who it is.
    #[must_use]
    pub const fn factors(&self) -> Factors {
        self.factors
    }

    /// Whether its password still lets it do more than change it. Asked after the proof only, so that it tells nothing to
    /// who does not know the password.
    ///
    /// # Errors
    /// [`Denied::PasswordMustChange`], [`Denied::PasswordExpired`].
    pub fn password_is_current(&self, policy: AccessPolicy<'_>, now: KerberosTime) -> Result<(), Denied> {
        if self.record.attributes.contains(Attributes::MUST_CHANGE_PASSWORD) {
            Err(Denied::PasswordMustChange)
        } else if policy.password_expires(&self.record).is_some_and(|at| at <= now) {
            Err(Denied::PasswordExpired)
        } else {
            Ok(())
        }
    }
}
