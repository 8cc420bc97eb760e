//! What MIT's `gss-server` is: a service that takes GSS-API contexts, with SPNEGO around them or not, prints who is calling
//! and what it is told, and sends back a MIC of it.
//!
//! ```text
//! principal add --random-key host/server.example.com
//! principal keytab host/server.example.com --output server.keytab
//! cargo run --example gss_server -- --keytab server.keytab --principal host/server.example.com@EXAMPLE.COM
//! ```
//!
//! Beyond MIT's it compares channel bindings, keeps what is delegated to it in a cache, verifies the MIC that a message is
//! announced by, gives pseudo-random octets of the context, and sends back what it is told wrapped as it came (`--echo`).

use std::error::Error;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tessera_client::cache;
use tessera_client::keytab_file::KeytabFile;
use tessera_client::system::{self, SystemRandom};
use tessera_common::ap::{self, MemoryReplayCache};
use tessera_common::ccache::{CacheName, CredentialCache, Entry};
use tessera_common::credential::Credential;
use tessera_common::gss::{Accepted, Acceptor, BindingPolicy, ChannelBindings, Context, PrfKey, Protection};
use tessera_common::keytab::Keytab;
use tessera_common::name::{Principal, name_type};
use tessera_common::spnego;

use gss_sample::{Kind, flags, receive, send};

mod gss_sample;

#[derive(Parser)]
struct Arguments {
    /// The keytab with the service's keys.
    #[arg(long)]
    keytab: String,
    /// Where to wait for clients.
    #[arg(long, default_value = "127.0.0.1:4444")]
    listen: SocketAddr,
    /// Which service this is, realm included.
    #[arg(long)]
    principal: Principal,
    /// What the channel is known by, to compare with what the client says it is.
    #[arg(long)]
    bindings: Option<String>,
    /// What becomes of a client that says nothing of its channel, or something else.
    #[arg(long, default_value = "if-present")]
    binding_policy: Policy,
    /// The cache to keep the TGT in that a client delegates.
    #[arg(long)]
    delegated: Option<CacheName>,
    /// Send every message back, wrapped as it came, unless the client wants a MIC.
    #[arg(long)]
    echo: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    IfPresent,
    Require,
    Ignore,
}

struct Service {
    acceptor: spnego::Acceptor,
    keytab: Keytab,
    replays: MemoryReplayCache,
    delegated: Option<CacheName>,
    echo: bool,
}

