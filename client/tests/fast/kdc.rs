//! A KDC that speaks FAST, small enough to be wrong on purpose.

use tessera_client::exchange::{Armor, ClockOffset};
use tessera_common::credential::{Credential, TicketTimes};
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::error_code::ErrorCode;
use tessera_common::fast::{ArmorKey, strengthen};
use tessera_common::flags::{FastOptions, TicketFlags};
use tessera_common::name::{Name, name_type};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{
    self, Any, ApReq, AsRep, AsReq, Authenticator, EncryptedData, EncryptionKey, KdcRep, KdcReq, KdcReqBody,
    KrbFastFinished, KrbFastResponse, Microseconds, PaData, PaEncTsEnc, PaFxFastRequest, PrincipalName, Ticket,
    pa_type,
};

use crate::fake_kdc::{Counter, FakeKdc, NOW, client_key, krb_error};

/// The machine's ticket, with a session key of this enctype.
pub(crate) fn machine_ticket(etype: EncType) -> Credential {
    let server = "krbtgt/EXAMPLE.COM@EXAMPLE.COM".parse().unwrap();
    Credential {
        client: "host/www.example.com@EXAMPLE.COM".parse().unwrap(),
        ticket: ticket("krbtgt/EXAMPLE.COM"),
        server,
        key: Key::random(etype, &mut Counter::default()),
        times: TicketTimes {
            authtime: NOW,
            starttime: NOW,
            endtime: KerberosTime(NOW.0 + 3600),
            renew_till: None,
        },
        flags: TicketFlags::empty(),
        addresses: Vec::new(),
        authorization_data: Vec::new(),
        second_ticket: Vec::new(),
    }
}

/// A ticket that nobody can open.
pub(crate) fn ticket(sname: &str) -> Vec<u8> {
    wire::encode(&Ticket {
        tkt_vno: wire::PVNO,
        realm: "EXAMPLE.COM".into(),
        sname: PrincipalName::new(name_type::SRV_INST, &Name::parse(sname).unwrap()),
        enc_part: EncryptedData {
            etype: 18,
            kvno: None,
            cipher: vec![7; 64].into(),
        },
    })
}

pub(crate) fn armor(etype: EncType) -> Armor {
    Armor {
        credential: machine_ticket(etype),
        offset: ClockOffset::default(),
    }
}

/// What a KDC finds in an armored request.
pub(crate) struct Opened {
    pub(crate) key: ArmorKey,
    pub(crate) padata: Vec<PaData>,
    pub(crate) body: KdcReqBody,
    pub(crate) authenticator: Authenticator,
    pub(crate) ap_req: Vec<u8>,
}

impl Opened {
    fn find(&self, wanted: i32) -> Option<&PaData> {
        self.padata.iter().find(|pa| pa.padata_type == wanted)
    }
}

/// Opens an AS-REQ, which must be as RFC 6113 wants it.
pub(crate) fn open(octets: &[u8], session_key: &Key) -> Opened {
    let AsReq(request) = wire::decode(octets).unwrap();
    let [element] = &request.padata.as_deref().unwrap() else {
        panic!("other padata than FAST: {:?}", request.padata);
    };
    assert_eq!(element.padata_type, pa_type::FX_FAST);
    let PaFxFastRequest::ArmoredData(armored) = wire::decode(&element.padata_value).unwrap();
    let ap_req = armored.armor.as_ref().unwrap().armor_value.0.clone();
    let (authenticator, key) = armor_key(&ap_req, session_key, KeyUsage::AP_REQ_AUTHENTICATOR);
    let inside = key.open_request(&armored, request.req_body.as_bytes()).unwrap();
    assert_eq!(inside.fast_options, FastOptions::HIDE_CLIENT_NAMES);
    let outer: KdcReqBody = wire::decode(request.req_body.as_bytes()).unwrap();
    let body: KdcReqBody = wire::decode(inside.req_body.as_bytes()).unwrap();
    assert_eq!(outer.cname.as_ref().unwrap().name_type, name_type::WELLKNOWN);
    assert_eq!(
        KdcReqBody {
            cname: body.cname.clone(),
            ..outer
        },
        body
    );
    Opened {
        key,
        padata: inside.padata,
        body,
        authenticator,
        ap_req,
    }
}

