//! A principal of Heimdal's in this realm's terms.

use core::time::Duration;

use tessera_common::Random;
use tessera_common::name::{Name, Principal};
use tessera_common::time::KerberosTime;

use super::entry::{Entry, Event};
use super::extension::{Content, Extension};
use super::flags;
use super::key_sets::{self, Opener};
use crate::migration::finding::{Finding, Item, Whose};
use crate::migration::importer::ImportError;
use crate::migration::principal::ImportedPrincipal;
use crate::realm::principal::{Attributes, PrincipalRecord};
use crate::realm::settings::RealmSettings;
use crate::realm::{founding, keys};

/// What becomes of an entry.
pub(super) enum Converted {
    /// It is a principal of this realm.
    Principal(Box<ImportedPrincipal>),
    /// It is none, and why.
    LeftOut(Finding),
}

/// What entries are converted for.
pub(super) struct Converter<'c> {
    pub(super) settings: &'c RealmSettings,
    pub(super) now: KerberosTime,
    pub(super) opener: Opener<'c>,
    /// The longest life that any ticket of the other KDC may have; `None`: nothing bounds it.
    pub(super) longest_life: Option<Duration>,
}

impl Converter<'_> {
    /// Says an entry in this realm's terms, with whatever is not as it was.
    ///
    /// # Errors
    /// [`ImportError::Line`] when a key does not open or cannot be one, and when something must not be passed over.
    pub(super) fn convert(&self, line: u64, entry: &Entry, random: &mut dyn Random) -> Result<Converted, ImportError> {
        let Principal { name, realm } = &entry.principal;
        if let Some((why, advice)) = self.left_out(entry) {
            let shown = if *realm == self.settings.name {
                name.to_string()
            } else {
                entry.principal.to_string()
            };
            let finding = Finding::left_out(line, Whose::Principal(shown), Item::Principal, "the principal", why);
            return Ok(Converted::LeftOut(finding.advising(advice)));
        }
        check_mandatory(line, entry)?;

        let mut imported = ImportedPrincipal::new(line, name.clone());
        let mut tell = Teller::new(line, name);
        self.fill(&mut imported.record, entry, &mut tell);
        let sets = key_sets::open(&self.opener, line, entry, &mut |finding| tell.findings.push(finding))?;
        imported.keys = sets.keys;
        imported.former_passwords = sets.former_passwords;
        imported.findings = tell.findings;
        if imported.keys.is_empty() {
            // Without keys, an entry has a version all the same.
            let newest = Some(entry.kvno).filter(|_| !entry.keys.is_empty());
            imported.make_up_for_keys(newest, "Heimdal", self.settings, self.now, random);
        } else if name.tgs_realm() == Some(self.settings.name.as_str())
            && let Some(life) = self.life_of(entry)
        {
            imported.retire_former(keys::need_ends(life, self.settings, self.now));
        }
        Ok(Converted::Principal(Box::new(imported)))
    }

    /// The longest life that a ticket may have that is sealed with a key of this entry.
    fn life_of(&self, entry: &Entry) -> Option<Duration> {
        let own = entry.max_life.map(span);
        own.into_iter().chain(self.longest_life).min()
    }

    /// Why an entry is no principal of this realm, and what to do about it.
    fn left_out(&self, entry: &Entry) -> Option<(String, &'static str)> {
        let Principal { name, realm } = &entry.principal;
        if realm.as_str().starts_with("WELLKNOWN:") {
            let why = format!("it is of the realm {realm}, where Heimdal's programs keep what is theirs");
            return Some((why, "nothing is to be done"));
        }
        if *realm != self.settings.name {
            let why = format!("it is of the realm {realm}, and this one is {}", self.settings.name);
            let advice = if name.tgs_realm().is_some() {
                "tickets that the other realm issues are not taken here"
            } else {
                "make it in a realm of its own"
            };
            return Some((why, advice));
        }
        if name.is(&["default"]) && entry.flags & flags::INVALID != 0 {
            let why = "Heimdal's kadmin takes from it what new principals begin with, and nobody logs in as it";
            return Some((why.into(), "policies and roles are for that here"));
        }
        if name.is(&["K", "M"]) {
            let why = "it is the master key of the database, which has another here";
            return Some((why.into(), "nothing is to be done"));
        }
        None
    }

    fn fill(&self, record: &mut PrincipalRecord, entry: &Entry, tell: &mut Teller<'_>) {
        record.created = entry.created.time;
        let Event { time, by } = entry.modified.as_ref().unwrap_or(&entry.created);
        record.changed = *time;
        record.changed_by = by.as_ref().map_or_else(|| "unknown".into(), Principal::to_string);
        record.expires = entry.valid_end;
        record.password_expires = entry.password_end;
        record.max_life = entry.max_life.map(span);
        record.max_renew = entry.max_renew.map(span);
        record.attributes = self.attributes(entry, tell);
        for extension in &entry.extensions {
            self.extend(record, &extension.content, tell);
        }
        record.aliases.sort_unstable();
        record.aliases.dedup();
    }

    fn attributes(&self, entry: &Entry, tell: &mut Teller<'_>) -> Attributes {
        let name = &entry.principal.name;
        let is_own = founding::is_built_in(name, &self.settings.name);
        let mut expected = if is_own { flags::IMMUTABLE } else { 0 };
        if name.is(&["kadmin", "changepw"]) {
            expected |= flags::CHANGE_PW;
        }
        let mapped = flags::map(entry.flags, expected);
        let mut attributes = mapped.attributes;
        // Without being a service either, it is nothing: locked is just what it was.
        if mapped.is_no_client && !attributes.contains(Attributes::NOT_A_SERVICE) && entry.flags & flags::INVALID == 0 {
            let why = "it must not log in, and that alone cannot be said here";
            tell.changed(
                Item::Flag,
                "the principal is locked",
                why,
                "if it may log in: principal unlock",
            );
        }
        if let Some(start) = entry.valid_start.filter(|start| *start > self.now) {
            attributes = attributes.with(Attributes::LOCKED);
            let why = format!("it is not to be used before {start}, and that cannot be said here");
            tell.changed(
                Item::Time,
                "the principal is locked",
                why,
                "on that day: principal unlock",
            );
        }
        if is_own && name.tgs_realm().is_none() && !attributes.contains(Attributes::NOT_TGT_BASED) {
            attributes = attributes.with(Attributes::NOT_TGT_BASED);
            let why = "who changes a password or the realm has to prove who they are first";
            tell.changed(
                Item::Flag,
                "tickets to it come from a login only",
                why,
                "nothing is to be done",
            );
        }
        for unknown in mapped.unknown {
            tell.left_out(
                Item::Flag,
                format!("the flag {}", unknown.name),
                unknown.why,
                unknown.advice,
            );
        }
        attributes
    }

    fn extend(&self, record: &mut PrincipalRecord, content: &Content, tell: &mut Teller<'_>) {
        match content {
            Content::LastPasswordChange(time) => record.keys_changed = Some(*time),
            // They are keys.
            Content::OldKeys(_) => {}
            Content::Aliases {
                case_insensitive,
                names,
            } => {
                if *case_insensitive {
                    let why = "a name that is written in another case is another one here";
                    let advice = "principal alias, for each way that it is written";
                    tell.changed(Item::Alias, "its names are told apart by case", why, advice);
                }
                for Principal { name, realm } in names {
                    if *realm != self.settings.name {
                        let why = "it is of another realm";
                        tell.left_out(
                            Item::Alias,
                            format!("the alias {name}@{realm}"),
                            why,
                            "nothing is to be done",
                        );
                    } else if *name != record.name {
                        record.aliases.push(name.clone());
                    }
                }
            }
            Content::Policy(policy) => tell.left_out(
                Item::Policy,
                format!("the policy {policy}"),
                "what it says is in Heimdal's configuration and not in the dump",
                "make one that says the same, and give it: principal set --policy",
            ),
            Content::Other(number) => {
                let (name, why, advice) = other_extension(*number);
                tell.left_out(Item::Extension, name, why, advice);
            }
        }
    }
}

