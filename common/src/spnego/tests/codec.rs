//! Tokens as octets: those that peers send, odd ones, and ones that are wrong.

use crate::spnego::{
    MAX_MECHS, MAX_TOKEN, Mech, MechTypeList, NegHints, NegState, NegToken, NegTokenInit, NegTokenResp, TokenError,
};

pub(super) const SPNEGO: &[u8] = &[0x06, 6, 0x2b, 6, 1, 5, 5, 2];
pub(super) const KRB5: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2];
const MS_KRB5: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 1, 2, 2];
const USER_TO_USER: &[u8] = &[0x06, 10, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2, 3];
const NEGOEX: &[u8] = &[0x06, 10, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 0x1e];
const NTLM: &[u8] = &[0x06, 10, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 0x0a];

/// A value of DER, by another way than the encoder's.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut octets = vec![tag];
    match content.len() {
        short @ 0..0x80 => octets.push(u8::try_from(short).unwrap()),
        byte @ 0x80..0x100 => octets.extend([0x81, u8::try_from(byte).unwrap()]),
        word @ 0x100..0x1_0000 => {
            octets.push(0x82);
            octets.extend(u16::try_from(word).unwrap().to_be_bytes());
        }
        more => {
            octets.push(0x84);
            octets.extend(u32::try_from(more).unwrap().to_be_bytes());
        }
    }
    [octets, content].concat()
}

pub(super) fn framed(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x60, &[&[SPNEGO], parts].concat())
}

/// A NegTokenInit of these fields, whatever they are.
pub(super) fn init(fields: &[&[u8]]) -> Vec<u8> {
    framed(&[&tlv(0xa0, &[&tlv(0x30, fields)])])
}

/// A NegTokenResp of these fields, whatever they are.
pub(super) fn resp(fields: &[&[u8]]) -> Vec<u8> {
    tlv(0xa1, &[&tlv(0x30, fields)])
}

pub(super) fn mech_types(mechs: &[&[u8]]) -> Vec<u8> {
    tlv(0xa0, &[&tlv(0x30, mechs)])
}

pub(super) fn string(number: u8, content: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, &[&tlv(4, &[content])])
}

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| core::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn read_init(octets: &[u8]) -> NegTokenInit<'_> {
    match NegToken::decode(octets) {
        Ok(NegToken::Init(token)) => token,
        other => panic!("{other:?}"),
    }
}

fn read_resp(octets: &[u8]) -> NegTokenResp<'_> {
    match NegToken::decode(octets) {
        Ok(NegToken::Resp(token)) => token,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_server_of_windows_says_first_is_read() {
    let token = octets(
        "6076 06062b0601050502 a06c 306a a03c 303a
         060a2b06010401823702021e 06092a864882f712010202 06092a864886f712010202 060a2a864886f71201020203
         060a2b06010401823702020a
         a32a 3028 a026 1b24 6e6f745f646566696e65645f696e5f5246433431373840706c656173655f69676e6f7265",
    );
    let read = read_init(&token);
    let windows = [
        Mech::NegoEx,
        Mech::MicrosoftKerberos,
        Mech::Kerberos,
        Mech::UserToUser,
        Mech::Ntlm,
    ];
    assert_eq!(read.mech_types.mechs(), windows);
    assert_eq!(
        read.hints,
        Some(NegHints {
            name: Some(b"not_defined_in_RFC4178@please_ignore"),
            address: None
        })
    );
    assert_eq!((read.mech_token, read.mech_list_mic), (None, None));
    assert_eq!(read.encode(), token);
    let names: Vec<String> = windows.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "NegoEx",
            "Kerberos (Microsoft's number)",
            "Kerberos",
            "Kerberos user-to-user",
            "NTLM"
        ]
    );
    assert_eq!(Mech::from_oid(&[0x2a, 0x86, 0x48]).to_string(), "1.2.840");
    assert_eq!(Mech::from_oid(&[0x88, 0x37, 0x03]).to_string(), "2.999.3");
    assert_eq!(Mech::from_oid(&[0x2b, 6, 1, 5, 2, 5]), Mech::Iakerb);
}

