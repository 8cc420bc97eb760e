//! Writes the seeds: small inputs that each target begins from, made by this project's own encoders. From this directory:
//! `cargo run --example seeds`.

use std::path::Path;
use std::time::Duration;
use std::{env, fs, io, process, thread};

use serde::Serialize;
use tessera_common::accounting::{EventKind, EventRecord, EventTime};
use tessera_common::admin::{
    Act, Hello, ImportRecord, Request, Response, RightChanges, Rotation, RuleChanges, write_frame,
};
use tessera_common::ap::krb_cred::{CredHeader, Protection};
use tessera_common::ap::{Header, krb_cred, krb_priv, krb_safe};
use tessera_common::ccache::{CredentialCache, Entry, KdcOffset};
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::flags::{FastOptions, OtpFlags};
use tessera_common::gss;
use tessera_common::keytab::{Keytab, KeytabEntry};
use tessera_common::kpasswd::{NewPassword, Outcome, ResultCode};
use tessera_common::name::name_type;
use tessera_common::spnego::{Mech, MechTypeList, NegHints, NegState, NegTokenInit, NegTokenResp};
use tessera_common::wire::{
    Any, ApReq, AsRep, AsReq, Cammac, Checksum, EncryptedData, EncryptionKey, EtypeInfo2Entry, KdcReq, KrbFastArmor,
    KrbFastArmoredRep, KrbFastArmoredReq, KrbFastFinished, KrbFastReq, KrbFastResponse, MethodData, Microseconds,
    Octets, OtpTokenInfo, PaData, PaEncTsEnc, PaForUser, PaFxFastReply, PaFxFastRequest, PaOtpChallenge, PaS4uX509User,
    PaSpake, PrincipalName, S4uUserId, SpakeChallenge, SpakeResponse, SpakeSecondFactor, SpakeSupport, TgsReq, Ticket,
    UInt32, VerifierMac, ad_type, decode, encode, pa_type,
};
use tessera_common::wire::{AuthorizationDataElement, EncTicketPart};
use tessera_fuzz::administration::{both_ends, first_token, sealed};
use tessera_fuzz::desk::ADMINISTRATORS;
use tessera_fuzz::gss::{alices_ticket, gss_accept};
use tessera_fuzz::mit;
use tessera_fuzz::realm::{Counter, Day, NOON, alices_tgt, key_of, origin, principal, with_realm};
use tessera_fuzz::with_key_file;
use tessera_kdc::accounting::Accounting;
use tessera_kdc::config::Config;
use tessera_kdc::log::Log;

fn main() -> io::Result<()> {
    let day = with_realm(|realm| realm.day());
    exchanges(&day)?;
    inner_parts(&day)?;
    application_messages(&day)?;
    contexts()?;
    preauthentication(&day)?;
    files(&day)?;
    event_log()?;
    heimdal()?;
    texts()?;
    http()?;
    administration()?;
    migration()
}

fn put<T: AsRef<[u8]>>(target: &str, name: &str, seeds: impl IntoIterator<Item = T>) -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&directory)?;
    for (number, seed) in seeds.into_iter().enumerate() {
        fs::write(directory.join(format!("{name}-{number}")), seed)?;
    }
    Ok(())
}

fn http() -> io::Result<()> {
    let prometheus = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9188\r\nUser-Agent: Prometheus/2.42.0\r\nAccept: \
                      application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\nAccept-Encoding: gzip\r\n\r\n";
    let others = [
        "HEAD http://kdc.example.com/readyz?verbose HTTP/1.0\r\n\r\n",
        "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    ];
    put("http_request", "head", [prometheus].into_iter().chain(others))
}

fn after(first: u8, seeds: &[Vec<u8>]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| [&[first][..], seed].concat()).collect()
}

fn exchanges(day: &Day) -> io::Result<()> {
    for target in ["wire_kdc_req", "kdc_request"] {
        put(target, "as-req", &day.as_requests)?;
        put(target, "tgs-req", &day.tgs_requests)?;
    }
    put("wire_kdc_rep", "as-rep", &day.as_replies)?;
    put("wire_kdc_rep", "tgs-rep", &day.tgs_replies)?;
    put("client_reply", "as-rep", after(0, &day.as_replies))?;
    put("client_reply", "tgs-rep", after(1, &day.tgs_replies))?;
    put("password_request", "request", &day.password_requests)?;
    put("kpasswd", "request", &day.password_requests)?;
    put("kpasswd", "reply", &day.password_replies)
}

