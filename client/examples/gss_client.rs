//! What MIT's `gss-client` is: makes a GSS-API context with a service, with SPNEGO around it or not, tells the service
//! something, and verifies the MIC that comes back.
//!
//! ```text
//! kinit -f alice
//! cargo run --example gss_client -- 127.0.0.1:4444 host@server.example.com hello
//! ```
//!
//! Beyond MIT's it ties the context to a channel, announces a message by its own MIC (`--sign`), and prints what a service
//! sends back that echoes.

use std::error::Error;
use std::io;
use std::net::TcpStream;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tessera_client::system::{self, SystemRandom};
use tessera_client::{Client, cache};
use tessera_common::gss::{ChannelBindings, Context, ContextFlags, Initiator, Protection};
use tessera_common::spnego::{self, InitiateStep};

use gss_sample::{Kind, flags, receive, send};

mod gss_sample;

#[derive(Parser)]
struct Arguments {
    /// Where the service is, HOST:PORT.
    address: String,
    /// Which service it is to prove itself to be, SERVICE@HOST.
    service: String,
    /// What to tell it.
    message: String,
    /// How many times.
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// Negotiate the mechanism.
    #[arg(long)]
    spnego: bool,
    /// Hand the service a TGT.
    #[arg(long)]
    delegate: bool,
    /// Announce each message by its MIC.
    #[arg(long)]
    sign: bool,
    /// What the channel is known by.
    #[arg(long)]
    bindings: Option<String>,
    /// What else to go without.
    #[arg(long, value_delimiter = ',')]
    without: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The service need not prove itself.
    Mutual,
    /// Messages may come twice.
    Replay,
    /// Messages may come out of their turn.
    Sequence,
    /// Messages go as they are.
    Wrap,
    /// Messages go wrapped, for everybody to read.
    Encryption,
    /// The service does not send a MIC.
    Mic,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gss_client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let client = Client::from_environment()?;
    let (service, host) = arguments.service.split_once('@').ok_or("the service is SERVICE@HOST")?;
    let service = client.service_on_host(service, host)?;
    let file = cache::open(&client.settings().default_cache()?)?;
    let mut credentials = file.load()?;
    let ticket = client.service_ticket(&mut credentials, &service)?;
    file.store(&credentials)?;

    let forwarded = match arguments.delegate {
        true => Some(client.forwarded_tgt(&credentials)?),
        false => None,
    };
    let mut initiator = Initiator::new(&ticket);
    if let Some(tgt) = &forwarded {
        initiator = initiator.delegating(tgt);
    }
    if let Some(text) = &arguments.bindings {
        initiator = initiator.with_bindings(ChannelBindings::of_application(text.as_bytes()));
    }
    for (part, flag) in [
        (Part::Replay, ContextFlags::REPLAY),
        (Part::Sequence, ContextFlags::SEQUENCE),
    ] {
        if arguments.goes_without(part) {
            initiator = initiator.without(flag);
        }
    }
    let mut stream = TcpStream::connect(&arguments.address)?;
    send(&mut stream, Kind::NOOP | Kind::CONTEXT_NEXT, &[])?;
    let mut context = if arguments.spnego {
        negotiate(&mut stream, initiator, !arguments.goes_without(Part::Mutual))?
    } else {
        establish(&mut stream, initiator, !arguments.goes_without(Part::Mutual))?
    };
    println!(
        "{} to {} flags={}",
        context.initiator(),
        context.acceptor(),
        flags(context.flags())
    );
    for _ in 0..arguments.count {
        arguments.tell(&mut stream, &mut context)?;
    }
    send(&mut stream, Kind::NOOP, &[])?;
    Ok(())
}

fn establish(stream: &mut TcpStream, initiator: Initiator<'_>, mutual: bool) -> Result<Context, Box<dyn Error>> {
    let mut random = SystemRandom;
    if mutual {
        let (token, awaiting) = initiator.start(system::now(), &mut random);
        send(stream, Kind::CONTEXT, &token)?;
        Ok(awaiting.finish(&answer(stream)?.1)?)
    } else {
        let (token, context) = initiator.start_one_way(system::now(), &mut random);
        send(stream, Kind::CONTEXT, &token)?;
        Ok(context)
    }
}

fn negotiate(stream: &mut TcpStream, initiator: Initiator<'_>, mutual: bool) -> Result<Context, Box<dyn Error>> {
    let mut random = SystemRandom;
    let initiator = spnego::Initiator::new(initiator);
    let (token, mut state) = if mutual {
        initiator.start(system::now(), &mut random)
    } else {
        initiator.start_one_way(system::now(), &mut random)
    };
    send(stream, Kind::CONTEXT, &token)?;
    loop {
        match state.step(&answer(stream)?.1, system::now().time)? {
            InitiateStep::Continue { token, state: next } => {
                send(stream, Kind::CONTEXT, &token)?;
                state = next;
            }
            InitiateStep::Done { token, context } => {
                if let Some(token) = token {
                    send(stream, Kind::CONTEXT, &token)?;
                }
                return Ok(context);
            }
        }
    }
}

fn answer(stream: &mut TcpStream) -> io::Result<(Kind, Vec<u8>)> {
    receive(stream)?.ok_or_else(|| io::Error::other("the service hung up"))
}

impl Arguments {
    fn goes_without(&self, part: Part) -> bool {
        self.without.contains(&part)
    }

    fn tell(&self, stream: &mut TcpStream, context: &mut Context) -> Result<(), Box<dyn Error>> {
        let (message, now) = (self.message.as_bytes(), system::now().time);
        let protection = match self.goes_without(Part::Encryption) {
            true => Protection::Integrity,
            false => Protection::Confidential,
        };
        let (mut kind, token) = if self.goes_without(Part::Wrap) {
            (Kind::DATA, message.to_vec())
        } else {
            let token = context.wrap(message, protection, now, &mut SystemRandom)?;
            (Kind::wrapped(protection), token)
        };
        if !self.goes_without(Part::Mic) {
            kind = kind | Kind::SEND_MIC;
        }
        if self.sign {
            // Made after the token that it announces: it can be verified only when that one has been unwrapped.
            send(stream, Kind::DATA | Kind::MIC, &context.mic(message, now)?)?;
        }
        send(stream, kind, &token)?;
        let (kind, token) = answer(stream)?;
        let now = system::now().time;
        if kind.has(Kind::MIC) {
            context.verify_mic(message, &token, now)?;
            println!("MIC verified");
        } else if kind.has(Kind::WRAPPED) {
            let unwrapped = context.unwrap(&token, now)?;
            let how = match unwrapped.protection {
                Protection::Confidential => "encrypted",
                Protection::Integrity => "plain",
            };
            println!("{:?} {how}", String::from_utf8_lossy(&unwrapped.data));
        } else if self.goes_without(Part::Mic) {
            println!("received");
        } else {
            return Err("no MIC came back".into());
        }
        Ok(())
    }
}
