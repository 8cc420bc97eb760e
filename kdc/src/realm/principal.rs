//! What the realm knows of a principal.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tessera_common::crypto::{EncType, Key};
use tessera_common::hexadecimal;
use tessera_common::name::Name;
use tessera_common::role::RoleName;
use tessera_common::time::KerberosTime;

use super::policy::PolicyName;

/// A principal's identity: drawn at random when it is made and never used again. A principal that is removed and made anew
/// under the same name has another one, so what was issued to the first is worth nothing to the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PrincipalId(pub [u8; 16]);

impl PrincipalId {
    /// As text. Without [`core::fmt`], for every request is accounted for with it.
    #[must_use]
    pub fn to_text(self) -> IdText {
        IdText::of(self.0)
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_text().as_str())
    }
}

/// What was to be a [`PrincipalId`] is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

/// 32 hexadecimal digits, as it is written.
impl FromStr for PrincipalId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        hexadecimal::read_array(text).map(Self).ok_or(NotAnId)
    }
}

/// An identity of 128 bits as 32 hexadecimal digits, in lower case.
#[derive(Clone, Copy)]
pub struct IdText([u8; 32]);

impl IdText {
    /// These bits.
    #[must_use]
    pub fn of(octets: [u8; 16]) -> Self {
        let mut text = [0; 32];
        for (pair, octet) in text.as_chunks_mut::<2>().0.iter_mut().zip(octets) {
            *pair = hexadecimal::digits(octet);
        }
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Digits and letters.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

tessera_common::flag_set! {
    /// What sets a principal apart. A bit that is not set means the default.
    Attributes {
        /// Neither gets nor is issued tickets.
        LOCKED = 0, "locked";
        /// May log in without pre-authentication.
        NO_PREAUTH = 1, "no-preauth";
        /// Has to change its password before it gets tickets.
        MUST_CHANGE_PASSWORD = 2, "must-change-password";
        /// No tickets to it are issued, but for user-to-user.
        NOT_A_SERVICE = 3, "not-a-service";
        /// Its tickets, and tickets to it, are not forwardable.
        NOT_FORWARDABLE = 4, "not-forwardable";
        /// Its tickets, and tickets to it, are not proxiable.
        NOT_PROXIABLE = 5, "not-proxiable";
        /// Its tickets, and tickets to it, are not renewable.
        NOT_RENEWABLE = 6, "not-renewable";
        /// Its tickets, and tickets to it, cannot be postdated.
        NOT_POSTDATEABLE = 7, "not-postdateable";
        /// No user-to-user tickets to it.
        NO_USER_TO_USER = 8, "no-user-to-user";
        /// Tickets to it come from the AS only, neither from a TGT nor by renewal.
        NOT_TGT_BASED = 9, "not-tgt-based";
        /// Tickets to it only for clients that were pre-authenticated.
        REQUIRE_PREAUTH = 10, "require-preauth";
        /// The realm trusts it with delegated credentials.
        OK_AS_DELEGATE = 11, "ok-as-delegate";
        /// Logs in through FAST armor only.
        REQUIRE_FAST = 12, "require-fast";
    }
}

/// Everything the realm keeps about a principal. Keys are sealed; what a request needs of them is unsealed on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalRecord {
    /// Never changes.
    pub id: PrincipalId,
    /// The sequence number of the change that made the record what it is; 0 before it is stored.
    pub revision: u64,
    /// The name.
    pub name: Name,
    /// Other names that find it.
    pub aliases: Vec<Name>,
    /// Newest kvno first; within a kvno, best enctype first.
    pub keys: Vec<StoredKey>,
    /// Keys of the next version, which a service learns before any ticket is sealed with them; best enctype first.
    pub staged: Vec<StoredKey>,
    /// One key of each former password, to know it again: the latest first.
    pub former_passwords: Vec<StoredKey>,
    /// The policy that it goes by, if one of its own.
    pub policy: Option<PolicyName>,
    /// Whether too many wrong passwords have shut it out, and for how long.
    pub shut_out: Option<ShutOut>,
    /// What sets it apart.
    pub attributes: Attributes,
    /// What it is to the realm's services: sorted, none twice.
    pub roles: Vec<RoleName>,
    /// From then on it gets no tickets.
    pub expires: Option<KerberosTime>,
    /// From then on only a ticket to change the password.
    pub password_expires: Option<KerberosTime>,
    /// The longest life of its tickets and of tickets to it; absent, the realm's.
    pub max_life: Option<Duration>,
    /// The longest renewable life; absent, the realm's.
    pub max_renew: Option<Duration>,
    /// When it was made.
    pub created: KerberosTime,
    /// When the record was changed last, and who did it.
    pub changed: KerberosTime,
    /// Who changed the record last, as shown to administrators.
    pub changed_by: String,
    /// When its current keys came into force.
    pub keys_changed: Option<KerberosTime>,
}

/// Too many wrong passwords were tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutOut {
    /// When the one too many was.
    pub since: KerberosTime,
    /// Until when no password is tried; `None`, until an administrator lets it in.
    pub until: Option<KerberosTime>,
}

