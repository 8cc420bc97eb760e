use tessera_common::Random;
use tessera_common::ap::Initiator;
use tessera_common::credential::Credential;
use tessera_common::crypto::{Key, KeyUsage};
use tessera_common::error_code::ErrorCode;
use tessera_common::fast::ArmorKey;
use tessera_common::flags::{FastOptions, KdcOptions, TicketFlags};
use tessera_common::name::{Principal, Realm};
use tessera_common::time::Timestamp;
use tessera_common::wire::{
    self, Any, EncryptedData, HostAddress, KdcReq, KdcReqBody, KrbError, KrbFastReq, PaData, PrincipalName, TgsRep,
    TgsReq, UInt32, msg_type, pa_type,
};

use super::fast::{Inside, open_error};
use super::kdc_reply::{Answer, Asked, decode_answer, principal};
use super::times::AbsoluteTimes;
use super::{
    ClockOffset, ExchangeError, MAX_REFERRALS, Outbound, ReplyFault, RequestedTimes, TgsRequest, Transport,
    common_options, etype_numbers, name_type_of, nonce,
};

/// What a TGS exchange leads to next.
#[derive(Debug)]
pub enum TgsStep {
    /// Send this, and give the answer to [`TgsExchange::receive`].
    Send(Outbound),
    /// The credential is there.
    Done(Box<TgsReply>),
}

/// The fruit of a TGS exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TgsReply {
    /// The ticket.
    pub credential: Credential,
    /// TGTs for other realms that were got on the way, worth keeping.
    pub on_the_way: Vec<Credential>,
    /// The KDC's clock against ours.
    pub clock_offset: ClockOffset,
}

/// The client's side of a TGS exchange (RFC 4120 §3.3): from a ticket to another.
#[derive(Debug)]
pub struct TgsExchange {
    request: TgsRequest,
    header: Credential,
    on_the_way: Vec<Credential>,
    asked_realms: Vec<Realm>,
    offset: ClockOffset,
    clock_corrected: bool,
    sent: Sent,
    over: bool,
}

#[derive(Debug)]
struct Sent {
    octets: Vec<u8>,
    service: Principal,
    options: KdcOptions,
    subkey: Key,
    // With FAST.
    armor: Option<ArmorKey>,
    nonce: u32,
    times: AbsoluteTimes,
    transport: Transport,
}

