//! FAST (RFC 6113 §5.4): requests in armor, any part of which may be wrong, and what is inside the answers.

use std::net::SocketAddr;

use super::ap::{ApReq, AuthenticatorChecksum, encrypted_data, typed_octets};
use super::crypto::{HMAC_SHA1_96_AES256, Key};
use super::der::{Element, bits, integer, sequence, tagged, time};
use super::kdc_req::{KdcReq, Name, pa_data};
use super::reply::{EncPart, KrbError, Rep, Reply, name, padata};
use super::session::{Session, ask};
use super::{fresh_cusec, now};

/// Types of pre-authentication data.
#[allow(missing_docs, reason = "the names are the RFC's")]
pub mod pa {
    pub const TGS_REQ: i64 = 1;
    pub const ENC_TIMESTAMP: i64 = 2;
    pub const ETYPE_INFO2: i64 = 19;
    pub const FX_COOKIE: i64 = 133;
    pub const FX_FAST: i64 = 136;
    pub const FX_ERROR: i64 = 137;
    pub const ENCRYPTED_CHALLENGE: i64 = 138;
    pub const REQ_ENC_PA_REP: i64 = 149;
}

/// `FastOptions`, bit 0 at the top.
pub const HIDE_CLIENT_NAMES: u32 = 1 << 30;

const REQ_CHECKSUM: u32 = 50;
const ENC: u32 = 51;
const REP: u32 = 52;
const FINISHED: u32 = 53;
const CHALLENGE_OF_CLIENT: u32 = 54;
const CHALLENGE_OF_KDC: u32 = 55;

/// What a request is armored with.
#[derive(Clone)]
pub struct Armor {
    /// Type and value of the `KrbFastArmor`. `None`: nothing is sent, as in a TGS-REQ, whose header is its armor.
    pub sent: Option<(i64, Vec<u8>)>,
    /// What both ends make of it.
    pub key: Key,
}

impl Armor {
    /// An AP-REQ, sent along: what an AS-REQ takes. Without a subkey in it the armor key is the session key, for want of
    /// one that is defined.
    #[must_use]
    pub fn of(header: &ApReq) -> Self {
        Self {
            sent: Some((1, header.to_der(b""))),
            ..Self::implicit(header)
        }
    }

    /// The header of a TGS-REQ.
    #[must_use]
    pub fn implicit(header: &ApReq) -> Self {
        let key = header.subkey.as_ref().map_or_else(
            || header.session_key.clone(),
            |subkey| subkey.combined("subkeyarmor", &header.session_key, "ticketarmor"),
        );
        Self { sent: None, key }
    }

    /// PA-ENCRYPTED-CHALLENGE of this time, for a client with this long-term key.
    #[must_use]
    pub fn challenge(&self, key: &Key, at: i64) -> (i64, Vec<u8>) {
        let stamp = sequence(&[tagged(0, &time(at)), tagged(1, &integer(fresh_cusec()))]);
        let key = self.key.combined("clientchallengearmor", key, "challengelongterm");
        (
            pa::ENCRYPTED_CHALLENGE,
            encrypted_data(&key.encrypt(CHALLENGE_OF_CLIENT, &stamp), None),
        )
    }
}

/// A request to be put in armor. Nothing is wrong with what [`FastReq::new`] gives.
#[derive(Clone)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct FastReq {
    pub armor: Armor,
    pub options: u32,
    pub padata: Vec<(i64, Vec<u8>)>,
    /// The inner `KDC-REQ-BODY`, encoded.
    pub body: Vec<u8>,
    /// The one in the body, by which the answer is known.
    pub nonce: u32,
    /// Over the outer body, or over the AP-REQ of a TGS-REQ.
    pub checksum: AuthenticatorChecksum,
    /// Of the encryption: 51.
    pub usage: u32,
}

impl FastReq {
    /// This request, its padata with it.
    #[must_use]
    pub fn new(armor: &Armor, request: &KdcReq) -> Self {
        Self {
            armor: armor.clone(),
            options: 0,
            padata: request.padata.clone(),
            body: request.body(),
            nonce: request.nonce,
            checksum: AuthenticatorChecksum::Keyed(REQ_CHECKSUM),
            usage: ENC,
        }
    }