#[test]
fn odd_tokens_are_read_for_what_they_say() {
    let list = mech_types(&[MS_KRB5, KRB5, NEGOEX, NTLM]);
    let (token, mic) = (string(2, b"token"), string(3, b"mic"));
    let hints = tlv(0xa3, &[&tlv(0x30, &[&tlv(0xa0, &[&tlv(0x1b, &[b"x@y"])])])]);
    let any_flags = |content: &[u8]| tlv(0xa1, &[content]);
    // What it is, the fields, the token in it, the MIC in it.
    type Row<'a> = (&'a str, Vec<&'a [u8]>, Option<&'a [u8]>, Option<&'a [u8]>);
    let flags = [
        any_flags(&[3, 2, 1, 0x36]),
        any_flags(&[]),
        any_flags(&[3, 0]),
        any_flags(&[0xff, 0xff, 0xff]),
    ];
    let future = string(9, b"later");
    let (mic4, empty) = (string(4, b"mic"), string(2, b""));
    let rows: Vec<Row<'_>> = vec![
        ("a list alone", vec![&list], None, None),
        ("with a token", vec![&list, &token], Some(b"token"), None),
        ("with a MIC and no token", vec![&list, &mic], None, Some(b"mic")),
        ("with flags", vec![&list, &flags[0], &token], Some(b"token"), None),
        ("with empty flags", vec![&list, &flags[1], &token], Some(b"token"), None),
        (
            "with flags of no bits",
            vec![&list, &flags[2], &token],
            Some(b"token"),
            None,
        ),
        (
            "with flags that are no DER",
            vec![&list, &flags[3], &token],
            Some(b"token"),
            None,
        ),
        ("with hints", vec![&list, &token, &hints], Some(b"token"), None),
        (
            "with hints and a MIC",
            vec![&list, &token, &hints, &mic4],
            Some(b"token"),
            Some(b"mic"),
        ),
        (
            "without hints where they would be",
            vec![&list, &mic4],
            None,
            Some(b"mic"),
        ),
        (
            "with a field of later times",
            vec![&list, &token, &future],
            Some(b"token"),
            None,
        ),
        ("with a token of nothing", vec![&list, &empty], Some(b""), None),
    ];
    for (what, fields, token, mic) in rows {
        let octets = init(&fields);
        let read = read_init(&octets);
        assert_eq!((read.mech_token, read.mech_list_mic), (token, mic), "{what}");
        assert_eq!(
            read.mech_types.octets(),
            tlv(0x30, &[MS_KRB5, KRB5, NEGOEX, NTLM]),
            "{what}"
        );
    }
    for mechs in [&[KRB5][..], &[NTLM], &[KRB5, KRB5], &[USER_TO_USER; MAX_MECHS]] {
        let octets = init(&[&mech_types(mechs)]);
        assert_eq!(read_init(&octets).mech_types.mechs().len(), mechs.len());
    }
}

#[test]
fn a_list_is_kept_as_it_was_received() {
    // No identifier that anybody would write, and a MIC is over just these octets.
    let list = tlv(0x30, &[&[6, 3, 0x80, 0x80, 1], KRB5, &[6, 1, 0x80]]);
    let octets = init(&[&tlv(0xa0, &[&list])]);
    let read = read_init(&octets);
    assert_eq!(read.mech_types.octets(), list);
    assert_eq!(read.mech_types.mechs().len(), 3);
    assert_eq!(read.encode(), octets);
    assert_eq!(MechTypeList::new(Mech::Kerberos, &[]).octets(), tlv(0x30, &[KRB5]));
}

