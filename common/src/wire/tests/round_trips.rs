use proptest::prelude::*;

use super::super::*;
use super::DECODERS;
use crate::flags::{ApOptions, FastOptions, KdcOptions, S4uOptions, TicketFlags};
use crate::time::KerberosTime;

// Small values of every type that messages are made of.

fn octets() -> impl Strategy<Value = Octets> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(Octets)
}

fn string() -> impl Strategy<Value = KerberosString> {
    prop_oneof![
        "\\PC{0,8}".prop_map(|text| KerberosString::from(&*text)),
        octets().prop_map(|o| KerberosString::from(&*o.0))
    ]
}

fn time() -> impl Strategy<Value = KerberosTime> {
    (KerberosTime::MIN.0..=KerberosTime::MAX.0).prop_map(KerberosTime)
}

fn usec() -> impl Strategy<Value = Microseconds> {
    (0u32..1_000_000).prop_map(Microseconds)
}

fn uint32() -> impl Strategy<Value = UInt32> {
    any::<u32>().prop_map(UInt32)
}

fn flags() -> impl Strategy<Value = TicketFlags> {
    any::<u32>().prop_map(TicketFlags)
}

fn opt<S: Strategy>(some: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::of(some)
}

fn some<S: Strategy>(element: S) -> impl Strategy<Value = Vec<S::Value>> {
    prop::collection::vec(element, 0..3)
}

prop_compose! {
    fn name()(name_type in any::<i32>(), name_string in some(string())) -> PrincipalName {
        PrincipalName { name_type, name_string }
    }
}

prop_compose! {
    fn key()(keytype in any::<i32>(), keyvalue in octets()) -> EncryptionKey {
        EncryptionKey { keytype, keyvalue }
    }
}

prop_compose! {
    fn encrypted()(etype in any::<i32>(), kvno in opt(any::<u32>().prop_map(Kvno)), cipher in octets()) -> EncryptedData {
        EncryptedData { etype, kvno, cipher }
    }
}

prop_compose! {
    fn checksum()(cksumtype in any::<i32>(), checksum in octets()) -> Checksum {
        Checksum { cksumtype, checksum }
    }
}

prop_compose! {
    fn address()(addr_type in any::<i32>(), address in octets()) -> HostAddress {
        HostAddress { addr_type, address }
    }
}

prop_compose! {
    fn padata()(padata_type in any::<i32>(), padata_value in octets()) -> PaData {
        PaData { padata_type, padata_value }
    }
}

prop_compose! {
    fn element()(ad_type in any::<i32>(), ad_data in octets()) -> AuthorizationDataElement {
        AuthorizationDataElement { ad_type, ad_data }
    }
}

prop_compose! {
    fn ticket()(tkt_vno in any::<i32>(), realm in string(), sname in name(), enc_part in encrypted()) -> Ticket {
        Ticket { tkt_vno, realm, sname, enc_part }
    }
}

fn raw_ticket() -> impl Strategy<Value = Any> {
    ticket().prop_map(|ticket| Any::new(encode(&ticket)))
}

prop_compose! {
    fn any_body()(
        (options, nonce, etype) in (any::<u32>(), uint32(), some(any::<i32>())),
        (cname, realm, sname) in (opt(name()), string(), opt(name())),
        (from, till, rtime) in (opt(time()), opt(time()), opt(time())),
        addresses in opt(some(address())),
        enc_authorization_data in opt(encrypted()),
        additional_tickets in opt(some(raw_ticket())),
    ) -> KdcReqBody {
        KdcReqBody {
            kdc_options: KdcOptions(options),
            cname, realm, sname, from, till, rtime, nonce, etype, addresses, enc_authorization_data, additional_tickets,
        }
    }
}

prop_compose! {
    fn any_request()(msg_type in 10..13, padata in opt(some(padata())), body in any_body()) -> KdcReq {
        KdcReq { pvno: 5, msg_type, padata, req_body: Any::new(encode(&body)) }
    }
}

prop_compose! {
    fn any_reply()(
        msg_type in 11..14,
        padata in opt(some(padata())),
        crealm in string(),
        cname in name(),
        ticket in raw_ticket(),
        enc_part in encrypted(),
    ) -> KdcRep {
        KdcRep { pvno: 5, msg_type, padata, crealm, cname, ticket, enc_part }
    }
}

prop_compose! {
    fn any_reply_part()(
        (key, nonce, flags, srealm, sname) in (key(), uint32(), flags(), string(), name()),
        last_req in some((any::<i32>(), time()).prop_map(|(lr_type, lr_value)| LastReqEntry { lr_type, lr_value })),
        (key_expiration, authtime, starttime, endtime, renew_till) in
            (opt(time()), time(), opt(time()), time(), opt(time())),
        caddr in opt(some(address())),
        encrypted_pa_data in opt(some(padata())),
    ) -> EncKdcRepPart {
        EncKdcRepPart {
            key, last_req, nonce, key_expiration, flags, authtime, starttime, endtime, renew_till, srealm, sname, caddr,
            encrypted_pa_data,
        }
    }
}

