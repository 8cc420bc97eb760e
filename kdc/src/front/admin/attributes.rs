//! A principal's record, as administrators write and read it.

use tessera_common::admin::{KeyInfo, KeyUse, PrincipalInfo, Settings, ShutOutInfo, Span, Switch, Time};
use tessera_common::name::{Name, Principal};
use tessera_common::time::KerberosTime;

use crate::realm::access::AccessPolicy;
use crate::realm::policy::PolicyName;
use crate::realm::principal::{Attributes, PrincipalRecord, ShutOut, StoredKey};

/// Changes what `settings` names, and nothing else; its policy apart, since it depends on what is declared.
pub(super) fn apply(settings: &Settings, record: &mut PrincipalRecord, now: KerberosTime) {
    if let Some(deadline) = settings.expires {
        record.expires = deadline.resolve(now);
    }
    if let Some(deadline) = settings.password_expires {
        record.password_expires = deadline.resolve(now);
    }
    if let Some(limit) = settings.max_life {
        record.max_life = limit.duration();
    }
    if let Some(limit) = settings.max_renew {
        record.max_renew = limit.duration();
    }
    for (switch, on) in settings.switches() {
        let (attribute, when) = attribute(switch);
        record.attributes = record.attributes.set(attribute, on == when);
    }
}

/// Whether a switch is at yes.
pub(super) const fn is_on(record: &PrincipalRecord, switch: Switch) -> bool {
    let (attribute, when) = attribute(switch);
    record.attributes.contains(attribute) == when
}

// The attribute behind a switch, and whether it is set by yes or by no.
const fn attribute(switch: Switch) -> (Attributes, bool) {
    match switch {
        Switch::MustChangePassword => (Attributes::MUST_CHANGE_PASSWORD, true),
        Switch::Preauth => (Attributes::NO_PREAUTH, false),
        Switch::Service => (Attributes::NOT_A_SERVICE, false),
        Switch::Forwardable => (Attributes::NOT_FORWARDABLE, false),
        Switch::Proxiable => (Attributes::NOT_PROXIABLE, false),
        Switch::Renewable => (Attributes::NOT_RENEWABLE, false),
        Switch::Postdateable => (Attributes::NOT_POSTDATEABLE, false),
        Switch::UserToUser => (Attributes::NO_USER_TO_USER, false),
        Switch::TgtBased => (Attributes::NOT_TGT_BASED, false),
        Switch::RequirePreauth => (Attributes::REQUIRE_PREAUTH, true),
        Switch::OkAsDelegate => (Attributes::OK_AS_DELEGATE, true),
        Switch::RequireFast => (Attributes::REQUIRE_FAST, true),
    }
}

/// What sets a record's attributes apart from these, as an administrator would say it.
pub(super) fn own_settings(attributes: Attributes, from: Attributes) -> Settings {
    Switch::ALL.iter().fold(Settings::default(), |settings, switch| {
        let (attribute, when) = attribute(*switch);
        let has = attributes.contains(attribute);
        if has == from.contains(attribute) {
            settings
        } else {
            settings.with(*switch, (has == when).into())
        }
    })
}

/// The record as it is shown, and whether too many wrong passwords have shut it out.
pub(super) fn info(record: &PrincipalRecord, going_by: AccessPolicy<'_>, shut_out: Option<ShutOut>) -> PrincipalInfo {
    let full = |name: &Name| Principal::new(name.clone(), going_by.settings.name.clone()).to_string();
    // One of its own is told even if it is not declared any more.
    let policy = record.policy.as_ref().map(PolicyName::as_str);
    let policy = policy.or_else(|| Some(going_by.policy_of(record)?.name().as_str()));
    let named = Attributes::NAMED
        .iter()
        .filter(|(attribute, _)| record.attributes.contains(*attribute));
    PrincipalInfo {
        name: full(&record.name),
        aliases: record.aliases.iter().map(full).collect(),
        id: record.id.to_string(),
        revision: record.revision,
        attributes: named
            .map(|(_, name)| *name)
            .chain(shut_out.map(|_| "shut-out"))
            .map(str::to_owned)
            .collect(),
        roles: record.roles.clone(),
        policy: policy.map(str::to_owned),
        shut_out: shut_out.map(|shut_out| ShutOutInfo {
            since: Time(shut_out.since),
            until: shut_out.until.map(Time),
        }),
        expires: record.expires.map(Time),
        password_expires: going_by.password_expires(record).map(Time),
        max_life: record.max_life.map(Span),
        max_renew: record.max_renew.map(Span),
        kvno: record.kvno(),
        keys: keys(record),
        keys_changed: record.keys_changed.map(Time),
        created: Time(record.created),
        changed: Time(record.changed),
        changed_by: record.changed_by.clone(),
    }
}

