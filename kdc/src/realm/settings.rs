//! What an installation decides once for the whole realm.

use core::time::Duration;
use std::sync::Arc;

use tessera_common::crypto::EncType;
use tessera_common::name::Realm;

use super::access::{Access, DefaultAccess};
use super::dictionary::Dictionary;
use super::hours::LocalTime;
use super::lockout::NetworkLimit;

/// The realm's own settings, checked. `realm.toml` is where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmSettings {
    /// The realm.
    pub name: Realm,
    /// The longest life of a ticket.
    pub lifetime: Duration,
    /// The longest time over which a ticket can be renewed.
    pub renewable_lifetime: Duration,
    /// How far two clocks may be apart.
    pub clock_skew: Duration,
    /// The enctypes of new keys, best first. Never empty.
    pub enctypes: Vec<EncType>,
    /// How old the realm's ticket-granting key gets until another one is made; absent, as old as administrators let it.
    pub krbtgt_every: Option<Duration>,
    /// Whether a name that nobody has is to look like one that somebody has.
    pub hide_unknown_principals: bool,
    /// Whether every login has to come through FAST armor.
    pub require_fast: bool,
    /// How many wrong proofs are taken from one network; `None`: any number.
    pub network_limit: Option<NetworkLimit>,
    /// Whether an encrypted timestamp is taken outside of FAST armor.
    pub unarmored_encrypted_timestamp: bool,
    /// The largest reply over UDP, in octets; a larger one is asked for again over TCP.
    pub max_udp_reply: usize,
    /// What becomes of a service that no rule concerns which allows.
    pub default_access: DefaultAccess,
    /// The roles, rules and policies of realm.toml; the database has others.
    pub access: Access,
    /// The words that no password may be where a policy says so.
    pub dictionary: Arc<Dictionary>,
    /// The clock that the rules' hours are told by.
    pub local_time: LocalTime,
}

impl RealmSettings {
    /// The settings of a realm that decided nothing.
    #[must_use]
    pub fn new(name: Realm) -> Self {
        Self {
            name,
            lifetime: Duration::from_secs(10 * 3600),
            renewable_lifetime: Duration::from_secs(7 * 86_400),
            clock_skew: Duration::from_secs(300),
            enctypes: EncType::ALL.to_vec(),
            krbtgt_every: None,
            hide_unknown_principals: false,
            require_fast: false,
            network_limit: None,
            unarmored_encrypted_timestamp: true,
            max_udp_reply: 4096,
            default_access: DefaultAccess::Allow,
            access: Access::default(),
            dictionary: Arc::default(),
            local_time: LocalTime::UTC,
        }
    }
}
