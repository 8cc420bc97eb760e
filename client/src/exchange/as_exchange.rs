use tessera_common::Random;
use tessera_common::credential::Credential;
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::{KdcOptions, TicketFlags};
use tessera_common::name::{Name, Principal, Realm, name_type};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{
    self, Any, AsRep, AsReq, Checksum, EncKdcRepPart, EncryptedData, HostAddress, KdcReq, KdcReqBody, KrbError,
    LastReqEntry, MethodData, Microseconds, PaData, PaEncTsEnc, PrincipalName, UInt32, msg_type, pa_type,
};

use super::kdc_reply::{Answer, Asked, decode_answer, principal, server};
use super::times::AbsoluteTimes;
use super::{
    ClockOffset, ClockRule, ExchangeError, KeyRequest, MAX_REFERRALS, Outbound, ReplyFault, RequestedTimes, Transport,
    etype_info, etype_numbers, name_type_of, nonce,
};

/// What to ask an authentication service for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsRequest {
    /// Who asks.
    pub client: Principal,
    /// The client's name type. With [`name_type::ENTERPRISE`] the KDC may answer with another name.
    pub client_name_type: i32,
    /// What the ticket shall be for; `None` is the ticket-granting service of the client's realm.
    pub service: Option<Name>,
    /// What is asked of the ticket. CANONICALIZE lets the KDC answer with another name and refer to another realm.
    pub options: KdcOptions,
    /// When it shall begin and end.
    pub times: RequestedTimes,
    /// The enctypes that are taken for the reply and the session key, best first. Not empty.
    pub etypes: Vec<EncType>,
    /// The addresses that the ticket shall be good from; empty, from anywhere.
    pub addresses: Vec<HostAddress>,
    /// What to make of the KDC's clock.
    pub clock: ClockRule,
}

impl AsRequest {
    /// A ticket-granting ticket for `client`, from now until as late as possible, with every enctype.
    #[must_use]
    pub fn new(client: Principal) -> Self {
        Self {
            client_name_type: name_type_of(&client.name),
            client,
            service: None,
            options: KdcOptions::RENEWABLE_OK,
            times: RequestedTimes::default(),
            etypes: EncType::ALL.to_vec(),
            addresses: Vec::new(),
            clock: ClockRule::default(),
        }
    }

    fn may_be_renamed(&self) -> bool {
        self.options.contains(KdcOptions::CANONICALIZE) || self.client_name_type == name_type::ENTERPRISE
    }

    fn service_in(&self, realm: &Realm) -> Name {
        self.service.clone().unwrap_or_else(|| Name::krbtgt(realm))
    }
}

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
#[derive(Debug)]
pub struct AsExchange {
    request: AsRequest,
    realm: Realm,
    asked_realms: Vec<Realm>,
    offset: ClockOffset,
    clock_corrected: bool,
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
        cookie: Option<PaData>,
    },
    Proved {
        key: Key,
        cookie: Option<PaData>,
    },
    WantsKeyForReply {
        etype: EncType,
        reply: Box<AsRep>,
        proved: bool,
    },
    Over,
}

impl AsExchange {
    /// Begins, with a request that proves nothing yet.
    pub fn begin(request: AsRequest, now: Timestamp, random: &mut dyn Random) -> (Self, Outbound) {
        let times = request.times.at(now.time);
        let mut exchange = Self {
            realm: request.client.realm.clone(),
            asked_realms: vec![request.client.realm.clone()],
            request,
            offset: ClockOffset::default(),
            clock_corrected: false,
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
            Answer::Reply(reply) => self.reply(reply, state, now),
        }
    }