prop_compose! {
    fn any_ticket_part()(
        (flags, key, crealm, cname) in (flags(), key(), string(), name()),
        transited in (any::<i32>(), octets()).prop_map(|(tr_type, contents)| TransitedEncoding { tr_type, contents }),
        (authtime, starttime, endtime, renew_till) in (time(), opt(time()), time(), opt(time())),
        caddr in opt(some(address())),
        authorization_data in opt(some(element())),
    ) -> EncTicketPart {
        EncTicketPart {
            flags, key, crealm, cname, transited, authtime, starttime, endtime, renew_till, caddr, authorization_data,
        }
    }
}

prop_compose! {
    fn any_ap_req()(options in any::<u32>(), ticket in raw_ticket(), authenticator in encrypted()) -> ApReq {
        ApReq { pvno: 5, msg_type: 14, ap_options: ApOptions(options), ticket, authenticator }
    }
}

prop_compose! {
    fn any_authenticator()(
        (crealm, cname, cksum) in (string(), name(), opt(checksum())),
        (cusec, ctime, subkey, seq_number) in (usec(), time(), opt(key()), opt(uint32())),
        authorization_data in opt(some(element())),
    ) -> Authenticator {
        Authenticator { authenticator_vno: 5, crealm, cname, cksum, cusec, ctime, subkey, seq_number, authorization_data }
    }
}

prop_compose! {
    fn any_error()(
        (ctime, cusec, stime, susec) in (opt(time()), opt(usec()), time(), usec()),
        error_code in any::<i32>(),
        (crealm, cname, realm, sname) in (opt(string()), opt(name()), string(), name()),
        (e_text, e_data) in (opt(string()), opt(octets())),
    ) -> KrbError {
        KrbError { pvno: 5, msg_type: 30, ctime, cusec, stime, susec, error_code, crealm, cname, realm, sname, e_text, e_data }
    }
}

prop_compose! {
    fn any_safe()(
        (user_data, timestamp, usec, seq_number) in (octets(), opt(time()), opt(usec()), opt(uint32())),
        (s_address, r_address, cksum) in (address(), opt(address()), checksum()),
    ) -> KrbSafe {
        let body = KrbSafeBody { user_data, timestamp, usec, seq_number, s_address, r_address };
        KrbSafe { pvno: 5, msg_type: 20, safe_body: Any::new(encode(&body)), cksum }
    }
}

prop_compose! {
    fn any_priv_part()(
        (user_data, timestamp, usec, seq_number) in (octets(), opt(time()), opt(usec()), opt(uint32())),
        (s_address, r_address) in (address(), opt(address())),
    ) -> EncKrbPrivPart {
        EncKrbPrivPart { user_data, timestamp, usec, seq_number, s_address, r_address }
    }
}

prop_compose! {
    fn any_cred_info()(
        (key, flags) in (key(), opt(flags())),
        (prealm, pname, srealm, sname) in (opt(string()), opt(name()), opt(string()), opt(name())),
        (authtime, starttime, endtime, renew_till) in (opt(time()), opt(time()), opt(time()), opt(time())),
        caddr in opt(some(address())),
    ) -> KrbCredInfo {
        KrbCredInfo { key, prealm, pname, flags, authtime, starttime, endtime, renew_till, srealm, sname, caddr }
    }
}

prop_compose! {
    fn any_cred_part()(
        ticket_info in some(any_cred_info()),
        (nonce, timestamp, usec) in (opt(uint32()), opt(time()), opt(usec())),
        (s_address, r_address) in (opt(address()), opt(address())),
    ) -> EncKrbCredPart {
        EncKrbCredPart { ticket_info, nonce, timestamp, usec, s_address, r_address }
    }
}

prop_compose! {
    fn any_fast_response()(
        (padata, strengthen_key, nonce) in (some(padata()), opt(key()), uint32()),
        finished in opt((time(), usec(), string(), name(), checksum()).prop_map(
            |(timestamp, usec, crealm, cname, ticket_checksum)| KrbFastFinished {
                timestamp, usec, crealm, cname, ticket_checksum,
            },
        )),
    ) -> KrbFastResponse {
        KrbFastResponse { padata, strengthen_key, finished, nonce }
    }
}

prop_compose! {
    fn any_fast_request()(options in any::<u32>(), padata in some(padata()), body in any_body()) -> KrbFastReq {
        KrbFastReq { fast_options: FastOptions(options), padata, req_body: Any::new(encode(&body)) }
    }
}

prop_compose! {
    fn any_armored_request()(
        armor in opt((any::<i32>(), octets()).prop_map(|(t, armor_value)| KrbFastArmor { armor_type: t, armor_value })),
        req_checksum in checksum(),
        enc_fast_req in encrypted(),
    ) -> PaFxFastRequest {
        PaFxFastRequest::ArmoredData(KrbFastArmoredReq { armor, req_checksum, enc_fast_req })
    }
}

