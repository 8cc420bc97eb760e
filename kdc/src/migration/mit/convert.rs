//! A principal of MIT's in this realm's terms.

use core::time::Duration;

use tessera_common::Random;
use tessera_common::name::{Name, Principal, Realm};
use tessera_common::time::KerberosTime;

use super::flags::{self, LOCKDOWN_KEYS, PWCHANGE_SERVICE};
use super::history::HistoryKeys;
use super::key_data::KeyData;
use super::master_keys::MasterKeys;
use super::policies::Policies;
use super::policy_line::PolicyLine;
use super::principal_line::PrincipalLine;
use super::survey::Aliases;
use super::tl_data;
use crate::migration::enctype_name::enctype_name;
use crate::migration::finding::{Finding, Item, Outcome, Whose};
use crate::migration::principal::{ImportedPrincipal, drop_superseded};
use crate::realm::policy::MOST_HISTORY;
use crate::realm::principal::{Attributes, ShutOut};
use crate::realm::settings::RealmSettings;
use crate::realm::{founding, keys};
use crate::store::OpenKey;

/// What principals are read by.
pub(super) struct Converter<'c> {
    pub(super) masters: &'c MasterKeys,
    pub(super) history: &'c HistoryKeys,
    pub(super) policies: &'c Policies,
    pub(super) settings: &'c RealmSettings,
    pub(super) now: KerberosTime,
}

/// What becomes of a principal.
pub(super) enum Converted {
    Principal(Box<ImportedPrincipal>),
    LeftOut(Finding),
    /// It is another name of a principal.
    Alias,
}

/// What is to be known of a principal to say something of it.
struct About<'l> {
    line: u64,
    shown: &'l str,
}

impl About<'_> {
    fn whose(&self) -> Whose {
        Whose::Principal(self.shown.to_owned())
    }

    fn changed(&self, item: Item, what: impl Into<String>, why: impl Into<String>) -> Finding {
        Finding::changed(self.line, self.whose(), item, what, why)
    }

    fn left_out(&self, item: Item, what: impl Into<String>, why: impl Into<String>) -> Finding {
        Finding::left_out(self.line, self.whose(), item, what, why)
    }
}