// What the exchanges seal.
fn inner_parts(day: &Day) -> io::Result<()> {
    let open = |key: &Key, usage, sealed: &EncryptedData| key.decrypt(usage, &sealed.cipher).unwrap().to_vec();

    let proof = encode(&PaEncTsEnc {
        patimestamp: NOON.time,
        pausec: Some(Microseconds(NOON.usec)),
    });
    put("kdc_sealed", "proof", after(4, &[proof.clone()]))?;
    put("kdc_sealed", "challenge", after(7, &[proof.clone()]))?;
    put("wire_kdc_req", "pa-enc-ts-enc", [proof])?;

    let as_reply: AsRep = day.as_replies.iter().find_map(|reply| decode(reply).ok()).unwrap();
    let part = open(&key_of("alice"), KeyUsage::AS_REP, &as_reply.0.enc_part);
    put("wire_kdc_rep", "enc-part", [&part])?;
    put("client_reply", "enc-part", after(2, &[part.clone()]))?;
    put("client_reply", "tgs-enc-part", after(3, &[part]))?;

    for (which, service, credential) in [
        (1, "krbtgt/EXAMPLE.COM", &day.credentials[0]),
        (2, "host/www", &day.credentials[1]),
    ] {
        let ticket: Ticket = decode(&credential.ticket).unwrap();
        let part = open(&key_of(service), KeyUsage::TICKET, &ticket.enc_part);
        put("wire_ticket", &format!("enc-part-{which}"), [&part])?;
        put("wire_ticket", &format!("ticket-{which}"), [&credential.ticket])?;
        put("kdc_sealed", &format!("ticket-{which}"), after(which, &[part.clone()]))?;
        let part: EncTicketPart = decode(&part).unwrap();
        put(
            "wire_ticket",
            &format!("authorization-data-{which}"),
            [encode(&part.authorization_data.unwrap_or_default())],
        )?;
    }

    for (number, request) in day.tgs_requests.iter().enumerate() {
        let TgsReq(request) = decode(request).unwrap();
        let padata = request.padata.unwrap();
        let header = padata.iter().find(|pa| pa.padata_type == pa_type::TGS_REQ).unwrap();
        let header: ApReq = decode(&header.padata_value).unwrap();
        let usage = KeyUsage::TGS_REQ_AUTHENTICATOR;
        let authenticator = open(&day.credentials[0].key, usage, &header.authenticator);
        put("wire_ap", &format!("authenticator-{number}"), [&authenticator])?;
        put(
            "kdc_sealed",
            &format!("authenticator-{number}"),
            after(0, &[authenticator.clone()]),
        )?;
        if number == 0 {
            put("kdc_sealed", "armor-authenticator", after(6, &[authenticator.clone()]))?;
        }
        let body = request.req_body.as_bytes().to_vec();
        put("wire_kdc_req", &format!("body-{number}"), [&body])?;
        put("kdc_sealed", &format!("body-{number}"), after(3, &[body]))?;
    }
    let AsReq(request) = decode(&day.as_requests[0]).unwrap();
    put(
        "kdc_sealed",
        "as-body",
        after(4, &[request.req_body.as_bytes().to_vec()]),
    )?;

    let mac = |cksumtype| VerifierMac {
        identifier: None,
        kvno: None,
        enctype: Some(18),
        mac: checksum(cksumtype),
    };
    let indicator = AuthorizationDataElement {
        ad_type: ad_type::AUTHENTICATION_INDICATOR,
        ad_data: b"otp".as_slice().into(),
    };
    let cammac = Cammac {
        elements: vec![indicator],
        kdc_verifier: Some(mac(16)),
        svc_verifier: Some(mac(15)),
        other_verifiers: None,
    };
    let wrap = |ad_type, data: Vec<u8>| {
        encode(&vec![AuthorizationDataElement {
            ad_type,
            ad_data: data.into(),
        }])
    };
    let nested = wrap(ad_type::IF_RELEVANT, wrap(ad_type::CAMMAC, encode(&cammac)));
    put("wire_ticket", "nested", [nested])
}

