//! `principal explain`: what it tells is what is seen on the wire, of whoever and under whatever rules.

use serde_json::Value;
use tessera_tests::Realm;
use tessera_tests::wire::{
    FastReply, FastReq, KdcReq, Name, Reply, ask, crypto::Key, flag, keytab, login, login_by_preauth, now, option, pa,
    pa_enc_timestamp,
};

const HOST: &str = "host/client.example.com";
const SERVICE: &str = "host/server.example.com";

fn explain(realm: &Realm, arguments: &str) -> Value {
    let said = realm.principal(&format!("explain --json {arguments}")).run().ok();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// The mechanisms in METHOD-DATA, by the names that they are explained by, in that order.
fn offered(methods: &[(i64, Vec<u8>)]) -> Vec<&'static str> {
    let name = |kind: i64| match kind {
        pa::ENC_TIMESTAMP => Some("encrypted-timestamp"),
        pa::ENCRYPTED_CHALLENGE => Some("encrypted-challenge"),
        _ => None,
    };
    methods.iter().filter_map(|(kind, _)| name(*kind)).collect()
}

struct Client {
    name: &'static str,
    key: Key,
}

fn clients(realm: &Realm) -> Vec<Client> {
    let add = |name: &str, options: &str| {
        let add = realm.principal(&format!("add {name} --password-file - {options}"));
        add.stdin("wonderland\n").run().ok();
    };
    add("alice", "");
    add("open", "--no-preauth");
    for (name, change) in [
        ("armored", "set armored --require-fast yes"),
        ("locked", "lock locked"),
        ("expired", "set expired --expires 2001-01-01T00:00:00Z"),
        ("stale", "set stale --must-change-password yes"),
    ] {
        add(name, "");
        realm.principal(change).run().ok();
    }
    let by_password = |name| Client {
        name,
        key: Key::from_password("wonderland", &format!("EXAMPLE.COM{name}")),
    };
    let mut clients: Vec<_> = ["alice", "open", "armored", "locked", "expired", "stale"]
        .map(by_password)
        .into();
    clients.push(Client {
        name: HOST,
        key: keytab::newest_key(&realm.add_service(HOST)).0,
    });
    realm.add_service(SERVICE);
    clients
}

/// Whoever asks, proves it or not, in armor or not: explained and done.
#[test]
fn what_is_explained_is_what_is_seen_on_the_wire() {
    for rules in [
        "",
        "require-fast = true",
        "unarmored-encrypted-timestamp = false",
        "require-fast = true\nunarmored-encrypted-timestamp = false",
    ] {
        let realm = Realm::builder().section(&format!("[authentication]\n{rules}")).start();
        let kdc = realm.kerberos();
        let clients = clients(&realm);
        let host = login(kdc, HOST, &clients.last().unwrap().key);
        for Client { name, key } in &clients {
            let what = format!("{name} under {rules:?}");
            let explained = explain(&realm, name);
            assert_eq!(explained["client"], format!("{name}@EXAMPLE.COM"));
            assert_eq!(explained["service"], "krbtgt/EXAMPLE.COM@EXAMPLE.COM");

            let request = KdcReq::initial(name);
            let open = ask(kdc, &request.to_der());
            let methods = |reply: &Reply| match reply {
                Reply::Error(error) if error.code == 25 => error.methods(),
                _ => Vec::new(),
            };
            channel(&what, &explained, "unarmored", open.code(), &methods(&open));
            let armored = FastReq::new(&host.armor(), &request).ask_as(kdc);
            let inside = |reply: &FastReply| reply.response().padata.clone();
            channel(&what, &explained, "armored", armored.code(), &inside(&armored));

            // By the first mechanism that is explained, the login that is explained.
            let mechanism = |way: &str| explained[way]["mechanisms"][0].as_str().map(str::to_owned);
            let mut proven = KdcReq::initial(name);
            let stamped = mechanism("unarmored").is_some();
            if stamped {
                proven.padata.push(pa_enc_timestamp(key, now()));
            }
            let unarmored = ask(kdc, &proven.to_der()).code();
            let in_armor = FastReq::new(&host.armor(), &request).with_challenge(key).ask_as(kdc);
            let granted = explained["by-login"]["refused"].is_null();
            assert_eq!(in_armor.code() == 0, granted, "{what}: {explained}");
            let in_the_open = granted
                && explained["unarmored"]["refused"].is_null()
                && (stamped || explained["proof-needed"] == false);
            assert_eq!(unarmored == 0, in_the_open, "{what}: {unarmored} {explained}");
            if let Some(reason) = explained["by-login"]["refused"].as_str() {
                realm.wait_for_log(&format!("reason={reason} "));
            }
        }
    }
}

