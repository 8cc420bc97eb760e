//! FAST between our programs and MIT's KDC.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tessera_common::error_code::ErrorCode;
use tessera_common::wire::{self, AsReq, KdcReq, KdcReqBody, KrbError, PaData, TgsRep, TgsReq, msg_type, pa_type};
use tessera_tests::{Clock, MitRealm, Protocol, Relay, Workstation};

/// A realm with alice, and a machine that has a keytab.
struct Site {
    realm: MitRealm,
    keytab: PathBuf,
}

impl Site {
    fn new() -> Self {
        Self::at(MitRealm::start())
    }

    fn at(realm: MitRealm) -> Self {
        realm.add("alice", "wonderland");
        let keytab = realm.add_service("host/www.example.com");
        Self { realm, keytab }
    }

    /// The machine's own cache, and its name.
    fn machine(&self) -> Workstation {
        let machine = self.realm.workstation();
        machine
            .ours(&format!("kinit -kt {} host/www.example.com", self.keytab.display()))
            .run()
            .ok();
        machine
    }
}

fn conf(kerberos: SocketAddr, password: SocketAddr) -> String {
    format!(
        "[libdefaults]\n default_realm = EXAMPLE.COM\n[realms]\n EXAMPLE.COM = {{\n  kdc = {kerberos}\n  kpasswd_server = {password}\n }}\n"
    )
}

fn request(octets: &[u8]) -> KdcReq {
    wire::decode::<AsReq>(octets).map_or_else(|_| wire::decode::<TgsReq>(octets).unwrap().0, |request| request.0)
}

fn padata(request: &KdcReq) -> Vec<i32> {
    let padata = request.padata.as_deref().unwrap_or_default();
    padata.iter().map(|pa| pa.padata_type).collect()
}

/// The requests of one kind that passed, and the types of their padata.
fn seen(relay: &Relay, kind: i32) -> Vec<Vec<i32>> {
    let requests = relay.exchanges().into_iter().map(|exchange| request(&exchange.request));
    requests
        .filter(|request| request.msg_type == kind)
        .map(|request| padata(&request))
        .collect()
}