    /// With a proof that the client has this long-term key.
    #[must_use]
    pub fn with_challenge(mut self, key: &Key) -> Self {
        self.padata.push(self.armor.challenge(key, now()));
        self
    }

    /// With these `FastOptions` besides.
    #[must_use]
    pub fn with_options(mut self, options: u32) -> Self {
        self.options |= options;
        self
    }

    /// PA-FX-FAST. `covered` is what the checksum is over.
    #[must_use]
    pub fn to_padata(&self, covered: &[u8]) -> (i64, Vec<u8>) {
        let inner = sequence(&[
            tagged(0, &bits(self.options)),
            tagged(1, &pa_data(&self.padata)),
            tagged(2, &self.body),
        ]);
        let mut parts = Vec::new();
        parts.extend(
            self.armor
                .sent
                .iter()
                .map(|(kind, value)| tagged(0, &typed_octets(*kind, value))),
        );
        if let Some((kind, value)) = self.checksum.over(&self.armor.key, covered) {
            parts.push(tagged(1, &typed_octets(kind, &value)));
        }
        let sealed = self.armor.key.encrypt(self.usage, &inner);
        parts.push(tagged(2, &encrypted_data(&sealed, None)));
        (pa::FX_FAST, tagged(0, &sequence(&parts)))
    }

    /// The whole request, with `outer` around it: its padata, its body.
    #[must_use]
    pub fn within(&self, outer: &KdcReq) -> Vec<u8> {
        let mut outer = outer.clone();
        let header = outer.padata.iter().find(|(kind, _)| *kind == pa::TGS_REQ);
        let covered = header.map_or_else(|| outer.body(), |(_, header)| header.clone());
        outer.padata.push(self.to_padata(&covered));
        outer.to_der()
    }

    /// Sends it within `outer`.
    #[must_use]
    #[track_caller]
    pub fn ask(&self, kdc: SocketAddr, outer: &KdcReq) -> FastReply {
        self.open(ask(kdc, &self.within(outer)))
    }

    /// Sends it as an AS-REQ whose outer body is the inner one.
    #[must_use]
    #[track_caller]
    pub fn ask_as(&self, kdc: SocketAddr) -> FastReply {
        let body = &self.body;
        let outer = KdcReq {
            padata: vec![self.to_padata(body)],
            ..KdcReq::initial("")
        };
        self.open(ask(kdc, &outer.around(body)))
    }

    /// The answer to it, its armor taken off.
    #[must_use]
    #[track_caller]
    pub fn open(&self, outer: Reply) -> FastReply {
        let of_fast = |padata: &[(i64, Vec<u8>)]| {
            let found = padata.iter().find(|(kind, _)| *kind == pa::FX_FAST)?;
            // Empty, it is an offer.
            (!found.1.is_empty()).then(|| found.1.clone())
        };
        let sealed = match &outer {
            Reply::Rep(rep) => of_fast(&rep.padata),
            Reply::Error(error) if error.e_data.is_some() => of_fast(&error.methods()),
            Reply::Error(_) => None,
        };
        let response = sealed.map(|sealed| FastResponse::open(&sealed, &self.armor.key));
        if let Some(response) = &response {
            response.check(&outer, &self.armor.key);
            assert_eq!(response.nonce, i64::from(self.nonce), "the answer to another request");
        }
        FastReply { outer, response }
    }
}

/// An answer to a request in armor.
#[derive(Debug)]
pub struct FastReply {
    /// As everybody can read it.
    pub outer: Reply,
    /// What is inside, if it came armored.
    pub response: Option<FastResponse>,
}

/// `KrbFastResponse`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct FastResponse {
    pub padata: Vec<(i64, Vec<u8>)>,
    pub strengthen_key: Option<Key>,
    pub finished: Option<Finished>,
    pub nonce: i64,
}