#[test]
fn odd_answers_are_read_for_what_they_say() {
    let state = |number| tlv(0xa0, &[&[0x0a, 1, number]]);
    let bare = resp(&[
        &state(0),
        &tlv(0xa1, &[MS_KRB5]),
        &string(2, b"token"),
        &string(3, b"mic"),
    ]);
    let whole = NegTokenResp {
        neg_state: Some(NegState::AcceptCompleted),
        supported_mech: Some(Mech::MicrosoftKerberos),
        response_token: Some(b"token"),
        mech_list_mic: Some(b"mic"),
    };
    assert_eq!(read_resp(&bare), whole);
    assert_eq!(whole.encode(), bare);
    assert_eq!(read_resp(&framed(&[&bare])), whole, "in the framing of the first token");
    assert_eq!(read_resp(&resp(&[])), NegTokenResp::default());
    assert_eq!(
        read_resp(&resp(&[&string(2, b"token")])),
        NegTokenResp {
            response_token: Some(b"token"),
            ..NegTokenResp::default()
        }
    );
    assert_eq!(
        read_resp(&resp(&[&state(2), &string(4, b"later")])).neg_state,
        Some(NegState::Reject)
    );
    for (number, state_read) in [
        (0, NegState::AcceptCompleted),
        (1, NegState::AcceptIncomplete),
        (2, NegState::Reject),
        (3, NegState::RequestMic),
    ] {
        assert_eq!(read_resp(&resp(&[&state(number)])).neg_state, Some(state_read));
    }
}

#[test]
fn what_is_no_token_is_refused_by_name() {
    let list = mech_types(&[KRB5]);
    let token = string(2, b"token");
    let malformed = |field| TokenError::Malformed(field);
    let state = |octets: &[u8]| resp(&[&tlv(0xa0, &[octets])]);
    let too_many = vec![NTLM; MAX_MECHS + 1];
    let rows = [
        ("nothing", vec![], TokenError::Empty),
        (
            "too much",
            vec![0x60; MAX_TOKEN + 1],
            TokenError::TooLarge(MAX_TOKEN + 1),
        ),
        ("noise", vec![0; 40], TokenError::Framing),
        ("NTLM as it is", b"NTLMSSP\0\x01\0\0\0".to_vec(), TokenError::Framing),
        (
            "an indefinite length",
            [&[0x60, 0x80][..], SPNEGO].concat(),
            TokenError::Framing,
        ),
        ("no mechanism", tlv(0x60, &[]), TokenError::Framing),
        ("no message", framed(&[]), TokenError::Framing),
        (
            "two messages",
            framed(&[&tlv(0xa0, &[&tlv(0x30, &[&list])]), &resp(&[])]),
            TokenError::Framing,
        ),
        (
            "a first token without framing",
            tlv(0xa0, &[&tlv(0x30, &[&list])]),
            TokenError::Framing,
        ),
        (
            "another message",
            framed(&[&tlv(0xa2, &[&tlv(0x30, &[&list])])]),
            TokenError::Framing,
        ),
        (
            "Kerberos itself",
            tlv(0x60, &[KRB5, &[1, 0]]),
            TokenError::OtherMech(Mech::Kerberos),
        ),
        (
            "NegoEx itself",
            tlv(0x60, &[NEGOEX, &[1, 0]]),
            TokenError::OtherMech(Mech::NegoEx),
        ),
        ("no list", init(&[]), TokenError::NoMechs),
        ("a token without a list", init(&[&token]), TokenError::NoMechs),
        ("an empty list", init(&[&mech_types(&[]), &token]), TokenError::NoMechs),
        (
            "too long a list",
            init(&[&mech_types(&too_many)]),
            TokenError::TooManyMechs,
        ),
        ("a list of nothing", init(&[&tlv(0xa0, &[])]), malformed("mechTypes")),
        (
            "a list with an empty identifier",
            init(&[&mech_types(&[&[6, 0]])]),
            malformed("mechTypes"),
        ),
        (
            "a list of strings",
            init(&[&mech_types(&[&[4, 1, 0]])]),
            malformed("mechTypes"),
        ),
        (
            "a list that is a set",
            init(&[&tlv(0xa0, &[&tlv(0x31, &[KRB5])])]),
            malformed("mechTypes"),
        ),
        (
            "a list with something behind it",
            init(&[&tlv(0xa0, &[&tlv(0x30, &[KRB5]), &[5, 0]])]),
            malformed("mechTypes"),
        ),
        (
            "fields in another order",
            init(&[&token, &list]),
            malformed("NegTokenInit"),
        ),
        (
            "a field twice",
            init(&[&list, &token, &token]),
            malformed("NegTokenInit"),
        ),
        (
            "what is no field",
            init(&[&list, &[4, 1, 0]]),
            malformed("NegTokenInit"),
        ),
        (
            "a field that is not constructed",
            init(&[&list, &[0x82, 1, 0]]),
            malformed("NegTokenInit"),
        ),
        (
            "a field of a long tag",
            init(&[&list, &token, &[0xbf, 0x21, 0]]),
            malformed("NegTokenInit"),
        ),
        (
            "a length that could be shorter",
            init(&[&tlv(0xa0, &[&[&[0x30, 0x81, 11][..], KRB5].concat()])]),
            malformed("mechTypes"),
        ),
        (
            "a token that is a bit string",
            init(&[&list, &tlv(0xa2, &[&[3, 1, 0]])]),
            malformed("mechToken"),
        ),
        (
            "a token without its type",
            init(&[&list, &tlv(0xa2, &[b"token"])]),
            malformed("mechToken"),
        ),
        (
            "two MICs",
            init(&[&list, &string(3, b"mic"), &string(4, b"mic")]),
            malformed("mechListMIC"),
        ),
        (
            "hints that are none",
            init(&[&list, &tlv(0xa3, &[&tlv(0x30, &[&[5, 0]])])]),
            malformed("negHints"),
        ),
        (
            "a hint of another type",
            init(&[&list, &tlv(0xa3, &[&tlv(0x30, &[&tlv(0xa0, &[&[5, 0]])])])]),
            malformed("negHints"),
        ),
        ("a state of no number", state(&[0x0a, 0]), malformed("negState")),
        ("a state of two octets", state(&[0x0a, 2, 0, 0]), malformed("negState")),
        ("an integer for a state", state(&[2, 1, 0]), malformed("negState")),
        ("a state that nobody knows", state(&[0x0a, 1, 4]), malformed("negState")),
        (
            "a mechanism of nothing",
            resp(&[&tlv(0xa1, &[&[6, 0]])]),
            malformed("supportedMech"),
        ),
        (
            "a MIC that is a sequence",
            resp(&[&tlv(0xa3, &[&tlv(0x30, &[])])]),
            malformed("mechListMIC"),
        ),
        (
            "an answer that is a set",
            tlv(0xa1, &[&tlv(0x31, &[])]),
            malformed("NegTokenResp"),
        ),
    ];
    for (what, octets, expected) in rows {
        assert_eq!(NegToken::decode(&octets), Err(expected), "{what}");
    }
}