    /// Takes the key that [`AsStep::NeedKey`] asked for.
    ///
    /// # Errors
    /// [`ExchangeError::WrongKey`] when it does not open the reply; [`ExchangeError::OutOfTurn`] when it is of another enctype
    /// than asked for, or no key was asked for.
    pub fn key(&mut self, key: &Key, now: Timestamp, random: &mut dyn Random) -> Result<AsStep, ExchangeError> {
        match core::mem::replace(&mut self.state, State::Over) {
            State::WantsKeyForProof { etype, cookie } if etype == key.etype() => {
                Ok(AsStep::Send(self.prove(key.clone(), cookie, now, random)))
            }
            State::WantsKeyForReply { etype, reply, proved } if etype == key.etype() => {
                let plaintext = key.decrypt(KeyUsage::AS_REP, &reply.0.enc_part.cipher);
                let part = wire::decode_enc_kdc_rep_part(&plaintext.map_err(|_| ExchangeError::WrongKey)?)?;
                self.conclude(*reply, &part, key, proved, now)
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
        let stime = Timestamp::new(error.stime, error.susec.0);
        match (ErrorCode(error.error_code), state) {
            (ErrorCode::KRB_ERR_RESPONSE_TOO_BIG, state) if self.sent.transport == Transport::Any => {
                self.sent.transport = Transport::Stream;
                self.state = state;
                Ok(AsStep::Send(self.outbound()))
            }
            (ErrorCode::KDC_ERR_PREAUTH_REQUIRED, State::Asked) => {
                self.follow_clock(stime, now);
                self.choose_key(&error)
            }
            // The clock was taken from an earlier answer, or not at all: once more with the one in this answer.
            (ErrorCode::KRB_AP_ERR_SKEW, State::Proved { key, cookie })
                if self.request.clock.follow_kdc && !self.clock_corrected =>
            {
                self.clock_corrected = true;
                self.follow_clock(stime, now);
                Ok(AsStep::Send(self.prove(key, cookie, now, random)))
            }
            (ErrorCode::KDC_ERR_PREAUTH_FAILED | ErrorCode::KRB_AP_ERR_BAD_INTEGRITY, State::Proved { .. }) => {
                Err(ExchangeError::WrongKey)
            }
            (ErrorCode::KDC_ERR_WRONG_REALM, _) if self.request.may_be_renamed() => self.refer(error, now, random),
            _ => Err(error.into()),
        }
    }

    fn reply(&mut self, reply: AsRep, state: State, now: Timestamp) -> Result<AsStep, ExchangeError> {
        let rep = &reply.0;
        if rep.pvno != wire::PVNO || rep.msg_type != msg_type::AS_REP {
            return Err(wire::DecodeError::Type("AS-REP of another version or type".into()).into());
        }
        let etype = self.asked().etype(rep.enc_part.etype)?;
        let proved = match state {
            State::Proved { key, .. } if key.etype() == etype => {
                let plaintext = key.decrypt(KeyUsage::AS_REP, &rep.enc_part.cipher);
                let part = wire::decode_enc_kdc_rep_part(&plaintext.map_err(|_| ReplyFault::Integrity)?)?;
                return self.conclude(reply, &part, &key, true, now);
            }
            State::Proved { .. } => true,
            _ => false,
        };
        let wanted = etype_info::of_reply(rep.padata.as_deref().unwrap_or_default(), etype, || self.default_salt())?;
        self.state = State::WantsKeyForReply {
            etype,
            reply: Box::new(reply),
            proved,
        };
        Ok(AsStep::NeedKey(wanted))
    }

    fn choose_key(&mut self, error: &KrbError) -> Result<AsStep, ExchangeError> {
        let offered: MethodData = match &error.e_data {
            Some(data) => wire::decode(data)?,
            None => Vec::new(),
        };
        if !offered.iter().any(|pa| pa.padata_type == pa_type::ENC_TIMESTAMP) {
            let offered = offered.iter().map(|pa| pa.padata_type).collect();
            return Err(ExchangeError::NoCommonPreauth { offered });
        }
        let wanted = etype_info::choose(&offered, &self.request.etypes, || self.default_salt())?;
        let cookie = offered.into_iter().find(|pa| pa.padata_type == pa_type::FX_COOKIE);
        self.state = State::WantsKeyForProof {
            etype: wanted.etype,
            cookie,
        };
        Ok(AsStep::NeedKey(wanted))
    }

    // RFC 4120 §5.2.7.2: the time, under the client's key.
    fn prove(&mut self, key: Key, cookie: Option<PaData>, now: Timestamp, random: &mut dyn Random) -> Outbound {
        let time = self.offset.apply(now);
        let stamp = PaEncTsEnc {
            patimestamp: time.time,
            pausec: Some(Microseconds(time.usec)),
        };
        let sealed = EncryptedData {
            etype: key.etype().number(),
            kvno: None,
            cipher: key
                .encrypt(KeyUsage::PA_ENC_TIMESTAMP, &wire::encode(&stamp), random)
                .into(),
        };
        let mut padata: Vec<PaData> = cookie.iter().cloned().collect();
        padata.push(PaData::new(pa_type::ENC_TIMESTAMP, wire::encode(&sealed)));
        self.state = State::Proved { key, cookie };
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

    fn conclude(
        &self,
        reply: AsRep,
        part: &EncKdcRepPart,
        reply_key: &Key,
        proved: bool,
        now: Timestamp,
    ) -> Result<AsStep, ExchangeError> {
        let asked = self.asked();
        asked.check(part)?;
        asked.check_clock(part, now, self.request.clock)?;
        let client = principal(&reply.0.cname, &reply.0.crealm)?;
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
        let fast_available = self.check_request_checksum(part, reply_key)?;
        let offset = ClockOffset::between(Timestamp::new(part.authtime, now.usec), now);
        Ok(AsStep::Done(Box::new(AsReply {
            credential: asked.credential(client, part, reply.0.ticket.into_bytes())?,
            key_expiration: part.key_expiration,
            last_req: part.last_req.clone(),
            fast_available,
            preauth_type: proved.then_some(pa_type::ENC_TIMESTAMP),
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
        let find = |wanted: i32| {
            part.encrypted_pa_data
                .iter()
                .flatten()
                .find(|pa| pa.padata_type == wanted)
        };
        let element = find(pa_type::REQ_ENC_PA_REP).ok_or(ReplyFault::RequestChecksum)?;
        let checksum: Checksum = wire::decode(&element.padata_value).map_err(|_| ReplyFault::RequestChecksum)?;
        reply_key
            .verify_checksum(
                KeyUsage::AS_REQ,
                checksum.cksumtype,
                &self.sent.octets,
                &checksum.checksum,
            )
            .map_err(|_| ReplyFault::RequestChecksum)?;
        Ok(find(pa_type::FX_FAST).is_some())
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
        let octets = wire::encode(&AsReq(KdcReq {
            pvno: wire::PVNO,
            msg_type: msg_type::AS_REQ,
            padata: Some(padata),
            req_body: Any::new(wire::encode(&body)),
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