impl Converter<'_> {
    /// Says a principal in this realm's terms.
    ///
    /// # Errors
    /// Why it cannot be read: a key that does not open, above all.
    pub(super) fn convert(
        &self,
        line: u64,
        princ: &PrincipalLine,
        aliases: &mut Aliases,
        random: &mut dyn Random,
    ) -> Result<Converted, String> {
        let realm = &self.settings.name;
        let whole = String::from_utf8_lossy(&princ.name);
        let unnamed = |why: &dyn core::fmt::Display| {
            let about = About { line, shown: &whole };
            let finding = about.left_out(
                Item::Principal,
                "the principal",
                format!("its name cannot be one here: {why}"),
            );
            Converted::LeftOut(finding.advising("call it otherwise (kadmin.local renprinc), and write the dump anew"))
        };
        let Ok(text) = core::str::from_utf8(&princ.name) else {
            return Ok(unnamed(&"it is not UTF-8"));
        };
        let name = match Principal::parse(text, None) {
            Ok(principal) if principal.realm == *realm => principal.name,
            Ok(principal) => return Ok(foreign(line, text, &principal, realm)),
            Err(why) => return Ok(unnamed(&why)),
        };
        let shown = name.to_string();
        let about = About { line, shown: &shown };
        if let Some(target) = &princ.tl_data.alias_target {
            return Ok(alias(&about, target, realm));
        }
        if let Some(why) = machinery(&name) {
            let finding = about.left_out(Item::Principal, "the principal", why);
            return Ok(Converted::LeftOut(finding.advising("nothing is to be done")));
        }
        let mut imported = ImportedPrincipal::new(line, name);
        imported.record.aliases = aliases.take(&imported.record.name);
        self.flags(&about, princ, &mut imported);
        Self::times(&about, princ, &mut imported);
        self.keys(&about, princ, &mut imported, random)?;
        self.policy(&about, princ, &mut imported);
        self.former_passwords(&about, princ, &mut imported);
        extensions(&about, princ, &mut imported);
        Ok(Converted::Principal(Box::new(imported)))
    }

    fn flags(&self, about: &About<'_>, princ: &PrincipalLine, imported: &mut ImportedPrincipal) {
        let name = &imported.record.name;
        let is_built_in = founding::is_built_in(name, &self.settings.name);
        let expected = match is_built_in {
            true if name.is(&["kadmin", "changepw"]) => LOCKDOWN_KEYS | PWCHANGE_SERVICE,
            true => LOCKDOWN_KEYS,
            false => 0,
        };
        let flags::Mapped {
            mut attributes,
            replaced,
            unknown,
        } = flags::map(princ.attributes, expected);
        let is_tgs = name.tgs_realm().is_some();
        let is_administration = is_built_in && !is_tgs;
        if is_tgs || is_administration {
            // Nobody logs in by that name, and what is encrypted with its key is not for everybody who asks.
            attributes = attributes.without(Attributes::NO_PREAUTH);
        }
        if is_tgs && is_built_in {
            // MIT's KDC does not ask it of whoever logs in, only of whoever comes with a ticket.
            attributes = attributes.without(Attributes::REQUIRE_PREAUTH);
        }
        if is_administration && !attributes.contains(Attributes::NOT_TGT_BASED) {
            attributes = attributes.with(Attributes::NOT_TGT_BASED);
            let why = "a password is changed, and the realm administered, only by who has just logged in";
            let finding = about.changed(Item::Flag, "disallow_tgt_based: it is set", why);
            imported.findings.push(finding);
        }
        imported.record.attributes = attributes;
        for flag in replaced {
            let finding = about.changed(Item::Flag, flag.name, flag.why);
            let advice = format!("{} {}", flag.advice, about.shown);
            imported.findings.push(finding.advising(advice));
        }
        for flag in unknown {
            let finding = about.left_out(Item::Flag, flag.name, flag.why);
            imported.findings.push(finding.advising(flag.advice));
        }
    }

    fn times(about: &About<'_>, princ: &PrincipalLine, imported: &mut ImportedPrincipal) {
        let time = |seconds: u32| Some(KerberosTime(seconds.into())).filter(|_| seconds != 0);
        let record = &mut imported.record;
        record.expires = time(princ.expiration);
        record.password_expires = time(princ.pw_expiration);
        record.max_life = Some(Duration::from_secs(princ.max_life.into())).filter(|life| !life.is_zero());
        // 0 is none at all, there as here.
        record.max_renew = Some(Duration::from_secs(princ.max_renewable_life.into()));
        record.keys_changed = princ.tl_data.last_password_change;
        if let Some((when, who)) = &princ.tl_data.modified {
            record.changed = *when;
            record.changed_by.clone_from(who);
        }
        if princ.extra > 0 {
            let what = format!("{} octets of a database module's own", princ.extra);
            let finding = about.left_out(Item::Extension, what, "it is not known what they mean");
            imported
                .findings
                .push(finding.advising("ask whoever set the module up"));
        }
    }

    fn keys(
        &self,
        about: &About<'_>,
        princ: &PrincipalLine,
        imported: &mut ImportedPrincipal,
        random: &mut dyn Random,
    ) -> Result<(), String> {
        let newest = princ.newest_kvno();
        if let Some(newest) = newest {
            self.open_keys(about, princ, newest, imported)?;
        }
        if imported.keys.is_empty() {
            imported.make_up_for_keys(newest, "MIT", self.settings, self.now, random);
        } else if imported.record.name.tgs_realm() == Some(self.settings.name.as_str())
            && let Some(life) = imported.record.max_life
        {
            imported.retire_former(keys::need_ends(life, self.settings, self.now));
        }
        Ok(())
    }

    fn open_keys(
        &self,
        about: &About<'_>,
        princ: &PrincipalLine,
        newest: u32,
        imported: &mut ImportedPrincipal,
    ) -> Result<(), String> {
        let is_built_in = founding::is_built_in(&imported.record.name, &self.settings.name);
        let master = self.masters.get(princ.tl_data.master_key_version)?;
        let mut left = LeftKeys::default();
        let mut sorted: Vec<_> = princ.keys.iter().collect();
        sorted.sort_by_key(|data| core::cmp::Reverse(data.kvno));
        for data in sorted {
            let opened = data
                .open_known(master)
                .map_err(|why| format!("its key of version {}, {}: {why}", data.kvno, enctype_name(data.etype)))?;
            let Some(key) = opened else {
                left.foreign.push(data);
                continue;
            };
            let salt = match salt(data, &imported.record.name, &self.settings.name) {
                Salt::Of(octets) => octets,
                Salt::Version4 => {
                    left.version_4.push(data);
                    Vec::new()
                }
                Salt::None(kind) => {
                    left.unsalted.push((data, kind));
                    continue;
                }
            };
            let is_same = |other: &OpenKey| other.kvno == data.kvno && other.key.etype() == key.etype();
            if imported.keys.iter().any(is_same) {
                left.again.push(data);
                continue;
            }
            imported.keys.push(OpenKey {
                kvno: data.kvno,
                key,
                // kdb5_util makes these at random.
                salt: Some(salt).filter(|_| !is_built_in),
                made: imported.record.keys_changed.filter(|_| data.kvno == newest),
                retired: None,
            });
        }
        let superseded = drop_superseded(&mut imported.keys, newest);
        left.tell(about, imported);
        if superseded > 0 {
            let why = "none of the newest version is of use here, and a former one must not take its place";
            let finding = about
                .left_out(Item::Key, "keys of earlier versions", why)
                .of(superseded);
            imported.findings.push(finding);
        }
        Ok(())
    }

    fn policy(&self, about: &About<'_>, princ: &PrincipalLine, imported: &mut ImportedPrincipal) {
        let kadm = princ.tl_data.kadm.as_ref();
        let Some(named) = kadm.and_then(|kadm| kadm.policy.as_ref()) else {
            counted(about, princ, imported);
            return;
        };
        let Some((name, said)) = self.policies.get(named) else {
            let what = format!("that it goes by the policy {}", String::from_utf8_lossy(named));
            let finding = about.left_out(
                Item::Policy,
                what,
                "there is no such policy, and MIT's programs take that for none",
            );
            imported.findings.push(finding.advising("nothing is to be done"));
            counted(about, princ, imported);
            return;
        };
        imported.record.policy = Some(name.clone());
        let record = &imported.record;
        let by_age = (said.max_life > 0)
            .then_some(record.keys_changed)
            .flatten()
            .map(|made| made.plus(Duration::from_secs(said.max_life.into())));
        if let Some(by_age) = by_age
            && record.password_expires.is_none_or(|own| own > by_age)
        {
            let there = match record.password_expires {
                Some(own) => format!("it was {own} there"),
                None => "it was never there".to_owned(),
            };
            let what = format!("when the password expires: {by_age}");
            let why = format!("the policy {name} says how old it may become, whenever that was said; {there}");
            imported.findings.push(about.changed(Item::Time, what, why));
        }
        match self.shut_out(princ, said) {
            Some(shut_out) => imported.record.shut_out = Some(shut_out),
            None => counted(about, princ, imported),
        }
    }

    // As MIT's KDC judges it (draft-behera-ldap-password-policy §7.1).
    fn shut_out(&self, princ: &PrincipalLine, policy: &PolicyLine) -> Option<ShutOut> {
        let since = KerberosTime(princ.last_failed.into());
        if !wrong_passwords_count(princ) || policy.max_failures == 0 || princ.fail_auth_count < policy.max_failures {
            return None;
        }
        let until = match policy.lockout_duration {
            0 => None,
            seconds => Some(since.plus(Duration::from_secs(seconds.into()))),
        };
        Some(ShutOut { since, until }).filter(|shut_out| shut_out.is_in_force(self.now))
    }

    fn former_passwords(&self, about: &About<'_>, princ: &PrincipalLine, imported: &mut ImportedPrincipal) {
        let Some(kadm) = &princ.tl_data.kadm else {
            return;
        };
        // The present one is the first of those that are remembered.
        let most = usize::from(MOST_HISTORY) - 1;
        let (mut sealed, mut beyond) = (0, 0);
        for password in &kadm.former_passwords {
            let Some((key, data)) = self.history.cheapest(kadm.history_kvno, password) else {
                sealed += usize::from(!password.is_empty());
                continue;
            };
            let (Salt::Of(salt), true) = (
                salt(data, &imported.record.name, &self.settings.name),
                imported.former_passwords.len() < most,
            ) else {
                beyond += 1;
                continue;
            };
            imported.former_passwords.push(OpenKey {
                kvno: data.kvno,
                key,
                salt: Some(salt),
                made: None,
                retired: None,
            });
        }
        for (count, why) in [
            (sealed, "no key of kadmin/history that is of use here opens them"),
            (beyond, "no more are remembered here, or their salt is not known here"),
        ] {
            if count > 0 {
                let finding = about.left_out(Item::FormerPassword, "former passwords", why).of(count);
                imported.findings.push(finding.advising("these could be taken again"));
            }
        }
    }
}

