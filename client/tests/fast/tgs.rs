//! Tickets got inside FAST.

use tessera_client::exchange::{ClockOffset, ExchangeError, ReplyFault, TgsExchange, TgsReply, TgsRequest, TgsStep};
use tessera_common::credential::Credential;
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::error_code::ErrorCode;
use tessera_common::fast::{ArmorKey, strengthen};
use tessera_common::flags::{FastOptions, KdcOptions, TicketFlags};
use tessera_common::name::{Name, Principal, name_type};
use tessera_common::time::KerberosTime;
use tessera_common::wire::{
    self, Any, EncKdcRepPart, EncTgsRepPart, EncryptedData, KdcRep, KdcReqBody, KrbFastFinished, KrbFastResponse,
    LastReqEntry, Microseconds, PaData, PaFxFastRequest, PrincipalName, TgsRep, TgsReq, msg_type, pa_type,
};

use super::kdc::{armor_key, machine_ticket, subkey, ticket};
use crate::fake_kdc::{Counter, NOW, krb_error};
use crate::{now, service};

const AES: EncType = EncType::Aes256CtsHmacSha1_96;
const SERVICE: &str = "host/ftp.example.com";

/// What the KDC does, and does wrong.
struct Tgs {
    /// What the ticket is for.
    service: &'static str,
    refuse: Option<ErrorCode>,
    /// Without FAST, as if it did not know it.
    deaf: bool,
    response: fn(&mut KrbFastResponse),
    rep: fn(&mut KdcRep),
}

impl Default for Tgs {
    fn default() -> Self {
        Self {
            service: SERVICE,
            refuse: None,
            deaf: false,
            response: |_| {},
            rep: |_| {},
        }
    }
}

/// A request, opened as a KDC does it.
struct Opened {
    armor: Option<ArmorKey>,
    subkey: Key,
    body: KdcReqBody,
}

fn open(octets: &[u8], header: &Credential) -> Opened {
    let TgsReq(request) = wire::decode(octets).unwrap();
    let padata = request.padata.unwrap();
    let ap_req = &padata[0].padata_value;
    let (authenticator, armor) = armor_key(ap_req, &header.key, KeyUsage::TGS_REQ_AUTHENTICATOR);
    let body = request.req_body.as_bytes();
    let checksum = authenticator.cksum.as_ref().unwrap();
    header
        .key
        .verify_checksum(KeyUsage::TGS_REQ_CHECKSUM, checksum.cksumtype, body, &checksum.checksum)
        .unwrap();
    let armor = padata.get(1).map(|element| {
        assert_eq!(element.padata_type, pa_type::FX_FAST);
        let PaFxFastRequest::ArmoredData(armored) = wire::decode(&element.padata_value).unwrap();
        assert!(armored.armor.is_none(), "the ticket of the request is the armor");
        let inside = armor.open_request(&armored, ap_req).unwrap();
        assert_eq!((inside.fast_options, inside.padata), (FastOptions::empty(), Vec::new()));
        assert_eq!(inside.req_body.as_bytes(), body);
        armor
    });
    Opened {
        armor,
        subkey: subkey(&authenticator),
        body: wire::decode(body).unwrap(),
    }
}

impl Tgs {
    fn answer(&self, octets: &[u8], header: &Credential) -> Vec<u8> {
        let mut random = Counter::default();
        let Opened { armor, subkey, body } = open(octets, header);
        let armor = armor.filter(|_| !self.deaf);
        if let Some(code) = self.refuse {
            return refusal(code, armor.as_ref(), &body);
        }
        let (cname, ticket) = (service("host/www.example.com"), ticket(self.service));
        let share = Key::random(subkey.etype(), &mut random);
        let mut response = KrbFastResponse {
            padata: Vec::new(),
            strengthen_key: Some((&share).into()),
            finished: armor.as_ref().map(|armor| KrbFastFinished {
                timestamp: NOW,
                usec: Microseconds(0),
                crealm: "EXAMPLE.COM".into(),
                cname: cname.clone(),
                ticket_checksum: armor.ticket_checksum(&ticket),
            }),
            nonce: body.nonce,
        };
        (self.response)(&mut response);
        let key = match &armor {
            Some(_) if response.strengthen_key.is_some() => strengthen(&share, &subkey),
            _ => subkey,
        };
        let plain = wire::encode(&EncTgsRepPart(self.part(&body)));
        let mut rep = KdcRep {
            pvno: wire::PVNO,
            msg_type: msg_type::TGS_REP,
            padata: armor.map(|armor| vec![armor.seal_response(&response, &mut random)]),
            crealm: "EXAMPLE.COM".into(),
            cname,
            ticket: Any::new(ticket),
            enc_part: EncryptedData {
                etype: key.etype().number(),
                kvno: None,
                cipher: key.encrypt(KeyUsage::TGS_REP_SUBKEY, &plain, &mut random).into(),
            },
        };
        (self.rep)(&mut rep);
        wire::encode(&TgsRep(rep))
    }

    fn part(&self, body: &KdcReqBody) -> EncKdcRepPart {
        EncKdcRepPart {
            key: (&session_key()).into(),
            last_req: vec![LastReqEntry {
                lr_type: 0,
                lr_value: NOW,
            }],
            nonce: body.nonce,
            key_expiration: None,
            flags: TicketFlags::empty(),
            authtime: NOW,
            starttime: Some(NOW),
            endtime: KerberosTime(NOW.0 + 3600),
            renew_till: None,
            srealm: "EXAMPLE.COM".into(),
            sname: PrincipalName::new(name_type::SRV_INST, &Name::parse(self.service).unwrap()),
            caddr: None,
            encrypted_pa_data: None,
        }
    }
}

