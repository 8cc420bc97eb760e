//! A principal as a line of a dump.

use core::time::Duration;

use serde::{Deserialize, Serialize};
use tessera_common::crypto::EncType;
use tessera_common::hexadecimal;
use tessera_common::name::Name;
use tessera_common::role::RoleName;
use tessera_common::time::KerberosTime;

use crate::realm::policy::PolicyName;
use crate::realm::principal::{Attributes, PrincipalId, PrincipalRecord, SealedKey, ShutOut, StoredKey};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct DumpedRecord {
    name: Name,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<Name>,
    id: String,
    revision: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<RoleName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<KerberosTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_expires: Option<KerberosTime>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_life: Option<u64>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_renew: Option<u64>,
    created: KerberosTime,
    changed: KerberosTime,
    changed_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys_changed: Option<KerberosTime>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<DumpedKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    staged: Vec<DumpedKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former_passwords: Vec<DumpedKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<PolicyName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shut_out: Option<DumpedShutOut>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DumpedShutOut {
    since: KerberosTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<KerberosTime>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DumpedKey {
    enctype: String,
    kvno: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<KerberosTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retired: Option<KerberosTime>,
    master_key: u32,
    nonce: String,
    sealed: String,
}

impl DumpedRecord {
    pub(super) fn of(record: &PrincipalRecord) -> Self {
        // Without `..`, so that a new field is not forgotten here.
        let PrincipalRecord {
            id,
            revision,
            name,
            aliases,
            keys,
            staged,
            former_passwords,
            policy,
            shut_out,
            attributes,
            roles,
            expires,
            password_expires,
            max_life,
            max_renew,
            created,
            changed,
            changed_by,
            keys_changed,
        } = record;
        let set = Attributes::NAMED.iter().filter(|(flag, _)| attributes.contains(*flag));
        Self {
            name: name.clone(),
            aliases: aliases.clone(),
            id: id.to_string(),
            revision: *revision,
            attributes: set.map(|(_, text)| (*text).to_owned()).collect(),
            roles: roles.clone(),
            expires: *expires,
            password_expires: *password_expires,
            max_life: max_life.as_ref().map(Duration::as_secs),
            max_renew: max_renew.as_ref().map(Duration::as_secs),
            created: *created,
            changed: *changed,
            changed_by: changed_by.clone(),
            keys_changed: *keys_changed,
            keys: keys.iter().map(DumpedKey::of).collect(),
            staged: staged.iter().map(DumpedKey::of).collect(),
            former_passwords: former_passwords.iter().map(DumpedKey::of).collect(),
            policy: policy.clone(),
            shut_out: shut_out.map(|ShutOut { since, until }| DumpedShutOut { since, until }),
        }
    }

    pub(super) fn into_record(self) -> Result<PrincipalRecord, &'static str> {
        let id = octets(&self.id, "the id is not 32 hexadecimal digits")?;
        let flag = |text: &String| {
            Attributes::NAMED
                .iter()
                .find(|(_, known)| known == text)
                .map(|(flag, _)| *flag)
        };
        let attributes = self
            .attributes
            .iter()
            .try_fold(Attributes::empty(), |set, text| Some(set.with(flag(text)?)));
        if !self.roles.is_sorted_by(|a, b| a < b) {
            return Err("the roles are not sorted, or one is there twice");
        }
        Ok(PrincipalRecord {
            id: PrincipalId(id),
            revision: self.revision,
            name: self.name,
            aliases: self.aliases,
            keys: keys(self.keys)?,
            staged: keys(self.staged)?,
            former_passwords: keys(self.former_passwords)?,
            policy: self.policy,
            shut_out: self
                .shut_out
                .map(|DumpedShutOut { since, until }| ShutOut { since, until }),
            attributes: attributes.ok_or("an attribute is not known to this version of the program")?,
            roles: self.roles,
            expires: self.expires,
            password_expires: self.password_expires,
            max_life: self.max_life.map(Duration::from_secs),
            max_renew: self.max_renew.map(Duration::from_secs),
            created: self.created,
            changed: self.changed,
            changed_by: self.changed_by,
            keys_changed: self.keys_changed,
        })
    }
}

impl DumpedKey {
    fn of(key: &StoredKey) -> Self {
        let StoredKey {
            kvno,
            etype,
            salt,
            made,
            retired,
            sealed:
                SealedKey {
                    master,
                    nonce,
                    ciphertext,
                    opened: _,
                },
        } = key;
        Self {
            enctype: etype.name().to_owned(),
            kvno: *kvno,
            salt: salt.as_deref().map(hexadecimal::write),
            made: *made,
            retired: *retired,
            master_key: *master,
            nonce: hexadecimal::write(nonce),
            sealed: hexadecimal::write(ciphertext),
        }
    }

    fn into_key(self) -> Result<StoredKey, &'static str> {
        let salt = self
            .salt
            .map(|salt| hexadecimal::read(&salt).ok_or("a salt is not hexadecimal"))
            .transpose()?;
        Ok(StoredKey {
            kvno: self.kvno,
            etype: EncType::from_name(&self.enctype).ok_or("an enctype is not known to this version of the program")?,
            salt: salt.map(|salt| salt.to_vec()),
            made: self.made,
            retired: self.retired,
            sealed: SealedKey::new(
                self.master_key,
                octets(&self.nonce, "a nonce is not 24 hexadecimal digits")?,
                hexadecimal::read(&self.sealed)
                    .ok_or("a sealed key is not hexadecimal")?
                    .to_vec(),
            ),
        })
    }
}

