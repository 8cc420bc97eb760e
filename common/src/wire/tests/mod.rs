use super::*;
use crate::flags::{ApOptions, FastOptions, KdcOptions, OtpFlags, S4uOptions, TicketFlags};
use crate::time::KerberosTime;
use proptest::prelude::*;
use proptest::strategy::LazyJust;

/// `tag`, the length in its shortest form, and `content`.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        n @ 0..0x80 => vec![u8::try_from(n).unwrap()],
        n @ 0x80..0x100 => vec![0x81, u8::try_from(n).unwrap()],
        n => [&[0x83][..], &u32::try_from(n).unwrap().to_be_bytes()[1..]].concat(),
    };
    [&[tag][..], &length, content].concat()
}

fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| tlv(0x30, &inner))
}

fn limits(octets: &[u8]) -> Result<(), DecodeError> {
    check_limits(octets, Tagging::Explicit)
}

mod round_trips;

mod limits_hold {
    use super::*;

    #[test]
    fn as_deep_as_allowed_and_no_deeper() {
        assert_eq!(limits(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(limits(&nested(MAX_DEPTH + 1)), Err(DecodeError::TooDeep));
    }

    #[test]
    fn as_many_values_as_allowed_and_no_more() {
        assert_eq!(limits(&tlv(0x30, &[5, 0].repeat(MAX_VALUES - 1))), Ok(()));
        assert_eq!(
            limits(&tlv(0x30, &[5, 0].repeat(MAX_VALUES))),
            Err(DecodeError::TooMany)
        );
        let names = tlv(0x30, &tlv(0xa1, &tlv(0x30, &[0x1b, 0].repeat(MAX_VALUES))));
        assert_eq!(decode::<PrincipalName>(&names), Err(DecodeError::TooMany));
    }

    #[test]
    fn values_do_not_hide_behind_a_tag_that_is_not_constructed() {
        let names = |tag| {
            tlv(
                0x30,
                &[tlv(0xa0, &[2, 1, 1]), tlv(tag, &tlv(0x30, &[0x1b, 0].repeat(9)))].concat(),
            )
        };
        assert!(decode::<PrincipalName>(&names(0xa1)).is_ok());
        for tag in [0x81, 0x41, 0xc1] {
            assert_eq!(
                decode::<PrincipalName>(&names(tag)),
                Err(DecodeError::Framing),
                "{tag:02x}"
            );
        }
    }

    #[test]
    fn as_large_as_allowed_and_no_larger() {
        assert_eq!(limits(&tlv(4, &vec![0; MAX_MESSAGE - 5])), Ok(()));
        assert_eq!(limits(&tlv(4, &vec![0; MAX_MESSAGE - 4])), Err(DecodeError::TooLarge));
    }

    #[test]
    fn indefinite_lengths_are_refused() {
        let million = [0x30, 0x80].repeat(512 * 1024);
        assert_eq!(limits(&million), Err(DecodeError::TooLarge));
        assert_eq!(limits(&million[..MAX_MESSAGE]), Err(DecodeError::Framing));
        assert_eq!(limits(&[0x30, 0x80, 0, 0]), Err(DecodeError::Framing));
        assert_eq!(limits(&tlv(0x30, &[0x24, 0x80, 0, 0])), Err(DecodeError::Framing));
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_refused() {
        for octets in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x30, 2, 5],
            &[0x30, 0x81],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0xff],
            &[0x30, 2, 4, 1],
            &[0x1f],
            &[0x1f, 0x80],
            &[0x3f, 0x81, 1],
        ] {
            assert_eq!(limits(octets), Err(DecodeError::Framing), "{octets:02x?}");
        }
        assert_eq!(limits(&[0x3f, 0x81, 1, 2, 5, 0]), Ok(()));
    }
}

mod the_codec {
    use super::*;

    fn element() -> AuthorizationDataElement {
        AuthorizationDataElement {
            ad_type: 1,
            ad_data: Octets(vec![7]),
        }
    }

