//! Our klist and MIT's, on the same files: what they print may not differ by an octet.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tessera_common::ccache::{CredentialCache, Entry, StoredKey};
use tessera_common::crypto::{EncType, Key};
use tessera_common::flags::TicketFlags;
use tessera_common::keytab::{Keytab, KeytabEntry};
use tessera_common::name::{Principal, Realm, name_type};
use tessera_common::time::KerberosTime;
use tessera_common::wire::{self, AuthorizationDataElement, EncryptedData, HostAddress, Kvno, PrincipalName, Ticket};
use tessera_tests::{Tool, binary};

struct Desk {
    directory: TempDir,
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(
            directory.path().join("krb5.conf"),
            "[libdefaults]\n default_realm = EXAMPLE.COM\n",
        )
        .unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, program: PathBuf, line: &str, variables: &[(&str, &str)]) -> (i32, String, String) {
        let tool = Tool::new(program, line)
            .env("KRB5_CONFIG", self.path("krb5.conf"))
            .env("KRB5CCNAME", format!("FILE:{}", self.path("cache").display()))
            .env("KRB5_KTNAME", self.path("keytab"))
            .env("KRB5_CLIENT_KTNAME", self.path("keytab"));
        let finished = variables
            .iter()
            .fold(tool, |tool, (name, value)| tool.env(name, value))
            .run();
        (finished.status.code().unwrap(), finished.stdout, finished.stderr)
    }

    /// Both say the same, to both outputs and by the exit status. Gives what they print.
    #[track_caller]
    fn same(&self, line: &str, variables: &[(&str, &str)]) -> String {
        let mit = self.run(Path::new("/usr/bin/klist").to_owned(), line, variables);
        let ours = self.run(binary("klist"), line, variables);
        assert_eq!(ours, mit, "`{line}` with {variables:?}");
        ours.1
    }
}

fn principal(text: &str) -> Principal {
    text.parse().unwrap()
}

fn ticket(server: &Principal, etype: i32) -> Vec<u8> {
    wire::encode(&Ticket {
        tkt_vno: wire::PVNO,
        realm: (&server.realm).into(),
        sname: PrincipalName::new(name_type::PRINCIPAL, &server.name),
        enc_part: EncryptedData {
            etype,
            kvno: Some(Kvno(3)),
            cipher: vec![0; 40].into(),
        },
    })
}

fn entry(client: &str, server: &str) -> Entry {
    let (client, server) = (principal(client), principal(server));
    Entry {
        client_name_type: name_type::PRINCIPAL,
        server_name_type: name_type::PRINCIPAL,
        key: Key::new(EncType::Aes256CtsHmacSha1_96, &[7; 32]).unwrap().into(),
        authtime: KerberosTime(1_700_000_000),
        starttime: KerberosTime(1_700_000_000),
        endtime: KerberosTime(1_700_036_000),
        renew_till: KerberosTime::EPOCH,
        is_skey: false,
        flags: TicketFlags::empty(),
        addresses: Vec::new(),
        authorization_data: Vec::new(),
        ticket: ticket(&server, 18),
        second_ticket: Vec::new(),
        client,
        server,
    }
}

fn odd_cache() -> CredentialCache {
    const ALICE: &str = "alice@EXAMPLE.COM";
    let mut cache = CredentialCache::new(principal(ALICE), name_type::PRINCIPAL);
    let all_flags = TicketFlags::NAMED
        .iter()
        .fold(TicketFlags::empty(), |all, (flag, _)| all | *flag);
    let plain = || entry(ALICE, "host/www@EXAMPLE.COM");
    let ipv4: HostAddress = std::net::IpAddr::from([192, 0, 2, 7]).into();
    let ipv6: HostAddress = "2001:db8::7".parse::<std::net::IpAddr>().unwrap().into();
    let odd = |addr_type, address: &[u8]| HostAddress {
        addr_type,
        address: address.into(),
    };
    let addresses = vec![ipv4, ipv6, odd(2, b"abc"), odd(24, b"abc"), odd(5, b"x")];
    cache.entries = vec![
        entry(ALICE, "krbtgt/EXAMPLE.COM@EXAMPLE.COM"),
        Entry {
            renew_till: KerberosTime(1_700_100_000),
            ..plain()
        },
        Entry {
            flags: TicketFlags::INITIAL | TicketFlags::ENC_PA_REP,
            ..plain()
        },
        Entry {
            flags: TicketFlags::ENC_PA_REP,
            ..plain()
        },
        Entry {
            flags: all_flags,
            renew_till: KerberosTime(1_700_100_000),
            ..plain()
        },
        entry("bob@EXAMPLE.COM", "host/www@EXAMPLE.COM"),
        Entry {
            flags: TicketFlags::INITIAL,
            ..entry("bob@EXAMPLE.COM", "host/www@EXAMPLE.COM")
        },
        Entry {
            flags: TicketFlags::INITIAL,
            renew_till: KerberosTime(1_700_100_000),
            ..entry("bob@EXAMPLE.COM", "host/www@EXAMPLE.COM")
        },
        Entry {
            authorization_data: [1, -7]
                .map(|ad_type| AuthorizationDataElement {
                    ad_type,
                    ad_data: vec![0].into(),
                })
                .to_vec(),
            ..plain()
        },
        Entry {
            starttime: KerberosTime::EPOCH,
            ..plain()
        },
        Entry {
            endtime: KerberosTime(4_000_000_000),
            ..plain()
        },
        Entry {
            ticket: ticket(&principal("host/other@ELSEWHERE"), 18),
            ..plain()
        },
        Entry {
            ticket: b"no ticket".to_vec(),
            ..plain()
        },
        Entry { addresses, ..plain() },
        entry(ALICE, r"odd\/name\@with\\signs@EXAMPLE.COM"),
        Entry {
            server: Principal::new(principal("host/www@EXAMPLE.COM").name, Realm::left_to_kdc()),
            ..plain()
        },
    ];
    for etype in [0, 1, 2, 3, 4, 6, 8, 16, 17, 19, 20, 23, 24, 25, 26, 99] {
        cache.entries.push(Entry {
            ticket: ticket(&principal("host/www@EXAMPLE.COM"), etype),
            ..plain()
        });
    }
    let tgt = principal("krbtgt/EXAMPLE.COM@EXAMPLE.COM");
    cache.set_config("fast_avail", Some(&tgt), b"yes").unwrap();
    cache.set_config("short", None, b"a b\0\xff\x7f").unwrap();
    cache.set_config("long", None, &[b'x'; 300]).unwrap();
    cache.set_config("octets", Some(&tgt), &[0; 50]).unwrap();
    cache.set_config("nothing", None, b"").unwrap();
    cache
}

