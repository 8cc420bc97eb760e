use core::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tessera_common::error_code::ErrorCode;
use tessera_common::wire::{self, KrbError};

use super::attempt::Attempt;
use super::{Preference, Protocol, Server};

/// How long to wait for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Between asking one server and asking the next, as long as nobody has answered.
    pub stagger: Duration,
    /// After each time that all were asked. Datagrams are sent again after each but the last.
    pub rounds: Vec<Duration>,
    /// From a connection's beginning to the whole answer.
    pub stream: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            stagger: Duration::from_secs(1),
            rounds: [2, 4, 8].map(Duration::from_secs).to_vec(),
            stream: Duration::from_secs(10),
        }
    }
}

/// Carries requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Courier {
    /// How long it waits.
    pub patience: Patience,
    /// Requests with more octets than this go by stream first.
    pub udp_preference_limit: usize,
}

impl Default for Courier {
    fn default() -> Self {
        Self {
            patience: Patience::default(),
            udp_preference_limit: 1465,
        }
    }
}

/// An answer and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The answer.
    pub octets: Vec<u8>,
    /// Who gave it.
    pub from: SocketAddr,
}

/// Nobody answered.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NoAnswer {
    /// Each server, or address and protocol, and what became of the request there.
    pub failures: Vec<(String, String)>,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (who, why)) in self.failures.iter().enumerate() {
            write!(f, "{}{who}: {why}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl core::error::Error for NoAnswer {}

impl Courier {
    /// Carries `request` to the first of `servers` that answers. All are asked, one after the other; who answers first wins.
    /// `first`, where an earlier answer came from, is asked before the others.
    ///
    /// # Errors
    /// [`NoAnswer`], with what became of the request at each address.
    pub fn ask(
        &self,
        servers: &[Server],
        request: &[u8],
        preference: Preference,
        first: Option<SocketAddr>,
    ) -> Result<Answer, NoAnswer> {
        let mut failures = Vec::new();
        let mut attempts = self.plan(servers, request.len(), preference, first, &mut failures);
        let answer = self.ask_all(&mut attempts, request);
        answer.ok_or_else(|| {
            let attempted = attempts.iter().map(|attempt| {
                let why = attempt.failure().unwrap_or("no answer in time").to_owned();
                (format!("{} ({})", attempt.address, attempt.protocol), why)
            });
            failures.extend(attempted);
            NoAnswer { failures }
        })
    }

    fn plan(
        &self,
        servers: &[Server],
        length: usize,
        preference: Preference,
        first: Option<SocketAddr>,
        failures: &mut Vec<(String, String)>,
    ) -> Vec<Attempt> {
        let protocols: &[Protocol] = match preference {
            Preference::Udp if length <= self.udp_preference_limit => &[Protocol::Udp, Protocol::Tcp],
            Preference::Udp | Preference::Tcp => &[Protocol::Tcp, Protocol::Udp],
            Preference::TcpOnly => &[Protocol::Tcp],
        };
        let mut places: Vec<SocketAddr> = Vec::new();
        for server in servers {
            match (server.host.as_str(), server.port).to_socket_addrs() {
                Ok(addresses) => places.extend(addresses),
                Err(e) => failures.push((server.to_string(), e.to_string())),
            }
        }
        places.sort_by_key(|address| Some(*address) != first);
        protocols
            .iter()
            .flat_map(|protocol| places.iter().map(|address| Attempt::new(*address, *protocol)))
            .collect()
    }

    fn ask_all(&self, attempts: &mut [Attempt], request: &[u8]) -> Option<Answer> {
        for round in &self.patience.rounds {
            for at in 0..attempts.len() {
                let attempt = attempts.get_mut(at)?;
                attempt.send(request, clock() + self.patience.stream);
                if attempt.is_under_way()
                    && let Some(answer) = wait(attempts, request, self.patience.stagger, Some(at))
                {
                    return Some(answer);
                }
            }
            if let Some(answer) = wait(attempts, request, *round, None) {
                return Some(answer);
            }
            if !attempts.iter().any(Attempt::is_under_way) {
                break;
            }
        }
        None
    }
}

// Waits for an answer from anybody. Gives up early when the attempt `newest` fails, or when all have failed.
fn wait(attempts: &mut [Attempt], request: &[u8], patience: Duration, newest: Option<usize>) -> Option<Answer> {
    let until = clock() + patience;
    loop {
        let watched: &[Attempt] = match newest.and_then(|at| attempts.get(at)) {
            Some(newest) => core::slice::from_ref(newest),
            None => attempts,
        };
        let now = clock();
        if now >= until || !watched.iter().any(Attempt::is_under_way) {
            return None;
        }
        let waiting: Vec<_> = attempts
            .iter()
            .enumerate()
            .filter_map(|(at, attempt)| attempt.waits_for().map(|waits_for| (at, waits_for)))
            .collect();
        let deadline = waiting
            .iter()
            .filter_map(|(_, (_, _, deadline))| *deadline)
            .min()
            .unwrap_or(until)
            .min(until);
        let mut fds: Vec<PollFd<'_>> = waiting
            .iter()
            .map(|(_, (fd, flags, _))| PollFd::new(*fd, *flags))
            .collect();
        // A millisecond more, or the last one would be spent in a busy loop.
        let millis = deadline.saturating_duration_since(now).as_millis().saturating_add(1);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let ready: Vec<usize> = match poll(&mut fds, timeout) {
            Ok(_) => {
                let fired = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| events != PollFlags::empty());
                fds.iter()
                    .zip(&waiting)
                    .filter(|(fd, _)| fired(fd))
                    .map(|(_, (at, _))| *at)
                    .collect()
            }
            Err(_) => Vec::new(),
        };
        let now = clock();
        for (at, attempt) in attempts.iter_mut().enumerate() {
            if !ready.contains(&at) {
                attempt.expire(now);
            } else if let Some(octets) = attempt.advance(request) {
                if is_unavailable(&octets) {
                    attempt.fail(ErrorCode::KDC_ERR_SVC_UNAVAILABLE.meaning());
                } else {
                    return Some(Answer {
                        octets,
                        from: attempt.address,
                    });
                }
            }
        }
    }
}

// A KDC that says so knows of itself that it cannot answer; another one may.
fn is_unavailable(octets: &[u8]) -> bool {
    wire::decode::<KrbError>(octets)
        .is_ok_and(|error| ErrorCode(error.error_code) == ErrorCode::KDC_ERR_SVC_UNAVAILABLE)
}

#[allow(
    clippy::disallowed_methods,
    reason = "waiting for a network takes a clock; nothing else here reads one"
)]
fn clock() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, UdpSocket};
    use std::thread;

    use super::*;

    fn quick() -> Courier {
        let short = Duration::from_millis(60);
        let patience = Patience {
            stagger: short,
            rounds: vec![short; 3],
            stream: short * 10,
        };
        Courier {
            patience,
            ..Courier::default()
        }
    }

    fn at(address: SocketAddr) -> Server {
        Server {
            host: address.ip().to_string(),
            port: address.port(),
        }
    }

    fn udp() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    // Answers datagrams after leaving the first `deaf` ones unanswered.
    fn udp_server(deaf: usize) -> SocketAddr {
        let (socket, address) = udp();
        thread::spawn(move || {
            let mut buffer = [0; 100];
            for heard in 0.. {
                let (length, from) = socket.recv_from(&mut buffer).unwrap();
                if heard >= deaf {
                    socket.send_to(&buffer[..length], from).unwrap();
                }
            }
        });
        address
    }

    fn tcp_server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
                stream.read_exact(&mut message).unwrap();
                // In pieces, as a network may deliver it.
                stream.write_all(&length[..2]).unwrap();
                stream.write_all(&length[2..]).unwrap();
                stream.write_all(&message).unwrap();
            }
        });
        address
    }

    #[test]
    fn a_lost_datagram_is_sent_again() {
        let address = udp_server(1);
        let answer = quick().ask(&[at(address)], b"hello", Preference::Udp, None).unwrap();
        assert_eq!(
            answer,
            Answer {
                octets: b"hello".to_vec(),
                from: address
            }
        );
    }

    #[test]
    fn a_silent_server_does_not_keep_the_next_from_being_asked() {
        let (_silent, deaf) = udp();
        let address = udp_server(0);
        let answer = quick()
            .ask(&[at(deaf), at(address)], b"hello", Preference::Udp, None)
            .unwrap();
        assert_eq!(answer.from, address);
    }

    #[test]
    fn streams_are_used_where_datagrams_do_not_fit_or_do_not_arrive() {
        let address = tcp_server();
        let large = vec![7; 1466];
        for (request, preference) in [
            (&b"hello"[..], Preference::Udp),
            (&large, Preference::Udp),
            (b"hello", Preference::TcpOnly),
        ] {
            let answer = quick().ask(&[at(address)], request, preference, None).unwrap();
            assert_eq!((answer.octets.as_slice(), answer.from), (request, address));
        }
    }

    #[test]
    fn the_server_that_answered_before_is_asked_first() {
        let (one, two) = (udp_server(0), udp_server(0));
        let answer = quick()
            .ask(&[at(one), at(two)], b"hello", Preference::Udp, Some(two))
            .unwrap();
        assert_eq!(answer.from, two);
    }

    #[test]
    fn when_nobody_answers_every_address_is_named_with_its_failure() {
        let (silent, deaf) = udp();
        let (gone, refused) = udp();
        drop(gone);
        let nowhere = Server {
            host: "no-such-host.invalid".into(),
            port: 88,
        };
        let none = quick()
            .ask(&[at(deaf), at(refused), nowhere], b"hello", Preference::Udp, None)
            .unwrap_err();
        drop(silent);
        let text = none.to_string();
        assert!(text.contains(&format!("{deaf} (udp): no answer in time")), "{text}");
        assert!(text.contains(&format!("{refused} (udp): Connection refused")), "{text}");
        assert!(text.contains(&format!("{refused} (tcp): Connection refused")), "{text}");
        assert!(text.contains("no-such-host.invalid:88: "), "{text}");
    }

    #[test]
    fn an_answer_of_excessive_length_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&[0x7f, 0xff, 0xff, 0xff]).unwrap();
            let _ = stream.read(&mut [0; 100]);
        });
        let none = quick()
            .ask(&[at(address)], b"hello", Preference::TcpOnly, None)
            .unwrap_err();
        assert!(none.to_string().contains("too long"), "{none}");
    }
}
