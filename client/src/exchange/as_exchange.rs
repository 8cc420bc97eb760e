use tessera_common::Random;
use tessera_common::credential::Credential;
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::TicketFlags;
use tessera_common::name::{Principal, Realm};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{
    self, Any, AsRep, AsReq, Checksum, EncKdcRepPart, KdcRep, KdcReq, KdcReqBody, KrbError, LastReqEntry, PaData,
    PrincipalName, UInt32, msg_type, pa_type,
};

use super::fast::{Armored, Believed, Inside, find, open_error};
use super::kdc_reply::{Answer, Asked, decode_answer, principal, server};
use super::proof::Proof;
use super::times::AbsoluteTimes;
use super::{
    AsRequest, ClockOffset, ExchangeError, KeyRequest, MAX_REFERRALS, Outbound, ReplyFault, Transport, etype_info,
    etype_numbers, name_type_of, nonce,
};

/// What an AS exchange leads to next.
#[derive(Debug)]
pub enum AsStep {
    /// Send this, and give the answer to [`AsExchange::receive`].
    Send(Outbound),
    /// Find or make this key and give it to [`AsExchange::key`].
    NeedKey(KeyRequest),
    /// The credential is there.
    Done(Box<AsReply>),
}

/// The fruit of an AS exchange. All of it was encrypted for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsReply {
    /// The ticket.
    pub credential: Credential,
    /// When the client's password or account expires, whichever is first, if the KDC told.
    pub key_expiration: Option<KerberosTime>,
    /// What the KDC said of earlier logins and of expiry.
    pub last_req: Vec<LastReqEntry>,
    /// Whether the KDC said, under the checksum of the request, that it speaks FAST (RFC 6806 §11).
    pub fast_available: bool,
    /// The type of pre-authentication that was used, if any.
    pub preauth_type: Option<i32>,
    /// The KDC's clock against ours.
    pub clock_offset: ClockOffset,
}

/// The client's side of an AS exchange (RFC 4120 §3.1): from a name and a key to a ticket.
///
/// The first request carries no proof. Most KDCs answer it with KDC_ERR_PREAUTH_REQUIRED and say which key they want to see
/// used; only then is a key asked for. An unknown client is therefore told so before anybody types a password.
///
/// With armor, all of that happens inside FAST (RFC 6113), and what does not is believed as a failure only.
#[derive(Debug)]
pub struct AsExchange {
    request: AsRequest,
    realm: Realm,
    asked_realms: Vec<Realm>,
    armored: Option<Armored>,
    offset: ClockOffset,
    clock_corrected: bool,
    restarted: bool,
    sent: Sent,
    state: State,
}

#[derive(Debug)]
struct Sent {
    octets: Vec<u8>,
    nonce: u32,
    times: AbsoluteTimes,
    transport: Transport,
}

#[derive(Debug)]
enum State {
    Asked,
    WantsKeyForProof {
        etype: EncType,
        proof: Proof,
        cookie: Option<PaData>,
    },
    Proved {
        key: Key,
        proof: Proof,
        cookie: Option<PaData>,
    },
    WantsKeyForReply {
        etype: EncType,
        reply: Box<Reply>,
        proof: Option<Proof>,
    },
    Over,
}

/// A reply whose encrypted part is still closed.
#[derive(Debug)]
struct Reply {
    rep: KdcRep,
    inside: Option<Inside>,
}

impl Reply {
    // With FAST, what stands outside counts for nothing (RFC 6113 §5.4.5).
    fn padata(&self) -> &[PaData] {
        match &self.inside {
            Some(inside) => &inside.padata,
            None => self.rep.padata.as_deref().unwrap_or_default(),
        }
    }

    fn client(&self) -> Result<Principal, ReplyFault> {
        match &self.inside {
            Some(inside) => Ok(inside.client.clone()),
            None => principal(&self.rep.cname, &self.rep.crealm),
        }
    }

    // From the client's key the one that the encrypted part is under.
    fn key(&self, key: &Key, proof: Option<&Proof>) -> Result<Key, ReplyFault> {
        match (&self.inside, proof) {
            // RFC 6113 §5.4.6: a KDC that takes the challenge has to.
            (Some(inside), Some(Proof::Challenge(_))) => inside.must_strengthen(key),
            (Some(inside), _) => Ok(inside.strengthened(key)),
            (None, _) => Ok(key.clone()),
        }
    }
}

