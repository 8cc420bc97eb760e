//! Logging in by hand, and asking with the ticket.

use std::net::SocketAddr;

use super::ap::{ApReq, AuthenticatorChecksum, encrypted_data};
use super::crypto::Key;
use super::der::{integer, sequence, tagged, time};
use super::kdc_req::{KdcReq, Name};
use super::reply::{EncPart, Rep, Reply};
use super::{fresh_cusec, now, socket};

/// A ticket, its session key, and whose it is.
#[derive(Clone, Debug)]
pub struct Session {
    /// The client's name.
    pub client: Name,
    /// The ticket, encoded.
    pub ticket: Vec<u8>,
    /// The session key.
    pub key: Key,
    /// What the KDC said of it.
    pub part: EncPart,
}

/// Sends a request and takes the answer apart. TCP, so that any size is served.
#[must_use]
#[track_caller]
pub fn ask(kdc: SocketAddr, request: &[u8]) -> Reply {
    Reply::parse(&socket::tcp(kdc, request))
}

/// Logs in with a long-term key, pre-authenticated.
#[must_use]
#[track_caller]
pub fn login(kdc: SocketAddr, client: &str, key: &Key) -> Session {
    login_by_preauth(kdc, &KdcReq::initial(client), key)
}

/// Sends this AS-REQ with an encrypted timestamp, and opens the reply.
#[must_use]
#[track_caller]
pub fn login_by_preauth(kdc: SocketAddr, request: &KdcReq, key: &Key) -> Session {
    let mut request = request.clone();
    request.padata.push(pa_enc_timestamp(key, now()));
    let rep = ask(kdc, &request.to_der()).rep();
    assert_eq!(rep.msg_type, 11);
    let part = rep.open(key, 3);
    assert_eq!(part.nonce, i64::from(request.nonce));
    Session {
        client: request.cname.clone().unwrap(),
        ticket: rep.ticket,
        key: part.session_key(),
        part,
    }
}

/// PA-ENC-TIMESTAMP of this time.
#[must_use]
pub fn pa_enc_timestamp(key: &Key, at: i64) -> (i64, Vec<u8>) {
    let stamp = sequence(&[tagged(0, &time(at)), tagged(1, &integer(fresh_cusec()))]);
    (2, encrypted_data(&key.encrypt(1, &stamp), None))
}

impl Session {
    /// An AP-REQ with this ticket for a TGS-REQ: nothing wrong with it.
    #[must_use]
    pub fn header(&self) -> ApReq {
        let mut header = ApReq::new(&self.ticket, &self.key, "EXAMPLE.COM", &self.client);
        header.usage = 7;
        header.checksum = AuthenticatorChecksum::Keyed(6);
        header
    }

    /// Asks for what `request` says.
    #[must_use]
    #[track_caller]
    pub fn ask(&self, kdc: SocketAddr, request: &KdcReq) -> Reply {
        self.ask_with(kdc, request, &self.header())
    }

    /// The same with a header of one's own.
    #[must_use]
    #[track_caller]
    pub fn ask_with(&self, kdc: SocketAddr, request: &KdcReq, header: &ApReq) -> Reply {
        let mut request = request.clone();
        request.padata.insert(0, (1, header.to_der(&request.body())));
        ask(kdc, &request.to_der())
    }

    /// Opens the reply to a request whose authenticator had no subkey.
    #[must_use]
    #[track_caller]
    pub fn open(&self, rep: &Rep) -> Self {
        let part = rep.open(&self.key, 8);
        Self {
            client: self.client.clone(),
            ticket: rep.ticket.clone(),
            key: part.session_key(),
            part,
        }
    }

    /// Asks for what `request` says; it must be granted.
    #[must_use]
    #[track_caller]
    pub fn get(&self, kdc: SocketAddr, request: &KdcReq) -> Self {
        self.open(&self.ask(kdc, request).rep())
    }

    /// Asks for what `request` says; it must be refused. Gives the code.
    #[must_use]
    #[track_caller]
    pub fn refused(&self, kdc: SocketAddr, request: &KdcReq) -> i64 {
        self.ask(kdc, request).error().code
    }
}