fn application_messages(day: &Day) -> io::Result<()> {
    let tgt = alices_tgt();
    let mut random = tessera_fuzz::realm::Counter::default();
    let header = Header {
        timestamp: Some(NOON),
        seq_number: Some(7),
        sender: origin().peer.ip().into(),
        receiver: Some(origin().local.ip().into()),
    };
    put("wire_ap", "safe", [krb_safe::make(&tgt.key, &header, b"data")])?;
    put(
        "wire_ap",
        "priv",
        [krb_priv::make(&tgt.key, &header, b"data", &mut random)],
    )?;
    let cred_header = CredHeader {
        timestamp: Some(NOON),
        ..CredHeader::default()
    };
    let cred = krb_cred::make(Protection::Outside, &cred_header, &day.credentials, &mut random);
    let inner: tessera_common::wire::KrbCred = decode(&cred).unwrap();
    put("wire_ap", "cred", [cred, inner.enc_part.cipher.to_vec()])
}

// Tokens of GSS-API and of the negotiation, each behind the octet that says what it is for.
fn contexts() -> io::Result<()> {
    let mut random = tessera_fuzz::realm::Counter::default();
    let ticket = alices_ticket();
    let initiator = || gss::Initiator::new(&ticket);
    let (first, awaiting) = initiator().start(NOON, &mut random);
    let (answer, mut acceptor, ..) = gss_accept(&first).unwrap().into_parts();
    let answer = answer.unwrap();
    let mut context = awaiting.finish(&answer).unwrap();
    let (one_way, _) = initiator().start_one_way(NOON, &mut random);
    put("gss_token", "first", after(0, &[first.clone(), one_way.clone()]))?;
    put("gss_token", "answer", after(1, &[answer.clone()]))?;
    let mut messages = Vec::new();
    for protection in [gss::Protection::Confidential, gss::Protection::Integrity] {
        messages.push(context.wrap(b"data", protection, NOON.time, &mut random).unwrap());
        messages.push(acceptor.wrap(b"data", protection, NOON.time, &mut random).unwrap());
    }
    messages.push(context.mic(b"data", NOON.time).unwrap());
    put("gss_token", "message", after(2, &messages))?;
    put("gss_token", "data", after(3, &[b"data".to_vec()]))?;
    let changes = [vec![0, 2, 1], vec![0, 40, 0x80, 0, 6, 1, 0, 7, 4], vec![1]];
    for which in 4..8 {
        put("gss_token", &format!("change-{which}"), after(which, &changes))?;
    }

    let offer = |mech_types, mech_token, mech_list_mic| {
        NegTokenInit {
            mech_types,
            mech_token,
            hints: None,
            mech_list_mic,
        }
        .encode()
    };
    let kerberos = || MechTypeList::new(Mech::Kerberos, &[]);
    let windows = || MechTypeList::new(Mech::MicrosoftKerberos, &[Mech::Kerberos, Mech::NegoEx, Mech::Ntlm]);
    let hints = NegTokenInit {
        mech_types: windows(),
        mech_token: None,
        hints: Some(NegHints {
            name: Some(b"not_defined_in_RFC4178@please_ignore"),
            address: None,
        }),
        mech_list_mic: None,
    };
    let offers = [
        offer(kerberos(), Some(&first), None),
        offer(windows(), Some(&one_way), Some(b"mic")),
        offer(
            MechTypeList::new(Mech::Ntlm, &[Mech::Kerberos]),
            Some(b"NTLMSSP\0"),
            None,
        ),
        hints.encode(),
        first.clone(),
        b"NTLMSSP\0".to_vec(),
    ];
    put("spnego_token", "offer", after(0, &offers))?;
    let answers = |token: &[u8]| {
        [
            NegState::AcceptCompleted,
            NegState::AcceptIncomplete,
            NegState::Reject,
            NegState::RequestMic,
        ]
        .map(|state| {
            NegTokenResp {
                neg_state: Some(state),
                supported_mech: Some(Mech::Kerberos),
                response_token: Some(token).filter(|token| !token.is_empty()),
                mech_list_mic: Some(b"mic"),
            }
            .encode()
        })
    };
    put("spnego_token", "token", after(1, &answers(&first)))?;
    put("spnego_token", "mic", after(2, &answers(b"")))?;
    put("spnego_token", "answer", after(3, &answers(&answer)))?;
    put(
        "spnego_token",
        "change",
        after(4, &[vec![0, 0, 20, 4], vec![1, 0, 60, 1]]),
    )
}

