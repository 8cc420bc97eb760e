//! What a request is refused with: what the peer is told, and what the operator is told.

use tessera_common::Random;
use tessera_common::error_code::ErrorCode;
use tessera_common::name::{Name, Realm, name_type};
use tessera_common::time::Timestamp;
use tessera_common::wire::{self, KerberosString, KrbError, MethodData, Microseconds, Octets, PrincipalName, msg_type};

use super::fast::Armor;
use crate::realm::accounting::Result as EventResult;
use crate::realm::denied::Denied;
use crate::realm::lockout::Trips;
use crate::realm::rules::RuleName;

/// How many characters of a detail go into the log: a peer chooses some of them, and a request may be long.
const MAX_DETAIL: usize = 256;

/// A refusal on its way out.
#[derive(Debug)]
pub(super) struct Refusal {
    code: ErrorCode,
    reason: &'static str,
    // For the peer: what it may do about it.
    text: &'static str,
    remembered: bool,
    more: Box<More>,
}

#[derive(Debug, Default)]
struct More {
    // For the operator alone.
    detail: String,
    // What would do instead, for the client's program.
    methods: MethodData,
    // The names of the request, echoed where they are known.
    client: Option<(KerberosString, PrincipalName)>,
    service: Option<PrincipalName>,
    armor: Option<Armor>,
    rule: Option<RuleName>,
    trips: Trips,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, reason: &'static str) -> Self {
        Self {
            code,
            reason,
            text: "",
            remembered: false,
            more: Box::default(),
        }
    }

    /// More for the log: names, versions, enctypes; never a key. Cut to [`MAX_DETAIL`] characters.
    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.more.detail = detail.into();
        if let Some((end, _)) = self.more.detail.char_indices().nth(MAX_DETAIL) {
            self.more.detail.truncate(end);
        }
        self
    }

    /// A sentence for the peer, instead of the code's meaning.
    pub(super) const fn text(mut self, text: &'static str) -> Self {
        self.text = text;
        self
    }

    /// Whom the request has shut out.
    pub(super) fn tripping(mut self, trips: Trips) -> Self {
        self.more.trips = trips;
        self
    }

    /// Whom the request has shut out.
    pub(super) fn trips(&self) -> Trips {
        self.more.trips
    }

    /// What the client may try instead: METHOD-DATA (RFC 4120 §5.2.7).
    pub(super) fn methods(mut self, methods: MethodData) -> Self {
        self.more.methods = methods;
        self
    }

    /// Told under the armor that the request came in.
    pub(super) fn armored(mut self, armor: &Armor) -> Self {
        self.more.armor = Some(armor.clone());
        self
    }

    /// The same request gets the same answer: it brought a proof, and a proof counts once.
    pub(super) const fn remembered(mut self) -> Self {
        self.remembered = true;
        self
    }

    pub(super) const fn is_remembered(&self) -> bool {
        self.remembered
    }

    /// [`Refusal::remembered`], if the request did bring a proof.
    pub(super) const fn remembered_if(mut self, proved: bool) -> Self {
        self.remembered |= proved;
        self
    }

    /// Names the client that is refused.
    pub(super) fn naming_client(mut self, realm: KerberosString, name: PrincipalName) -> Self {
        self.more.client = Some((realm, name));
        self
    }

    /// Names the service that was asked for.
    pub(super) fn naming_service(mut self, name: PrincipalName) -> Self {
        self.more.service = Some(name);
        self
    }

    pub(super) const fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the peer reads.
    pub(super) const fn peer_text(&self) -> &'static str {
        if self.text.is_empty() {
            self.code.meaning()
        } else {
            self.text
        }
    }

    /// The rule that refuses, if it is one.
    pub(super) fn rule(&self) -> Option<&RuleName> {
        self.more.rule.as_ref()
    }

    pub(super) fn as_event(&self) -> EventResult {
        EventResult::Refused {
            code: self.code,
            reason: self.reason,
            detail: self.more.detail.clone(),
        }
    }

    /// The KRB-ERROR as it goes out: with METHOD-DATA, where there is any, and within the armor, if there is one.
    pub(super) fn to_answer(&self, realm: &Realm, now: Timestamp, random: &mut dyn Random) -> Vec<u8> {
        let mut error = self.to_krb_error(realm, now);
        let methods = match &self.more.armor {
            None => self.more.methods.clone(),
            Some(armor) => vec![armor.error(self.more.methods.clone(), &error, random)],
        };
        error.e_data = (!methods.is_empty()).then(|| Octets(wire::encode(&methods)));
        wire::encode(&error)
    }

    /// The KRB-ERROR without data. It always has a time, a realm and a service's name, even where the request had none:
    /// clients correct their clocks by the first and do not decode it without the others.
    pub(super) fn to_krb_error(&self, realm: &Realm, now: Timestamp) -> KrbError {
        let hidden = self.more.armor.as_ref().is_some_and(Armor::hides_client);
        let client = match &self.more.client {
            Some(_) if hidden => Some((KerberosString::anonymous_realm(), PrincipalName::anonymous())),
            client => client.clone(),
        };
        let (crealm, cname) = client.unzip();
        KrbError {
            pvno: wire::PVNO,
            msg_type: msg_type::ERROR,
            ctime: None,
            cusec: None,
            stime: now.time,
            susec: Microseconds(now.usec),
            error_code: self.code.0,
            crealm,
            cname,
            realm: realm.into(),
            sname: self
                .more
                .service
                .clone()
                .unwrap_or_else(|| PrincipalName::new(name_type::SRV_INST, &Name::krbtgt(realm))),
            e_text: Some(self.peer_text().into()),
            e_data: None,
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let (code, text) = match &denied {
            Denied::ClientUnknown => (ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN, ""),
            Denied::ClientExpired => (ErrorCode::KDC_ERR_NAME_EXP, ""),
            Denied::ClientLocked => (ErrorCode::KDC_ERR_CLIENT_REVOKED, "the client is locked"),
            Denied::ClientShutOut => (
                ErrorCode::KDC_ERR_CLIENT_REVOKED,
                "too many wrong passwords; try again later, or ask an administrator",
            ),
            Denied::NetworkShutOut => (
                ErrorCode::KDC_ERR_POLICY,
                "too many wrong passwords came from your network; try again later",
            ),
            Denied::ClientReplaced => (
                ErrorCode::KDC_ERR_TGT_REVOKED,
                "the client is no longer the one that the ticket was issued to",
            ),
            Denied::WrongProof => (ErrorCode::KDC_ERR_PREAUTH_FAILED, ""),
            Denied::ProofMissing => (ErrorCode::KDC_ERR_PREAUTH_REQUIRED, ""),
            Denied::ArmorRequired => (
                ErrorCode::KDC_ERR_PREAUTH_REQUIRED,
                "logging in takes FAST armor (kinit -T)",
            ),
            Denied::PasswordExpired => (ErrorCode::KDC_ERR_KEY_EXPIRED, ""),
            Denied::PasswordMustChange => (ErrorCode::KDC_ERR_KEY_EXPIRED, "the password must be changed"),
            // A locked service looks like none, so that MIT's library goes on to its next guess at the name.
            Denied::ServiceUnknown | Denied::ServiceLocked => (ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN, ""),
            Denied::ServiceExpired => (ErrorCode::KDC_ERR_SERVICE_EXP, ""),
            Denied::NotAService => (ErrorCode::KDC_ERR_MUST_USE_USER2USER, ""),
            Denied::NotIssuedTo => (ErrorCode::KDC_ERR_POLICY, "no tickets are issued to this principal"),
            Denied::NoUserToUser => (ErrorCode::KDC_ERR_POLICY, "the service refuses user-to-user tickets"),
            Denied::NotTgtBased => (
                ErrorCode::KDC_ERR_POLICY,
                "tickets to this service are issued for a password or key only",
            ),
            Denied::ServiceRequiresPreauth => (
                ErrorCode::KDC_ERR_POLICY,
                "the service wants a client that was pre-authenticated",
            ),
            Denied::NotPostdateable => (ErrorCode::KDC_ERR_CANNOT_POSTDATE, ""),
            // One text for all, whatever the rules are: they are nobody's business.
            Denied::DeniedByRule(_) | Denied::NoRuleAllows(_) | Denied::DeniedByDefault => {
                (ErrorCode::KDC_ERR_POLICY, "the realm's policy does not allow it")
            }
        };
        let mut refusal = Self::new(code, denied.name()).text(text);
        match denied {
            Denied::DeniedByRule(rule) => refusal.more.rule = Some(rule),
            Denied::NoRuleAllows(closing) => {
                let names: Vec<&str> = closing.iter().map(RuleName::as_str).collect();
                return refusal.detail(format!("closed by {}", names.join(", ")));
            }
            _ => {}
        }
        refusal
    }
}