#[test]
#[ignore = "needs MIT's client tools"]
fn caches_are_shown_alike() {
    let desk = Desk::new();
    fs::write(desk.path("cache"), odd_cache().to_bytes()).unwrap();
    for line in [
        "klist",
        "klist -e",
        "klist -f",
        "klist -ef",
        "klist -C",
        "klist -Cef",
        "klist -an",
        "klist -aefn",
        "klist -d",
        "klist -def",
        "klist -c",
    ] {
        let shown = desk.same(line, &[]);
        assert!(shown.starts_with("Ticket cache: FILE:"));
    }
    for line in ["klist -l", "klist -A", "klist -Aefan", "klist -s", "klist -As"] {
        desk.same(line, &[]);
    }
}

#[test]
#[ignore = "needs MIT's client tools"]
fn times_are_those_of_the_time_zone() {
    let desk = Desk::new();
    fs::write(desk.path("cache"), odd_cache().to_bytes()).unwrap();
    for zone in [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Nowhere/Land",
    ] {
        desk.same("klist", &[("TZ", zone)]);
    }
}

#[test]
#[ignore = "needs MIT's client tools"]
fn a_cache_that_is_not_there_is_told_alike() {
    let desk = Desk::new();
    for line in [
        "klist",
        "klist -s",
        "klist -l",
        "klist -A",
        "klist -As",
        "klist FILE:/no/such/directory/cache",
    ] {
        desk.same(line, &[]);
    }
    let collection = format!("DIR:{}", desk.path("caches").display());
    for line in ["klist -l", "klist", "klist -A", "klist -s"] {
        desk.same(line, &[("KRB5CCNAME", &collection)]);
    }
}

#[test]
#[ignore = "needs MIT's client tools"]
fn collections_are_shown_alike() {
    let desk = Desk::new();
    let directory = desk.path("caches");
    fs::create_dir(&directory).unwrap();
    for (file, owner) in [
        ("tkt", "alice@EXAMPLE.COM"),
        ("tktbob", "bob@EXAMPLE.COM"),
        ("tktlong", "a-name-that-is-longer/than-the-column@EXAMPLE.COM"),
        ("tktutf", "žofie-žofie-žofie-žofie@EXAMPLE.COM"),
    ] {
        let mut cache = CredentialCache::new(principal(owner), name_type::PRINCIPAL);
        let tgt = entry(owner, "krbtgt/EXAMPLE.COM@EXAMPLE.COM");
        let endtime = if file == "tktbob" {
            KerberosTime(4_000_000_000)
        } else {
            tgt.endtime
        };
        cache.entries.push(Entry { endtime, ..tgt });
        fs::write(directory.join(file), cache.to_bytes()).unwrap();
    }
    fs::write(directory.join("tktdamaged"), b"\x05\x04\x00").unwrap();
    fs::write(directory.join("notes"), b"no cache").unwrap();
    fs::write(directory.join("primary"), "tktbob\n").unwrap();
    let collection = format!("DIR:{}", directory.display());
    let subsidiary = format!("DIR::{}/tkt", directory.display());
    for name in [&collection, &subsidiary] {
        for line in ["klist", "klist -l", "klist -s", "klist -As"] {
            desk.same(line, &[("KRB5CCNAME", name)]);
        }
    }
    fs::remove_file(directory.join("tktdamaged")).unwrap();
    desk.same("klist -A", &[("KRB5CCNAME", &collection)]);
}

