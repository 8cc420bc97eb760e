//! A service that knows who is calling: it takes AP-REQs, proves itself with AP-REPs, and sends back every message that it
//! gets, encrypted both ways.
//!
//! ```text
//! principal add --random-key echo/localhost
//! principal keytab echo/localhost --output echo.keytab
//! cargo run --example echo_service -- --keytab echo.keytab --listen 127.0.0.1:7007 --principal echo/localhost@EXAMPLE.COM
//! ```
//!
//! Every message is framed by its length in four octets, the highest first. The first one is the AP-REQ; the answer is the
//! AP-REP, or a KRB-ERROR and the end. After that, each one is a KRB-PRIV.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tessera_client::keytab_file::KeytabFile;
use tessera_client::system::{self, SystemRandom};
use tessera_common::ap::{Acceptor, Answer, Channel, MemoryReplayCache};
use tessera_common::keytab::Keytab;
use tessera_common::name::Principal;

#[derive(Parser)]
struct Arguments {
    /// The keytab with the service's keys.
    #[arg(long)]
    keytab: String,
    /// Where to wait for clients.
    #[arg(long, default_value = "127.0.0.1:7007")]
    listen: SocketAddr,
    /// Which service this is, realm included.
    #[arg(long)]
    principal: Principal,
}

struct Service {
    principal: Principal,
    acceptor: Acceptor,
    keytab: Keytab,
    replays: MemoryReplayCache,
}

// A client that says nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST: u32 = 64 * 1024;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo_service: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let service = Arc::new(Service {
        acceptor: Acceptor::for_service(arguments.principal.clone()),
        principal: arguments.principal,
        keytab: KeytabFile::named(&arguments.keytab)?.load()?,
        replays: MemoryReplayCache::new(Acceptor::SKEW),
    });
    let listener = TcpListener::bind(arguments.listen)?;
    println!("{} ready at {}", service.principal, listener.local_addr()?);
    for stream in listener.incoming() {
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
        let mut random = SystemRandom;

        let Some(ap_req) = receive(&mut stream)? else {
            return Ok(());
        };
        let now = system::now();
        let accepted = self
            .acceptor
            .accept(&ap_req, &self.keytab, &self.replays, Some(from.ip()), now.time);
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(why) => {
                // The log is told why; the client is told a code.
                send(&mut stream, &why.to_krb_error(&self.principal, now))?;
                return Err(format!("{from}: {why}").into());
            }
        };
        let answer = Answer::fresh(accepted.session_key().etype(), &mut random);
        let (ap_rep, agreed) = accepted.reply(&answer, &mut random);
        send(&mut stream, &ap_rep)?;
        println!("{from}: {}", accepted.client());

        let mut channel = Channel::stream(agreed);
        while let Some(message) = receive(&mut stream)? {
            let now = system::now();
            if now.time > accepted.endtime() {
                return Err(format!("{from}: the ticket of {} has ended", accepted.client()).into());
            }
            let text = channel
                .read_priv(&message, now)
                .map_err(|why| format!("{from}: {}: {why}", accepted.client()))?;
            send(&mut stream, &channel.make_priv(&text, now, &mut random))?;
        }
        Ok(())
    }
}

fn receive(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_be_bytes(length);
    if length > LONGEST {
        return Err(io::Error::other(format!("a message of {length} octets")));
    }
    let mut message = Vec::new();
    stream.take(length.into()).read_to_end(&mut message)?;
    Ok(Some(message))
}

fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat())
}