/// `KrbFastFinished`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct Finished {
    pub timestamp: i64,
    pub crealm: String,
    pub cname: String,
    /// Type and value.
    pub ticket_checksum: (i64, Vec<u8>),
}

impl FastReply {
    /// The error's code; 0 for a reply.
    #[must_use]
    pub fn code(&self) -> i64 {
        self.outer.code()
    }

    /// The error's code, and whether it came armored: what a refusal is judged by.
    #[must_use]
    pub fn refusal(&self) -> (i64, bool) {
        (self.code(), self.response.is_some())
    }

    /// What is inside; it must have come armored.
    #[must_use]
    #[track_caller]
    pub fn response(&self) -> &FastResponse {
        self.response
            .as_ref()
            .unwrap_or_else(|| panic!("not armored: {:?}", self.outer))
    }

    /// The value of this padata inside; it must be there.
    #[must_use]
    #[track_caller]
    pub fn inner(&self, kind: i64) -> Vec<u8> {
        let padata = &self.response().padata;
        let found = padata.iter().find(|(found, _)| *found == kind);
        found
            .unwrap_or_else(|| panic!("no padata {kind} in {padata:?}"))
            .1
            .clone()
    }

    /// The types of all padata inside.
    #[must_use]
    #[track_caller]
    pub fn inner_types(&self) -> Vec<i64> {
        self.response().padata.iter().map(|(kind, _)| *kind).collect()
    }

    /// It must be a reply.
    #[must_use]
    #[track_caller]
    pub fn rep(&self) -> &Rep {
        match &self.outer {
            Reply::Rep(rep) => rep,
            Reply::Error(error) => panic!("refused: {error:?}, {:?}", self.response),
        }
    }

    /// It must be a reply. What its encrypted part was sealed with, where this key would have done without armor.
    #[must_use]
    #[track_caller]
    pub fn reply_key(&self, key: &Key) -> Key {
        let _ = self.rep();
        self.response().strengthen_key.as_ref().map_or_else(
            || key.clone(),
            |strengthen| strengthen.combined("strengthenkey", key, "replykey"),
        )
    }

    /// It must be a reply. The ticket in it; `key` is the client's long-term key (usage 3) or the authenticator's subkey
    /// (usage 9).
    #[must_use]
    #[track_caller]
    pub fn session(&self, client: &str, key: &Key, usage: u32) -> Session {
        let rep = self.rep();
        let part: EncPart = rep.open(&self.reply_key(key), usage);
        assert_eq!(part.nonce, self.response().nonce);
        Session {
            client: Name::new(client),
            ticket: rep.ticket.clone(),
            key: part.session_key(),
            part,
        }
    }

    /// It must be a reply to an encrypted challenge. The KDC's own: proof that it has the client's long-term key, too.
    #[must_use]
    #[track_caller]
    pub fn challenge_of_kdc(&self, armor: &Armor, key: &Key) -> i64 {
        let sealed = self.inner(pa::ENCRYPTED_CHALLENGE);
        let key = armor.key.combined("kdcchallengearmor", key, "challengelongterm");
        let plain = key.decrypt(CHALLENGE_OF_KDC, Element::parse(&sealed).field(2).content);
        Element::parse(&plain.expect("not the KDC's challenge")).field(0).time()
    }
}

impl FastResponse {
    #[track_caller]
    fn open(sealed: &[u8], key: &Key) -> Self {
        // The CHOICE of PA-FX-FAST-REPLY looks like the tag of a field.
        let choice = Element::parse(sealed);
        assert_eq!(choice.tag, 0xa0, "no armored-data");
        let cipher = Element::parse(choice.content).field(0).field(2).content;
        let plain = key.decrypt(REP, cipher).expect("the armor is of another key");
        let response = Element::parse(&plain);
        Self {
            padata: padata(response.field(0)),
            strengthen_key: response
                .optional(1)
                .map(|key| Key(key.field(1).content.try_into().expect("of another enctype"))),
            finished: response.optional(2).map(|finished| Finished {
                timestamp: finished.field(0).time(),
                crealm: finished.field(2).text(),
                cname: name(finished.field(3)),
                ticket_checksum: (
                    finished.field(4).field(0).integer(),
                    finished.field(4).field(1).content.to_vec(),
                ),
            }),
            nonce: response.field(3).integer(),
        }
    }