fn checksum(cksumtype: i32) -> Checksum {
    Checksum {
        cksumtype,
        checksum: Octets(vec![0xcc; 12]),
    }
}

fn preauthentication(day: &Day) -> io::Result<()> {
    let sealed = || EncryptedData {
        etype: 18,
        kvno: None,
        cipher: Octets(vec![0xee; 40]),
    };
    let alice = || PrincipalName::new(name_type::PRINCIPAL, &principal("alice").name);
    let AsReq(KdcReq { req_body, .. }) = decode(&day.as_requests[0]).unwrap();
    let armor = KrbFastArmor {
        armor_type: 1,
        armor_value: Octets(vec![0x6e, 0]),
    };
    let request = KrbFastArmoredReq {
        armor: Some(armor),
        req_checksum: checksum(16),
        enc_fast_req: sealed(),
    };
    let inner = KrbFastReq {
        fast_options: FastOptions::HIDE_CLIENT_NAMES,
        padata: vec![PaData::new(pa_type::ENC_TIMESTAMP, vec![1])],
        req_body,
    };
    let response = KrbFastResponse {
        padata: vec![PaData::new(pa_type::FX_COOKIE, b"MIT".to_vec())],
        strengthen_key: Some(EncryptionKey {
            keytype: 18,
            keyvalue: Octets(vec![7; 32]),
        }),
        finished: Some(KrbFastFinished {
            timestamp: NOON.time,
            usec: Microseconds(1),
            crealm: "EXAMPLE.COM".into(),
            cname: alice(),
            ticket_checksum: checksum(16),
        }),
        nonce: UInt32(7),
    };
    put("kdc_sealed", "fast", after(5, &[encode(&inner)]))?;
    put("client_reply", "fast", after(4, &[encode(&response)]))?;
    put("client_reply", "fast-error", after(6, &[encode(&response)]))?;
    let reply = PaFxFastReply::ArmoredData(KrbFastArmoredRep { enc_fast_rep: sealed() });
    put(
        "wire_preauth",
        "fast",
        [
            encode(&PaFxFastRequest::ArmoredData(request)),
            encode(&inner),
            encode(&reply),
            encode(&response),
        ],
    )?;

    let factor = || SpakeSecondFactor {
        factor_type: 1,
        data: None,
    };
    let pubkey = || Octets(vec![0x99; 32]);
    put(
        "wire_preauth",
        "spake",
        [
            encode(&PaSpake::Support(SpakeSupport { groups: vec![1, 2] })),
            encode(&PaSpake::Challenge(SpakeChallenge {
                group: 1,
                pubkey: pubkey(),
                factors: vec![factor()],
            })),
            encode(&PaSpake::Response(SpakeResponse {
                pubkey: pubkey(),
                factor: sealed(),
            })),
            encode(&PaSpake::EncData(sealed())),
            encode(&factor()),
        ],
    )?;

    let token = OtpTokenInfo {
        flags: OtpFlags::COLLECT_PIN,
        otp_vendor: Some("vendor".into()),
        otp_challenge: None,
        otp_length: Some(6),
        otp_format: Some(0),
        otp_token_id: None,
        otp_alg_id: Some("urn:ietf:params:xml:ns:keyprov:pskc:totp".into()),
        supported_hash_alg: None,
        iteration_count: None,
    };
    let challenge = PaOtpChallenge {
        nonce: Octets(vec![5; 16]),
        otp_service: None,
        otp_token_info: vec![token],
        salt: Some("EXAMPLE.COMalice".into()),
        s2kparams: None,
    };
    put("wire_preauth", "otp", [encode(&challenge)])?;

    let for_user = PaForUser {
        user_name: alice(),
        user_realm: "EXAMPLE.COM".into(),
        cksum: checksum(-138),
        auth_package: "Kerberos".into(),
    };
    let user = S4uUserId {
        nonce: UInt32(7),
        cname: Some(alice()),
        crealm: "EXAMPLE.COM".into(),
        subject_certificate: None,
        options: None,
    };
    let x509 = PaS4uX509User {
        user_id: Any::new(encode(&user)),
        checksum: checksum(16),
    };
    put("wire_preauth", "s4u", [encode(&for_user), encode(&x509)])?;

    let entry = EtypeInfo2Entry {
        etype: 18,
        salt: Some("EXAMPLE.COMalice".into()),
        s2kparams: Some(vec![0, 0, 16, 0].into()),
    };
    let methods: MethodData = vec![PaData::new(pa_type::ETYPE_INFO2, encode(&vec![entry.clone()]))];
    put("wire_kdc_req", "methods", [encode(&methods), encode(&vec![entry])])
}