    #[test]
    fn octets_behind_a_value_are_refused_at_every_level() {
        let (first, second) = (tlv(0xa0, &[2, 1, 1]), tlv(0xa1, &[4, 1, 7]));
        let whole = tlv(0x30, &[&*first, &second].concat());
        assert_eq!(decode(&whole), Ok(element()));
        for (what, octets) in [
            ("behind the message", [&whole[..], &[5, 0]].concat()),
            ("a second message", [&whole[..], &whole].concat()),
            ("in the sequence", tlv(0x30, &[&*first, &second, &[5, 0]].concat())),
            (
                "an unknown field",
                tlv(0x30, &[&*first, &second, &tlv(0xa2, &[5, 0])].concat()),
            ),
            (
                "in a field",
                tlv(0x30, &[&*tlv(0xa0, &[2, 1, 1, 5, 0]), &second].concat()),
            ),
            (
                "in a field, of its type",
                tlv(0x30, &[&*tlv(0xa0, &[2, 1, 1, 2, 1, 1]), &second].concat()),
            ),
        ] {
            assert!(
                matches!(decode::<AuthorizationDataElement>(&octets), Err(DecodeError::Type(_))),
                "{what}"
            );
        }
    }

    #[test]
    fn fields_out_of_order_or_missing_or_twice_are_refused() {
        let (first, second) = (tlv(0xa0, &[2, 1, 1]), tlv(0xa1, &[4, 1, 7]));
        for content in [
            [&*second, &first].concat(),
            first.clone(),
            second.clone(),
            [&*first, &first, &second].concat(),
            Vec::new(),
        ] {
            assert!(
                decode::<AuthorizationDataElement>(&tlv(0x30, &content)).is_err(),
                "{content:02x?}"
            );
        }
    }

    #[test]
    fn constructed_strings_are_refused() {
        for (what, octets) in [
            ("octets", tlv(0x24, &[4, 1, 7])),
            ("a name", tlv(0x3b, &[0x1b, 1, b'a'])),
        ] {
            assert!(
                decode::<Octets>(&octets).is_err() && decode::<KerberosString>(&octets).is_err(),
                "{what}"
            );
        }
    }

    #[test]
    fn what_is_kept_as_received_is_kept_to_the_octet() {
        // A length that is not the shortest: no DER, but taken, and kept.
        let odd = [0x30, 0x81, 2, 5, 0];
        let tickets: Vec<Any> = vec![Any::new(odd.to_vec()), Any::new(tlv(0x61, &nested(2)))];
        let body = KdcReqBody {
            additional_tickets: Some(tickets),
            ..body()
        };
        let octets = encode(&body);
        assert_eq!(decode::<KdcReqBody>(&octets).as_ref(), Ok(&body));
        assert!(octets.windows(odd.len()).any(|w| w == odd));

        let request = AsReq(KdcReq {
            pvno: 5,
            msg_type: 10,
            padata: None,
            req_body: Any::new(odd.to_vec()),
        });
        let AsReq(read) = decode(&encode(&request)).unwrap();
        assert_eq!(read.req_body.as_bytes(), odd);
    }

    #[test]
    fn what_is_kept_as_received_is_one_value() {
        let request = |body: &[u8]| {
            let fields = [tlv(0xa1, &[2, 1, 5]), tlv(0xa2, &[2, 1, 10]), tlv(0xa4, body)].concat();
            tlv(0x6a, &tlv(0x30, &fields))
        };
        assert!(decode::<AsReq>(&request(&nested(1))).is_ok());
        assert!(decode::<AsReq>(&request(&[nested(1), nested(1)].concat())).is_err());
        assert!(decode::<AsReq>(&request(&[])).is_err());
    }

    #[test]
    fn a_message_under_another_ones_tag_is_refused() {
        let request = AsReq(KdcReq {
            pvno: 5,
            msg_type: 10,
            padata: None,
            req_body: Any::new(nested(1)),
        });
        assert!(decode::<TgsReq>(&encode(&request)).is_err());
    }
}

