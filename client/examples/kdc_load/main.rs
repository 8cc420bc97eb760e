//! What exchanges cost a KDC, ours or another's: AS with an encrypted timestamp, over UDP or TCP, or inside FAST with an
//! encrypted challenge; TGS.
//!
//! ```text
//! cargo run --release --example kdc_load -- 127.0.0.1:8888 --realm EXAMPLE.COM --user alice --password wonderland \
//!     --armor host/www.example.com --armor-keytab host.keytab --server-pid $(pidof kdc)
//! ```
//!
//! Every request is made before the first is sent, with a time, a nonce and, for FAST, an armor key of its own; they are as
//! a client sends them that knows which key is wanted: one request, one reply. What is compared is the
//! server's CPU time per reply. Some replies are opened and checked to the end, the others must only be replies.
//! `benches/against-others` runs this against several KDCs in turn.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement may stop at the first thing that is wrong"
)]

mod exchange;
mod link;
mod machine;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use exchange::{Client, Proof, Request, further};
use tessera_client::system::{self, SystemRandom};
use tessera_common::credential::Credential;
use tessera_common::crypto::{EncType, Key, string_to_key};
use tessera_common::keytab::Keytab;
use tessera_common::name::{Principal, Realm};
use tessera_common::time::Timestamp;

#[derive(Parser)]
struct Arguments {
    /// Where the KDC takes datagrams, ADDRESS:PORT
    address: SocketAddr,
    /// Its realm
    #[arg(long)]
    realm: String,
    /// Who asks
    #[arg(long)]
    user: String,
    /// That many users instead: USER0, USER1 and so on, all with the same password
    #[arg(long)]
    users: Option<usize>,
    /// The users' password. Its key has the default salt
    #[arg(long, required_unless_present = "key")]
    password: Option<String>,
    /// The users' key instead, in hexadecimal: all have the same
    #[arg(long)]
    key: Option<String>,
    /// The enctype of the users' keys and of all that is asked for
    #[arg(long, default_value = "aes256-cts-hmac-sha1-96")]
    enctype: String,
    /// Whose ticket is the armor, and for what tickets are asked for
    #[arg(long)]
    armor: Option<String>,
    /// The keytab with its key
    #[arg(long)]
    armor_keytab: Option<PathBuf>,
    /// Its password, if it has no keytab
    #[arg(long)]
    armor_password: Option<String>,
    /// What to measure, one after the other
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["plain", "fast"])]
    mode: Vec<Mode>,
    /// How many requests to measure
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
    /// How many to send before these
    #[arg(long, default_value_t = 1_000)]
    warm_up: usize,
    /// How many requests are on the way at once, each on a socket of its own
    #[arg(long, default_value_t = 16)]
    outstanding: usize,
    /// The address to ask from
    #[arg(long)]
    from: Option<IpAddr>,
    /// How long a flood lasts
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Ask for the checksum of the request in the reply (RFC 6806 §11), as most clients do
    #[arg(long)]
    enc_pa_rep: bool,
    /// Never sleep: the server need not wake the generator up. Takes a core of its own
    #[arg(long)]
    spin: bool,
    /// The processes whose CPU time is measured
    #[arg(long, value_delimiter = ',')]
    server_pid: Vec<u32>,
    /// One JSON object per mode
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// An encrypted timestamp
    Plain,
    /// An encrypted challenge inside FAST
    Fast,
    /// A ticket for a service
    Tgs,
    /// An encrypted timestamp, over TCP with a connection for each
    Tcp,
    /// Encrypted timestamps, as fast as one socket takes them, whether there are replies or not
    Flood,
}