fn files(day: &Day) -> io::Result<()> {
    let entry = |name: &str, kvno| KeytabEntry {
        principal: principal(name),
        name_type: name_type::SRV_HST,
        timestamp: NOON.time,
        kvno,
        key: key_of(name).into(),
    };
    let keytab = Keytab {
        entries: vec![entry("host/www", 1), entry("host/www", 300), entry("alice", 2)],
    };
    // A hole of four octets before the entries, and the end marked behind them.
    let whole = keytab.to_bytes();
    let holed = [&whole[..2], &(-4i32).to_be_bytes(), &[0; 4], &whole[2..], &[0; 4]].concat();
    put("keytab", "keytab", [whole.to_vec(), holed])?;

    let mut cache = CredentialCache::new(principal("alice"), name_type::PRINCIPAL);
    cache.set_kdc_offset(KdcOffset {
        seconds: -2,
        microseconds: -500_000,
    });
    cache.set_config("fast_avail", None, b"yes").unwrap();
    cache
        .set_config("pa_type", Some(&principal("krbtgt/EXAMPLE.COM")), b"2")
        .unwrap();
    cache.entries.extend(day.credentials.iter().map(Entry::from_credential));
    put("ccache", "ccache", [cache.to_bytes().to_vec()])
}

// A dump with a principal of each kind, decrypted and not, and a sealed one under a master key in each of its forms.
fn heimdal() -> io::Result<()> {
    const LAST_CHANGE: &str = "301AA003010100A113A711180F32303236313132393136333732355A";
    const ALIASES: &str = "305FA003010100A158A6563054A003010100A14D304B3024A0133011A003020101A10A30081B06726F62657274A10D1B0B4F4C442E45\
                           58414D504C453023A0123010A003020101A10930071B05626F626279A10D1B0B4F4C442E4558414D504C45";
    const FORMER: &str = "3058A003010100A151A94F304D304BA003020102A131302F302DA11B3019A003020111A112041009090909090909090909090909090909\
                          A20E300CA003020103A10504036F6C64A211180F32303235313132393136333732355A";
    let dates = "20261129163725:kadmin/admin@OLD.EXAMPLE 20261129163726:kadmin/admin@OLD.EXAMPLE";
    let (aes256, aes128) = ("0B".repeat(32), "0C".repeat(16));
    let krbtgt = format!(
        "krbtgt/OLD.EXAMPLE@OLD.EXAMPLE 2::18:{aes256}:-::17:{aes128}:- {dates} - - - - - 126 20261129163725:301534:3 {LAST_CHANGE}\n"
    );
    let bob = format!(
        "bob@OLD.EXAMPLE 3::18:{aes256}:3/\"OLD.EXAMPLEbob\"::23:{aes128}:10/6F6C64 {dates} 20300102235959 - 20290203235959 86400 \
         604800 262526 - {LAST_CHANGE}:{ALIASES}:{FORMER}\n"
    );
    let odd = format!(
        "o\\ d\\\\d/x\\@y@OLD.EXAMPLE 1:1:18:{aes256}:- 19700101000000:UNKNOWN - - - - - - -2147483522 - 300CA003010100A105AA03020102\n"
    );
    let foreign =
        format!("WELLKNOWN/org.h5l.fast-cookie@WELLKNOWN:ORG.H5L 1::18:{aes256}:- {dates} - - - 3600 3600 383 - -\n");
    put(
        "heimdal_dump",
        "dump",
        [
            krbtgt.clone(),
            [&krbtgt, &bob, &foreign].map(String::as_str).concat(),
            [krbtgt, odd].concat(),
            "kdb5_util load_dump version 7\n".into(),
        ]
        .map(|dump| with_key_file(&[], &dump)),
    )?;
    let keytab = Keytab {
        entries: vec![KeytabEntry {
            principal: "K/M@OLD.EXAMPLE".parse().unwrap(),
            name_type: name_type::PRINCIPAL,
            timestamp: NOON.time,
            kvno: 1,
            key: key_of("alice").into(),
        }],
    };
    let keytab = keytab.to_bytes().to_vec();
    let der = encode(&EncryptionKey {
        keytype: 17,
        keyvalue: Octets(vec![7; 16]),
    });
    let stash = [&[17, 0, 16, 0, 0, 0][..], &[7; 16]].concat();
    let older = Key::new(EncType::Aes128CtsHmacSha1_96, &[7; 16]).unwrap();
    let under = |master: &Key| {
        let sealed = master.encrypt(KeyUsage(0x48_4442), &[0x0b; 32], &mut Counter::default());
        let digits: String = sealed.iter().map(|octet| format!("{octet:02X}")).collect();
        format!(
            "krbtgt/OLD.EXAMPLE@OLD.EXAMPLE 2:1:18:{digits}:- {dates} - - - - - 126 20261129163725:301534:3 {LAST_CHANGE}\n"
        )
    };
    put(
        "heimdal_dump",
        "master-key",
        [
            with_key_file(&keytab, &under(&key_of("alice"))),
            with_key_file(&der, &under(&older)),
            with_key_file(&stash, &under(&older)),
            with_key_file(&[7; 8], &under(&older)),
        ],
    )
}

