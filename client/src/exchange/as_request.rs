use tessera_common::crypto::EncType;
use tessera_common::flags::KdcOptions;
use tessera_common::name::{Name, Principal, Realm, name_type};
use tessera_common::wire::HostAddress;

use super::{Armor, ClockRule, RequestedTimes, name_type_of};

/// What to ask an authentication service for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsRequest {
    /// Who asks.
    pub client: Principal,
    /// The client's name type. With [`name_type::ENTERPRISE`] the KDC may answer with another name.
    pub client_name_type: i32,
    /// What the ticket shall be for; `None` is the ticket-granting service of the client's realm.
    pub service: Option<Name>,
    /// What is asked of the ticket. CANONICALIZE lets the KDC answer with another name and refer to another realm.
    pub options: KdcOptions,
    /// When it shall begin and end.
    pub times: RequestedTimes,
    /// The enctypes that are taken for the reply and the session key, best first. Not empty.
    pub etypes: Vec<EncType>,
    /// The addresses that the ticket shall be good from; empty, from anywhere.
    pub addresses: Vec<HostAddress>,
    /// What to make of the KDC's clock.
    pub clock: ClockRule,
    /// What protects the exchange. With it, the KDC has to speak FAST: there is no falling back.
    pub armor: Option<Armor>,
    /// Whether an encrypted timestamp may be sent, against which everybody on the path can try passwords if it has no armor.
    pub encrypted_timestamp: bool,
}

impl AsRequest {
    /// A ticket-granting ticket for `client`, from now until as late as possible, with every enctype.
    #[must_use]
    pub fn new(client: Principal) -> Self {
        Self {
            client_name_type: name_type_of(&client.name),
            client,
            service: None,
            options: KdcOptions::RENEWABLE_OK,
            times: RequestedTimes::default(),
            etypes: EncType::ALL.to_vec(),
            addresses: Vec::new(),
            clock: ClockRule::default(),
            armor: None,
            encrypted_timestamp: true,
        }
    }

    pub(super) fn may_be_renamed(&self) -> bool {
        self.options.contains(KdcOptions::CANONICALIZE) || self.client_name_type == name_type::ENTERPRISE
    }

    pub(super) fn service_in(&self, realm: &Realm) -> Name {
        self.service.clone().unwrap_or_else(|| Name::krbtgt(realm))
    }
}
