//! Administrators and principals' keys, against a store in memory.

use tessera_common::admin::{
    Deadline, GivenKey, HexOctets, KeyUse, NewKeys, NewPrincipal, Password, PrincipalInfo, Reason, Request, Response,
    Rotation, Settings, YesNo,
};
use tessera_common::crypto::{EncType, string_to_key};
use tessera_common::name::Name;
use tessera_common::time::KerberosTime;

use super::tests::{Desk, NOW, add, alias, new, password, rename, set};
use crate::store::{Memory, Store as _};

pub(super) fn given(enctype: &str, kvno: u32, octets: usize) -> GivenKey {
    GivenKey {
        enctype: enctype.into(),
        kvno,
        key: HexOctets::new(vec![7; octets]),
        salt: None,
    }
}

pub(super) fn rotate(name: &str, how: Rotation) -> Request {
    Request::Rotate {
        name: name.into(),
        how,
        enctypes: None,
    }
}

fn kvnos(info: &PrincipalInfo) -> Vec<u32> {
    let mut kvnos: Vec<_> = info.keys.iter().map(|key| key.kvno).collect();
    kvnos.dedup();
    kvnos
}

fn keytab(name: &str, rotate: bool) -> Request {
    Request::Keytab {
        names: vec![name.into()],
        rotate,
    }
}

fn uses(info: &PrincipalInfo) -> Vec<(u32, KeyUse)> {
    info.keys.iter().map(|key| (key.kvno, key.used)).collect()
}

#[test]
fn given_keys_are_kept_newest_first_and_wrong_ones_refused() {
    let mut desk = Desk::new();
    let given_keys = |keys: Vec<GivenKey>| {
        Request::Add(NewPrincipal {
            enctypes: None,
            ..new("nfs/a", NewKeys::Given(keys))
        })
    };
    for (keys, message) in [
        (vec![], "the list of keys is empty"),
        (vec![given("aes256-cts", 0, 32)], "a key's kvno is 1 or more"),
        (
            vec![given("aes256-cts", 1, 16)],
            "a key of aes256-cts-hmac-sha1-96 has 32 octets, not 16",
        ),
        (
            vec![given("aes128-cts", 1, 16), given("aes128-sha1", 1, 16)],
            "two keys of aes128-cts-hmac-sha1-96 with kvno 1",
        ),
    ] {
        assert_eq!(desk.refused(given_keys(keys)), (Reason::Invalid, message.into()));
    }
    let info = desk.done(given_keys(vec![
        given("aes128-cts", 3, 16),
        given("aes256-cts", 4, 32),
        given("aes128-cts", 4, 16),
    ]));
    let keys: Vec<_> = info.keys.iter().map(|key| (key.kvno, key.enctype.as_str())).collect();
    assert_eq!(
        keys,
        [
            (4, "aes256-cts-hmac-sha1-96"),
            (4, "aes128-cts-hmac-sha1-96"),
            (3, "aes128-cts-hmac-sha1-96")
        ]
    );
    let renamed = desk.done(rename("nfs/a", "nfs/b"));
    let salt = renamed.keys[0].salt.as_deref();
    assert_eq!(salt, Some("EXAMPLE.COMnfsa"), "in case that it is from a password");
    let view = desk.store.view();
    let record = view.find(&Name::parse("nfs/b").unwrap()).unwrap();
    assert_eq!(view.key(record, &record.keys[2]).unwrap().octets(), [7; 16]);
}

#[test]
fn a_new_password_makes_the_next_kvno_and_ends_the_old_one() {
    let mut desk = Desk::new();
    desk.done(Request::Add(new("alice", password("old"))));
    let expired = Settings {
        password_expires: Some(Deadline::At(KerberosTime(5))),
        must_change_password: Some(YesNo::Yes),
        ..Settings::default()
    };
    desk.done(set("alice", expired));
    let info = desk.done(Request::Password {
        name: "alice".into(),
        password: Password::new("new".into()),
        enctypes: Some(vec!["aes128-cts".into()]),
    });
    assert_eq!((kvnos(&info), info.password_expires), (vec![2], None));
    assert_eq!(info.attributes, ["not-a-service"]);
    let view = desk.store.view();
    let record = view.find(&Name::parse("alice").unwrap()).unwrap();
    let expected = string_to_key(EncType::Aes128CtsHmacSha1_96, b"new", b"EXAMPLE.COMalice", None).unwrap();
    assert_eq!(view.key(record, &record.keys[0]).unwrap(), &expected);
}

#[test]
fn rotation_drops_former_keys_unless_told_to_keep_them() {
    let mut desk = Desk::new();
    desk.done(add("host/a"));
    assert_eq!(kvnos(&desk.done(rotate("host/a", Rotation::Keep))), [2, 1]);
    assert_eq!(kvnos(&desk.done(rotate("host/a", Rotation::Replace))), [3]);
    let krbtgt = desk.done(rotate("krbtgt/EXAMPLE.COM", Rotation::Replace));
    assert_eq!(kvnos(&krbtgt), [2, 1]);
    let end = NOW.0 + 10 * 3600 + 300;
    assert_eq!(krbtgt.keys.last().unwrap().retired.unwrap().0, KerberosTime(end));
}