fn refusal(code: ErrorCode, armor: Option<&ArmorKey>, body: &KdcReqBody) -> Vec<u8> {
    let Some(armor) = armor else {
        return krb_error(code, NOW, None, None);
    };
    let response = KrbFastResponse {
        padata: vec![PaData::new(pa_type::FX_ERROR, krb_error(code, NOW, None, None))],
        strengthen_key: None,
        finished: None,
        nonce: body.nonce,
    };
    let sealed = armor.seal_response(&response, &mut Counter::default());
    let outside = Some(wire::encode(&vec![sealed]));
    krb_error(ErrorCode::KRB_ERR_GENERIC, NOW, None, outside)
}

fn session_key() -> Key {
    Key::random(AES, &mut Counter::default())
}

fn request(fast: bool) -> TgsRequest {
    let service = Principal::new(Name::parse(SERVICE).unwrap(), "EXAMPLE.COM".parse().unwrap());
    TgsRequest {
        fast,
        ..TgsRequest::new(service)
    }
}

fn ask(request: TgsRequest, kdc: &Tgs) -> Result<TgsReply, ExchangeError> {
    let (mut random, header) = (Counter::default(), machine_ticket(AES));
    let (mut exchange, outbound) =
        TgsExchange::begin(header.clone(), request, ClockOffset::default(), now(), &mut random);
    match exchange.receive(&kdc.answer(&outbound.octets, &header), now(), &mut random)? {
        TgsStep::Done(reply) => Ok(*reply),
        TgsStep::Send(next) => panic!("asks again: {next:?}"),
    }
}

#[test]
fn a_ticket_is_got_inside_fast_where_the_kdc_is_known_to_speak_it() {
    for fast in [true, false] {
        let reply = ask(request(fast), &Tgs::default()).unwrap();
        assert_eq!(reply.credential.server.to_string(), "host/ftp.example.com@EXAMPLE.COM");
        let (_, outbound) = TgsExchange::begin(
            machine_ticket(AES),
            request(fast),
            ClockOffset::default(),
            now(),
            &mut Counter::default(),
        );
        assert_eq!(open(&outbound.octets, &machine_ticket(AES)).armor.is_some(), fast);
    }
}

#[test]
fn a_ticket_that_fast_does_not_vouch_for_is_refused() {
    type Alter = fn(&mut Tgs);
    let cases: [(&str, Alter, ReplyFault); 8] = [
        ("deaf to FAST", |kdc| kdc.deaf = true, ReplyFault::NoFast),
        (
            "FAST taken away",
            |kdc| kdc.rep = |rep| rep.padata = None,
            ReplyFault::NoFast,
        ),
        (
            "not strengthened",
            |kdc| kdc.response = |response| response.strengthen_key = None,
            ReplyFault::NoStrengthenKey,
        ),
        (
            "not finished",
            |kdc| kdc.response = |response| response.finished = None,
            ReplyFault::NotFinished,
        ),
        (
            "another nonce",
            |kdc| kdc.response = |response| response.nonce.0 ^= 1,
            ReplyFault::Nonce,
        ),
        (
            "another client",
            |kdc| kdc.response = |response| response.finished.as_mut().unwrap().cname = service("mallory"),
            ReplyFault::Client,
        ),
        (
            "another ticket",
            |kdc| kdc.rep = |rep| rep.ticket = Any::new(ticket("host/other")),
            ReplyFault::TicketChecksum,
        ),
        (
            "altered",
            |kdc| {
                kdc.rep = |rep| *rep.padata.as_mut().unwrap()[0].padata_value.0.last_mut().unwrap() ^= 1;
            },
            ReplyFault::FastIntegrity,
        ),
    ];
    for (what, alter, expected) in cases {
        let mut kdc = Tgs::default();
        alter(&mut kdc);
        assert_eq!(ask(request(true), &kdc), Err(ExchangeError::Reply(expected)), "{what}");
    }
}

#[test]
fn what_fast_protects_of_a_refusal_is_told() {
    for deaf in [true, false] {
        let kdc = Tgs {
            refuse: Some(ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN),
            deaf,
            ..Tgs::default()
        };
        let refused = ask(request(true), &kdc).unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN));
    }
}

#[test]
fn a_kdc_that_was_referred_to_has_not_said_that_it_speaks_fast() {
    let (mut random, header) = (Counter::default(), machine_ticket(AES));
    let wanted = TgsRequest {
        options: KdcOptions::CANONICALIZE,
        ..request(true)
    };
    let (mut exchange, first) = TgsExchange::begin(header.clone(), wanted, ClockOffset::default(), now(), &mut random);
    let referring = Tgs {
        service: "krbtgt/OTHER",
        ..Tgs::default()
    };
    let step = exchange
        .receive(&referring.answer(&first.octets, &header), now(), &mut random)
        .unwrap();
    let TgsStep::Send(next) = step else { panic!("{step:?}") };
    assert_eq!(next.realm.as_str(), "OTHER");
    let TgsReq(request) = wire::decode(&next.octets).unwrap();
    let types: Vec<_> = request.padata.unwrap().iter().map(|pa| pa.padata_type).collect();
    assert_eq!(types, [pa_type::TGS_REQ]);
}