/// What stands for a salt.
enum Salt {
    /// These octets.
    Of(Vec<u8>),
    /// None, as Kerberos 4 had it.
    Version4,
    /// Nothing that this realm knows, but MIT's programs by this name.
    None(String),
}

fn salt(data: &KeyData, name: &Name, realm: &Realm) -> Salt {
    let Some(salt) = &data.salt else {
        return Salt::Of(name.default_salt(realm));
    };
    match salt.kind {
        0 => Salt::Of(name.default_salt(realm)),
        1 => Salt::Version4,
        2 => Salt::Of(name.components().flat_map(str::bytes).collect()),
        3 => Salt::Of(realm.as_str().as_bytes().to_vec()),
        4 => Salt::Of(salt.octets.clone()),
        5 => Salt::None("afs3".into()),
        6 => Salt::None("certhash".into()),
        other => Salt::None(format!("type {other}")),
    }
}

/// Keys that are not as they were.
#[derive(Default)]
struct LeftKeys<'l> {
    foreign: Vec<&'l KeyData>,
    version_4: Vec<&'l KeyData>,
    unsalted: Vec<(&'l KeyData, String)>,
    again: Vec<&'l KeyData>,
}

impl LeftKeys<'_> {
    fn tell(&self, about: &About<'_>, imported: &mut ImportedPrincipal) {
        let listed = |keys: &[&KeyData]| {
            let keys = keys
                .iter()
                .map(|key| format!("{} of version {}", enctype_name(key.etype), key.kvno));
            keys.collect::<Vec<_>>().join(", ")
        };
        let findings = &mut imported.findings;
        if !self.foreign.is_empty() {
            let what = format!("keys: {}", listed(&self.foreign));
            let finding = about.left_out(Item::Key, what, "this realm never has such enctypes");
            let advice = "a keytab or a client that has no other needs a new one";
            findings.push(finding.advising(advice).of(self.foreign.len()));
        }
        if !self.again.is_empty() {
            let what = format!("keys: {}", listed(&self.again));
            let why = "another of the same version and enctype comes before it, which MIT's KDC offers, too";
            let finding = about.left_out(Item::Key, what, why).of(self.again.len());
            findings.push(finding.advising("nothing is to be done: both are of the same password"));
        }
        for (key, kind) in &self.unsalted {
            let what = format!("key: {}", listed(&[key]));
            let finding = about.left_out(
                Item::Key,
                what,
                format!("its salt is of the kind {kind}, which is not known here"),
            );
            findings.push(finding.advising("a password that has no other key has to be set anew"));
        }
        if !self.version_4.is_empty() {
            let what = format!("salts of keys: {}", listed(&self.version_4));
            let why = "they are of the kind v4, which is an empty one, and told to clients as that";
            findings.push(about.changed(Item::Salt, what, why).of(self.version_4.len()));
        }
    }
}

