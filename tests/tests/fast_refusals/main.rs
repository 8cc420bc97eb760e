//! FAST (RFC 6113) that is wrong: with which code it is refused, whether in armor, and which reason the daemon's log has.

mod cookies;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tessera_tests::Realm;
use tessera_tests::wire::der::{integer, octets, sequence, tagged};
use tessera_tests::wire::{
    ApReq, Armor, AuthenticatorChecksum, EncTicketPart, FastReply, FastReq, KdcReq, Name, Reply, Session, ask,
    authorization_data, crypto::Key, flag, keytab, login, login_in_armor, now, option, pa, pa_enc_timestamp, socket,
};

const HOST: &str = "host/client.example.com";

fn alice() -> Key {
    Key::from_password("wonderland", "EXAMPLE.COMalice")
}

fn initial() -> KdcReq {
    KdcReq::initial("alice")
}

fn service() -> KdcReq {
    KdcReq::ticket("host/server.example.com")
}

/// A realm, and the ticket of a host to take armor from.
struct Bench {
    realm: Realm,
    kdc: SocketAddr,
    host: Session,
}

impl Bench {
    fn new() -> Self {
        Self::of(Realm::start())
    }

    fn of(realm: Realm) -> Self {
        realm.add("alice", "wonderland");
        let keytab = realm.add_service(HOST);
        realm.add_service("host/server.example.com");
        let kdc = realm.kerberos();
        let host = login(kdc, HOST, &keytab::newest_key(&keytab).0);
        Self { realm, kdc, host }
    }

    /// A request for alice that nothing is wrong with, but that it proves nothing.
    fn unproven(&self) -> FastReq {
        FastReq::new(&self.host.armor(), &initial())
    }

    fn proven(&self) -> FastReq {
        self.unproven().with_challenge(&alice())
    }

    /// What is asked must be refused with this code, in armor or not, for this reason; after which others are served.
    #[track_caller]
    fn refused(&self, what: &str, refusal: (i64, bool), reason: &str, ask: impl FnOnce() -> FastReply) -> FastReply {
        let before = self.realm.log().len();
        let reply = ask();
        let log = self.log_after(before, reason);
        assert_eq!(reply.refusal(), refusal, "{what}: {reply:?}\n{log}");
        assert!(
            log.contains(&format!("reason={reason} ")),
            "{what}: no {reason} in\n{log}"
        );
        self.well();
        reply
    }