fn holds(octets: &[u8], text: &str) -> bool {
    octets.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
#[ignore = "needs MIT's KDC"]
fn a_login_in_armor_names_nobody_and_shows_no_timestamp() {
    let site = Site::new();
    let machine = site.machine();
    let relay = Relay::to(site.realm.kerberos());
    let desk = site.realm.workstation().with_whole_config(&relay.krb5_conf());
    for options in ["", "-C", "-E", "-S host/www.example.com"] {
        desk.ours(&format!("kinit {options} -T {} alice", machine.cache()))
            .stdin("wonderland\n")
            .run()
            .ok();
        assert!(desk.mit("klist -C").run().ok().contains(") = 138"), "{options}");
    }
    let exchanges = relay.exchanges();
    assert!(exchanges.len() >= 8);
    for exchange in &exchanges {
        let request = request(&exchange.request);
        assert_eq!(
            (request.msg_type, padata(&request)),
            (msg_type::AS_REQ, vec![pa_type::FX_FAST])
        );
        let body: KdcReqBody = wire::decode(request.req_body.as_bytes()).unwrap();
        let name = body.cname.unwrap();
        assert_eq!(
            (name.name_type, name.to_name().unwrap().to_string()),
            (11, "WELLKNOWN/ANONYMOUS".into())
        );
        for octets in [Some(&exchange.request), exchange.reply.as_ref()].into_iter().flatten() {
            assert!(!holds(octets, "alice"));
        }
    }
}

#[test]
#[ignore = "needs MIT's KDC"]
fn mits_programs_go_on_with_the_cache_of_an_armored_login() {
    let site = Site::new();
    let machine = site.machine();
    let desk = site.realm.workstation();
    desk.ours(&format!("kinit -T {} alice", machine.cache()))
        .stdin("wonderland\n")
        .run()
        .ok();
    let listed = desk.mit("klist -C -f").run().ok();
    for expected in [
        "pa_type(krbtgt/EXAMPLE.COM@EXAMPLE.COM) = 138",
        "fast_avail(krbtgt/EXAMPLE.COM@EXAMPLE.COM) = yes",
        "Flags: RIA",
    ] {
        assert!(listed.contains(expected), "{listed}");
    }
    desk.mit("kvno host/www.example.com").run().ok();
    // As armor, too.
    let other = site.realm.workstation();
    other
        .mit(&format!("kinit -T {} alice", desk.cache()))
        .stdin("wonderland\n")
        .run()
        .ok();
}

#[test]
#[ignore = "needs MIT's KDC"]
fn armor_of_every_enctype_protects_keys_of_every_enctype() {
    const ENCTYPES: [&str; 4] = [
        "aes256-cts-hmac-sha1-96",
        "aes256-cts-hmac-sha384-192",
        "aes128-cts-hmac-sha1-96",
        "aes128-cts-hmac-sha256-128",
    ];
    let site = Site::new();
    for (number, armor) in ENCTYPES.iter().enumerate() {
        let only = |enctype: &str| format!("[libdefaults]\n default_tkt_enctypes = {enctype}");
        let machine = site.realm.workstation().with_config(&only(armor));
        machine
            .ours(&format!("kinit -kt {} host/www.example.com", site.keytab.display()))
            .run()
            .ok();
        let desk = site.realm.workstation().with_config(&only(ENCTYPES[(number + 1) % 4]));
        desk.ours(&format!("kinit -T {} alice", machine.cache()))
            .stdin("wonderland\n")
            .run()
            .ok();
        desk.ours("kvno host/www.example.com").run().ok();
    }
}

#[test]
#[ignore = "needs MIT's KDC"]
fn armor_is_got_with_a_keytab_and_kept_nowhere() {
    let site = Site::new();
    let relay = Relay::to(site.realm.kerberos());
    let desk = site.realm.workstation().with_whole_config(&relay.krb5_conf());
    let said = desk
        .ours(&format!("kinit -V --armor-keytab {} alice", site.keytab.display()))
        .stdin("wonderland\n")
        .run();
    assert!(
        said.stderr
            .contains("Using FAST armor of: host/www.example.com@EXAMPLE.COM"),
        "{said}"
    );
    said.ok();
    let armored = seen(&relay, msg_type::AS_REQ);
    assert_eq!(armored.iter().filter(|types| **types == [pa_type::FX_FAST]).count(), 2);
    assert!(!desk.mit("klist").run().ok().contains("host/www"));
    let nothing = desk.path("nothing");
    desk.ours(&format!("kinit --armor-keytab {} alice", nothing.display()))
        .stdin("wonderland\n")
        .run()
        .refused_with(&format!(
            "no FAST armor from FILE:{}: Key table file",
            nothing.display()
        ));
}

#[test]
#[ignore = "needs MIT's KDC"]
fn refusals_in_armor_are_told_as_without() {
    let site = Site::new();
    let machine = site.machine();
    let kdc = site.realm.kerberos();
    let desk = site.realm.workstation();
    let kinit = |name: &str, password: &str| {
        desk.ours(&format!("kinit -T {} {name}", machine.cache()))
            .stdin(format!("{password}\n"))
            .run()
    };
    kinit("alice", "wrong").refused_with(&format!("Password incorrect for alice@EXAMPLE.COM (kdc {kdc})"));
    kinit("bob", "x").refused_with(&format!("kdc {kdc} does not know bob@EXAMPLE.COM"));
    site.realm.kadmin("modprinc -expire yesterday alice");
    kinit("alice", "wonderland").refused_with(&format!("kdc {kdc} says that alice@EXAMPLE.COM has expired"));
    assert!(!desk.cache_file().exists());
}

#[test]
#[ignore = "needs MIT's KDC"]
fn armor_that_is_no_good_is_named() {
    let site = Site::at(MitRealm::start_with_clock());
    let machine = site.machine();
    let desk = site.realm.workstation();
    let kinit = |desk: &Workstation| {
        desk.ours(&format!("kinit -T {} alice", machine.cache()))
            .stdin("wonderland\n")
            .run()
    };
    // The KDC's clock goes on, and this desk's does not.
    let directory = desk.path("clock");
    std::fs::create_dir(&directory).unwrap();
    let late = Arc::new(Clock::new(&directory, "clock"));
    let late = site.realm.workstation().with_clock(late);
    site.realm.clock().forward(11 * 3600);
    let said = kinit(&late).refused_with("FAST armor");
    assert!(said.contains("host/www.example.com@EXAMPLE.COM"), "{said}");
    let said = kinit(&desk).refused_with(&format!("no FAST armor from {}: Ticket expired", machine.cache()));
    assert!(said.contains("host/www.example.com@EXAMPLE.COM"), "{said}");

    let machine = site.machine();
    site.realm.kadmin("cpw -randkey krbtgt/EXAMPLE.COM");
    let said = desk
        .ours(&format!("kinit -T {} alice", machine.cache()))
        .stdin("wonderland\n")
        .run()
        .refused_with("does not take the FAST armor of host/www.example.com@EXAMPLE.COM for alice@EXAMPLE.COM");
    assert!(said.contains(&format!("kdc {}", site.realm.kerberos())), "{said}");
    let none = desk.path("none");
    desk.ours(&format!("kinit -T {} alice", none.display()))
        .run()
        .refused_with("no FAST armor from FILE:");
}

#[test]
#[ignore = "needs MIT's KDC"]
fn tickets_are_got_renewed_and_refused_inside_fast() {
    let site = Site::new();
    let relay = Relay::to(site.realm.kerberos());
    let desk = site.realm.workstation().with_whole_config(&relay.krb5_conf());
    desk.ours("kinit -r 1d alice").stdin("wonderland\n").run().ok();
    desk.ours("kvno host/www.example.com").run().ok();
    desk.ours("kvno no/such")
        .run()
        .refused_with("does not know the service no/such@EXAMPLE.COM");
    desk.ours("kinit -R").run().ok();
    desk.ours(&format!("kvno -k {} host/www.example.com", site.keytab.display()))
        .run()
        .ok();
    desk.mit("kvno host/www.example.com").run().ok();
    let asked = seen(&relay, msg_type::TGS_REQ);
    assert_eq!(asked, vec![vec![pa_type::TGS_REQ, pa_type::FX_FAST]; 4]);
}

#[test]
#[ignore = "needs MIT's KDC"]
fn a_cache_of_mits_kinit_says_that_the_kdc_speaks_fast() {
    let site = Site::new();
    let relay = Relay::to(site.realm.kerberos());
    let desk = site.realm.workstation().with_whole_config(&relay.krb5_conf());
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    desk.ours("kvno host/www.example.com").run().ok();
    assert_eq!(seen(&relay, msg_type::TGS_REQ), [[pa_type::TGS_REQ, pa_type::FX_FAST]]);
    // As armor, too; and a keytab can be what logs in.
    let other = site.realm.workstation();
    other
        .ours(&format!(
            "kinit -T {} -kt {} host/www.example.com",
            desk.cache(),
            site.keytab.display()
        ))
        .run()
        .ok();
}

#[test]
#[ignore = "needs MIT's KDC"]
fn nobody_on_the_path_talks_a_login_out_of_its_armor() {
    let site = Site::new();
    let machine = site.machine();
    let relay = Relay::rewriting(site.realm.kerberos(), &[Protocol::Udp, Protocol::Tcp], |exchange| {
        // What a KDC says that has never heard of FAST.
        let offered = wire::encode(&vec![PaData::new(pa_type::ENC_TIMESTAMP, Vec::new())]);
        let error = exchange.reply.as_deref().map(wire::decode::<KrbError>);
        if let Some(Ok(error)) = error {
            exchange.reply = Some(wire::encode(&KrbError {
                error_code: ErrorCode::KDC_ERR_PREAUTH_REQUIRED.0,
                e_data: Some(offered.into()),
                ..error
            }));
        }
    });
    let desk = site.realm.workstation().with_whole_config(&relay.krb5_conf());
    desk.ours(&format!("kinit -T {} alice", machine.cache()))
        .stdin("wonderland\n")
        .run()
        .refused_with("it does not speak FAST, or somebody on the path says no in its name");
    assert_eq!(seen(&relay, msg_type::AS_REQ), [[pa_type::FX_FAST]]);
}

#[test]
#[ignore = "needs MIT's KDC"]
fn a_ticket_from_which_fast_was_taken_away_is_refused() {
    let site = Site::new();
    let relay = Relay::rewriting(site.realm.kerberos(), &[Protocol::Udp, Protocol::Tcp], |exchange| {
        let reply = exchange.reply.as_deref().map(wire::decode::<TgsRep>);
        if let Some(Ok(TgsRep(mut rep))) = reply {
            rep.padata = None;
            exchange.reply = Some(wire::encode(&TgsRep(rep)));
        }
    });
    let desk = site.realm.workstation().with_whole_config(&relay.krb5_conf());
    desk.ours("kinit alice").stdin("wonderland\n").run().ok();
    desk.ours("kvno host/www.example.com")
        .run()
        .refused_with("it is without FAST: the KDC does not speak it, or somebody on the path took it away");
}

#[test]
#[ignore = "needs MIT's KDC"]
fn a_password_is_changed_in_the_armor_that_is_at_hand() {
    let site = Site::new();
    let relay = Relay::to(site.realm.kerberos());
    let desk = site
        .realm
        .workstation()
        .with_whole_config(&conf(relay.address(), site.realm.password()));
    desk.ours("kinit alice").stdin("wonderland\n").run().ok();
    let before = seen(&relay, msg_type::AS_REQ).len();
    desk.ours("kpasswd")
        .stdin("wonderland\nlooking-glass\nlooking-glass\n")
        .run()
        .ok();
    let asked = seen(&relay, msg_type::AS_REQ);
    assert_eq!(asked[before..], [[pa_type::FX_FAST], [pa_type::FX_FAST]]);
}

#[test]
#[ignore = "needs MIT's KDC"]
fn a_realm_without_encrypted_timestamps_is_entered_in_armor_only() {
    let site = Site::new();
    let machine = site.machine();
    let relay = Relay::to(site.realm.kerberos());
    let kdc = relay.address();
    let desk = site.realm.workstation().with_whole_config(&format!(
        "{}[realms]\n EXAMPLE.COM = {{\n  disable_encrypted_timestamp = true\n }}\n",
        relay.krb5_conf()
    ));
    for command in ["kinit alice", "kpasswd alice"] {
        desk.ours(command).stdin("wonderland\n").run().refused_with(&format!(
            "kdc {kdc} wants FAST armor for alice@EXAMPLE.COM: kinit -T CACHE or --armor-keytab KEYTAB"
        ));
    }
    let sent: Vec<i32> = seen(&relay, msg_type::AS_REQ).concat();
    assert!(!sent.contains(&pa_type::ENC_TIMESTAMP), "{sent:?}");
    desk.ours(&format!("kinit -T {} alice", machine.cache()))
        .stdin("wonderland\n")
        .run()
        .ok();
}

#[test]
#[ignore = "needs MIT's KDC"]
fn an_expired_password_is_changed_in_armor() {
    let site = Site::new();
    site.realm.kadmin("modprinc +needchange alice");
    let machine = site.machine();
    let relay = Relay::to(site.realm.kerberos());
    let desk = site
        .realm
        .workstation()
        .with_whole_config(&conf(relay.address(), site.realm.password()));
    let mut terminal = desk.ours(&format!("kinit -T {} alice", machine.cache())).at_terminal();
    terminal
        .answer("Password for alice@EXAMPLE.COM: ", "wonderland")
        .wait_for("Password expired.  You must change it now.")
        .answer("Enter new password: ", "looking-glass")
        .answer("Enter it again: ", "looking-glass");
    terminal.finish().ok();
    let asked = seen(&relay, msg_type::AS_REQ);
    assert!(
        asked.len() == 5 && asked.iter().all(|types| *types == [pa_type::FX_FAST]),
        "{asked:?}"
    );
    desk.mit("kinit alice").stdin("looking-glass\n").run().ok();
}