prop_compose! {
    fn any_cammac()(
        elements in some(element()),
        verifiers in prop::array::uniform3(opt(
            (opt(name()), opt(any::<u32>().prop_map(Kvno)), opt(any::<i32>()), checksum())
                .prop_map(|(identifier, kvno, enctype, mac)| VerifierMac { identifier, kvno, enctype, mac }),
        )),
    ) -> Cammac {
        let [kdc_verifier, svc_verifier, other] = verifiers;
        Cammac { elements, kdc_verifier, svc_verifier, other_verifiers: other.map(|v| vec![v]) }
    }
}

fn any_spake() -> impl Strategy<Value = PaSpake> {
    let factor = (any::<i32>(), opt(octets())).prop_map(|(factor_type, data)| SpakeSecondFactor { factor_type, data });
    prop_oneof![
        some(any::<i32>()).prop_map(|groups| PaSpake::Support(SpakeSupport { groups })),
        (any::<i32>(), octets(), some(factor))
            .prop_map(|(group, pubkey, factors)| PaSpake::Challenge(SpakeChallenge { group, pubkey, factors })),
        (octets(), encrypted()).prop_map(|(pubkey, factor)| PaSpake::Response(SpakeResponse { pubkey, factor })),
        encrypted().prop_map(PaSpake::EncData),
    ]
}

prop_compose! {
    fn any_s4u_user()(
        (nonce, cname, crealm) in (uint32(), opt(name()), string()),
        subject_certificate in opt(octets()),
        options in opt(any::<u32>().prop_map(S4uOptions)),
    ) -> S4uUserId {
        S4uUserId { nonce, cname, crealm, subject_certificate, options }
    }
}

fn any_info2() -> impl Strategy<Value = EtypeInfo2Entry> {
    (any::<i32>(), opt(string()), opt(octets())).prop_map(|(etype, salt, s2kparams)| EtypeInfo2Entry {
        etype,
        salt,
        s2kparams,
    })
}

fn reads_back<T: Message + PartialEq + fmt::Debug>(value: T) -> Result<(), TestCaseError> {
    let octets = encode(&value);
    prop_assert_eq!(&octets, &rasn::der::encode(&value).unwrap());
    if value.write().is_some() {
        let read = T::read(&octets);
        prop_assert_eq!(read.as_ref(), Some(&value));
    }
    prop_assert_eq!(decode::<T>(&octets), Ok(value));
    Ok(())
}

proptest! {
    #[test]
    fn written_requests_read_back(request in any_request(), body in any_body(), info in some(any_info2())) {
        reads_back(body)?;
        reads_back(TgsReq(request.clone()))?;
        reads_back(AsReq(request))?;
        reads_back(info)?;
    }

    #[test]
    fn written_replies_read_back(reply in any_reply(), part in any_reply_part(), error in any_error()) {
        reads_back(AsRep(reply.clone()))?;
        reads_back(TgsRep(reply))?;
        prop_assert_eq!(decode_enc_kdc_rep_part(&encode(&EncTgsRepPart(part.clone()))), Ok(part.clone()));
        reads_back(EncAsRepPart(part))?;
        reads_back(error)?;
    }

    #[test]
    fn written_tickets_read_back(ticket in ticket(), part in any_ticket_part(), cammac in any_cammac()) {
        reads_back(ticket)?;
        reads_back(part)?;
        reads_back(cammac)?;
    }

    #[test]
    fn written_application_messages_read_back(
        request in any_ap_req(),
        authenticator in any_authenticator(),
        safe in any_safe(),
        enc_priv in any_priv_part(),
        cred in any_cred_part(),
        tickets in some(raw_ticket()),
        enc_part in encrypted(),
    ) {
        reads_back(request)?;
        reads_back(authenticator)?;
        reads_back(safe)?;
        reads_back(enc_priv)?;
        reads_back(cred)?;
        reads_back(KrbCred { pvno: 5, msg_type: 22, tickets, enc_part: enc_part.clone() })?;
        reads_back(KrbPriv { pvno: 5, msg_type: 21, enc_part: enc_part.clone() })?;
        reads_back(ApRep { pvno: 5, msg_type: 15, enc_part })?;
    }

    #[test]
    fn written_preauthentication_reads_back(
        request in any_fast_request(),
        armored in any_armored_request(),
        response in any_fast_response(),
        spake in any_spake(),
        user in any_s4u_user(),
    ) {
        reads_back(request)?;
        reads_back(armored)?;
        reads_back(response)?;
        reads_back(spake)?;
        reads_back(user)?;
    }

    #[test]
    fn no_changed_octet_panics(request in any_request(), part in any_ticket_part(), at in any::<prop::sample::Index>(), to: u8) {
        for mut octets in [encode(&AsReq(request)), encode(&part)] {
            let at = at.index(octets.len());
            octets[at] = to;
            for (_, decoder) in DECODERS {
                decoder(&octets);
            }
        }
    }
}
