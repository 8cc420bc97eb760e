//! A KDC of one client, small enough to be wrong on purpose.

use tessera_common::Random;
use tessera_common::crypto::{EncType, Key, KeyUsage, string_to_key};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::TicketFlags;
use tessera_common::name::{Name, name_type};
use tessera_common::time::KerberosTime;
use tessera_common::wire::{
    self, Any, AsRep, AsReq, EncAsRepPart, EncKdcRepPart, EncTgsRepPart, EncryptedData, EncryptionKey, EtypeInfo2Entry,
    KdcRep, KdcReqBody, KrbError, LastReqEntry, Microseconds, PaData, PaEncTsEnc, PrincipalName, Ticket, msg_type,
    pa_type,
};

/// 2026-11-23T08:15:00Z, the client's time.
pub(crate) const NOW: KerberosTime = KerberosTime(1_795_421_700);

const SALT: &str = "EXAMPLE.COMalice";

/// Not random at all.
#[derive(Default)]
pub(crate) struct Counter(u8);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for octet in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *octet = self.0;
        }
    }
}

/// The client's password.
pub(crate) fn password() -> &'static [u8] {
    b"wonderland"
}

/// The client's key.
pub(crate) fn client_key(etype: EncType) -> Key {
    string_to_key(etype, password(), SALT.as_bytes(), None).unwrap()
}

/// What a KDC adds to its encrypted part, of the request and the reply key.
pub(crate) type EncPaRep = fn(&[u8], &Key) -> Vec<PaData>;

/// What the KDC does, and does wrong.
#[allow(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub(crate) struct FakeKdc {
    /// Its clock.
    pub(crate) clock: KerberosTime,
    /// The one enctype of the client's key and of the session key.
    pub(crate) etype: EncType,
    /// Whether a proof is asked for.
    pub(crate) preauth: bool,
    /// Whether an encrypted timestamp is taken for a proof.
    pub(crate) offers_timestamp: bool,
    /// Refuses every request so.
    pub(crate) refuse: Option<ErrorCode>,
    /// Refuses every proof so.
    pub(crate) refuse_proof: Option<ErrorCode>,
    /// Tells its time in KRB_AP_ERR_SKEW only, and the client's elsewhere.
    pub(crate) hide_clock: bool,
    /// What it wants to see again in the request with the proof.
    pub(crate) cookie: Option<&'static [u8]>,
    /// Encrypts its reply's part as MIT does, with the TGS's tag.
    pub(crate) tag_of_tgs: bool,
    /// The service that the ticket's cleartext names.
    pub(crate) ticket_sname: &'static str,
    /// Adds this to the encrypted part, and sets the flag that says so.
    pub(crate) enc_pa_rep: Option<EncPaRep>,
    /// Alters the encrypted part before it is encrypted.
    pub(crate) part: fn(&mut EncKdcRepPart),
    /// Alters the reply before it is sent.
    pub(crate) rep: fn(&mut KdcRep),
}

impl Default for FakeKdc {
    fn default() -> Self {
        Self {
            clock: NOW,
            etype: EncType::Aes256CtsHmacSha1_96,
            preauth: true,
            offers_timestamp: true,
            refuse: None,
            refuse_proof: None,
            hide_clock: false,
            cookie: None,
            tag_of_tgs: false,
            ticket_sname: "krbtgt/EXAMPLE.COM",
            enc_pa_rep: None,
            part: |_| {},
            rep: |_| {},
        }
    }
}

impl FakeKdc {
    /// Answers an AS-REQ.
    pub(crate) fn answer(&self, octets: &[u8]) -> Vec<u8> {
        if let Some(code) = self.refuse {
            return krb_error(code, self.clock, None, None);
        }
        let request: AsReq = wire::decode(octets).unwrap();
        let padata = request.0.padata.unwrap_or_default();
        if self.preauth {
            let shown_clock = if self.hide_clock { NOW } else { self.clock };
            let Some(proof) = padata.iter().find(|pa| pa.padata_type == pa_type::ENC_TIMESTAMP) else {
                let methods = wire::encode(&self.methods());
                return krb_error(ErrorCode::KDC_ERR_PREAUTH_REQUIRED, shown_clock, None, Some(methods));
            };
            if let Some(code) = self.check(proof, &padata) {
                return krb_error(code, self.clock, None, None);
            }
        }
        self.reply(octets, &wire::decode(request.0.req_body.as_bytes()).unwrap())
    }