pub(crate) fn armor_key(ap_req: &[u8], session_key: &Key, usage: KeyUsage) -> (Authenticator, ArmorKey) {
    let ap_req: ApReq = wire::decode(ap_req).unwrap();
    let plain = session_key.decrypt(usage, &ap_req.authenticator.cipher).unwrap();
    let authenticator: Authenticator = wire::decode(&plain).unwrap();
    let subkey = subkey(&authenticator);
    (authenticator, ArmorKey::new(&subkey, session_key))
}

pub(crate) fn subkey(authenticator: &Authenticator) -> Key {
    let EncryptionKey { keytype, keyvalue } = authenticator.subkey.as_ref().unwrap();
    Key::new(EncType::from_number(*keytype).unwrap(), keyvalue).unwrap()
}

/// What the KDC does, and does wrong.
pub(crate) struct ArmoredKdc {
    pub(crate) clock: KerberosTime,
    /// The enctype of the armor ticket's session key.
    pub(crate) armor: EncType,
    /// The enctype of the client's key.
    pub(crate) etype: EncType,
    /// The pre-authentication that it offers; with none, it asks for none.
    pub(crate) offers: &'static [i32],
    /// Refuses every proof so, and in this realm's name.
    pub(crate) refuse_proof: Option<(ErrorCode, Option<&'static str>)>,
    /// Tells its time only when it refuses a proof.
    pub(crate) hide_clock: bool,
    /// Whether it answers the client's challenge.
    pub(crate) proves_itself: bool,
    /// Alters what FAST protects.
    pub(crate) response: fn(&mut KrbFastResponse),
    /// Alters the reply before it is sent.
    pub(crate) rep: fn(&mut KdcRep),
}

impl Default for ArmoredKdc {
    fn default() -> Self {
        Self {
            clock: NOW,
            armor: EncType::Aes256CtsHmacSha1_96,
            etype: EncType::Aes256CtsHmacSha1_96,
            offers: &[pa_type::ENCRYPTED_CHALLENGE, pa_type::ENC_TIMESTAMP, pa_type::FX_FAST],
            refuse_proof: None,
            hide_clock: false,
            proves_itself: true,
            response: |_| {},
            rep: |_| {},
        }
    }
}

impl ArmoredKdc {
    pub(crate) fn answer(&self, octets: &[u8]) -> Vec<u8> {
        let opened = open(octets, &machine_ticket(self.armor).key);
        let challenge = opened.find(pa_type::ENCRYPTED_CHALLENGE);
        let timestamp = opened.find(pa_type::ENC_TIMESTAMP);
        if !self.offers.is_empty() {
            if challenge.is_none() && timestamp.is_none() {
                let shown = if self.hide_clock { NOW } else { self.clock };
                return self.error(&opened, ErrorCode::KDC_ERR_PREAUTH_REQUIRED, shown, None);
            }
            assert_eq!(
                opened.find(pa_type::FX_COOKIE).map(|pa| &*pa.padata_value),
                Some(&b"state"[..])
            );
        }
        if let Some((code, crealm)) = self.refusal(&opened, challenge) {
            return self.error(&opened, code, self.clock, crealm);
        }
        self.reply(&opened, challenge.is_some())
    }

