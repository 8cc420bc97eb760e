//! The example service and client against each other, with a ticket that is already in the cache.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may stop at what it does not expect"
)]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use tempfile::TempDir;
use tessera_client::cache::replace_file;
use tessera_client::system::{self, SystemRandom};
use tessera_common::ccache::{CredentialCache, Entry};
use tessera_common::credential::{Credential, TicketTimes};
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::flags::TicketFlags;
use tessera_common::keytab::{Keytab, KeytabEntry};
use tessera_common::name::{Principal, name_type};
use tessera_common::time::KerberosTime;
use tessera_common::wire::{
    self, EncTicketPart, EncryptedData, KerberosString, Kvno, PrincipalName, Ticket, TransitedEncoding,
};
use tessera_tests::example;

const SERVICE: &str = "echo/localhost@EXAMPLE.COM";

#[test]
fn the_example_service_and_client_authenticate_each_other_and_talk() {
    let world = World::new();
    let mut service = world.service();
    let client = world.client(&service.address, &["hello", "and again"]);
    let said = String::from_utf8(client.stdout).unwrap();
    assert_eq!(
        said,
        format!("{} is {SERVICE}\nhello\nand again\n", service.address),
        "{:?}",
        client.stderr
    );
    assert!(service.line().ends_with(": alice@EXAMPLE.COM\n"));
}

#[test]
fn a_service_with_another_key_refuses_and_says_why_in_its_own_log_alone() {
    let world = World::new();
    world.write_keytab(4, &Key::random(EncType::ALL[0], &mut SystemRandom));
    let mut service = world.service();
    let client = world.client(&service.address, &["hello"]);
    assert_eq!(client.status.code(), Some(1));
    assert!(client.stdout.is_empty());
    let told = String::from_utf8(client.stderr).unwrap();
    assert!(
        told.starts_with("echo_client: the service refused: KRB_AP_ERR_BADKEYVER (44)"),
        "{told}"
    );
    assert!(!told.contains("keytab"), "{told}");
    let log = service.log();
    assert!(log.contains("kvno 3") && log.contains("the keytab has kvno 4"), "{log}");
}

struct World {
    directory: TempDir,
}

struct Service {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl World {
    fn new() -> Self {
        let world = Self {
            directory: TempDir::new().unwrap(),
        };
        let service_key = Key::random(EncType::ALL[0], &mut SystemRandom);
        world.write_keytab(3, &service_key);
        let credential = credential(&service_key);
        let mut cache = CredentialCache::new(credential.client.clone(), name_type::PRINCIPAL);
        cache.entries.push(Entry::from_credential(&credential));
        replace_file(&world.path("cache"), &cache.to_bytes()).unwrap();
        std::fs::write(world.path("krb5.conf"), "[libdefaults]\ndefault_realm = EXAMPLE.COM\n").unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write_keytab(&self, kvno: u32, key: &Key) {
        let mut keytab = Keytab::default();
        keytab.append(KeytabEntry {
            principal: SERVICE.parse().unwrap(),
            name_type: name_type::SRV_INST,
            timestamp: system::now().time,
            kvno,
            key: key.clone().into(),
        });
        replace_file(&self.path("keytab"), &keytab.to_bytes()).unwrap();
    }

    fn service(&self) -> Service {
        let mut process = Command::new(example("echo_service"))
            .arg("--keytab")
            .arg(self.path("keytab"))
            .args(["--listen", "127.0.0.1:0", "--principal", SERVICE])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut service = Service {
            process,
            output,
            address: String::new(),
        };
        let ready = service.line();
        service.address = ready.trim_end().rsplit(' ').next().unwrap().to_owned();
        service
    }

    fn client(&self, address: &str, messages: &[&str]) -> Output {
        Command::new(example("echo_client"))
            .args([address, "--principal", "echo/localhost"])
            .args(messages)
            .env("KRB5_CONFIG", self.path("krb5.conf"))
            .env("KRB5CCNAME", self.path("cache"))
            .output()
            .unwrap()
    }
}

impl Service {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    // The first line of the log, once it is there.
    fn log(&mut self) -> String {
        let mut line = String::new();
        let log = self.process.stderr.take().unwrap();
        BufReader::new(log).read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn credential(service_key: &Key) -> Credential {
    let client: Principal = "alice@EXAMPLE.COM".parse().unwrap();
    let server: Principal = SERVICE.parse().unwrap();
    let key = Key::random(EncType::ALL[0], &mut SystemRandom);
    let authtime = system::now().time;
    let endtime = KerberosTime(authtime.0 + 3600);
    let part = EncTicketPart {
        flags: TicketFlags::PRE_AUTHENT,
        key: (&key).into(),
        crealm: KerberosString::from(&client.realm),
        cname: PrincipalName::new(name_type::PRINCIPAL, &client.name),
        transited: TransitedEncoding::local(),
        authtime,
        starttime: None,
        endtime,
        renew_till: None,
        caddr: None,
        authorization_data: None,
    };
    let ticket = wire::encode(&Ticket {
        tkt_vno: wire::PVNO,
        realm: KerberosString::from(&server.realm),
        sname: PrincipalName::new(name_type::SRV_INST, &server.name),
        enc_part: EncryptedData {
            etype: service_key.etype().number(),
            kvno: Some(Kvno(3)),
            cipher: service_key
                .encrypt(KeyUsage::TICKET, &wire::encode(&part), &mut SystemRandom)
                .into(),
        },
    });
    Credential {
        client,
        server,
        key,
        times: TicketTimes {
            authtime,
            starttime: authtime,
            endtime,
            renew_till: None,
        },
        flags: TicketFlags::PRE_AUTHENT,
        addresses: Vec::new(),
        authorization_data: Vec::new(),
        ticket,
        second_ticket: Vec::new(),
    }
}