    fn check(&self, proof: &PaData, padata: &[PaData]) -> Option<ErrorCode> {
        let sent_back = padata
            .iter()
            .find(|pa| pa.padata_type == pa_type::FX_COOKIE)
            .map(|pa| &*pa.padata_value);
        assert_eq!(sent_back, self.cookie, "the cookie");
        let sealed: EncryptedData = wire::decode(&proof.padata_value).unwrap();
        let Ok(stamp) = client_key(self.etype).decrypt(KeyUsage::PA_ENC_TIMESTAMP, &sealed.cipher) else {
            return Some(ErrorCode::KDC_ERR_PREAUTH_FAILED);
        };
        let stamp: PaEncTsEnc = wire::decode(&stamp).unwrap();
        if !stamp
            .patimestamp
            .within(self.clock, core::time::Duration::from_secs(300))
        {
            return Some(ErrorCode::KRB_AP_ERR_SKEW);
        }
        self.refuse_proof
    }

    fn methods(&self) -> Vec<PaData> {
        let mut methods = vec![self.etype_info()];
        if self.offers_timestamp {
            methods.push(PaData::new(pa_type::ENC_TIMESTAMP, Vec::new()));
        }
        methods.extend(
            self.cookie
                .map(|cookie| PaData::new(pa_type::FX_COOKIE, cookie.to_vec())),
        );
        methods
    }

    /// Which key the client has.
    pub(crate) fn etype_info(&self) -> PaData {
        let entry = EtypeInfo2Entry {
            etype: self.etype.number(),
            salt: Some(SALT.into()),
            s2kparams: None,
        };
        PaData::new(pa_type::ETYPE_INFO2, wire::encode(&vec![entry]))
    }

    fn reply(&self, octets: &[u8], body: &KdcReqBody) -> Vec<u8> {
        let mut random = Counter::default();
        let key = client_key(self.etype);
        let session = Key::random(self.etype, &mut random);
        let mut part = EncKdcRepPart {
            key: EncryptionKey {
                keytype: session.etype().number(),
                keyvalue: session.octets().into(),
            },
            last_req: vec![LastReqEntry {
                lr_type: 0,
                lr_value: self.clock,
            }],
            nonce: body.nonce,
            key_expiration: None,
            flags: TicketFlags::INITIAL.set(TicketFlags::ENC_PA_REP, self.enc_pa_rep.is_some()),
            authtime: self.clock,
            starttime: Some(self.clock),
            endtime: KerberosTime(self.clock.0 + 36_000),
            renew_till: None,
            srealm: body.realm.clone(),
            sname: body.sname.clone().unwrap(),
            caddr: None,
            encrypted_pa_data: self.enc_pa_rep.map(|padata| padata(octets, &key)),
        };
        (self.part)(&mut part);
        let plaintext = if self.tag_of_tgs {
            wire::encode(&EncTgsRepPart(part))
        } else {
            wire::encode(&EncAsRepPart(part))
        };
        let ticket = Ticket {
            tkt_vno: wire::PVNO,
            realm: body.realm.clone(),
            sname: PrincipalName::new(name_type::SRV_INST, &Name::parse(self.ticket_sname).unwrap()),
            enc_part: EncryptedData {
                etype: 18,
                kvno: None,
                cipher: vec![0; 64].into(),
            },
        };
        let mut rep = KdcRep {
            pvno: wire::PVNO,
            msg_type: msg_type::AS_REP,
            padata: Some(vec![self.etype_info()]),
            crealm: body.realm.clone(),
            cname: body.cname.clone().unwrap(),
            ticket: Any::new(wire::encode(&ticket)),
            enc_part: EncryptedData {
                etype: self.etype.number(),
                kvno: None,
                cipher: key.encrypt(KeyUsage::AS_REP, &plaintext, &mut random).into(),
            },
        };
        (self.rep)(&mut rep);
        wire::encode(&AsRep(rep))
    }
}

/// A KRB-ERROR about alice, of `crealm` where that is given.
pub(crate) fn krb_error(
    code: ErrorCode,
    stime: KerberosTime,
    crealm: Option<&str>,
    e_data: Option<Vec<u8>>,
) -> Vec<u8> {
    wire::encode(&KrbError {
        pvno: wire::PVNO,
        msg_type: msg_type::ERROR,
        ctime: None,
        cusec: None,
        stime,
        susec: Microseconds(250_000),
        error_code: code.0,
        crealm: crealm.map(Into::into),
        cname: crealm.map(|_| PrincipalName::new(name_type::PRINCIPAL, &Name::parse("alice").unwrap())),
        realm: "EXAMPLE.COM".into(),
        sname: PrincipalName::new(name_type::SRV_INST, &Name::parse("krbtgt/EXAMPLE.COM").unwrap()),
        e_text: None,
        e_data: e_data.map(Into::into),
    })
}
