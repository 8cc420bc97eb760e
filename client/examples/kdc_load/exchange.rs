//! The requests, and what a client does with the replies.

use std::error::Error;
use std::sync::{Mutex, PoisonError};

use tessera_client::exchange::{ClockOffset, TgsExchange, TgsRequest, TgsStep};
use tessera_common::Random;
use tessera_common::ap::Initiator;
use tessera_common::credential::{Credential, TicketTimes};
use tessera_common::crypto::{Key, KeyUsage};
use tessera_common::fast::{ArmorKey, strengthen};
use tessera_common::flags::{FastOptions, KdcOptions};
use tessera_common::name::{Name, Principal, name_type};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{
    self, Any, AsRep, AsReq, EncKdcRepPart, EncryptedData, KdcReq, KdcReqBody, KrbFastArmor, KrbFastReq, Microseconds,
    PaData, PaEncTsEnc, PrincipalName, UInt32, armor_type, msg_type, pa_type,
};

/// Somebody with a key.
pub(super) struct Client {
    principal: Principal,
    key: Key,
    wishes: Vec<PaData>,
}

/// How a client proves itself.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    /// By the time under its key (RFC 4120 §5.2.7.2).
    Timestamp,
    /// By the time under its key and an armor key, which this ticket protects (RFC 6113 §5.4.6).
    Challenge(&'a Credential),
}

/// A request, and what it takes to know the answer.
pub(super) struct Request {
    pub(super) octets: Vec<u8>,
    nonce: u32,
    opened_with: OpenedWith,
}

enum OpenedWith {
    ClientKey,
    Armor(ArmorKey),
    Exchange(Box<Mutex<TgsExchange>>),
    Nothing,
}

/// A TGS-REQ for `service` with this ticket-granting ticket, as our own client makes it.
pub(super) fn further(tgt: &Credential, service: &Principal, now: Timestamp, random: &mut dyn Random) -> Request {
    let request = TgsRequest::new(service.clone());
    let (exchange, outbound) = TgsExchange::begin(tgt.clone(), request, ClockOffset(0), now, random);
    Request {
        octets: outbound.octets,
        nonce: 0,
        opened_with: OpenedWith::Exchange(Box::new(Mutex::new(exchange))),
    }
}

impl Client {
    pub(super) fn new(principal: Principal, key: Key, enc_pa_rep: bool) -> Self {
        let wish = PaData::new(pa_type::REQ_ENC_PA_REP, Vec::new());
        Self {
            principal,
            key,
            wishes: enc_pa_rep.then_some(wish).into_iter().collect(),
        }
    }

    pub(super) fn request(&self, proof: Proof<'_>, now: Timestamp, random: &mut dyn Random) -> Request {
        let mut nonce = [0; 4];
        random.fill(&mut nonce);
        // 31 bits: some peers read nonces signed.
        let nonce = u32::from_be_bytes(nonce) >> 1;
        let body = wire::encode(&self.body(nonce));
        let (padata, opened_with) = match proof {
            Proof::Timestamp => {
                let mut padata = vec![self.timestamp(now, random)];
                padata.extend_from_slice(&self.wishes);
                (padata, OpenedWith::ClientKey)
            }
            Proof::Challenge(ticket) => {
                let (armored, key) = self.armored(ticket, &body, now, random);
                (vec![armored], OpenedWith::Armor(key))
            }
        };
        let octets = wire::encode(&AsReq(KdcReq {
            pvno: wire::PVNO,
            msg_type: msg_type::AS_REQ,
            padata: Some(padata),
            req_body: Any::new(body),
        }));
        Request {
            octets,
            nonce,
            opened_with,
        }
    }

    fn timestamp(&self, now: Timestamp, random: &mut dyn Random) -> PaData {
        let stamp = wire::encode(&PaEncTsEnc {
            patimestamp: now.time,
            pausec: Some(Microseconds(now.usec)),
        });
        let sealed = EncryptedData {
            etype: self.key.etype().number(),
            kvno: None,
            cipher: self.key.encrypt(KeyUsage::PA_ENC_TIMESTAMP, &stamp, random).into(),
        };
        PaData::new(pa_type::ENC_TIMESTAMP, wire::encode(&sealed))
    }

    // RFC 6113 §5.4.1.1, §5.4.2: armor with a new subkey, and the request once more inside.
    fn armored(&self, ticket: &Credential, body: &[u8], now: Timestamp, random: &mut dyn Random) -> (PaData, ArmorKey) {
        let subkey = Key::random(ticket.key.etype(), random);
        let key = ArmorKey::new(&subkey, &ticket.key);
        let ap_req = Initiator::new(ticket).with_subkey(subkey).request(now, random);
        let armor = KrbFastArmor {
            armor_type: armor_type::AP_REQUEST,
            armor_value: ap_req.octets().into(),
        };
        let mut padata = vec![key.client_challenge(&self.key).seal(now, random)];
        padata.extend_from_slice(&self.wishes);
        let inside = KrbFastReq {
            fast_options: FastOptions::empty(),
            padata,
            req_body: Any::new(body.to_vec()),
        };
        (key.seal_request(Some(armor), body, &inside, random), key)
    }