fn span(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

/// Collects what there is to say of one principal.
struct Teller<'t> {
    line: u64,
    name: &'t Name,
    findings: Vec<Finding>,
}

impl<'t> Teller<'t> {
    const fn new(line: u64, name: &'t Name) -> Self {
        Self {
            line,
            name,
            findings: Vec::new(),
        }
    }

    fn whose(&self) -> Whose {
        Whose::Principal(self.name.to_string())
    }

    fn changed(&mut self, item: Item, what: &str, why: impl Into<String>, advice: &str) {
        let finding = Finding::changed(self.line, self.whose(), item, what, why);
        self.findings.push(finding.advising(advice));
    }

    fn left_out(&mut self, item: Item, what: String, why: &str, advice: &str) {
        let finding = Finding::left_out(self.line, self.whose(), item, what, why);
        self.findings.push(finding.advising(advice));
    }
}

// hdb.asn1: "kdc MUST understand this extension, if not the whole entry must be rejected".
fn check_mandatory(line: u64, entry: &Entry) -> Result<(), ImportError> {
    let is_understood = |content: &Content| {
        matches!(
            content,
            Content::Aliases { .. } | Content::LastPasswordChange(_) | Content::OldKeys(_)
        )
    };
    let mut mandatory = entry.extensions.iter().filter(|extension| extension.mandatory);
    match mandatory.find(|extension| !is_understood(&extension.content)) {
        None => Ok(()),
        Some(Extension { content, .. }) => {
            let name = match content {
                Content::Other(number) => other_extension(*number).0,
                _ => "the policy".into(),
            };
            Err(ImportError::at(
                line,
                format!(
                    "{} has {name}, marked as mandatory: nobody who does not understand that may use the principal; take \
                     the line out of the dump to leave it out",
                    entry.principal.name
                ),
            ))
        }
    }
}