#[test]
#[ignore = "needs MIT's client tools"]
fn keytabs_are_shown_alike() {
    let desk = Desk::new();
    let mut keytab = Keytab::default();
    let key = |etype: EncType| Key::new(etype, &vec![0xa5; etype.key_len()]).unwrap();
    for (number, etype) in EncType::ALL.into_iter().enumerate() {
        keytab.entries.push(KeytabEntry {
            principal: principal("host/www.example.com@EXAMPLE.COM"),
            name_type: name_type::PRINCIPAL,
            timestamp: KerberosTime(1_700_000_000 + i64::try_from(number).unwrap()),
            kvno: [1, 255, 256, 70_000][number],
            key: key(etype).into(),
        });
    }
    let mut octets = keytab.to_bytes().to_vec();
    // Keys of enctypes that this project does not make: a record each, written by hand.
    for etype in [1u16, 3, 16, 23, 25, 99] {
        let mut record = b"\x00\x01\x00\x0bEXAMPLE.COM\x00\x03old\x00\x00\x00\x01\x65\x53\xf1\x00\x07".to_vec();
        record.extend(etype.to_be_bytes());
        record.extend(b"\x00\x08\x01\x02\x03\x04\x05\x06\x07\x08");
        octets.extend(u32::try_from(record.len()).unwrap().to_be_bytes());
        octets.extend(record);
    }
    fs::write(desk.path("keytab"), octets).unwrap();
    for flags in ["-k", "-ke", "-kt", "-kK", "-kte", "-kteK", "-ki", "-kC"] {
        let shown = desk.same(&format!("klist {flags}"), &[]);
        assert!(shown.starts_with("Keytab name: FILE:"));
        desk.same(&format!("klist {flags} {}", desk.path("keytab").display()), &[]);
    }
    assert!(desk.same("klist -kK", &[]).contains("0xa5a5"));
    assert_eq!(
        desk.same("klist -k", &[("KRB5_KTNAME", "/no/such/keytab")]),
        "Keytab name: FILE:/no/such/keytab\n"
    );
}

#[test]
fn keys_are_not_shown_unless_asked_for() {
    let desk = Desk::new();
    let keytab = Keytab {
        entries: vec![KeytabEntry {
            principal: principal("host/www@EXAMPLE.COM"),
            name_type: name_type::PRINCIPAL,
            timestamp: KerberosTime(0),
            kvno: 1,
            key: StoredKey::from(Key::new(EncType::Aes128CtsHmacSha1_96, &[0xa5; 16]).unwrap()),
        }],
    };
    fs::write(desk.path("keytab"), keytab.to_bytes()).unwrap();
    for (line, shown) in [
        ("klist -kte", false),
        ("klist -k --json", false),
        ("klist -kK", true),
        ("klist -kK --json", true),
    ] {
        let (status, out, _) = desk.run(binary("klist"), line, &[]);
        assert_eq!((status, out.contains("a5a5a5")), (0, shown), "{line}");
    }
}

#[test]
fn json_has_every_field() {
    let desk = Desk::new();
    fs::write(desk.path("cache"), odd_cache().to_bytes()).unwrap();
    let (status, out, _) = desk.run(binary("klist"), "klist -C --json", &[]);
    assert_eq!(status, 0);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["default-principal"], "alice@EXAMPLE.COM");
    let ticket = &json["tickets"][1];
    assert_eq!(ticket["service-principal"], "host/www@EXAMPLE.COM");
    assert_eq!(ticket["valid-starting"], "2023-11-14T22:13:20Z");
    assert_eq!(ticket["renew-until"], "2023-11-16T02:00:00Z");
    assert_eq!(ticket["session-enctype"], "aes256-cts-hmac-sha1-96");
    assert_eq!(ticket["ticket-enctype"], "aes256-cts-hmac-sha1-96");
    assert_eq!(ticket["kvno"], 3);
    assert_eq!(json["tickets"][2]["flags"], "I");
    assert_eq!(json["config"][0]["key"], "fast_avail");
}

#[test]
#[ignore = "needs MIT's client tools"]
fn addresses_have_names_unless_numbers_are_asked_for() {
    let desk = Desk::new();
    let mut cache = CredentialCache::new(principal("alice@EXAMPLE.COM"), name_type::PRINCIPAL);
    let loopback: HostAddress = std::net::IpAddr::from([127, 0, 0, 1]).into();
    cache.entries = vec![Entry {
        addresses: vec![loopback],
        ..entry("alice@EXAMPLE.COM", "host/www@EXAMPLE.COM")
    }];
    fs::write(desk.path("cache"), cache.to_bytes()).unwrap();
    assert!(desk.same("klist -an", &[]).contains("Addresses: 127.0.0.1"));
    assert!(!desk.same("klist -a", &[]).contains("127.0.0.1"));
}