/// What an unproven request is answered with is explained: refused, for want of a proof by these mechanisms, or granted.
#[track_caller]
fn channel(what: &str, explained: &Value, way: &str, code: i64, methods: &[(i64, Vec<u8>)]) {
    if !explained["account"].is_null() {
        assert!(![0, 25].contains(&code), "{what} {way}: {code} {explained}");
    } else if !explained[way]["refused"].is_null() {
        assert_ne!(code, 0, "{what} {way}: {explained}");
        assert!(offered(methods).is_empty(), "{what} {way}: {methods:?} {explained}");
    } else if explained["proof-needed"] == true {
        assert_eq!(code, 25, "{what} {way}: {explained}");
        let told: Vec<_> = explained[way]["mechanisms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        assert_eq!(told, offered(methods), "{what} {way}");
    } else {
        assert!(![24, 25].contains(&code), "{what} {way}: {code} {explained}");
    }
}

/// The tickets that are explained are the tickets that are got.
#[test]
fn tickets_are_explained_for_any_service() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add_service(SERVICE);
    let kdc = realm.kerberos();
    let key = Key::from_password("wonderland", "EXAMPLE.COMalice");
    for change in [
        "set alice --max-life 4h --max-renew 2d",
        "set host/server.example.com --max-life 90m --proxiable no --ok-as-delegate yes",
        "set alice --forwardable no",
        "set host/server.example.com --max-renew 1d --renewable no",
        "set host/server.example.com --tgt-based no",
        "set host/server.example.com --service no --user-to-user no",
        "set krbtgt/EXAMPLE.COM --max-life 2h",
        "lock host/server.example.com",
        "lock alice",
    ] {
        let wanted = |request: KdcReq| KdcReq {
            till: now() + 30 * 86400,
            rtime: Some(now() + 60 * 86400),
            ..request.with_options(option::FORWARDABLE | option::PROXIABLE | option::RENEWABLE | option::ALLOW_POSTDATE)
        };
        let before = login_by_preauth(kdc, &wanted(KdcReq::initial("alice")), &key);
        realm.principal(change).run().ok();
        let after = change != "lock alice";
        let tgt = if after {
            login_by_preauth(kdc, &wanted(KdcReq::initial("alice")), &key)
        } else {
            before
        };
        for service in ["krbtgt/EXAMPLE.COM", SERVICE] {
            let what = format!("{service} after {change}");
            let explained = explain(&realm, &format!("alice --service {service}"));
            let mut request = KdcReq {
                sname: Some(Name::new(service)),
                ..wanted(KdcReq::initial("alice"))
            };
            request.padata.push(pa_enc_timestamp(&key, now()));
            let by_login = match ask(kdc, &request.to_der()) {
                Reply::Rep(rep) => Ok(rep.open(&key, 3)),
                Reply::Error(error) => Err(error.code),
            };
            compare(&format!("{what}, by login"), &explained["by-login"], &by_login);
            // What a TGT gets of its own kind is another matter: renewing and forwarding.
            if service == SERVICE {
                let by_ticket = match tgt.ask(kdc, &wanted(KdcReq::ticket(service))) {
                    Reply::Rep(rep) => Ok(tgt.open(&rep).part),
                    Reply::Error(error) => Err(error.code),
                };
                compare(&format!("{what}, by ticket"), &explained["by-ticket"], &by_ticket);
            }
        }
    }
    realm.principal("unlock alice").run().ok();
    realm.principal("set alice --postdateable no").run().ok();
    assert!(!explain(&realm, "alice").to_string().contains("may-postdate"));
    let mut request = KdcReq::initial("alice").with_options(option::ALLOW_POSTDATE);
    request.padata.push(pa_enc_timestamp(&key, now()));
    assert_eq!(ask(kdc, &request.to_der()).code(), 10);

    for wrong in ["nobody", "alice --service host/nowhere"] {
        let said = realm.principal(&format!("explain {wrong}")).run().status(1);
        assert!(said.contains(wrong.split(' ').next_back().unwrap()), "{said}");
    }
    realm.principal("lock alice").run().ok();
    let told = realm.principal("explain alice").run().ok();
    assert!(told.contains("alice@EXAMPLE.COM") && told.contains("locked"), "{told}");
}

#[track_caller]
fn compare(what: &str, explained: &Value, got: &Result<tessera_tests::wire::EncPart, i64>) {
    let part = match got {
        Ok(part) => part,
        Err(code) => return assert!(!explained["refused"].is_null(), "{what}: {code} {explained}"),
    };
    assert!(explained["refused"].is_null(), "{what}: {explained}");
    let near = |found: Option<i64>, told: &Value| match (found, told.as_str().map(seconds)) {
        (Some(found), Some(told)) => (found - told).abs() <= 2,
        (None, None) => true,
        _ => false,
    };
    let start = part.starttime.unwrap_or(part.authtime);
    assert!(
        near(Some(part.endtime - start), &explained["max-life"]),
        "{what}: {part:?} {explained}"
    );
    assert!(
        near(part.renew_till.map(|till| till - start), &explained["max-renew"]),
        "{what}: {part:?} {explained}"
    );
    for (name, bit) in [
        ("forwardable", flag::FORWARDABLE),
        ("proxiable", flag::PROXIABLE),
        ("may-postdate", flag::MAY_POSTDATE),
        ("ok-as-delegate", flag::OK_AS_DELEGATE),
    ] {
        let told = explained["flags"].as_array().unwrap().iter().any(|flag| flag == name);
        assert_eq!(part.has(bit), told, "{what}: {name} {explained}");
    }
}

/// `1d12h`, as spans are told.
fn seconds(span: &str) -> i64 {
    let (mut total, mut number) = (0, 0);
    for letter in span.chars() {
        number = match letter.to_digit(10) {
            Some(digit) => number * 10 + i64::from(digit),
            None => {
                let unit = match letter {
                    'w' => 7 * 86400,
                    'd' => 86400,
                    'h' => 3600,
                    'm' => 60,
                    's' => 1,
                    _ => panic!("no span: {span}"),
                };
                total += number * unit;
                0
            }
        };
    }
    total
}