// A client that says nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(60);
// How many octets are given to who asks for pseudo-random ones.
const PSEUDO_RANDOM: usize = 100;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gss_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let policy = match arguments.binding_policy {
        Policy::IfPresent => BindingPolicy::IfPresent,
        Policy::Require => BindingPolicy::Require,
        Policy::Ignore => BindingPolicy::Ignore,
    };
    let bindings = arguments
        .bindings
        .map(|text| ChannelBindings::of_application(text.as_bytes()));
    let acceptor = Acceptor::new(ap::Acceptor::for_service(arguments.principal)).with_bindings(bindings, policy);
    let service = Arc::new(Service {
        acceptor: spnego::Acceptor::new(acceptor),
        keytab: KeytabFile::named(&arguments.keytab)?.load()?,
        replays: MemoryReplayCache::new(ap::Acceptor::SKEW),
        delegated: arguments.delegated,
        echo: arguments.echo,
    });
    for stream in TcpListener::bind(arguments.listen)?.incoming() {
        let (stream, service) = (stream?, Arc::clone(&service));
        std::thread::spawn(move || {
            if let Err(error) = service.serve(stream) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

impl Service {
    fn serve(&self, mut stream: TcpStream) -> Result<(), Box<dyn Error>> {
        let from = stream.peer_addr()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        match receive(&mut stream)? {
            None => return Ok(()),
            Some((kind, _)) if kind.has(Kind::NOOP | Kind::CONTEXT_NEXT) => {}
            Some(_) => return Err(format!("{from}: no context wanted, nothing served").into()),
        }
        let accepted = self.establish(&mut stream, from)?;
        let (_, context, peer, delegated) = accepted.into_parts();
        println!("{from}: {} flags={}", peer.client(), flags(context.flags()));
        if let (Some(name), Some(tgt)) = (&self.delegated, delegated) {
            keep(name, &tgt)?;
        }
        self.talk(&mut stream, from, context)
    }

    fn establish(&self, stream: &mut TcpStream, from: SocketAddr) -> Result<Accepted, Box<dyn Error>> {
        let (keys, replays, ip) = (&self.keytab, &self.replays, Some(from.ip()));
        let mut random = SystemRandom;
        let mut state: Option<spnego::Accepting> = None;
        loop {
            let Some((_, token)) = receive(stream)? else {
                return Err(format!("{from}: gone before there was a context").into());
            };
            let now = system::now();
            let step = match state {
                None => self.acceptor.accept(&token, keys, replays, ip, now, &mut random),
                Some(state) => state.step(&token, keys, replays, ip, now, &mut random),
            };
            match step {
                Ok(spnego::Step::Continue { token, state: next }) => {
                    send(stream, Kind::CONTEXT, &token)?;
                    state = Some(next);
                }
                Ok(spnego::Step::Done { token, accepted }) => {
                    if let Some(token) = token {
                        send(stream, Kind::CONTEXT, &token)?;
                    }
                    return Ok(accepted);
                }
                // The log is told why; the client is told a code.
                Err(why) => {
                    if let Some(token) = why.reply_token() {
                        send(stream, Kind::CONTEXT, &token)?;
                        // With SPNEGO, MIT's client has a last word, which must find somebody.
                        while receive(stream)?.is_some() {}
                    }
                    return Err(format!("{from}: {why}").into());
                }
            }
        }
    }

    fn talk(&self, stream: &mut TcpStream, from: SocketAddr, mut context: Context) -> Result<(), Box<dyn Error>> {
        let mut random = SystemRandom;
        let mut announced: Option<Vec<u8>> = None;
        while let Some((kind, token)) = receive(stream)? {
            let now = system::now().time;
            if kind.has(Kind::NOOP) {
                break;
            }
            if kind.has(Kind::CONTEXT | Kind::DATA) {
                let octets = context.prf(PrfKey::Full, &token, PSEUDO_RANDOM);
                send(stream, Kind::CONTEXT | Kind::DATA, &octets)?;
                continue;
            }
            if kind.has(Kind::DATA | Kind::MIC) {
                announced = Some(token);
                continue;
            }
            let (data, protection) = if kind.has(Kind::WRAPPED) {
                let unwrapped = context.unwrap(&token, now).map_err(|why| format!("{from}: {why}"))?;
                (unwrapped.data.to_vec(), Some(unwrapped.protection))
            } else {
                (token, None)
            };
            let mut how = match protection {
                None => "unwrapped",
                Some(Protection::Integrity) => "plain",
                Some(Protection::Confidential) => "encrypted",
            }
            .to_owned();
            if let Some(mic) = announced.take() {
                context
                    .verify_mic(&data, &mic, now)
                    .map_err(|why| format!("{from}: {why}"))?;
                how.push_str(", its MIC is right");
            }
            println!("{from}: {:?} {how}", String::from_utf8_lossy(&data));
            match protection {
                _ if kind.has(Kind::SEND_MIC) => send(stream, Kind::MIC, &context.mic(&data, now)?)?,
                Some(protection) if self.echo => {
                    let answer = context.wrap(&data, protection, now, &mut random)?;
                    send(stream, Kind::wrapped(protection), &answer)?;
                }
                _ => send(stream, Kind::NOOP, &[])?,
            }
        }
        Ok(())
    }
}

/// Makes a cache of the TGT, for programs that act for the client.
fn keep(name: &CacheName, tgt: &Credential) -> Result<(), Box<dyn Error>> {
    let mut cache = CredentialCache::new(tgt.client.clone(), name_type::PRINCIPAL);
    cache.entries.push(Entry::from_credential(tgt));
    cache::open(name)?.store(&cache)?;
    Ok(())
}
