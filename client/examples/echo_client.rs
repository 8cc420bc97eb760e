//! The client of `echo_service`: gets a ticket with the ticket-granting ticket in the credential cache, authenticates, and
//! has the service prove itself; then sends each message and prints what comes back.
//!
//! ```text
//! kinit alice
//! cargo run --example echo_client -- 127.0.0.1:7007 --principal echo/localhost 'hello' 'and again'
//! ```
//!
//! `KRB5CCNAME` names the cache and `KRB5_CONFIG` the configuration, as for every Kerberos program.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;

use clap::Parser;
use tessera_client::system::{self, SystemRandom};
use tessera_client::{Client, cache};
use tessera_common::ap::{Channel, Initiator};

#[derive(Parser)]
struct Arguments {
    /// Where the service is, HOST:PORT.
    address: String,
    /// Which service it is to prove itself to be.
    #[arg(long)]
    principal: String,
    /// What to send.
    #[arg(required = true)]
    messages: Vec<String>,
}

const LONGEST: u32 = 64 * 1024;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo_client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let client = Client::from_environment()?;
    let service = client.principal(&arguments.principal)?;
    let file = cache::open(&client.settings().default_cache()?)?;
    let mut credentials = file.load()?;
    let ticket = client.service_ticket(&mut credentials, &service)?;
    file.store(&credentials)?;

    let mut random = SystemRandom;
    let mut stream = TcpStream::connect(&arguments.address)?;
    let request = Initiator::new(&ticket)
        .mutual()
        .with_fresh_session(&mut random)
        .request(system::now(), &mut random);
    send(&mut stream, request.octets())?;
    let agreed = request.verify_reply(&receive(&mut stream)?)?;
    println!("{} is {service}", arguments.address);

    let mut channel = Channel::stream(agreed);
    for message in &arguments.messages {
        let sealed = channel.make_priv(message.as_bytes(), system::now(), &mut random);
        send(&mut stream, &sealed)?;
        let echo = channel.read_priv(&receive(&mut stream)?, system::now())?;
        println!("{}", String::from_utf8_lossy(&echo));
    }
    Ok(())
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > LONGEST {
        return Err(io::Error::other(format!("a message of {length} octets")));
    }
    let mut message = Vec::new();
    stream.take(length.into()).read_to_end(&mut message)?;
    Ok(message)
}

fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat())
}