    /// What the daemon says from here on, once it gives this reason; or after a while, if it does not.
    fn log_after(&self, length: usize, reason: &str) -> String {
        let start = Instant::now();
        loop {
            let log = self.realm.log().split_off(length);
            if log.contains(&format!("reason={reason} ")) || start.elapsed() > Duration::from_secs(10) {
                return log;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn well(&self) {
        assert_eq!(self.proven().ask_as(self.kdc).code(), 0, "{}", self.realm.log());
        assert!(!self.realm.log().contains("panicked"), "{}", self.realm.log());
    }
}

#[test]
fn armor_that_is_no_good_is_refused_in_the_open() {
    let bench = Bench::new();
    let (kdc, host) = (bench.kdc, &bench.host);
    let (krbtgt, kvno) = keytab::newest_key(&bench.realm.keytab("krbtgt/EXAMPLE.COM"));
    let forged = |alter: &dyn Fn(&mut EncTicketPart)| {
        let mut part = EncTicketPart::open(&host.ticket, &krbtgt);
        alter(&mut part);
        let ticket = part.seal("krbtgt/EXAMPLE.COM", &krbtgt, Some(kvno));
        Session { ticket, ..host.clone() }.armor()
    };
    let header = |alter: &dyn Fn(&mut ApReq)| {
        let mut header = host.armor_header();
        alter(&mut header);
        Armor::of(&header)
    };
    let sent = |sent: Option<(i64, Vec<u8>)>| Armor { sent, ..host.armor() };
    let value = || host.armor().sent.unwrap().1;
    let other_realm = |header: &mut ApReq| {
        let at = header
            .ticket
            .windows(11)
            .position(|octets| octets == b"EXAMPLE.COM")
            .unwrap();
        header.ticket[at..at + 11].copy_from_slice(b"EXAMPLE.ORG");
    };
    let service_ticket = host.get(kdc, &service());

    let as_sealed_again = FastReq::new(&forged(&|_| ()), &initial()).with_challenge(&alice());
    assert_eq!(as_sealed_again.ask_as(kdc).code(), 0, "sealed again as it was");
    let rows = [
        (
            "an expired ticket",
            forged(&|part| part.endtime = now() - 400),
            32,
            "ticket-expired",
        ),
        (
            "a ticket of the future",
            forged(&|part| part.starttime = Some(now() + 400)),
            33,
            "ticket-not-yet-valid",
        ),
        (
            "an invalid ticket",
            forged(&|part| part.flags |= flag::INVALID),
            33,
            "ticket-not-yet-valid",
        ),
        ("a service's ticket", service_ticket.armor(), 26, "armor-is-no-tgt"),
        ("another realm's ticket", header(&other_realm), 35, "foreign-realm"),
        (
            "an altered ticket",
            header(&|header| *header.ticket.last_mut().unwrap() ^= 1),
            31,
            "integrity",
        ),
        (
            "another session key",
            header(&|header| header.session_key = Key::random()),
            31,
            "integrity",
        ),
        (
            "the usage of a TGS-REQ",
            header(&|header| header.usage = 7),
            31,
            "integrity",
        ),
        (
            "another's name",
            header(&|header| header.cname = Name::new("alice")),
            36,
            "authenticator-of-another-client",
        ),
        (
            "an old authenticator",
            header(&|header| header.ctime -= 400),
            37,
            "clock-skew",
        ),
        (
            "no subkey",
            header(&|header| header.subkey = None),
            12,
            "armor-without-subkey",
        ),
        (
            "a type of armor that is none",
            sent(Some((0, value()))),
            24,
            "armor-type-unknown",
        ),
        (
            "a type of armor nobody numbered",
            sent(Some((2, value()))),
            24,
            "armor-type-unknown",
        ),
        ("no armor", sent(None), 24, "armor-absent"),
        (
            "no AP-REQ in the armor",
            sent(Some((1, Vec::new()))),
            40,
            "header-ticket",
        ),
        (
            "an AP-REQ cut short",
            sent(Some((1, value()[..100].to_vec()))),
            60,
            "header-ticket",
        ),
    ];
    for (what, armor, code, reason) in rows {
        let fast = FastReq::new(&armor, &initial()).with_challenge(&alice());
        bench.refused(what, (code, false), reason, || fast.ask_as(kdc));
    }
}

/// Such a ticket is for the other user's service, whose session key it is sealed with.
#[test]
fn a_user_to_user_ticket_is_no_armor() {
    const USE_SESSION_KEY: u32 = 1 << 30;
    let bench = Bench::new();
    let mut asked = KdcReq::ticket("alice").with_options(option::ENC_TKT_IN_SKEY);
    asked.additional_tickets = vec![login(bench.kdc, "alice", &alice()).ticket];
    let ticket = bench.host.get(bench.kdc, &asked);
    for options in [0, USE_SESSION_KEY] {
        let armor = Armor::of(&ApReq {
            options,
            ..ticket.armor_header()
        });
        bench.refused("user to user", (26, false), "armor-is-no-tgt", || {
            FastReq::new(&armor, &initial()).ask_as(bench.kdc)
        });
    }
}

/// Who is locked out, or gone, does not vouch for others' machines any more.
#[test]
fn armor_is_as_good_as_the_principal_whose_ticket_it_is() {
    let bench = Bench::new();
    let kdc = bench.kdc;
    bench.realm.add("bob", "builder");
    let bob = login(kdc, "bob", &Key::from_password("builder", "EXAMPLE.COMbob"));
    let in_bobs = || {
        FastReq::new(&bob.armor(), &initial())
            .with_challenge(&alice())
            .ask_as(kdc)
    };
    assert_eq!(in_bobs().code(), 0);
    bench.realm.principal("lock bob").run().ok();
    assert_eq!(in_bobs().refusal(), (18, false));
    bench.realm.principal("unlock bob").run().ok();
    assert_eq!(in_bobs().code(), 0);
    bench.realm.principal("remove bob").run().ok();
    assert_eq!(in_bobs().refusal(), (20, false));
    bench.well();
}

#[test]
fn a_fast_request_that_is_altered_or_makes_no_sense_is_refused_in_its_armor() {
    use AuthenticatorChecksum::{Crc32, Keyed, Raw, RsaMd5, Sha1};
    let bench = Bench::new();
    let kdc = bench.kdc;
    let right = |fast: &FastReq| fast.armor.key.checksum(50, &fast.body);
    let with = |alter: &dyn Fn(&mut FastReq)| {
        let mut fast = bench.proven();
        alter(&mut fast);
        fast
    };
    let checksum = |of: &dyn Fn(&FastReq) -> AuthenticatorChecksum| with(&|fast| fast.checksum = of(fast));
    let rows = [
        (
            "a checksum of other octets",
            checksum(&|_| Raw(16, vec![0; 12])),
            41,
            "fast-request-modified",
        ),
        (
            "a checksum of another usage",
            checksum(&|_| Keyed(51)),
            41,
            "fast-request-modified",
        ),
        (
            "a checksum cut short",
            checksum(&|fast| Raw(16, right(fast)[..11].to_vec())),
            41,
            "fast-request-modified",
        ),
        (
            "a checksum of no octets",
            checksum(&|_| Raw(16, vec![])),
            41,
            "fast-request-modified",
        ),
        ("RSA-MD5", checksum(&|_| RsaMd5), 50, "fast-checksum-inappropriate"),
        ("CRC-32", checksum(&|_| Crc32), 50, "fast-checksum-inappropriate"),
        (
            "SHA-1 without a key",
            checksum(&|_| Sha1),
            50,
            "fast-checksum-inappropriate",
        ),
        (
            "the smaller AES's",
            checksum(&|fast| Raw(15, right(fast))),
            50,
            "fast-checksum-inappropriate",
        ),
        (
            "a type nobody numbered",
            checksum(&|fast| Raw(999, right(fast))),
            50,
            "fast-checksum-inappropriate",
        ),
        (
            "another usage inside",
            with(&|fast| fast.usage = 52),
            31,
            "fast-request-unreadable",
        ),
        (
            "a critical option that is none",
            with(&|fast| fast.options = 1 << 29),
            93,
            "fast-option-unknown",
        ),
        (
            "the last of the critical options",
            with(&|fast| fast.options = 1 << 16),
            93,
            "fast-option-unknown",
        ),
    ];
    for (what, fast, code, reason) in rows {
        bench.refused(what, (code, true), reason, || fast.ask_as(kdc));
    }
    for bit in 0..15 {
        assert_eq!(
            with(&|fast| fast.options = 1 << bit).ask_as(kdc).code(),
            0,
            "an option that is not critical"
        );
    }
    // Another request around it.
    let fast = bench.proven();
    let outer = |till: i64| KdcReq {
        nonce: fast.nonce,
        till: now() + till,
        ..initial()
    };
    let mut altered = outer(60);
    altered.padata.push(fast.to_padata(&outer(90).body()));
    bench.refused("another outer body", (41, true), "fast-request-modified", || {
        fast.open(ask(kdc, &altered.to_der()))
    });
    assert_eq!(fast.ask(kdc, &outer(60)).code(), 0, "whereas its own is right");
}

/// CVE-2022-44640 is about the CHOICE that these break.
#[test]
fn what_is_no_fast_request_is_malformed() {
    let bench = Bench::new();
    let fast = bench.unproven();
    let (_, right) = fast.to_padata(&fast.body);
    let nothing = sequence(&[]);
    let rows = [
        ("nothing", vec![]),
        ("no DER", b"garbage".to_vec()),
        ("an empty sequence", nothing.clone()),
        ("another arm of the CHOICE", [&[0xa1], &right[1..]].concat()),
        ("an arm without contents", tagged(0, b"")),
        ("an arm with an empty sequence", tagged(0, &nothing)),
        ("an arm with something else", tagged(0, &integer(1))),
        ("cut short", right[..right.len() - 1].to_vec()),
        ("octets behind it", [&right[..], &[0]].concat()),
        ("no checksum", {
            let checksum = AuthenticatorChecksum::Absent;
            let without = FastReq {
                checksum,
                ..fast.clone()
            };
            without.to_padata(&fast.body).1
        }),
    ];
    let around = |value: Vec<u8>| {
        let padata = vec![(pa::FX_FAST, value)];
        fast.open(ask(bench.kdc, &KdcReq { padata, ..initial() }.around(&fast.body)))
    };
    assert_eq!(around(right.clone()).refusal(), (25, true), "unaltered");
    for (what, value) in rows {
        bench.refused(what, (60, false), "malformed", || around(value));
    }
    // Every octet of a right one.
    for at in 0..right.len() {
        let mut value = right.clone();
        value[at] ^= 0xff;
        let _ = around(value).outer.error();
    }
    bench.well();
}

/// CVE-2021-37750, CVE-2021-3671: a body that leaves out what it likes, inside of FAST.
#[test]
fn a_body_in_armor_that_leaves_something_out_is_refused_in_armor() {
    let bench = Bench::new();
    let kdc = bench.kdc;
    let no_name = || {
        Some(Name {
            name_type: 1,
            components: vec![],
        })
    };
    let rows: [(&str, KdcReq, &[i64]); 6] = [
        (
            "no service",
            KdcReq {
                sname: None,
                ..initial()
            },
            &[7],
        ),
        (
            "an empty service",
            KdcReq {
                sname: no_name(),
                ..initial()
            },
            &[7, 60],
        ),
        (
            "no client",
            KdcReq {
                cname: None,
                ..initial()
            },
            &[6],
        ),
        (
            "an empty client",
            KdcReq {
                cname: no_name(),
                ..initial()
            },
            &[6, 60],
        ),
        (
            "no realm",
            KdcReq {
                realm: None,
                ..initial()
            },
            &[60],
        ),
        (
            "no enctypes",
            KdcReq {
                etypes: vec![],
                ..initial()
            },
            &[14],
        ),
    ];
    for (what, inner, codes) in rows {
        let mut outer = initial();
        outer.nonce = inner.nonce;
        for fast in [
            FastReq::new(&bench.host.armor(), &inner),
            FastReq::new(&bench.host.armor(), &inner).with_challenge(&alice()),
        ] {
            for outer in [&outer, &inner] {
                // Outside it may lack what it likes, if it decodes.
                if outer.realm.is_some() {
                    let (code, armored) = fast.ask(kdc, outer).refusal();
                    assert!(codes.contains(&code) && armored, "{what}: {code} {armored}");
                }
            }
        }
        bench.well();
    }
    let mut fast = bench.proven();
    fast.body = sequence(&[]);
    let request = fast.within(&KdcReq {
        nonce: fast.nonce,
        ..initial()
    });
    assert_eq!(fast.open(ask(kdc, &request)).refusal(), (60, true));

    let tgt = login_in_armor(kdc, "alice", &alice(), &bench.host.armor());
    for (what, inner, codes) in [
        (
            "no service",
            KdcReq {
                sname: None,
                ..service()
            },
            [7, 60],
        ),
        (
            "no realm",
            KdcReq {
                realm: None,
                ..service()
            },
            [7, 60],
        ),
        (
            "no service to renew for",
            KdcReq {
                sname: None,
                ..service()
            }
            .with_options(option::RENEW),
            [7, 13],
        ),
        (
            "no ticket to share a key",
            service().with_options(option::ENC_TKT_IN_SKEY),
            [13, 13],
        ),
        (
            "no service for a shared key",
            KdcReq {
                sname: None,
                ..service()
            }
            .with_options(option::ENC_TKT_IN_SKEY),
            [7, 13],
        ),
    ] {
        let (code, armored) = in_tgs(&bench, &tgt, &inner, &|_, _| ()).refusal();
        assert!(codes.contains(&code) && armored, "{what}: {code} {armored}");
        bench.well();
    }
}

/// Asks for `inner` with a TGT in armor; the header and the armor can be altered.
#[track_caller]
fn in_tgs(bench: &Bench, tgt: &Session, inner: &KdcReq, alter: &dyn Fn(&mut ApReq, &mut Armor)) -> FastReply {
    let mut header = tgt.header_with_subkey();
    let mut armor = Armor::implicit(&header);
    alter(&mut header, &mut armor);
    let mut outer = KdcReq {
        nonce: inner.nonce,
        ..service()
    };
    outer.padata.push((pa::TGS_REQ, header.to_der(&outer.body())));
    FastReq::new(&armor, inner).ask(bench.kdc, &outer)
}

#[test]
fn a_tgs_request_is_armored_by_its_own_header_alone() {
    let bench = Bench::new();
    let tgt = login_in_armor(bench.kdc, "alice", &alice(), &bench.host.armor());
    let asked = service();
    let tgs = |alter: &dyn Fn(&mut ApReq, &mut Armor)| in_tgs(&bench, &tgt, &asked, alter);
    bench.refused("an armor of its own", (24, false), "armor-not-for-tgs", || {
        tgs(&|_, armor| *armor = bench.host.armor())
    });
    bench.refused("an unknown armor", (24, false), "armor-not-for-tgs", || {
        tgs(&|_, armor| armor.sent = Some((2, vec![])))
    });
    bench.refused("no subkey", (24, false), "armor-absent", || {
        tgs(&|header, _| header.subkey = None)
    });
    // The checksum is over the AP-REQ.
    let header = tgt.header_with_subkey();
    let mut outer = asked.clone();
    outer.padata.push((pa::TGS_REQ, header.to_der(&outer.body())));
    let fast = FastReq::new(&Armor::implicit(&header), &asked);
    outer.padata.push(fast.to_padata(&outer.body()));
    bench.refused("a checksum of the body", (41, true), "fast-request-modified", || {
        fast.open(ask(bench.kdc, &outer.to_der()))
    });
}

/// Nobody on the way learns more than the code.
#[test]
fn refusals_that_are_not_about_fast_come_in_armor_as_well() {
    let bench = Bench::new();
    let kdc = bench.kdc;
    let tgt = login_in_armor(kdc, "alice", &alice(), &bench.host.armor());
    let set = |command: &str| {
        bench.realm.principal(command).run().ok();
    };
    let login = |request: &KdcReq| {
        let fast = FastReq::new(&bench.host.armor(), request).with_challenge(&alice());
        fast.ask_as(kdc).refusal()
    };
    let sname = |name: &str| KdcReq {
        sname: Some(Name::new(name)),
        ..initial()
    };
    assert_eq!(login(&KdcReq::initial("nobody")), (6, true));
    assert_eq!(login(&sname("host/nowhere")), (7, true));
    assert_eq!(login(&initial().with_options(option::RENEW)), (13, true));
    assert_eq!(
        login(&KdcReq {
            till: now() - 60,
            ..initial()
        }),
        (11, true)
    );
    let foreign = KdcReq {
        realm: Some(b"EXAMPLE.ORG".to_vec()),
        ..initial()
    };
    assert_eq!(login(&foreign), (6, true));
    let ticket = |service: &str| in_tgs(&bench, &tgt, &KdcReq::ticket(service), &|_, _| ()).refusal();
    assert_eq!(ticket("host/nowhere"), (7, true));
    assert_eq!(
        in_tgs(
            &bench,
            &tgt,
            &KdcReq::ticket("krbtgt/EXAMPLE.COM").with_options(option::RENEW),
            &|_, _| ()
        )
        .refusal(),
        (13, true)
    );
    for (change, code, back) in [
        (
            "set alice --must-change-password yes",
            23,
            "set alice --must-change-password no",
        ),
        (
            "set alice --expires 2001-01-01T00:00:00Z",
            1,
            "set alice --expires never",
        ),
        ("lock alice", 18, "unlock alice"),
    ] {
        set(change);
        assert_eq!(login(&initial()), (code, true), "{change}");
        if code != 23 {
            assert_eq!(ticket("host/server.example.com"), (code, true), "{change}");
        }
        set(back);
        assert_eq!(login(&initial()), (0, true), "{back}");
    }
    bench.well();
}

#[test]
fn fast_inside_of_fast_is_refused() {
    let bench = Bench::new();
    let inside = bench.proven().to_padata(&initial().body());
    let mut fast = bench.proven();
    fast.padata.push(inside);
    bench.refused("nested", (24, true), "fast-nested", || fast.ask_as(bench.kdc));
    let tgt = login_in_armor(bench.kdc, "alice", &alice(), &bench.host.armor());
    let mut asked = service();
    asked.padata.push(bench.unproven().to_padata(b""));
    bench.refused("nested in a TGS-REQ", (24, true), "fast-nested", || {
        in_tgs(&bench, &tgt, &asked, &|_, _| ())
    });
}

/// CVE-2021-36222: the packet that ended MIT's KDC, for this realm, and its kind.
#[test]
fn an_encrypted_challenge_without_armor_is_told_to_come_in_armor() {
    let bench = Bench::new();
    let sealed = bench.host.armor().challenge(&alice(), now());
    for value in [vec![], b"x".to_vec(), pa_enc_timestamp(&alice(), now()).1, sealed.1] {
        let mut request = initial();
        request.padata.push((pa::ENCRYPTED_CHALLENGE, value));
        bench.refused("a challenge", (25, false), "challenge-without-armor", || {
            bench.unproven().open(ask(bench.kdc, &request.to_der()))
        });
    }
    let _ = Reply::parse(&socket::udp(bench.kdc, &cve_2021_36222())).error();
    bench.well();
}

/// RFC 4120 §5.4.1, as short as it goes: krbtgt asks for a TGT until 1994, with an empty PA-ENCRYPTED-CHALLENGE.
fn cve_2021_36222() -> Vec<u8> {
    let name = "a117 3015 1b06 6b7262746774 1b0b 4558414d504c452e434f4d".to_owned();
    let body = [
        "a007 0305 0000000000",
        &format!("a120 301e a003 020101 {name}"),
        "a20d 1b0b 4558414d504c452e434f4d",
        &format!("a320 301e a003 020101 {name}"),
        "a511 180f 31393934303631303036303331375a",
        "a703 020100",
        "a808 3006 020112 020111",
    ]
    .concat();
    let head = "6a81a0 30819d a103 020105 a203 02010a a30e 300c 300a a104 0202008a a202 0400 a48180 307e";
    let digits: Vec<char> = (head.to_owned() + &body)
        .chars()
        .filter(|digit| *digit != ' ')
        .collect();
    let octet = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

#[test]
fn a_challenge_that_proves_nothing_is_refused_in_armor_with_what_helps() {
    let bench = Bench::new();
    let with = |padata: (i64, Vec<u8>)| {
        let mut fast = bench.unproven();
        fast.padata.push(padata);
        fast.ask_as(bench.kdc)
    };
    let by = |key: &Key, at: i64| {
        let mut fast = bench.unproven();
        fast.padata.push(fast.armor.challenge(key, at));
        fast.ask_as(bench.kdc)
    };
    assert_eq!(by(&alice(), now() - 400).refusal(), (37, true));
    assert_eq!(by(&alice(), now() + 400).refusal(), (37, true));
    for reply in [
        by(&Key::random(), now()),
        with((pa::ENCRYPTED_CHALLENGE, vec![])),
        with((pa::ENCRYPTED_CHALLENGE, b"garbage".to_vec())),
        with(bench.host.armor().challenge(&alice(), now())),
        with((pa::ENCRYPTED_CHALLENGE, pa_enc_timestamp(&alice(), now()).1)),
    ] {
        assert_eq!(reply.refusal(), (24, true));
        let inside = reply.inner_types();
        assert!(
            inside.contains(&pa::ETYPE_INFO2) && inside.contains(&pa::FX_COOKIE),
            "{inside:?}"
        );
    }
    bench.well();
}

#[test]
fn a_request_in_armor_is_answered_once_and_its_proof_serves_once() {
    let bench = Bench::new();
    let fast = bench.proven();
    let request = fast.within(&initial());
    let first = socket::tcp(bench.kdc, &request);
    assert_eq!(fast.open(Reply::parse(&first)).code(), 0);
    assert_eq!(
        socket::tcp(bench.kdc, &request),
        first,
        "the same octets, the same answer"
    );
    assert_eq!(socket::udp(bench.kdc, &request), first);
    let mut outer = initial();
    outer.padata.push((128, Vec::new()));
    bench.refused("the proof again", (34, true), "proof-replayed", || {
        fast.ask(bench.kdc, &outer)
    });
    bench.refused("and again", (34, true), "proof-replayed", || fast.ask_as(bench.kdc));
    // A time is no proof: two clients may have looked at their clocks at once.
    let at = now();
    for _ in 0..2 {
        let mut fast = bench.unproven();
        fast.padata.push(fast.armor.challenge(&alice(), at));
        assert_eq!(fast.ask_as(bench.kdc).code(), 0);
    }
}

/// RFC 6113 §5.4.2: a client marks its authenticator, so that nobody can take its FAST away unnoticed.
#[test]
fn fast_that_somebody_took_off_is_missed() {
    const FX_FAST_ARMOR: i64 = 71;
    const FX_FAST_USED: i64 = 72;
    let bench = Bench::new();
    let kdc = bench.kdc;
    let tgt = login_in_armor(kdc, "alice", &alice(), &bench.host.armor());
    let marks = |kind: i64| {
        let bare = authorization_data(&[(kind, Vec::new())]);
        [bare.clone(), authorization_data(&[(1, bare)])]
    };
    let plain = |tgt: &Session, header: &ApReq| bench.unproven().open(tgt.ask_with(kdc, &service(), header));
    for data in marks(FX_FAST_USED) {
        let marked = |header: ApReq| ApReq {
            authorization_data: Some(data.clone()),
            ..header
        };
        bench.refused("marked, and no FAST", (41, false), "fast-taken-off", || {
            plain(&tgt, &marked(tgt.header()))
        });
        let asked = service();
        let reply = in_tgs(&bench, &tgt, &asked, &|header, _| *header = marked(header.clone()));
        assert_eq!(reply.code(), 0, "marked, and there it is");
    }
    let (krbtgt, kvno) = keytab::newest_key(&bench.realm.keytab("krbtgt/EXAMPLE.COM"));
    let genuine = EncTicketPart::open(&tgt.ticket, &krbtgt);
    let with = |kind: i64| {
        let own = genuine.authorization_data.as_ref();
        let mut elements = vec![sequence(&[tagged(0, &integer(kind)), tagged(1, &octets(b""))])];
        elements.extend(own.map(|data| tessera_tests::wire::der::Element::parse(data).content.to_vec()));
        let part = EncTicketPart {
            authorization_data: Some(sequence(&elements)),
            ..genuine.clone()
        };
        Session {
            ticket: part.seal("krbtgt/EXAMPLE.COM", &krbtgt, Some(kvno)),
            ..tgt.clone()
        }
    };
    let marked = with(FX_FAST_USED);
    bench.refused("a marked ticket", (41, false), "fast-taken-off", || {
        plain(&marked, &marked.header())
    });
    let _ = marked.get_in_armor(kdc, &service());

    // §5.4.1.1: what is marked as armor is good for nothing else.
    let for_armor = with(FX_FAST_ARMOR);
    assert_eq!(
        FastReq::new(&for_armor.armor(), &initial())
            .with_challenge(&alice())
            .ask_as(kdc)
            .code(),
        0
    );
    assert_eq!(plain(&for_armor, &for_armor.header()).code(), 12);
    for data in marks(FX_FAST_ARMOR) {
        let header = ApReq {
            authorization_data: Some(data.clone()),
            ..tgt.header()
        };
        assert_eq!(plain(&tgt, &header).code(), 12);
        let header = ApReq {
            authorization_data: Some(data),
            ..tgt.armor_header()
        };
        assert_eq!(
            FastReq::new(&Armor::of(&header), &initial())
                .with_challenge(&alice())
                .ask_as(kdc)
                .code(),
            0
        );
    }
    bench.well();
}