impl AsExchange {
    /// Begins, with a request that proves nothing yet.
    pub fn begin(request: AsRequest, now: Timestamp, random: &mut dyn Random) -> (Self, Outbound) {
        let times = request.times.at(now.time);
        let armor = request.armor.as_ref();
        let mut exchange = Self {
            realm: request.client.realm.clone(),
            asked_realms: vec![request.client.realm.clone()],
            armored: armor.map(|armor| Armored::new(armor, now, random)),
            offset: armor.map_or_else(ClockOffset::default, |armor| armor.offset),
            clock_corrected: false,
            restarted: false,
            request,
            sent: Sent {
                octets: Vec::new(),
                nonce: 0,
                times,
                transport: Transport::Any,
            },
            state: State::Asked,
        };
        let outbound = exchange.ask(Vec::new(), now, random);
        (exchange, outbound)
    }

    /// The realm that is asked: the client's, or where the last referral led.
    #[must_use]
    pub fn realm(&self) -> &Realm {
        &self.realm
    }

    /// Takes the KDC's answer.
    ///
    /// # Errors
    /// [`ExchangeError`]; the exchange is then over.
    pub fn receive(&mut self, octets: &[u8], now: Timestamp, random: &mut dyn Random) -> Result<AsStep, ExchangeError> {
        let state = core::mem::replace(&mut self.state, State::Over);
        match state {
            State::Asked | State::Proved { .. } => {}
            State::WantsKeyForProof { .. } | State::WantsKeyForReply { .. } | State::Over => {
                return Err(ExchangeError::OutOfTurn);
            }
        }
        match decode_answer(octets, wire::decode::<AsRep>)? {
            Answer::Error(error) => self.error(error, state, now, random),
            Answer::Reply(AsRep(rep)) => self.reply(rep, state, now),
        }
    }

    /// Takes the key that [`AsStep::NeedKey`] asked for.
    ///
    /// # Errors
    /// [`ExchangeError::WrongKey`] when it does not open the reply; [`ExchangeError::OutOfTurn`] when it is of another enctype
    /// than asked for, or no key was asked for.
    pub fn key(&mut self, key: &Key, now: Timestamp, random: &mut dyn Random) -> Result<AsStep, ExchangeError> {
        match core::mem::replace(&mut self.state, State::Over) {
            State::WantsKeyForProof { etype, proof, cookie } if etype == key.etype() => {
                Ok(AsStep::Send(self.prove(proof, key.clone(), cookie, now, random)))
            }
            State::WantsKeyForReply { etype, reply, proof } if etype == key.etype() => {
                self.conclude(&reply, key, proof.as_ref(), ExchangeError::WrongKey, now)
            }
            _ => Err(ExchangeError::OutOfTurn),
        }
    }