#[test]
fn keys_are_staged_delivered_activated_and_purged_and_former_ones_are_never_told() {
    use KeyUse::{Current, Former, Staged};
    let mut desk = Desk::new();
    let delivered = |desk: &mut Desk<Memory>| match desk.ask(keytab("host/a", false)) {
        Response::Keys(keys) => keys
            .into_iter()
            .map(|key| (key.key.kvno, key.staged))
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    desk.done(add("host/a"));
    desk.settings.enctypes = vec![EncType::Aes256CtsHmacSha1_96];
    let staged = desk.done(rotate("host/a", Rotation::Stage));
    assert_eq!(uses(&staged), [(2, Staged), (1, Current)]);
    assert_eq!((staged.kvno, staged.keys[0].made.unwrap().0), (Some(1), NOW));
    assert_eq!(delivered(&mut desk), [(1, false), (2, true)]);
    assert_eq!(desk.show("host/a"), staged, "whoever fetches keys changes nothing");

    let active = desk.done(rotate("host/a", Rotation::Activate));
    assert_eq!((uses(&active), active.kvno), (vec![(2, Current), (1, Former)], Some(2)));
    let end = NOW.0 + 10 * 3600 + 300;
    assert_eq!(active.keys[1].retired.unwrap().0, KerberosTime(end));
    assert_eq!(delivered(&mut desk), [(2, false)]);

    let Response::Purged { principal, gone } = desk.ask(rotate("host/a", Rotation::Purge)) else {
        panic!()
    };
    assert_eq!(uses(&principal), [(2, Current)]);
    assert_eq!(
        gone.iter().map(|key| (key.kvno, key.used)).collect::<Vec<_>>(),
        [(1, Former)]
    );
    let Response::Purged { principal: again, gone } = desk.ask(rotate("host/a", Rotation::Purge)) else {
        panic!()
    };
    assert_eq!(
        (again.revision, gone),
        (principal.revision, vec![]),
        "nothing to do is no change"
    );
}

#[test]
fn a_step_that_makes_no_sense_says_what_does() {
    let mut desk = Desk::new();
    desk.done(add("host/a"));
    desk.done(Request::Add(new("alice", password("x"))));
    desk.done(rotate("krbtgt/EXAMPLE.COM", Rotation::Replace));
    let before = desk.show("host/a");
    for (request, reason, says) in [
        (
            rotate("host/a", Rotation::Activate),
            Reason::Invalid,
            "has no staged keys; `principal rotate host/a --stage` makes some",
        ),
        (rotate("alice", Rotation::Stage), Reason::Invalid, "has a password"),
        (
            rotate("krbtgt/EXAMPLE.COM", Rotation::Stage),
            Reason::Invalid,
            "`principal rotate krbtgt/EXAMPLE.COM` makes new ones at once",
        ),
        (
            rotate("krbtgt/EXAMPLE.COM", Rotation::Purge),
            Reason::Protected,
            "they go by themselves then",
        ),
        (
            rotate("nobody", Rotation::Purge),
            Reason::NotFound,
            "there is no principal",
        ),
        (
            Request::Rotate {
                name: "host/a".into(),
                how: Rotation::Purge,
                enctypes: Some(vec!["aes128-cts".into()]),
            },
            Reason::Invalid,
            "enctypes are chosen for keys that are made",
        ),
    ] {
        let refused = desk.refused(request.clone());
        assert_eq!(refused.0, reason, "{request:?}");
        assert!(refused.1.contains(says), "{request:?}: {refused:?}");
    }
    assert_eq!(desk.show("host/a"), before);
    let staged = desk.done(rotate("host/a", Rotation::Stage));
    for request in [
        rotate("host/a", Rotation::Replace),
        rotate("host/a", Rotation::Keep),
        rotate("host/a", Rotation::Stage),
        keytab("host/a", true),
    ] {
        let (reason, message) = desk.refused(request.clone());
        assert_eq!(reason, Reason::Invalid, "{request:?}");
        assert!(
            message.contains("staged keys, kvno 2; `principal rotate host/a --activate`"),
            "{request:?}: {message}"
        );
    }
    assert_eq!(desk.show("host/a"), staged);
}

#[test]
fn a_keytab_has_the_current_keys_under_the_names_asked_for() {
    let mut desk = Desk::new();
    desk.done(add("host/a"));
    desk.done(alias("host/a", "host/b"));
    desk.done(add("host/c"));
    let mut keytab = |names: &[&str], rotate| {
        desk.ask(Request::Keytab {
            names: names.iter().map(|name| (*name).into()).collect(),
            rotate,
        })
    };
    let keys = |response: &Response| match response {
        Response::Keys(keys) => keys.clone(),
        other => panic!("{other:?}"),
    };
    let names = |response: &Response| {
        let named = keys(response)
            .into_iter()
            .map(|key| (key.principal.replace("@EXAMPLE.COM", ""), key.key.kvno));
        named.collect::<Vec<_>>()
    };
    let first = keytab(&["host/a", "host/b"], false);
    assert_eq!(names(&first), [("host/a".into(), 1), ("host/b".into(), 1)]);
    assert_eq!(keys(&first)[0].key, keys(&first)[1].key);
    assert_eq!(keytab(&["host/a"], false), keytab(&["host/a"], false));

    // A name that is not there: nothing is rotated.
    assert!(matches!(keytab(&["host/a", "host/x"], true), Response::Refused { .. }));
    assert_eq!(names(&keytab(&["host/a"], false)), [("host/a".into(), 1)]);

    let rotated = keytab(&["host/a", "host/b", "host/c"], true);
    let kvnos: Vec<_> = names(&rotated).into_iter().map(|(_, kvno)| kvno).collect();
    assert_eq!(
        (kvnos.len(), kvnos.iter().all(|kvno| *kvno == 2)),
        (12, true),
        "four enctypes each, rotated once"
    );
}