/// Of this many replies one is opened.
const OPENED: usize = 64;
const NO_ARMOR: &str = "give --armor";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kdc_load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let realm = Realm::new(&arguments.realm)?;
    let etype = EncType::from_name(&arguments.enctype).ok_or("that enctype is not used here")?;
    let clients = clients(arguments, &realm, etype)?;
    let host = arguments.armor.as_deref();
    let host = host.map(|name| Principal::parse(name, Some(&realm))).transpose()?;
    let armor = if arguments.mode.contains(&Mode::Fast) {
        Some(armor(arguments, host.as_ref().ok_or(NO_ARMOR)?, etype)?)
    } else {
        None
    };
    let tgts = if arguments.mode.contains(&Mode::Tgs) {
        host.as_ref().ok_or(NO_ARMOR)?;
        clients
            .iter()
            .map(|client| login(arguments.address, client))
            .collect::<Result<Vec<_>, _>>()?
    } else {
        Vec::new()
    };
    let mut right = true;
    for mode in &arguments.mode {
        let make = |n: usize, now| -> Request {
            let random = &mut SystemRandom;
            let client = n % clients.len();
            if let (Mode::Tgs, Some(host), Some(tgt)) = (mode, &host, tgts.get(client)) {
                return further(tgt, host, now, random);
            }
            let proof = match (mode, &armor) {
                (Mode::Fast, Some(armor)) => Proof::Challenge(armor),
                _ => Proof::Timestamp,
            };
            clients.get(client).expect("a client").request(proof, now, random)
        };
        right &= measure(arguments, *mode, &clients, make);
    }
    Ok(right)
}

fn login(address: SocketAddr, client: &Client) -> Result<Credential, Box<dyn Error>> {
    let request = client.request(Proof::Timestamp, system::now(), &mut SystemRandom);
    let reply = link::ask(address, &request.octets)?;
    request.check(&reply, client, system::now(), &mut SystemRandom)
}

fn clients(arguments: &Arguments, realm: &Realm, etype: EncType) -> Result<Vec<Client>, Box<dyn Error>> {
    let names = match arguments.users {
        None => vec![arguments.user.clone()],
        Some(users) => (0..users).map(|n| format!("{}{n}", arguments.user)).collect(),
    };
    let key = arguments.key.as_deref().map(|key| key_of(etype, key)).transpose()?;
    let client = |name: &String| -> Result<Client, Box<dyn Error>> {
        let principal = Principal::parse(name, Some(realm))?;
        let key = match (&key, &arguments.password) {
            (Some(key), _) => key.clone(),
            (None, Some(password)) => password_key(&principal, etype, password)?,
            (None, None) => return Err("give --password or --key".into()),
        };
        Ok(Client::new(principal, key, arguments.enc_pa_rep))
    };
    names.iter().map(client).collect()
}

fn password_key(principal: &Principal, etype: EncType, password: &str) -> Result<Key, Box<dyn Error>> {
    let salt = principal.name.default_salt(&principal.realm);
    Ok(string_to_key(etype, password.as_bytes(), &salt, None)?)
}

fn key_of(etype: EncType, hexadecimal: &str) -> Result<Key, Box<dyn Error>> {
    let octet = |at| u8::from_str_radix(hexadecimal.get(at..at + 2).unwrap_or_default(), 16);
    let octets: Vec<u8> = (0..hexadecimal.len()).step_by(2).map(octet).collect::<Result<_, _>>()?;
    Ok(Key::new(etype, &octets)?)
}

// The ticket that all requests are armored with, as a host would use its own.
fn armor(arguments: &Arguments, principal: &Principal, etype: EncType) -> Result<Credential, Box<dyn Error>> {
    let key = match (&arguments.armor_keytab, &arguments.armor_password) {
        (Some(file), _) => {
            let keytab = Keytab::parse(&std::fs::read(file)?)?;
            let key = keytab.find(principal, None, etype).cloned();
            key.ok_or_else(|| format!("no key of {principal} in {}", file.display()))?
        }
        (None, Some(password)) => password_key(principal, etype, password)?,
        (None, None) => return Err("give --armor-keytab or --armor-password".into()),
    };
    login(arguments.address, &Client::new(principal.clone(), key, false))
}