fn keys(record: &PrincipalRecord) -> Vec<KeyInfo> {
    let current = record.kvno();
    let staged = record.staged.iter().map(|key| key_info(key, KeyUse::Staged));
    let others = record.keys.iter().map(|key| match Some(key.kvno) == current {
        true => key_info(key, KeyUse::Current),
        false => key_info(key, KeyUse::Former),
    });
    staged.chain(others).collect()
}

/// A key as it is shown.
pub(super) fn key_info(key: &StoredKey, used: KeyUse) -> KeyInfo {
    KeyInfo {
        kvno: key.kvno,
        enctype: key.etype.name().to_owned(),
        salt: key.salt.as_ref().map(|salt| String::from_utf8_lossy(salt).into_owned()),
        retired: key.retired.map(Time),
        made: key.made.map(Time),
        used,
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use tessera_common::admin::{Deadline, Limit, YesNo};

    use super::*;
    use crate::store::test_realm::principal;

    const NOW: KerberosTime = KerberosTime(1000);

    #[test]
    fn every_switch_sets_its_own_attribute_and_takes_it_back() {
        macro_rules! row {
            ($field:ident, $on:ident, $attribute:ident) => {
                (
                    stringify!($field),
                    Settings {
                        $field: Some(YesNo::$on),
                        ..Settings::default()
                    },
                    Settings {
                        $field: Some((YesNo::$on == YesNo::No).into()),
                        ..Settings::default()
                    },
                    Attributes::$attribute,
                )
            };
        }
        for (what, set, take_back, attribute) in [
            row!(must_change_password, Yes, MUST_CHANGE_PASSWORD),
            row!(preauth, No, NO_PREAUTH),
            row!(service, No, NOT_A_SERVICE),
            row!(forwardable, No, NOT_FORWARDABLE),
            row!(proxiable, No, NOT_PROXIABLE),
            row!(renewable, No, NOT_RENEWABLE),
            row!(postdateable, No, NOT_POSTDATEABLE),
            row!(user_to_user, No, NO_USER_TO_USER),
            row!(tgt_based, No, NOT_TGT_BASED),
            row!(require_preauth, Yes, REQUIRE_PREAUTH),
            row!(ok_as_delegate, Yes, OK_AS_DELEGATE),
            row!(require_fast, Yes, REQUIRE_FAST),
        ] {
            let mut record = principal(1, "alice");
            record.attributes = Attributes::LOCKED;
            apply(&set, &mut record, NOW);
            assert_eq!(record.attributes, Attributes::LOCKED | attribute, "{what}");
            apply(&Settings::default(), &mut record, NOW);
            assert_eq!(record.attributes, Attributes::LOCKED | attribute, "{what}");
            apply(&take_back, &mut record, NOW);
            assert_eq!(record.attributes, Attributes::LOCKED, "{what}");
        }
    }

    #[test]
    fn times_and_limits_are_set_and_taken_back() {
        let mut record = principal(1, "alice");
        let settings = Settings {
            expires: Some(Deadline::After(Duration::from_secs(60))),
            password_expires: Some(Deadline::At(KerberosTime(5))),
            max_life: Some(Limit::At(Duration::from_secs(7))),
            max_renew: Some(Limit::At(Duration::from_secs(8))),
            ..Settings::default()
        };
        apply(&settings, &mut record, NOW);
        apply(&Settings::default(), &mut record, NOW);
        assert_eq!(
            (record.expires, record.password_expires),
            (Some(KerberosTime(1060)), Some(KerberosTime(5)))
        );
        assert_eq!(record.max_life, Some(Duration::from_secs(7)));
        assert_eq!(record.max_renew, Some(Duration::from_secs(8)));
        let settings = Settings {
            expires: Some(Deadline::Never),
            password_expires: Some(Deadline::Never),
            max_life: Some(Limit::Realm),
            max_renew: Some(Limit::Realm),
            ..Settings::default()
        };
        apply(&settings, &mut record, NOW);
        assert_eq!(record, principal(1, "alice"));
    }
}