mod primitives {
    use super::*;

    #[test]
    fn times_have_whole_seconds_and_nothing_else() {
        let read = |text: &str| decode::<KerberosTime>(&tlv(0x18, text.as_bytes())).ok();
        assert_eq!(read("19940610060317Z"), Some(KerberosTime(771_228_197)));
        for bad in [
            "19940610060317.5Z",
            "199406100603Z",
            "19940610060317+0000",
            "19940610060360Z",
            "940610060317Z",
            "",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(encode(&KerberosTime(i64::MAX)), tlv(0x18, b"99991231235959Z"));
    }

    #[test]
    fn flags_are_read_short_and_long_and_written_with_32_bits() {
        for (content, bits) in [
            (&[0, 0x40, 0, 0, 0][..], 0x4000_0000),
            (&[0, 0xff, 0xff, 0xff, 0xff], 0xffff_ffff),
            (&[0], 0),
            (&[7, 0x80], 0x8000_0000),
            (&[6, 0xff], 0xc000_0000),
            (&[0, 0x40], 0x4000_0000),
            (&[1, 0, 0xff], 0x00fe_0000),
            (&[4, 1, 2, 3, 0xff], 0x0102_03f0),
            (&[0, 1, 2, 3, 4, 5], 0x0102_0304),
            (&[3, 1, 2, 3, 4, 5, 6, 0xf8], 0x0102_0304),
        ] {
            let octets = tlv(3, content);
            assert_eq!(decode::<KdcOptions>(&octets), Ok(KdcOptions(bits)), "{content:02x?}");
            assert_eq!(decode::<TicketFlags>(&octets), Ok(TicketFlags(bits)));
            assert_eq!(decode::<ApOptions>(&octets), Ok(ApOptions(bits)));
            assert_eq!(
                encode(&KdcOptions(bits)),
                tlv(3, &[&[0][..], &bits.to_be_bytes()].concat())
            );
        }
        for bad in [&[][..], &[8, 0], &[1], &[0xff, 1]] {
            assert!(decode::<KdcOptions>(&tlv(3, bad)).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn unsigned_numbers_are_read_signed_too_and_written_unsigned() {
        for (content, number) in [
            (&[0][..], 0),
            (&[0x7f], 127),
            (&[0, 0x80], 128),
            (&[0xff], u32::MAX),
            (&[0x80, 0, 0, 0], 0x8000_0000),
            (&[0, 0xff, 0xff, 0xff, 0xff], u32::MAX),
        ] {
            assert_eq!(decode::<UInt32>(&tlv(2, content)), Ok(UInt32(number)), "{content:02x?}");
            assert_eq!(decode::<Kvno>(&tlv(2, content)), Ok(Kvno(number)), "{content:02x?}");
        }
        for bad in [
            &[][..],
            &[1, 0, 0, 0, 0],
            &[0xff, 0x7f, 0xff, 0xff, 0xff],
            &[0x7f; 8],
            &[0x7f; 40],
        ] {
            assert!(decode::<UInt32>(&tlv(2, bad)).is_err(), "{bad:02x?}");
            assert!(decode::<Kvno>(&tlv(2, bad)).is_err(), "{bad:02x?}");
        }
        assert_eq!(encode(&UInt32(u32::MAX)), [2, 5, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(encode(&Kvno(u32::MAX)), [2, 1, 0xff]);
        assert_eq!(encode(&Kvno(0xff00_0000)), [2, 4, 0xff, 0, 0, 0]);
    }

    #[test]
    fn enctypes_have_32_bits() {
        let keytype = |octets: &[u8]| tlv(0x30, &[tlv(0xa0, &tlv(2, octets)), tlv(0xa1, &[4, 0])].concat());
        assert_eq!(
            decode::<EncryptionKey>(&keytype(&[0x80, 0, 0, 0])).map(|k| k.keytype),
            Ok(i32::MIN)
        );
        assert!(decode::<EncryptionKey>(&keytype(&[0, 0x80, 0, 0, 0])).is_err());
    }

    #[test]
    fn microseconds_are_a_million_at_most() {
        for (number, fits) in [
            (0u32, true),
            (1_000_000, true),
            (1_000_001, false),
            (0x7fff_ffff, false),
        ] {
            let octets = tlv(2, &number.to_be_bytes());
            assert_eq!(decode::<Microseconds>(&octets).is_ok(), fits, "{number}");
        }
        assert!(decode::<Microseconds>(&[2, 1, 0xff]).is_err());
    }

    #[test]
    fn strings_take_any_octets() {
        for content in [&b""[..], b"\0", b"\xff\xfe", "ž".as_bytes()] {
            assert_eq!(
                decode::<KerberosString>(&tlv(0x1b, content)),
                Ok(KerberosString::from(content))
            );
        }
        assert!(decode::<KerberosString>(&tlv(0x0c, b"a")).is_err());
    }
}

#[test]
fn the_encrypted_part_of_a_reply_is_read_under_both_tags() {
    let part = EncKdcRepPart {
        key: EncryptionKey {
            keytype: 18,
            keyvalue: Octets(vec![7; 32]),
        },
        last_req: vec![LastReqEntry {
            lr_type: 0,
            lr_value: KerberosTime::EPOCH,
        }],
        nonce: UInt32(1),
        key_expiration: None,
        flags: TicketFlags::INITIAL,
        authtime: KerberosTime(1),
        starttime: None,
        endtime: KerberosTime(2),
        renew_till: None,
        srealm: "R".into(),
        sname: PrincipalName {
            name_type: 2,
            name_string: vec!["krbtgt".into(), "R".into()],
        },
        caddr: None,
        encrypted_pa_data: None,
    };
    let (as_part, tgs_part) = (
        encode(&EncAsRepPart(part.clone())),
        encode(&EncTgsRepPart(part.clone())),
    );
    assert_eq!((as_part[0], tgs_part[0]), (0x79, 0x7a));
    assert_eq!(decode_enc_kdc_rep_part(&as_part).as_ref(), Ok(&part));
    assert_eq!(decode_enc_kdc_rep_part(&tgs_part).as_ref(), Ok(&part));
    assert!(decode_enc_kdc_rep_part(&encode(&part)).is_err());
    assert_eq!(decode_enc_kdc_rep_part(&[]), Err(DecodeError::Framing));
}

#[test]
fn errors_hold_nothing_of_the_message() {
    let secret = b"open sesame";
    for tag in [0x04, 0x0c, 0x1b, 0x18, 0x02, 0x03, 0x06] {
        let string = tlv(tag, secret);
        let fields = [tlv(0xa0, &[2, 1, 18]), tlv(0xa1, &string), tlv(0xa2, &string)].concat();
        let implicit = [tlv(0x80, secret), tlv(0x81, secret), tlv(0x82, secret)].concat();
        for octets in [
            string,
            tlv(0x30, &fields),
            tlv(0x30, &implicit),
            tlv(0x62, &tlv(0x30, &fields)),
        ] {
            for (name, decoder) in DECODERS {
                for error in decoder(&octets) {
                    let text = format!("{error} {error:?}");
                    assert!(
                        !text.contains("sesame") && !text.contains("115, 101, 115"),
                        "{name}: {text}"
                    );
                }
            }
        }
    }
}

fn body() -> KdcReqBody {
    KdcReqBody {
        kdc_options: KdcOptions::empty(),
        cname: None,
        realm: "R".into(),
        sname: None,
        from: None,
        till: None,
        rtime: None,
        nonce: UInt32(0),
        etype: Vec::new(),
        addresses: None,
        enc_authorization_data: None,
        additional_tickets: None,
    }
}

/// The request's body is kept as it came; what is no tag, though, is none of a body's.
#[test]
fn a_body_under_no_tag_is_no_body_be_it_called_constructed_or_not() {
    let request = KdcReq {
        pvno: 5,
        msg_type: 10,
        padata: None,
        req_body: Any::new(encode(&body())),
    };
    let octets = encode(&AsReq(request));
    let body_at = octets.windows(2).position(|pair| pair[0] == 0xa4).map(|at| at + 2);
    assert!(decode::<AsReq>(&octets).is_ok());
    for no_tag in [0x00, 0x20] {
        let mut altered = octets.clone();
        altered[body_at.unwrap()] = no_tag;
        assert!(!decodes::<AsReq>(&altered).is_empty(), "{altered:02x?}");
    }
}

type Decoder = fn(&[u8]) -> Vec<DecodeError>;

fn decodes<T: Message + PartialEq>(octets: &[u8]) -> Vec<DecodeError> {
    // The codec must not rely on the walk before it either.
    let by_the_codec = rasn::der::decode::<T>(octets).ok();
    if let Some(read) = T::read(octets) {
        let the_same = by_the_codec.is_some_and(|decoded| decoded == read);
        assert!(the_same, "{octets:02x?}: read otherwise than by the codec");
    }
    decode::<T>(octets)
        .err()
        .into_iter()
        .chain(decode_implicit::<T>(octets).err())
        .collect()
}

macro_rules! decoders {
    ($($type:ty),+ $(,)?) => {
        &[$((stringify!($type), decodes::<$type> as Decoder)),+]
    };
}

const DECODERS: &[(&str, Decoder)] = decoders![
    AsReq,
    TgsReq,
    KdcReqBody,
    AsRep,
    TgsRep,
    EncAsRepPart,
    EncTgsRepPart,
    ApReq,
    ApRep,
    EncApRepPart,
    Authenticator,
    Ticket,
    EncTicketPart,
    KrbSafe,
    KrbSafeBody,
    KrbPriv,
    EncKrbPrivPart,
    KrbCred,
    EncKrbCredPart,
    KrbError,
    MethodData,
    TypedData,
    AuthorizationData,
    AdAndOr,
    AdKdcIssued,
    Cammac,
    ChangePasswdData,
    PaEncTsEnc,
    EtypeInfo2Entry,
    EncryptedData,
    EncryptionKey,
    Checksum,
    PrincipalName,
    HostAddress,
    PaFxFastRequest,
    PaFxFastReply,
    KrbFastReq,
    KrbFastResponse,
    KrbFastArmor,
    PaSpake,
    SpakeSecondFactor,
    PaOtpChallenge,
    PaOtpRequest,
    PaOtpEncRequest,
    OtpTokenInfo,
    PaForUser,
    PaS4uX509User,
    S4uUserId,
    KerberosTime,
    KerberosString,
    Octets,
    UInt32,
    Kvno,
    Microseconds,
    KdcOptions,
    TicketFlags,
    ApOptions,
    FastOptions,
    OtpFlags,
    S4uOptions,
];

// Octets that are values in values as often as not.
fn any_encoding() -> impl Strategy<Value = Vec<u8>> {
    let leaf = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..6)).prop_map(|(tag, content)| tlv(tag, &content));
    let tree = leaf.prop_recursive(6, 40, 4, |inner| {
        let tag = prop_oneof![LazyJust::new(|| 0x30u8), 0x60u8..0x7f, 0xa0u8..0xae, any::<u8>()];
        (tag, prop::collection::vec(inner, 0..4)).prop_map(|(tag, parts)| tlv(tag, &parts.concat()))
    });
    prop_oneof![tree, prop::collection::vec(any::<u8>(), 0..64)]
}

proptest! {
    #[test]
    fn no_octets_panic(octets in any_encoding()) {
        for (_, decoder) in DECODERS {
            decoder(&octets);
        }
    }
}