    fn body(&self, nonce: u32) -> KdcReqBody {
        let realm = &self.principal.realm;
        KdcReqBody {
            kdc_options: KdcOptions::RENEWABLE_OK,
            cname: Some(PrincipalName::new(name_type::PRINCIPAL, &self.principal.name)),
            realm: realm.into(),
            sname: Some(PrincipalName::new(name_type::SRV_INST, &Name::krbtgt(realm))),
            from: None,
            till: Some(KerberosTime::EPOCH),
            rtime: None,
            nonce: UInt32(nonce),
            etype: vec![self.key.etype().number()],
            addresses: None,
            enc_authorization_data: None,
            additional_tickets: None,
        }
    }
}

impl Request {
    /// When the answer will not be opened.
    pub(super) fn without_keys(self) -> Self {
        Self {
            opened_with: OpenedWith::Nothing,
            ..self
        }
    }

    /// Whether [`Request::check`] can open the answer.
    pub(super) fn can_be_checked(&self) -> bool {
        !matches!(self.opened_with, OpenedWith::Nothing)
    }

    /// Opens the reply: it must be from somebody who has the key, and for this very request.
    pub(super) fn check(
        &self,
        reply: &[u8],
        client: &Client,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<Credential, Box<dyn Error>> {
        if let OpenedWith::Exchange(exchange) = &self.opened_with {
            let mut exchange = exchange.lock().unwrap_or_else(PoisonError::into_inner);
            return match exchange.receive(reply, now, random)? {
                TgsStep::Done(reply) => Ok(reply.credential),
                TgsStep::Send(_) => Err("the reply leads elsewhere".into()),
            };
        }
        let AsRep(reply) = wire::decode(reply)?;
        let key = match &self.opened_with {
            OpenedWith::ClientKey | OpenedWith::Exchange(_) | OpenedWith::Nothing => client.key.clone(),
            OpenedWith::Armor(armor) => self.strengthened(armor, &reply, client)?,
        };
        let plain = key.decrypt(KeyUsage::AS_REP, &reply.enc_part.cipher)?;
        let part: EncKdcRepPart = wire::decode_enc_kdc_rep_part(&plain)?;
        if part.nonce.0 != self.nonce {
            return Err("the reply answers another request".into());
        }
        let realm = &client.principal.realm;
        Ok(Credential {
            client: client.principal.clone(),
            server: Principal::krbtgt(realm),
            key: Key::new(client.key.etype(), &part.key.keyvalue)?,
            times: TicketTimes {
                authtime: part.authtime,
                starttime: part.starttime.unwrap_or(part.authtime),
                endtime: part.endtime,
                renew_till: part.renew_till,
            },
            flags: part.flags,
            addresses: Vec::new(),
            authorization_data: Vec::new(),
            ticket: reply.ticket.into_bytes(),
            second_ticket: Vec::new(),
        })
    }

    // RFC 6113 §5.4.3, §5.4.6: the KDC has proved itself, and the reply key is both ends' work.
    fn strengthened(&self, armor: &ArmorKey, reply: &wire::KdcRep, client: &Client) -> Result<Key, Box<dyn Error>> {
        let padata = |all: &[PaData], wanted| all.iter().find(|pa| pa.padata_type == wanted).cloned();
        let outer = reply.padata.as_deref().unwrap_or_default();
        let armored = padata(outer, pa_type::FX_FAST).ok_or("the reply is not armored")?;
        let response = armor.open_response(&armored.padata_value)?;
        let finished = response.finished.ok_or("the reply is not finished")?;
        armor.verify_ticket(reply.ticket.as_bytes(), &finished.ticket_checksum)?;
        if response.nonce.0 != self.nonce {
            return Err("the armored reply answers another request".into());
        }
        let challenge = padata(&response.padata, pa_type::ENCRYPTED_CHALLENGE).ok_or("the KDC proves nothing")?;
        let challenge: EncryptedData = wire::decode(&challenge.padata_value)?;
        armor.kdc_challenge(&client.key).open(&challenge)?;
        let Some(share) = response.strengthen_key else {
            return Ok(client.key.clone());
        };
        let share = Key::new(client.key.etype(), &share.keyvalue)?;
        Ok(strengthen(&share, &client.key))
    }
}