fn texts() -> io::Result<()> {
    put(
        "texts",
        "name",
        [
            "alice",
            "alice@EXAMPLE.COM",
            "HTTP/www.example.com@EXAMPLE.COM",
            r"a\/b\@c\\d\ e@R/S",
            "host/",
            "user@mail.example@R",
            "FILE:/tmp/krb5cc_1000",
            "DIR:/run/user/1000/krb5cc",
            "DIR::/run/krb5cc/tktabc",
            "tktabc\n",
        ],
    )?;
    put(
        "texts",
        "time",
        [
            "10h",
            "1d2h3m4s",
            "1-02:03:04",
            "8:30:01",
            "36000",
            "20261123081500",
            "26.11.23.08.15.00",
            "08:15",
            "23-Nov-2026:08:15:00",
            "2026-11-23T08:15:00Z",
            "2026-11-23T08:15:00+01:00",
        ],
    )?;
    let plain = "[libdefaults]\n default_realm = EXAMPLE.COM\n ticket_lifetime = 10h\n forwardable = yes\n clockskew = 300\n \
                 default_ccache_name = FILE:/tmp/krb5cc_%{uid}\n default_tkt_enctypes = aes -aes128-cts\n[realms]\n \
                 EXAMPLE.COM = {\n  kdc = 127.0.0.1:8888\n  kdc = [::1]\n  kpasswd_server = localhost:8464\n }*\n[domain_realm]\n \
                 .example.com = EXAMPLE.COM\n";
    let parts = "include /2\n[libdefaults]*\n default_realm* = \"A\\tB\"\n# c\n; c\n\0[libdefaults]\n default_realm = C\n\
                 includedir /d\n\0[realms]\n A =\n {\n  kdc = b\n }\n";
    put("krb5_conf", "conf", [plain, parts])?;
    put(
        "realm_toml",
        "realm",
        [
            include_str!("../../realm.toml"),
            "[realm]\nname = \"R\"\nstate = \"var\"\n",
            "[realm]\nname = \"R\"\nstate = \"var\"\n[roles.a]\n[rules.b]\neffect = \"allow\"\nroles = [\"a\"]\nservices = [\"host/*\"]\n\
             from = [\"10.0.0.0/8\", \"::1\"]\nhours = [\"Mon-Fri 08:00-18:00\", \"22:00-06:00\"]\nmax-life = \"1h\"\n",
        ],
    )
}