    /// What every answer in armor is bound to (§5.4.3, §5.4.4).
    #[track_caller]
    fn check(&self, outer: &Reply, key: &Key) {
        match outer {
            Reply::Rep(rep) => {
                let finished = self.finished.as_ref().expect("a reply has a finished");
                let checksum = (HMAC_SHA1_96_AES256, key.checksum(FINISHED, &rep.ticket));
                assert_eq!(finished.ticket_checksum, checksum, "another ticket's checksum");
                assert!(
                    rep.padata.iter().all(|(kind, _)| *kind == pa::FX_FAST),
                    "padata beside the armor: {rep:?}"
                );
                assert!(
                    self.strengthen_key.is_some() || rep.msg_type == 11,
                    "a TGS-REP is strengthened"
                );
            }
            Reply::Error(error) => {
                assert!(self.finished.is_none() && self.strengthen_key.is_none(), "{self:?}");
                let inner = self.padata.iter().find(|(kind, _)| *kind == pa::FX_ERROR);
                let inner = Reply::parse(&inner.expect("an error without PA-FX-ERROR").1).error();
                let hidden = error.crealm.as_deref() == Some("WELLKNOWN:ANONYMOUS");
                let bare = KrbError {
                    e_data: None,
                    // From those outside: MIT tells the true name inside.
                    crealm: if hidden {
                        inner.crealm.clone()
                    } else {
                        error.crealm.clone()
                    },
                    cname: if hidden {
                        inner.cname.clone()
                    } else {
                        error.cname.clone()
                    },
                    ..error.clone()
                };
                assert_eq!(inner, bare, "the errors inside and outside differ");
                let outside: Vec<_> = error.methods().iter().map(|(kind, _)| *kind).collect();
                assert_eq!(outside, [pa::FX_FAST], "padata beside the armor");
            }
        }
    }
}

/// Logs in with a long-term key, in armor, and makes sure that the KDC has that key, too.
#[must_use]
#[track_caller]
pub fn login_in_armor(kdc: SocketAddr, client: &str, key: &Key, armor: &Armor) -> Session {
    let reply = FastReq::new(armor, &KdcReq::initial(client))
        .with_challenge(key)
        .ask_as(kdc);
    let _ = reply.challenge_of_kdc(armor, key);
    reply.session(client, key, 3)
}

impl Session {
    /// Armor for an AS-REQ: an AP-REQ with this ticket and a new subkey.
    #[must_use]
    pub fn armor(&self) -> Armor {
        Armor::of(&self.armor_header())
    }

    /// What [`Self::armor`] is made of.
    #[must_use]
    pub fn armor_header(&self) -> ApReq {
        ApReq {
            subkey: Some(Key::random()),
            ..ApReq::new(&self.ticket, &self.key, "EXAMPLE.COM", &self.client)
        }
    }

    /// An AP-REQ for a TGS-REQ in armor: with a new subkey.
    #[must_use]
    pub fn header_with_subkey(&self) -> ApReq {
        ApReq {
            subkey: Some(Key::random()),
            ..self.header()
        }
    }

    /// Asks for what `request` says, in the armor of this session's own ticket; it must be granted.
    #[must_use]
    #[track_caller]
    pub fn get_in_armor(&self, kdc: SocketAddr, request: &KdcReq) -> Self {
        let header = self.header_with_subkey();
        let fast = FastReq::new(&Armor::implicit(&header), request);
        let mut outer = request.clone();
        outer.padata = vec![(pa::TGS_REQ, header.to_der(&request.body()))];
        let reply = fast.ask(kdc, &outer);
        let client: Vec<_> = self
            .client
            .components
            .iter()
            .map(|part| String::from_utf8_lossy(part))
            .collect();
        reply.session(&client.join("/"), header.subkey.as_ref().unwrap(), 9)
    }
}