    fn refusal(&self, opened: &Opened, challenge: Option<&PaData>) -> Option<(ErrorCode, Option<&'static str>)> {
        if let Some(challenge) = challenge {
            let challenge: EncryptedData = wire::decode(&challenge.padata_value).unwrap();
            let key = opened.key.client_challenge(&client_key(self.etype));
            let Ok(PaEncTsEnc { patimestamp, .. }) = key.open(&challenge) else {
                return Some((ErrorCode::KDC_ERR_PREAUTH_FAILED, None));
            };
            if !patimestamp.within(self.clock, core::time::Duration::from_secs(300)) {
                return Some((ErrorCode::KRB_AP_ERR_SKEW, None));
            }
        }
        self.refuse_proof
    }

    fn error(&self, opened: &Opened, code: ErrorCode, stime: KerberosTime, crealm: Option<&str>) -> Vec<u8> {
        let mut padata = vec![self.inner().etype_info()];
        padata.extend(self.offers.iter().map(|kind| PaData::new(*kind, Vec::new())));
        padata.push(PaData::new(pa_type::FX_COOKIE, b"state".to_vec()));
        padata.push(PaData::new(pa_type::FX_ERROR, krb_error(code, stime, crealm, None)));
        let mut response = KrbFastResponse {
            padata,
            strengthen_key: None,
            finished: None,
            nonce: opened.body.nonce,
        };
        (self.response)(&mut response);
        let sealed = opened.key.seal_response(&response, &mut Counter::default());
        // Nobody goes by what stands outside.
        krb_error(
            ErrorCode::KRB_ERR_GENERIC,
            KerberosTime(1),
            None,
            Some(wire::encode(&vec![sealed])),
        )
    }

    fn inner(&self) -> FakeKdc {
        FakeKdc {
            clock: self.clock,
            etype: self.etype,
            preauth: false,
            ..FakeKdc::default()
        }
    }

    // The reply as it would be without FAST.
    fn unarmored(&self, opened: &Opened) -> AsRep {
        let request = AsReq(KdcReq {
            pvno: wire::PVNO,
            msg_type: wire::msg_type::AS_REQ,
            padata: None,
            req_body: Any::new(wire::encode(&opened.body)),
        });
        wire::decode(&self.inner().answer(&wire::encode(&request))).unwrap()
    }

    fn reply(&self, opened: &Opened, challenged: bool) -> Vec<u8> {
        let mut random = Counter::default();
        let AsRep(mut rep) = self.unarmored(opened);
        let key = client_key(self.etype);
        let mut padata = rep.padata.take().unwrap();
        if challenged && self.proves_itself {
            padata.push(
                opened
                    .key
                    .kdc_challenge(&key)
                    .seal(Timestamp::new(self.clock, 0), &mut random),
            );
        }
        let share = Key::random(self.etype, &mut random);
        let mut response = KrbFastResponse {
            padata,
            strengthen_key: Some((&share).into()),
            finished: Some(finished(opened, &rep, self.clock)),
            nonce: opened.body.nonce,
        };
        (self.response)(&mut response);
        if response.strengthen_key.is_some() {
            let plain = key.decrypt(KeyUsage::AS_REP, &rep.enc_part.cipher).unwrap();
            rep.enc_part.cipher = strengthen(&share, &key)
                .encrypt(KeyUsage::AS_REP, &plain, &mut random)
                .into();
        }
        rep.padata = Some(vec![opened.key.seal_response(&response, &mut random)]);
        rep.cname = PrincipalName::new(name_type::WELLKNOWN, &Name::parse("WELLKNOWN/ANONYMOUS").unwrap());
        (self.rep)(&mut rep);
        wire::encode(&AsRep(rep))
    }
}

fn finished(opened: &Opened, rep: &KdcRep, clock: KerberosTime) -> KrbFastFinished {
    KrbFastFinished {
        timestamp: clock,
        // Not the client's 250 ms: what the offset is taken from shows.
        usec: Microseconds(250_007),
        crealm: rep.crealm.clone(),
        cname: rep.cname.clone(),
        ticket_checksum: opened.key.ticket_checksum(rep.ticket.as_bytes()),
    }
}