// Lines, and a compressed file of them, as the daemon writes both.
fn event_log() -> io::Result<()> {
    let directory = env::temp_dir().join(format!("tessera-seeds-{}", process::id()));
    let text = format!(
        "[realm]\nname = \"R\"\nstate = \"var\"\n[accounting]\ndirectory = {directory:?}\nrotate-size = \"4K\"\n"
    );
    let config = Config::parse(Path::new("/realm.toml"), &text).map_err(|_| io::Error::other("realm.toml"))?;
    let log = Log::start(io::sink())?;
    let start = || Accounting::start(&config.accounting, &directory, &log.log()).map_err(io::Error::other);
    let (accounting, writer) = start()?;
    for number in 0..40 {
        accounting.administered(&EventRecord {
            peer: Some(([192, 0, 2, 1], 5000).into()),
            client: Some("alice".into()),
            client_id: Some(format!("{number:032x}")),
            ..EventRecord::new(0, EventTime(NOON), EventKind::Tgs)
        });
    }
    drop(writer);
    let (_, writer) = start()?;
    let compressed = directory.join("events-00000000000000000001.jsonl.zst");
    while !compressed.exists() {
        thread::sleep(Duration::from_millis(10));
    }
    drop(writer);
    put("event_line", "compressed", [fs::read(&compressed)?])?;
    put("event_line", "lines", [fs::read(directory.join("current.jsonl"))?])?;
    fs::remove_dir_all(directory)
}

fn administration() -> io::Result<()> {
    let lines = [
        r#"{"name":"alice","password":"secret","expires":"2030-01-01","max-life":"10h"}"#,
        r#"{"name":"host/www","random-key":true,"enctypes":["aes256-cts"]}"#,
        r#"{"name":"old","keys":[{"enctype":"aes256-cts-hmac-sha1-96","kvno":3,"key":"00","salt":"41"}]}"#,
    ];
    put("admin", "import", lines)?;
    let principals: Vec<_> = lines.iter().filter_map(|line| ImportRecord::parse(line).ok()).collect();
    let mut requests = vec![
        Request::List {
            glob: Some("host/*".to_owned()),
            role: None,
        },
        Request::Show {
            name: "alice".to_owned(),
        },
        Request::Rotate {
            name: "host/www".to_owned(),
            how: Rotation::Stage,
            enctypes: None,
        },
        Request::Keytab {
            names: vec!["host/www".to_owned()],
            rotate: false,
        },
        Request::Import {
            principals: principals.clone(),
        },
        Request::AddRole {
            name: "staff".parse().map_err(io::Error::other)?,
            rights: vec!["helpdesk:*/student".to_owned()],
        },
        Request::SetRole {
            name: "staff".parse().map_err(io::Error::other)?,
            rights: RightChanges {
                add: vec!["viewer".to_owned()],
                remove: vec!["helpdesk:*/student".to_owned()],
            },
        },
        Request::ExplainAct {
            name: "alice".to_owned(),
            act: Act::Password,
            on: Some("bob".to_owned()),
        },
        Request::ListRoles,
        Request::AddRule {
            name: "office".to_owned(),
            parts: RuleChanges {
                effect: Some("allow".to_owned()),
                services: Some(vec!["host/*".to_owned()]),
                hours: Some(vec!["Mon-Fri 08:00-18:00".to_owned()]),
                ..RuleChanges::default()
            },
        },
        Request::Reload,
    ];
    requests.extend(principals.into_iter().map(Request::Add));
    put("admin", "request", requests.iter().map(body))?;
    put("admin", "response", [body(&Response::Done)])?;
    let (token, _) = first_token();
    let framed = [
        &u32::try_from(token.len()).map_err(io::Error::other)?.to_be_bytes()[..],
        &token,
    ]
    .concat();
    put("admin_protocol", "first-token", after(0, &[token]))?;
    put("admin_protocol", "framed-token", after(1, &[framed]))?;
    let texts: Vec<Vec<u8>> = requests.iter().map(body).collect();
    for (which, request) in DESK {
        put(
            "admin_requests",
            &format!("{}-{}", ADMINISTRATORS[which].0, word(request)),
            [[&[u8::try_from(which).unwrap_or(0)], request.as_bytes()].concat()],
        )?;
    }
    put("admin_protocol", "request", after(2, &texts))?;
    let sealed: Vec<Vec<u8>> = texts.iter().take(3).map(|text| sealed(both_ends().0, text)).collect();
    put("admin_protocol", "sealed", after(3, &sealed))?;
    put("admin_protocol", "altered", [[4, 0, 40, 1], [5, 0, 40, 1]])?;
    put(
        "admin",
        "hello",
        [body(&Hello {
            protocol: 1,
            program: "principal 0.1.0".to_owned(),
        })],
    )?;
    let (_, own) = NewPassword::own(b"rabbit").encode();
    let (_, set) = NewPassword::of(&principal("alice"), b"rabbit").encode();
    put("kpasswd", "new-password", [own.to_vec(), set.to_vec()])?;
    put(
        "kpasswd",
        "outcome",
        [Outcome::new(ResultCode::SOFTERROR, "too short").encode()],
    )
}