    fn error(
        &mut self,
        error: Box<KrbError>,
        state: State,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<AsStep, ExchangeError> {
        // Never inside FAST: it is the datagram that is too small. The same octets again give nothing away.
        if error.error_code == ErrorCode::KRB_ERR_RESPONSE_TOO_BIG.0 && self.sent.transport == Transport::Any {
            self.sent.transport = Transport::Stream;
            self.state = state;
            return Ok(AsStep::Send(self.outbound()));
        }
        let (error, methods) = self.believed(error)?;
        let stime = Timestamp::new(error.stime, error.susec.0);
        match (ErrorCode(error.error_code), state) {
            (ErrorCode::KDC_ERR_PREAUTH_REQUIRED, State::Asked) => {
                self.follow_clock(stime, now);
                self.choose_key(&methods)
            }
            // The clock was taken from an earlier answer, or not at all: once more with the one in this answer.
            (ErrorCode::KRB_AP_ERR_SKEW, State::Proved { key, proof, cookie })
                if self.request.clock.follow_kdc && !self.clock_corrected =>
            {
                self.clock_corrected = true;
                self.follow_clock(stime, now);
                let cookie = cookie_in(&methods).or(cookie);
                Ok(AsStep::Send(self.prove(proof, key, cookie, now, random)))
            }
            (ErrorCode::KDC_ERR_PREAUTH_FAILED | ErrorCode::KRB_AP_ERR_BAD_INTEGRITY, State::Proved { .. }) => {
                Err(ExchangeError::WrongKey)
            }
            // RFC 6113 §5.2: the cookie is too old, which is what happens to who thinks long about a password.
            (ErrorCode::KDC_ERR_PREAUTH_EXPIRED, State::Proved { .. }) if !self.restarted => {
                self.restarted = true;
                let armor = self.request.armor.as_ref();
                self.armored = armor.map(|armor| Armored::new(armor, now, random));
                self.state = State::Asked;
                Ok(AsStep::Send(self.ask(Vec::new(), now, random)))
            }
            (ErrorCode::KDC_ERR_WRONG_REALM, _) if self.request.may_be_renamed() => self.refer(error, now, random),
            _ => Err(error.into()),
        }
    }

    // The error to go by, and its METHOD-DATA: with armor, only what is inside FAST (RFC 6113 §5.4.4).
    fn believed(&self, error: Box<KrbError>) -> Result<Believed, ExchangeError> {
        let Some(armored) = &self.armored else {
            // Data of another kind is no reason not to tell the error.
            let methods = error.e_data.as_ref().and_then(|data| wire::decode(data).ok());
            return Ok((error, methods.unwrap_or_default()));
        };
        match open_error(&armored.key, &error, self.sent.nonce)? {
            Some((inner, padata)) => Ok((inner, padata)),
            None => Err(ExchangeError::Unarmored {
                armor: armored.by.clone(),
                refusal: Box::new((*error).into()),
            }),
        }
    }

    fn reply(&mut self, rep: KdcRep, state: State, now: Timestamp) -> Result<AsStep, ExchangeError> {
        if rep.pvno != wire::PVNO || rep.msg_type != msg_type::AS_REP {
            return Err(wire::DecodeError::Type("AS-REP of another version or type".into()).into());
        }
        let etype = self.asked().etype(rep.enc_part.etype)?;
        let inside = match &self.armored {
            Some(armored) => Some(Inside::of_reply(&armored.key, &rep, self.sent.nonce)?),
            None => None,
        };
        let reply = Reply { rep, inside };
        let proof = match state {
            State::Proved { key, proof, .. } if key.etype() == etype => {
                return self.conclude(&reply, &key, Some(&proof), ReplyFault::Integrity.into(), now);
            }
            State::Proved { proof, .. } => Some(proof),
            _ => None,
        };
        let wanted = etype_info::of_reply(reply.padata(), etype, || self.default_salt())?;
        self.state = State::WantsKeyForReply {
            etype,
            reply: Box::new(reply),
            proof,
        };
        Ok(AsStep::NeedKey(wanted))
    }

    fn choose_key(&mut self, offered: &[PaData]) -> Result<AsStep, ExchangeError> {
        let armor = self.armored.as_ref().map(|armored| &armored.key);
        let Some(proof) = Proof::choose(offered, armor, self.request.encrypted_timestamp) else {
            return Err(ExchangeError::NoCommonPreauth {
                offered: offered.iter().map(|pa| pa.padata_type).collect(),
                armored: armor.is_some(),
            });
        };
        let wanted = etype_info::choose(offered, &self.request.etypes, || self.default_salt())?;
        self.state = State::WantsKeyForProof {
            etype: wanted.etype,
            proof,
            cookie: cookie_in(offered),
        };
        Ok(AsStep::NeedKey(wanted))
    }

    fn prove(
        &mut self,
        proof: Proof,
        key: Key,
        cookie: Option<PaData>,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Outbound {
        let mut padata: Vec<PaData> = cookie.iter().cloned().collect();
        padata.push(proof.padata(&key, self.offset.apply(now), random));
        self.state = State::Proved { key, proof, cookie };
        self.ask(padata, now, random)
    }

    // RFC 6806 §7: the client's name is known in another realm.
    fn refer(
        &mut self,
        error: Box<KrbError>,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<AsStep, ExchangeError> {
        let Some(realm) = error.crealm.as_ref().and_then(|realm| realm.to_realm().ok()) else {
            return Err(error.into());
        };
        if self.armored.is_some() {
            return Err(ExchangeError::ArmorRealm { realm });
        }
        if self.asked_realms.len() > MAX_REFERRALS || self.asked_realms.contains(&realm) {
            return Err(ExchangeError::ReferralLoop { realm });
        }
        self.asked_realms.push(realm.clone());
        self.realm = realm;
        self.offset = ClockOffset::default();
        self.clock_corrected = false;
        self.sent.transport = Transport::Any;
        self.state = State::Asked;
        Ok(AsStep::Send(self.ask(Vec::new(), now, random)))
    }

    // `not_opened` is what it means when `key` does not open the reply.
    fn conclude(
        &self,
        reply: &Reply,
        key: &Key,
        proof: Option<&Proof>,
        not_opened: ExchangeError,
        now: Timestamp,
    ) -> Result<AsStep, ExchangeError> {
        let reply_key = reply.key(key, proof)?;
        let plaintext = reply_key.decrypt(KeyUsage::AS_REP, &reply.rep.enc_part.cipher);
        let part = &wire::decode_enc_kdc_rep_part(&plaintext.map_err(|_| not_opened)?)?;
        if let Some(proof) = proof {
            proof.check_kdc(reply.padata(), key)?;
        }
        let asked = self.asked();
        asked.check(part)?;
        asked.check_clock(part, now, self.request.clock)?;
        let client = reply.client()?;
        let may_be_renamed = self.request.may_be_renamed();
        if !may_be_renamed && (client.name != self.request.client.name || client.realm != self.realm) {
            return Err(ReplyFault::Client.into());
        }
        // RFC 6806 §6: only the ticket-granting service may come back under another name.
        let (got, wanted) = (
            server(part)?,
            Principal::new(self.request.service_in(&self.realm), self.realm.clone()),
        );
        let both_tgs = got.name.tgs_realm().is_some() && wanted.name.tgs_realm().is_some();
        if got != wanted && !(may_be_renamed && both_tgs) {
            return Err(ReplyFault::Server.into());
        }
        let fast_available = self.check_request_checksum(part, &reply_key)?;
        let kdc_time = match &reply.inside {
            // RFC 6113 §5.4.3: to be used from now on.
            Some(inside) => inside.time,
            None => Timestamp::new(part.authtime, now.usec),
        };
        let offset = ClockOffset::between(kdc_time, now);
        Ok(AsStep::Done(Box::new(AsReply {
            credential: asked.credential(client, part, reply.rep.ticket.as_bytes().to_vec())?,
            key_expiration: part.key_expiration,
            last_req: part.last_req.clone(),
            fast_available,
            preauth_type: proof.map(Proof::pa_type),
            clock_offset: if self.request.clock.follow_kdc {
                offset
            } else {
                ClockOffset::default()
            },
        })))
    }

    // RFC 6806 §11: with the flag set, the reply holds a checksum of the request as the KDC received it. Gives whether the
    // KDC says that it speaks FAST.
    fn check_request_checksum(&self, part: &EncKdcRepPart, reply_key: &Key) -> Result<bool, ReplyFault> {
        if !part.flags.contains(TicketFlags::ENC_PA_REP) {
            return Ok(false);
        }
        let protected = part.encrypted_pa_data.as_deref().unwrap_or_default();
        let element = find(protected, pa_type::REQ_ENC_PA_REP).ok_or(ReplyFault::RequestChecksum)?;
        let checksum: Checksum = wire::decode(element).map_err(|_| ReplyFault::RequestChecksum)?;
        reply_key
            .verify_checksum(
                KeyUsage::AS_REQ,
                checksum.cksumtype,
                &self.sent.octets,
                &checksum.checksum,
            )
            .map_err(|_| ReplyFault::RequestChecksum)?;
        Ok(find(protected, pa_type::FX_FAST).is_some())
    }

    // Sends a new request; `padata` comes before the wish for enc-pa-rep.
    fn ask(&mut self, mut padata: Vec<PaData>, now: Timestamp, random: &mut dyn Random) -> Outbound {
        padata.push(PaData::new(pa_type::REQ_ENC_PA_REP, Vec::new()));
        let times = self.request.times.at(self.offset.apply(now).time);
        let nonce = nonce(random);
        let service = self.request.service_in(&self.realm);
        let body = KdcReqBody {
            kdc_options: self.request.options,
            cname: Some(PrincipalName::new(
                self.request.client_name_type,
                &self.request.client.name,
            )),
            realm: (&self.realm).into(),
            sname: Some(PrincipalName::new(name_type_of(&service), &service)),
            from: times.from,
            till: Some(times.till),
            rtime: times.rtime,
            nonce: UInt32(nonce),
            etype: etype_numbers(&self.request.etypes),
            addresses: Some(self.request.addresses.clone()).filter(|addresses| !addresses.is_empty()),
            enc_authorization_data: None,
            additional_tickets: None,
        };
        let octets = wire::encode(&body);
        let (padata, octets) = match &self.armored {
            Some(armored) => {
                let outer = wire::encode(&KdcReqBody {
                    // RFC 6113 §5.4.2: a KDC that speaks FAST reads the body inside alone.
                    cname: Some(PrincipalName::anonymous()),
                    ..body
                });
                (vec![armored.seal(&outer, octets, padata, random)], outer)
            }
            None => (padata, octets),
        };
        let octets = wire::encode(&AsReq(KdcReq {
            pvno: wire::PVNO,
            msg_type: msg_type::AS_REQ,
            padata: Some(padata),
            req_body: Any::new(octets),
        }));
        self.sent = Sent {
            octets,
            nonce,
            times,
            transport: self.sent.transport,
        };
        self.outbound()
    }

    fn outbound(&self) -> Outbound {
        Outbound {
            realm: self.realm.clone(),
            octets: self.sent.octets.clone(),
            transport: self.sent.transport,
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            nonce: self.sent.nonce,
            options: self.request.options,
            times: self.sent.times,
            etypes: &self.request.etypes,
        }
    }

    fn follow_clock(&mut self, stime: Timestamp, now: Timestamp) {
        if self.request.clock.follow_kdc {
            self.offset = ClockOffset::between(stime, now);
        }
    }

    fn default_salt(&self) -> Vec<u8> {
        self.request.client.name.default_salt(&self.realm)
    }
}

// RFC 6113 §5.2: to be sent back as it came.
fn cookie_in(padata: &[PaData]) -> Option<PaData> {
    padata.iter().find(|pa| pa.padata_type == pa_type::FX_COOKIE).cloned()
}