fn foreign(line: u64, text: &str, principal: &Principal, realm: &Realm) -> Converted {
    let about = About { line, shown: text };
    let why = format!("it is of the realm {}, and this one is {realm}", principal.realm);
    let finding = about.left_out(Item::Principal, "the principal", why);
    Converted::LeftOut(match principal.name.tgs_realm() {
        Some(_) => finding.advising("this realm takes no tickets of other realms"),
        None => finding.advising("import it into a realm of its own"),
    })
}

fn alias(about: &About<'_>, target: &[u8], realm: &Realm) -> Converted {
    let text = String::from_utf8_lossy(target);
    let why = match Principal::parse(&text, None) {
        Ok(target) if target.realm == *realm => return Converted::Alias,
        Ok(target) => format!("it stands for a principal of the realm {}", target.realm),
        Err(why) => format!("the name that it stands for cannot be one here: {why}"),
    };
    let what = format!("the alias of {text}");
    Converted::LeftOut(
        about
            .left_out(Item::Alias, what, why)
            .advising("this realm sends nobody to other realms"),
    )
}

/// Why a principal is not for this realm: it is of use to MIT's database alone.
fn machinery(name: &Name) -> Option<&'static str> {
    if name.is(&["K", "M"]) {
        Some("it holds MIT's master key; this realm has one of its own, in master.key")
    } else if name.is(&["kadmin", "history"]) {
        Some("former passwords were sealed with its key; here they are under the master key, as all others")
    } else {
        None
    }
}