/// An extension that has no counterpart here: what it is, why it is not here, and what to do.
fn other_extension(number: u8) -> (String, &'static str, &'static str) {
    const CERTIFICATES: &str = "nobody logs in with a certificate here";
    const PASSWORD: &str = "such a user gets a password: principal password";
    let (name, why, advice) = match number {
        0 => ("the certificates' subjects (pkinit-acl)", CERTIFICATES, PASSWORD),
        1 => ("the certificates' hashes (pkinit-cert-hash)", CERTIFICATES, PASSWORD),
        8 => ("the certificates (pkinit-cert)", CERTIFICATES, PASSWORD),
        2 => (
            "whom it may get tickets to in the name of others (allowed-to-delegate-to)",
            "services get no tickets in the name of others here (S4U2Proxy)",
            "what needs it stays on the Heimdal side",
        ),
        4 => (
            "the LAN Manager hash (lm-owf)",
            "there is no digest service here",
            "nothing is to be done",
        ),
        5 => (
            "the password itself (password)",
            "only keys that were made from a password are kept here",
            "nothing is to be done: the password stays good",
        ),
        10 => (
            "with how many former passwords it may log in (hist-kvno-diff-clnt)",
            "the present one alone is good here",
            "nothing is to be done",
        ),
        11 => (
            "how many former keys are good (hist-kvno-diff-svc)",
            "all that came over are, until they are taken away here",
            "when no ticket needs them any more: principal rotate --purge",
        ),
        13 => (
            "the number of the principal (principal-id)",
            "it has another here",
            "nothing is to be done",
        ),
        14 => (
            "when its keys are derived anew (key-rotation)",
            "no keys are derived from a name here",
            "give each service keys of its own: principal keytab",
        ),
        15 => (
            "a krb5.conf for its holder (krb5-config)",
            "nothing is handed out with a principal here",
            "install it where it is needed",
        ),
        other => {
            let name = format!("extension {other}");
            return (name, "it is not known what it means", "ask whoever set it");
        }
    };
    (name.into(), why, advice)
}