// What each administrator may ask for, and what it may not.
const DESK: [(usize, &str); 12] = [
    (
        0,
        r#"{"set":{"name":"bob","settings":{"max-life":"5h","policy":"none"},"roles":{"add":["desk"]}}}"#,
    ),
    (
        0,
        r#"{"apply":{"declaration":{"roles":{"x":{"rights":["viewer"]}},"principals":{"eve/student":{"roles":["x"],"settings":{}}}},"rest":"goes","mode":"commit"}}"#,
    ),
    (
        0,
        "\"export\"\n{\"add-policy\":{\"name\":\"default\",\"parts\":{\"min-length\":\"8\",\"history\":\"3\"}}}\n\"list-policies\"",
    ),
    (
        0,
        r#"{"add-rule":{"name":"r","parts":{"effect":"deny","services":["host/*"]}}}"#,
    ),
    (
        1,
        r#"{"password":{"name":"alice/student","password":"rabbit","enctypes":null}}"#,
    ),
    (1, r#"{"unlock":{"name":"bob"}}"#),
    (
        1,
        r#"{"set":{"name":"alice/student","settings":{"must-change-password":true}}}"#,
    ),
    (2, r#"{"keytab":{"names":["host/www"],"rotate":true}}"#),
    (
        2,
        "{\"rotate\":{\"name\":\"host/www\",\"how\":\"stage\"}}\n{\"rotate\":{\"name\":\"host/www\",\"how\":\"activate\"}}",
    ),
    (
        3,
        "{\"add\":{\"name\":\"eve/student\",\"keys\":{\"password\":\"rabbit\"}}}\n{\"alias\":{\"name\":\"eve/student\",\"alias\":\"bob/student\"}}",
    ),
    (3, r#"{"rename":{"name":"alice/student","to":"alice"}}"#),
    (
        3,
        r#"{"import":{"principals":[{"name":"a/student","keys":"random"},{"name":"b","keys":"random"}]}}"#,
    ),
];

// The first word of a request.
fn word(request: &str) -> &str {
    request.split('"').nth(1).unwrap_or_default()
}

// A message without the length that stands before it in a stream.
fn body(message: &impl Serialize) -> Vec<u8> {
    let mut frame = Vec::new();
    write_frame(&mut frame, message).unwrap();
    frame.split_off(4)
}

fn migration() -> io::Result<()> {
    let dump = mit::dump();
    put("mit_dump", "stash", [with_key_file(&mit::stash(), &dump)])?;
    let older = [&[17, 0, 16, 0, 0, 0][..], &[1; 16]].concat();
    put("mit_dump", "older-stash", [with_key_file(&older, &dump)])?;
    let replicas = dump.replacen("kdb5_util load_dump version 7", "ipropx 1 7 1700000000 5", 1);
    put(
        "mit_dump",
        "dump",
        [with_key_file(&[], &dump), with_key_file(&[], &replicas)],
    )
}
