//! `whoami` and `negotiate_client` as programs, on real sockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tessera_client::cache::replace_file;
use tessera_client::system::SystemRandom;
use tessera_common::ccache::{CredentialCache, Entry};
use tessera_common::credential::Credential;
use tessera_common::crypto::{EncType, Key};
use tessera_common::name::name_type;
use tessera_tests::example;

use super::world::{World, keytab, offer};

const LOCAL: &str = "HTTP/localhost@EXAMPLE.COM";

struct Whoami {
    process: Child,
    address: String,
}

impl Whoami {
    fn start(world: &World, options: &[&str]) -> Self {
        let mut process = Command::new(example("whoami"))
            .args(["--listen", "127.0.0.1:0", "--keytab"])
            .arg(world.path("keytab"))
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let address = ready.trim_end().split_once('=').unwrap().1.to_owned();
        Self { process, address }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}/", self.address.rsplit_once(':').unwrap().1)
    }

    // Sends this, whose last request asks for the end of the connection, and reads all that comes back.
    fn exchange(&self, octets: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(octets).unwrap();
        let mut answer = Vec::new();
        // A server that closes while it is being sent to resets what is left.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, header: &str) -> String {
        let request =
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: {header}\r\nConnection: close\r\n\r\n");
        self.exchange(request.as_bytes())
    }

    // Ends it, and gives its log.
    fn log(mut self) -> String {
        self.process.kill().unwrap();
        let mut log = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Whoami {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

// A world whose service is at localhost, and alice's cache with a ticket for it.
fn at_home() -> (World, Credential) {
    let world = World::new();
    world.write_keytab(&keytab(LOCAL, 3, &world.key));
    let ticket = world.ticket_with(|draft| draft.service = LOCAL.to_owned());
    let mut cache = CredentialCache::new(ticket.client.clone(), name_type::PRINCIPAL);
    cache.entries.push(Entry::from_credential(&ticket));
    replace_file(&world.path("cache"), &cache.to_bytes()).unwrap();
    std::fs::write(world.path("krb5.conf"), "[libdefaults]\ndefault_realm = EXAMPLE.COM\n").unwrap();
    (world, ticket)
}

fn client(world: &World, arguments: &[&str]) -> Output {
    Command::new(example("negotiate_client"))
        .args(arguments)
        .env("KRB5_CONFIG", world.path("krb5.conf"))
        .env("KRB5CCNAME", world.path("cache"))
        .output()
        .unwrap()
}

// What it was told; it must have been let in.
#[track_caller]
fn told(output: &Output) -> Value {
    let told = serde_json::from_slice(&output.stdout);
    told.unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[test]
fn the_example_client_is_told_who_it_is_and_by_whom() {
    let (world, _) = at_home();
    let whoami = Whoami::start(&world, &[]);
    for _ in 0..2 {
        let output = client(&world, &[&whoami.url("http")]);
        let told = told(&output);
        assert_eq!(told["principal"], "alice@EXAMPLE.COM");
        assert_eq!(told["service"], LOCAL);
        assert_eq!(told["roles"], serde_json::json!([]));
        assert_eq!(told["id"], Value::Null);
        assert_eq!(told["enctypes"]["ticket"], "aes256-cts-hmac-sha1-96");
        assert_eq!(told["enctypes"]["session"], "aes128-cts-hmac-sha256-128");
        assert_eq!(
            (&told["delegated"], &told["channel-bound"]),
            (&Value::Bool(false), &Value::Bool(false))
        );
        assert!(told["ticket"]["endtime"].as_str().unwrap().ends_with('Z'));
        assert_eq!(text(&output.stderr), format!("200 OK; the service is {LOCAL}\n"));
    }
    assert!(
        whoami
            .log()
            .contains("accepted alice@EXAMPLE.COM for HTTP/localhost@EXAMPLE.COM")
    );
}

#[test]
fn over_tls_the_ticket_is_bound_to_the_certificate() {
    let (world, ticket) = at_home();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(world.path("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(world.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (world.path("cert.pem"), world.path("key.pem"));
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let tls = [
        "--tls-certificate",
        certificate,
        "--tls-key",
        key,
        "--channel-bindings",
        "require",
    ];
    let whoami = Whoami::start(&world, &tls);
    let output = client(&world, &[&whoami.url("https"), "--cacert", certificate]);
    let told = told(&output);
    assert_eq!(told["channel-bound"], true);
    assert!(whoami.log().contains("channel-bound"));

    // Without TLS, nothing can be bound.
    let whoami = Whoami::start(&world, &["--channel-bindings", "require"]);
    assert!(whoami.get(&offer(&ticket).0).starts_with("HTTP/1.1 401"));
    assert!(whoami.log().contains("channel bindings are required"));
}

#[test]
fn what_one_process_has_accepted_another_one_of_the_same_file_does_not() {
    let (world, ticket) = at_home();
    let file = world.path("replays");
    let options = ["--replay-cache", file.to_str().unwrap()];
    let (one, other) = (Whoami::start(&world, &options), Whoami::start(&world, &options));
    let (header, _) = offer(&ticket);
    assert!(one.get(&header).starts_with("HTTP/1.1 200"));
    assert!(other.get(&header).starts_with("HTTP/1.1 401"));
    // Nor after it was killed and started anew.
    drop(one);
    let one = Whoami::start(&world, &options);
    assert!(one.get(&header).starts_with("HTTP/1.1 401"));
    assert!(other.log().contains("a copy of an earlier AP-REQ of alice@EXAMPLE.COM"));
}

#[test]
fn a_client_is_told_that_the_service_refused_and_not_why() {
    let (world, _) = at_home();
    let other = Key::random(EncType::Aes256CtsHmacSha1_96, &mut SystemRandom);
    world.write_keytab(&keytab(LOCAL, 4, &other));
    let whoami = Whoami::start(&world, &[]);
    let output = client(&world, &[&whoami.url("http")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        (text(&output.stdout).as_str(), text(&output.stderr).as_str()),
        ("", "401 Unauthorized; the service did not prove who it is\n")
    );
    let log = whoami.log();
    assert!(
        log.contains("kvno 3") && log.contains("keytab: kvno 4 aes256-cts-hmac-sha1-96"),
        "{log}"
    );
}

#[test]
fn who_lacks_the_role_is_forbidden() {
    let (world, ticket) = at_home();
    let whoami = Whoami::start(&world, &["--require-role", "staff"]);
    assert!(whoami.get(&offer(&ticket).0).starts_with("HTTP/1.1 403"));
    assert!(whoami.log().contains("alice@EXAMPLE.COM has none of the roles staff"));
}

// What a refused request had in its body is never taken for another request.
#[test]
fn a_refused_request_leaves_its_body_behind() {
    let (world, _) = at_home();
    let whoami = Whoami::start(&world, &[]);
    let smuggled = "GET /delegated HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2000);
    for body in [smuggled.as_str(), ""] {
        let post = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let answers = whoami.exchange(format!("{post}{get}").as_bytes());
        let count = answers.matches("HTTP/1.1 401").count();
        assert!((1..=2).contains(&count), "{answers}");
        assert_eq!(answers.matches("HTTP/1.1").count(), count, "{answers}");
    }
    let post = |connection| {
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: {connection}\r\n\r\nhello")
    };
    let posts = [post("keep-alive"), post("keep-alive"), post("close")].concat();
    let answers = whoami.exchange(posts.as_bytes());
    assert_eq!(answers.matches("HTTP/1.1 401").count(), 3, "{answers}");
}