impl ShutOut {
    /// Whether it still counts.
    #[must_use]
    pub fn is_in_force(&self, now: KerberosTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl PrincipalRecord {
    /// A principal without keys and with nothing that sets it apart.
    #[must_use]
    pub fn new(id: PrincipalId, name: Name, created: KerberosTime, by: &str) -> Self {
        Self {
            id,
            revision: 0,
            name,
            aliases: Vec::new(),
            keys: Vec::new(),
            staged: Vec::new(),
            former_passwords: Vec::new(),
            policy: None,
            shut_out: None,
            attributes: Attributes::empty(),
            roles: Vec::new(),
            expires: None,
            password_expires: None,
            max_life: None,
            max_renew: None,
            created,
            changed: created,
            changed_by: by.to_owned(),
            keys_changed: None,
        }
    }

    /// The newest key version; `None` without keys.
    #[must_use]
    pub fn kvno(&self) -> Option<u32> {
        self.keys.iter().map(|key| key.kvno).max()
    }

    /// The keys of the newest version, best first.
    pub fn current_keys(&self) -> impl Iterator<Item = &StoredKey> {
        let newest = self.kvno();
        self.keys.iter().filter(move |key| Some(key.kvno) == newest)
    }

    /// The keys by which it may prove who it is: the current ones, and those that are staged. A program takes the newest in its
    /// keytab, whether tickets are sealed with that yet or not.
    pub fn proof_keys(&self) -> impl Iterator<Item = &StoredKey> {
        self.current_keys().chain(&self.staged)
    }

    /// Whether its keys may have been made from a password, which can be guessed. Random keys, which the realm itself made,
    /// have no salt; every other key has one.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.current_keys().any(|key| key.salt.is_some())
    }

    /// Whether all its keys are sealed under this master key.
    #[must_use]
    pub fn is_sealed_under(&self, master: u32) -> bool {
        self.sealed().all(|(_, key)| key.sealed.master == master)
    }

    /// Everything that is sealed under a master key, and for what purpose.
    pub fn sealed(&self) -> impl Iterator<Item = (Purpose, &StoredKey)> {
        let long_term = self.keys.iter().chain(&self.staged);
        let former = self.former_passwords.iter();
        long_term
            .map(|key| (Purpose::LongTermKey, key))
            .chain(former.map(|key| (Purpose::FormerPassword, key)))
    }

    /// The same, to be sealed anew.
    pub(crate) fn sealed_mut(&mut self) -> impl Iterator<Item = (Purpose, &mut StoredKey)> {
        let long_term = self.keys.iter_mut().chain(&mut self.staged);
        let former = self.former_passwords.iter_mut();
        long_term
            .map(|key| (Purpose::LongTermKey, key))
            .chain(former.map(|key| (Purpose::FormerPassword, key)))
    }

    /// The keys of one version, best first.
    pub fn keys_of(&self, kvno: u32) -> impl Iterator<Item = &StoredKey> {
        self.keys.iter().filter(move |key| key.kvno == kvno)
    }
}

/// A long-term key at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Its version.
    pub kvno: u32,
    /// Its enctype.
    pub etype: EncType,
    /// The salt that it was made with, if from a password. Always written out: a name may change, a key does not.
    pub salt: Option<Vec<u8>>,
    /// When it was made; absent, when that is not known.
    pub made: Option<KerberosTime>,
    /// Until when an older version is good; absent, as long as it is there.
    pub retired: Option<KerberosTime>,
    /// The key, sealed under the master key.
    pub sealed: SealedKey,
}

/// What a sealed key is for; part of what it is bound to, so that it opens for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// A principal's long-term Kerberos key.
    LongTermKey = 1,
    /// A key that a former password was made into, which is good for nothing but to know that password again.
    FormerPassword = 2,
}

/// A key under AES-256-GCM. The associated data are the principal's id, the enctype, the kvno and the purpose, so that it
/// opens in no other place.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedKey {
    /// Which master key.
    pub master: u32,
    /// 96 random bits, drawn for this key alone.
    pub nonce: [u8; 12],
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
    /// The key itself, once it was opened.
    #[serde(skip)]
    pub(crate) opened: OpenedKey,
}

impl SealedKey {
    /// A key that was sealed: under which master key, with which nonce, and what came of it.
    pub(crate) fn new(master: u32, nonce: [u8; 12], ciphertext: Vec<u8>) -> Self {
        Self {
            master,
            nonce,
            ciphertext,
            opened: OpenedKey::default(),
        }
    }
}

/// A key that was opened, kept where the sealed one is and as long, with the place that it was opened in: the sealed key
/// opens in no other. A copy has none.
#[derive(Default)]
pub(crate) struct OpenedKey(OnceLock<(KeyPlace, Key)>);

/// What a sealed key is bound to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyPlace {
    pub(crate) id: PrincipalId,
    pub(crate) etype: EncType,
    pub(crate) kvno: u32,
}

impl OpenedKey {
    /// The key, if it was opened in this place.
    pub(crate) fn get(&self, place: KeyPlace) -> Option<&Key> {
        let (opened_in, key) = self.0.get()?;
        (*opened_in == place).then_some(key)
    }

    /// Keeps the key that opened in this place.
    pub(crate) fn keep(&self, place: KeyPlace, key: Key) -> &Key {
        let (_, key) = self.0.get_or_init(|| (place, key));
        key
    }
}

impl Clone for OpenedKey {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Says nothing of what is sealed.
impl PartialEq for OpenedKey {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for OpenedKey {}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealed under master key {}", self.master)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_nothing_else_is_one() {
        let id = PrincipalId(*b"\x00\x01\x7f\x80\xff0123456789\x0a");
        assert_eq!(id.to_string().parse(), Ok(id));
        let digits = "00112233445566778899aabbccddeef";
        for bad in [
            "",
            digits,
            &format!("{digits}ff"),
            &format!("+{digits}"),
            &format!("{digits}g"),
        ] {
            assert_eq!(bad.parse::<PrincipalId>(), Err(NotAnId), "{bad}");
        }
    }
}