fn keys(dumped: Vec<DumpedKey>) -> Result<Vec<StoredKey>, &'static str> {
    dumped.into_iter().map(DumpedKey::into_key).collect()
}

fn octets<const N: usize>(text: &str, why: &'static str) -> Result<[u8; N], &'static str> {
    hexadecimal::read(text)
        .and_then(|octets| octets.as_slice().try_into().ok())
        .ok_or(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::test_realm::{full_record, principal};

    #[test]
    fn a_record_comes_back_from_its_line_as_it_was() {
        for record in [full_record(), principal(1, "alice")] {
            let line = serde_json::to_string(&DumpedRecord::of(&record)).unwrap();
            let back: DumpedRecord = serde_json::from_str(&line).unwrap();
            assert_eq!(back.into_record(), Ok(record), "{line}");
        }
    }

    #[test]
    fn a_line_says_it_in_words() {
        let line = serde_json::to_string(&DumpedRecord::of(&full_record())).unwrap();
        for part in [
            r#""name":"host/a\\/b.example.com""#,
            r#""attributes":["locked","ok-as-delegate"]"#,
            r#""roles":["mail.paid","staff"]"#,
            r#""max-life":36000"#,
            r#""enctype":"aes128-cts-hmac-sha256-128","kvno":1,"#,
        ] {
            assert!(line.contains(part), "{line} does not say {part}");
        }
    }

    #[test]
    fn a_line_that_says_something_unknown_or_wrong_is_refused() {
        let line = serde_json::to_string(&DumpedRecord::of(&full_record())).unwrap();
        for (from, to) in [
            (r#""locked""#, r#""looked""#),
            (r#""staff""#, r#""Staff""#),
            (r#""staff""#, r#""mail.paid""#),
            (r#""staff""#, r#""auditors""#),
            ("aes256-cts-hmac-sha1-96", "des-cbc-crc"),
            (r#""nonce":"03"#, r#""nonce":""#),
            (r#""nonce":"03"#, r#""nonce":"x3"#),
            (r#""revision":17"#, r#""revision":-1"#),
            (r#""revision":17"#, r#""revision":17,"colour":"red""#),
            (r#""changed-by":"#, r#""changed-bye":"#),
        ] {
            assert!(line.contains(from), "{line}: {from}");
            let read = serde_json::from_str::<DumpedRecord>(&line.replacen(from, to, 1));
            assert!(read.map_or(true, |record| record.into_record().is_err()), "{to}");
        }
    }
}
