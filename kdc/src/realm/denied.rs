//! Why somebody was refused: one name for each reason, whichever wire the refusal went out on.

use super::rules::RuleName;

/// A reason to refuse. Its [`name`](Denied::name) is what logs and `principal` show; what the peer learns of it, the wire
/// decides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denied {
    /// No principal has the client's name.
    ClientUnknown,
    /// The client's account has expired.
    ClientExpired,
    /// The client is locked.
    ClientLocked,
    /// Too many wrong passwords were tried on the client.
    ClientShutOut,
    /// Too many wrong passwords came from the client's network.
    NetworkShutOut,
    /// The client was removed, or removed and made anew, or renamed, since its ticket was issued.
    ClientReplaced,
    /// The proof was not right: a wrong password, most often.
    WrongProof,
    /// There was no proof, and one is needed.
    ProofMissing,
    /// The client has to come through FAST armor, and did not.
    ArmorRequired,
    /// The password has expired.
    PasswordExpired,
    /// The password has to be changed first.
    PasswordMustChange,
    /// No principal has the service's name.
    ServiceUnknown,
    /// The service is locked.
    ServiceLocked,
    /// The service's account has expired.
    ServiceExpired,
    /// No tickets are issued to this principal, but for user-to-user.
    NotAService,
    /// No tickets are issued to this principal at all.
    NotIssuedTo,
    /// The service refuses user-to-user tickets.
    NoUserToUser,
    /// Tickets to the service come from the AS only.
    NotTgtBased,
    /// The service wants clients that were pre-authenticated.
    ServiceRequiresPreauth,
    /// Postdated tickets are not allowed to this client or for this service.
    NotPostdateable,
    /// This rule refuses the client.
    DeniedByRule(RuleName),
    /// The service is closed by these rules, and none of them lets the client in.
    NoRuleAllows(Vec<RuleName>),
    /// No rule is about the service, and then nobody is let in.
    DeniedByDefault,
}

impl Denied {
    /// The reason's name in logs: stable, lower case, with hyphens.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ClientUnknown => "client-unknown",
            Self::ClientExpired => "client-expired",
            Self::ClientLocked => "client-locked",
            Self::ClientShutOut => "client-shut-out",
            Self::NetworkShutOut => "network-shut-out",
            Self::ClientReplaced => "client-replaced",
            Self::WrongProof => "wrong-proof",
            Self::ProofMissing => "proof-missing",
            Self::ArmorRequired => "armor-required",
            Self::PasswordExpired => "password-expired",
            Self::PasswordMustChange => "password-must-change",
            Self::ServiceUnknown => "service-unknown",
            Self::ServiceLocked => "service-locked",
            Self::ServiceExpired => "service-expired",
            Self::NotAService => "not-a-service",
            Self::NotIssuedTo => "not-issued-to",
            Self::NoUserToUser => "no-user-to-user",
            Self::NotTgtBased => "not-tgt-based",
            Self::ServiceRequiresPreauth => "service-requires-preauth",
            Self::NotPostdateable => "not-postdateable",
            Self::DeniedByRule(_) => "denied-by-rule",
            Self::NoRuleAllows(_) => "no-rule-allows",
            Self::DeniedByDefault => "denied-by-default",
        }
    }

    /// The rules that are the reason: none, where rules are not.
    #[must_use]
    pub fn rules(&self) -> &[RuleName] {
        match self {
            Self::DeniedByRule(rule) => core::slice::from_ref(rule),
            Self::NoRuleAllows(rules) => rules,
            _ => &[],
        }
    }
}