impl TgsExchange {
    /// Begins with the ticket that shall speak for the client: a TGT, or the ticket to be renewed, validated or made a proxy
    /// of. `offset` is what an earlier exchange said of the KDC's clock.
    pub fn begin(
        header: Credential,
        request: TgsRequest,
        offset: ClockOffset,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> (Self, Outbound) {
        let sent = compose(&header, &request, request.fast, offset, now, random);
        let exchange = Self {
            asked_realms: vec![kdc_realm(&header)],
            request,
            header,
            on_the_way: Vec::new(),
            offset,
            clock_corrected: false,
            sent,
            over: false,
        };
        let outbound = exchange.outbound();
        (exchange, outbound)
    }

    /// The realm that is asked: the TGT's, or where the last referral led.
    #[must_use]
    pub fn realm(&self) -> Realm {
        kdc_realm(&self.header)
    }

    /// Takes the KDC's answer.
    ///
    /// # Errors
    /// [`ExchangeError`]; the exchange is then over.
    pub fn receive(
        &mut self,
        octets: &[u8],
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<TgsStep, ExchangeError> {
        if core::mem::replace(&mut self.over, true) {
            return Err(ExchangeError::OutOfTurn);
        }
        let step = match decode_answer(octets, wire::decode::<TgsRep>)? {
            Answer::Error(error) => self.error(error, now, random)?,
            Answer::Reply(reply) => self.reply(reply, now, random)?,
        };
        self.over = matches!(step, TgsStep::Done(_));
        Ok(step)
    }

    fn error(
        &mut self,
        error: Box<KrbError>,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<TgsStep, ExchangeError> {
        match ErrorCode(error.error_code) {
            ErrorCode::KRB_ERR_RESPONSE_TOO_BIG if self.sent.transport == Transport::Any => {
                self.sent.transport = Transport::Stream;
                Ok(TgsStep::Send(self.outbound()))
            }
            ErrorCode::KRB_AP_ERR_SKEW if self.request.clock.follow_kdc && !self.clock_corrected => {
                self.clock_corrected = true;
                self.offset = ClockOffset::between(Timestamp::new(error.stime, error.susec.0), now);
                Ok(TgsStep::Send(self.ask(now, random)))
            }
            // The ticket and the authenticator are what the armor is made of: of these, a KDC can only complain without it.
            _ => match &self.sent.armor {
                Some(armor) => {
                    let inside = open_error(armor, &error, self.sent.nonce)?;
                    Err(inside.map_or(error, |(inner, _)| inner).into())
                }
                None => Err(error.into()),
            },
        }
    }

    fn reply(&mut self, reply: TgsRep, now: Timestamp, random: &mut dyn Random) -> Result<TgsStep, ExchangeError> {
        let rep = reply.0;
        if rep.pvno != wire::PVNO || rep.msg_type != msg_type::TGS_REP {
            return Err(wire::DecodeError::Type("TGS-REP of another version or type".into()).into());
        }
        let (client, key) = match &self.sent.armor {
            Some(armor) => {
                let inside = Inside::of_reply(armor, &rep, self.sent.nonce)?;
                // RFC 6113 §5.4.3: without it, somebody could take FAST away from a reply.
                let key = inside.must_strengthen(&self.sent.subkey)?;
                (inside.client, key)
            }
            None => (principal(&rep.cname, &rep.crealm)?, self.sent.subkey.clone()),
        };
        let sealed = (rep.enc_part.etype == key.etype().number())
            .then(|| key.decrypt(KeyUsage::TGS_REP_SUBKEY, &rep.enc_part.cipher));
        let Some(Ok(plaintext)) = sealed else {
            return Err(ReplyFault::Integrity.into());
        };
        let part = wire::decode_enc_kdc_rep_part(&plaintext)?;
        let asked = Asked {
            nonce: self.sent.nonce,
            options: self.sent.options,
            times: self.sent.times,
            etypes: &self.request.etypes,
        };
        asked.check(&part)?;
        if !self.keeps_start() {
            asked.check_clock(&part, self.offset.apply(now), self.request.clock)?;
        }
        if client != self.header.client {
            return Err(ReplyFault::Client.into());
        }
        let mut credential = asked.credential(self.header.client.clone(), &part, rep.ticket.into_bytes())?;
        if !is_local_tgt(&self.header) && !self.header.flags.contains(TicketFlags::OK_AS_DELEGATE) {
            // A foreign KDC's word on whom to trust with delegated credentials counts as far as our own KDC trusts that realm.
            credential.flags = credential.flags.without(TicketFlags::OK_AS_DELEGATE);
        }
        if credential.addresses.is_empty() {
            credential.addresses = self.inherited_addresses();
        }
        self.follow(credential, now, random)
    }

    // Whether the credential is the one wanted, or a TGT that leads to it.
    fn follow(
        &mut self,
        credential: Credential,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<TgsStep, ExchangeError> {
        let got = &credential.server;
        let final_hop = self.sent.service.name == self.request.service.name;
        if final_hop && *got == self.sent.service {
            return Ok(self.done(credential));
        }
        let may_be_renamed = self.request.options.contains(KdcOptions::CANONICALIZE);
        let wants_tgt = self.sent.service.name.tgs_realm().is_some();
        let referred_to = got.name.tgs_realm().filter(|_| got.realm == self.realm());
        match referred_to {
            Some(realm) if wants_tgt || may_be_renamed => {
                let realm = Realm::new(realm).map_err(ReplyFault::Name)?;
                if self.asked_realms.len() > MAX_REFERRALS || self.asked_realms.contains(&realm) {
                    return Err(ExchangeError::ReferralLoop { realm });
                }
                self.asked_realms.push(realm.clone());
                if final_hop {
                    self.request.service.realm = realm;
                }
                self.on_the_way.push(credential.clone());
                self.header = credential;
                self.sent.transport = Transport::Any;
                Ok(TgsStep::Send(self.ask(now, random)))
            }
            None if final_hop && may_be_renamed => Ok(self.done(credential)),
            _ => Err(ReplyFault::Server.into()),
        }
    }

    fn done(&mut self, mut credential: Credential) -> TgsStep {
        credential.second_ticket = self.request.second_ticket.clone();
        TgsStep::Done(Box::new(TgsReply {
            credential,
            on_the_way: core::mem::take(&mut self.on_the_way),
            clock_offset: self.offset,
        }))
    }

    fn ask(&mut self, now: Timestamp, random: &mut dyn Random) -> Outbound {
        let transport = self.sent.transport;
        let fast = self.request.fast && self.asked_realms.len() == 1;
        self.sent = Sent {
            transport,
            ..compose(&self.header, &self.request, fast, self.offset, now, random)
        };
        self.outbound()
    }

    fn outbound(&self) -> Outbound {
        Outbound {
            realm: self.realm(),
            octets: self.sent.octets.clone(),
            transport: self.sent.transport,
        }
    }

    // A renewed or validated ticket does not begin now.
    fn keeps_start(&self) -> bool {
        self.sent
            .options
            .intersects(KdcOptions::RENEW | KdcOptions::VALIDATE | KdcOptions::POSTDATED)
    }

    fn inherited_addresses(&self) -> Vec<HostAddress> {
        if self.sent.options.intersects(KdcOptions::FORWARDED | KdcOptions::PROXY) {
            self.request.addresses.clone()
        } else {
            self.header.addresses.clone()
        }
    }
}

// The realm whose KDC takes this ticket: that of a TGT, or that of the service itself.
fn kdc_realm(header: &Credential) -> Realm {
    header
        .server
        .name
        .tgs_realm()
        .and_then(|realm| Realm::new(realm).ok())
        .unwrap_or_else(|| header.server.realm.clone())
}

fn is_local_tgt(credential: &Credential) -> bool {
    credential.server == Principal::krbtgt(&credential.client.realm)
}

// RFC 4120 §5.4.1 and §5.5.1: the wish, and an AP-REQ whose authenticator vouches for it.
fn compose(
    header: &Credential,
    request: &TgsRequest,
    fast: bool,
    offset: ClockOffset,
    now: Timestamp,
    random: &mut dyn Random,
) -> Sent {
    let realm = kdc_realm(header);
    let at_home = request.service.realm == realm || header.server == request.service;
    let (service, options) = if at_home {
        (request.service.clone(), request.options)
    } else {
        let tgt = Principal::krbtgt(&request.service.realm);
        let options = common_options(header.flags).set(
            KdcOptions::CANONICALIZE,
            request.options.contains(KdcOptions::CANONICALIZE),
        );
        (Principal::new(tgt.name, realm), options)
    };
    let name_type = if at_home {
        request.service_name_type
    } else {
        name_type_of(&service.name)
    };
    let time = offset.apply(now);
    let times = if at_home {
        request.times
    } else {
        RequestedTimes::default()
    }
    .at(time.time);
    let nonce = nonce(random);
    let subkey = Key::random(header.key.etype(), random);
    let authorization_data = (at_home && !request.authorization_data.is_empty()).then(|| EncryptedData {
        etype: subkey.etype().number(),
        kvno: None,
        cipher: subkey
            .encrypt(
                KeyUsage::TGS_REQ_AUTH_DATA_SUBKEY,
                &wire::encode(&request.authorization_data),
                random,
            )
            .into(),
    });
    let body = wire::encode(&KdcReqBody {
        kdc_options: options,
        cname: None,
        realm: (&service.realm).into(),
        sname: Some(PrincipalName::new(name_type, &service.name)),
        from: times.from,
        till: Some(times.till),
        rtime: times.rtime,
        nonce: UInt32(nonce),
        etype: etype_numbers(&request.etypes),
        addresses: Some(request.addresses.clone()).filter(|addresses| at_home && !addresses.is_empty()),
        enc_authorization_data: authorization_data,
        additional_tickets: (at_home && !request.second_ticket.is_empty())
            .then(|| vec![Any::new(request.second_ticket.clone())]),
    });
    let ap_req = Initiator::for_tgs(header, &body)
        .with_subkey(subkey.clone())
        .request(time, random);
    let armor = fast.then(|| ArmorKey::new(&subkey, &header.key));
    let mut padata = vec![PaData::new(pa_type::TGS_REQ, ap_req.octets().to_vec())];
    // RFC 6113 §5.4.2: the outer body stays for KDCs that do not know FAST, and the authenticator's checksum covers it.
    padata.extend(armor.as_ref().map(|armor| {
        let inner = KrbFastReq {
            fast_options: FastOptions::empty(),
            padata: Vec::new(),
            req_body: Any::new(body.clone()),
        };
        armor.seal_request(None, ap_req.octets(), &inner, random)
    }));
    let octets = wire::encode(&TgsReq(KdcReq {
        pvno: wire::PVNO,
        msg_type: msg_type::TGS_REQ,
        padata: Some(padata),
        req_body: Any::new(body),
    }));
    Sent {
        octets,
        service,
        options,
        subkey,
        armor,
        nonce,
        times,
        transport: Transport::Any,
    }
}