#[test]
fn a_token_is_read_whole_or_not_at_all() {
    let whole = [
        init(&[
            &mech_types(&[KRB5, NTLM]),
            &tlv(0xa1, &[&[3, 2, 1, 2]]),
            &string(2, &[7; 300]),
            &string(3, b"mic"),
        ]),
        resp(&[&tlv(0xa0, &[&[0x0a, 1, 1]]), &tlv(0xa1, &[KRB5]), &string(2, &[7; 300])]),
    ];
    for octets in whole {
        assert!(NegToken::decode(&octets).is_ok());
        for cut in 0..octets.len() {
            assert!(NegToken::decode(&octets[..cut]).is_err(), "cut to {cut}");
        }
        for more in [&[0][..], &[0, 0], &[5, 0], &[0xa1, 0]] {
            assert!(NegToken::decode(&[&octets, more].concat()).is_err());
        }
        // CVE-2009-0844: each length says more than there is.
        for at in 0..octets.len() {
            for length in [0x7f, 0x80, 0x81, 0x84, 0x88, 0xff] {
                let mut longer = octets.clone();
                longer[at] = length;
                let _ = NegToken::decode(&longer);
            }
        }
    }
    let huge = [&[0x60, 0x84, 0xff, 0xff, 0xff, 0xff][..], SPNEGO].concat();
    assert_eq!(NegToken::decode(&huge), Err(TokenError::Framing));
}