fn measure(arguments: &Arguments, mode: Mode, clients: &[Client], make: impl Fn(usize, Timestamp) -> Request) -> bool {
    let start = system::now();
    let requests: Vec<(Request, &Client)> = (0..arguments.warm_up + arguments.requests)
        .zip(clients.iter().cycle())
        .map(|(n, client)| {
            let request = make(n, later(start, n));
            let kept = if n % OPENED == 0 {
                request
            } else {
                request.without_keys()
            };
            (kept, client)
        })
        .collect();
    let (warm_up, measured) = requests.split_at(arguments.warm_up);
    let from = arguments.from;
    let mut link = link::Link::new(arguments.address, from, arguments.outstanding, arguments.spin);
    let mut run = |requests: &[(Request, &Client)], tally: &mut link::Tally| match mode {
        Mode::Tcp => link::run_over_tcp(arguments.address, arguments.outstanding, requests, tally),
        Mode::Plain | Mode::Fast | Mode::Tgs => link.run(requests, tally),
        Mode::Flood => link::flood(
            arguments.address,
            from,
            Duration::from_secs(arguments.seconds),
            requests,
            tally,
        ),
    };
    let mut ignored = link::Tally::default();
    run(warm_up, &mut ignored);

    let mut tally = link::Tally::default();
    let before = machine::Usage::now(&arguments.server_pid);
    run(measured, &mut tally);
    let used = machine::Usage::now(&arguments.server_pid).since(&before);
    print(arguments, mode, &tally, &used);
    mode == Mode::Flood || (tally.replies == measured.len() && tally.wrong == 0 && ignored.wrong == 0)
}

/// No two requests of a client may have the same time.
fn later(start: Timestamp, microseconds: usize) -> Timestamp {
    let all = u64::from(start.usec) + microseconds as u64;
    let seconds = Duration::from_secs(all / 1_000_000);
    Timestamp::new(start.time.plus(seconds), (all % 1_000_000) as u32)
}

fn print(arguments: &Arguments, mode: Mode, tally: &link::Tally, used: &machine::Usage) {
    let answered = tally.replies + tally.refused.values().sum::<usize>();
    let per = |seconds: f64| seconds * 1e6 / answered.max(1) as f64;
    let mode = match mode {
        Mode::Plain => "plain",
        Mode::Fast => "fast",
        Mode::Tgs => "tgs",
        Mode::Tcp => "tcp",
        Mode::Flood => "flood",
    };
    let [half, most] = [50, 99].map(|percent| tally.took(percent));
    let (server, generator) = (per(used.server), per(used.own));
    let rate = answered as f64 / used.wall;
    let other = (used.busy - used.own - used.server).max(0.0) / used.wall;
    let stolen = used.stolen / used.wall;
    if arguments.json {
        let line = serde_json::json!({
            "mode": mode,
            "server_cpu_us_per_req": (server * 100.0).round() / 100.0,
            "rps": rate.round(),
            "wall_s": used.wall,
            "p50_us": half,
            "p99_us": most,
            "sent": tally.sent,
            "gen_cpu_us_per_req": (generator * 100.0).round() / 100.0,
            "other_cpus_busy": (other * 100.0).round() / 100.0,
            "cpus_stolen": (stolen * 100.0).round() / 100.0,
            "replies": tally.replies,
            "refused": tally.refused,
            "lost": tally.lost,
            "opened": tally.opened,
            "wrong": tally.wrong,
            "request_bytes": tally.sent_octets / answered.max(1),
            "reply_bytes": tally.received_octets / answered.max(1),
        });
        println!("{line}");
        return;
    }
    println!(
        "{mode:6} server_cpu_us_per_req {server:.2}   {rate:.0} requests/s in {:.2} s",
        used.wall
    );
    println!(
        "       generator {generator:.2} us a request; {other:.2} CPUs busy with something else, {stolen:.2} stolen"
    );
    println!(
        "       {} sent; half within {half} us, 99 in 100 within {most} us",
        tally.sent
    );
    println!(
        "       {} replies, refused {:?}, lost {}; opened {}, of which wrong {}",
        tally.replies, tally.refused, tally.lost, tally.opened, tally.wrong
    );
}