fn wrong_passwords_count(princ: &PrincipalLine) -> bool {
    let unlocked = princ.tl_data.last_admin_unlock.unwrap_or_default();
    princ.fail_auth_count > 0 && KerberosTime(princ.last_failed.into()) > unlocked
}

fn counted(about: &About<'_>, princ: &PrincipalLine, imported: &mut ImportedPrincipal) {
    if wrong_passwords_count(princ) {
        let count = princ.fail_auth_count;
        let what = format!("{count} wrong passwords that were counted");
        let finding = about.left_out(
            Item::Lockout,
            what,
            "they shut nobody out any more, and counting begins anew",
        );
        imported.findings.push(finding.advising("nothing is to be done"));
    }
}

fn extensions(about: &About<'_>, princ: &PrincipalLine, imported: &mut ImportedPrincipal) {
    for (name, value) in &princ.tl_data.strings {
        let what = format!("the string attribute {name} = {value}");
        let finding = match name.as_str() {
            "require_auth" => {
                let attributes = &mut imported.record.attributes;
                *attributes = attributes.with(Attributes::NOT_A_SERVICE);
                let why = "tickets do not say here how somebody logged in: none to it are issued";
                let advice = format!(
                    "say by a rule who may have them (principal rule add), and then: principal set {} --service yes",
                    about.shown
                );
                Finding {
                    outcome: Outcome::Changed,
                    ..about.left_out(Item::Extension, what, why).advising(advice)
                }
            }
            "session_enctypes" => about
                .left_out(
                    Item::Extension,
                    what,
                    "a service is taken to know the enctypes of its keys here",
                )
                .advising("nothing is to be done"),
            "otp" => about
                .left_out(Item::Extension, what, "there are no one-time passwords here")
                .advising("a principal without a password gets none by this import"),
            "pac_privsvr_enctype" => about
                .left_out(Item::Extension, what, "no ticket has a PAC here")
                .advising("nothing is to be done"),
            _ => about
                .left_out(Item::Extension, what, "it is not known what it means")
                .advising("ask whoever set it"),
        };
        imported.findings.push(finding);
    }
    for (kind, length) in &princ.tl_data.others {
        let what = match tl_data::name_of(*kind) {
            Some(name) => format!("{name} ({length} octets)"),
            None => format!("tagged data of type {kind} ({length} octets)"),
        };
        let finding = about.left_out(Item::Extension, what, "this realm has nothing of the kind");
        imported.findings.push(finding);
    }
}
