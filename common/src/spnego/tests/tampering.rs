//! Every token of every kind of negotiation, with each of its bits turned and each of its ends cut off.

use std::collections::BTreeSet;

use super::codec::{init, string, tlv};
use super::fixture::{Along, Offer, Proof, honest, negotiate};
use crate::ap::tests::fixture::{Issue, principal};
use crate::gss::oid;
use crate::spnego::{Mech, NegToken};

use Mech::{Kerberos, MicrosoftKerberos, Ntlm};

/// Where in a token an octet is: the number of its field, and whether it is of the field's tags and lengths.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Frame,
    Header(u8),
    Content(u8),
}

use Part::{Content, Frame, Header};

// The part of each octet. The token is well-formed.
fn parts(token: &[u8]) -> Vec<Part> {
    let mut parts = vec![Frame; token.len()];
    // Behind the framing, the choice and the sequence.
    let choice = if token[0] == 0x60 { header(token) + 8 } else { 0 };
    let sequence = choice + header(&token[choice..]);
    let mut at = sequence + header(&token[sequence..]);
    while at < token.len() {
        let number = token[at] & 0x1f;
        let outer = header(&token[at..]);
        let inner = header(&token[at + outer..]);
        let end = at + outer + length(&token[at..]);
        // Of a list, all is content, and of flags, too: nothing reads into them.
        let content = at
            + if number > 1 || choice == 0 {
                outer + inner
            } else {
                outer
            };
        parts[at..content].fill(Header(number));
        parts[content..end].fill(Content(number));
        at = end;
    }
    parts
}

fn header(value: &[u8]) -> usize {
    match value[1] {
        ..0x80 => 2,
        more => 2 + usize::from(more & 0x7f),
    }
}

fn length(value: &[u8]) -> usize {
    match value[1] {
        short @ ..0x80 => short.into(),
        _ => value[2..header(value)]
            .iter()
            .fold(0, |n, octet| n << 8 | usize::from(*octet)),
    }
}

/// Runs the negotiation once for each altered token, and says where a change did not keep both ends from having contexts:
/// with the token's number. Those contexts are then the right ones.
fn harmless(offer: &Offer, dress: fn(Vec<u8>) -> Vec<u8>) -> BTreeSet<(usize, Part)> {
    let credential = Issue::default().credential();
    let between = |altered: usize, alter: &dyn Fn(&mut Vec<u8>)| {
        negotiate(offer, &credential, |leg, token| {
            let mut token = if leg == 0 { dress(token) } else { token };
            if leg == altered {
                alter(&mut token);
            }
            token
        })
    };
    let good = between(usize::MAX, &|_| {}).unwrap();
    let mut found = BTreeSet::new();
    for (leg, token) in good.legs.iter().enumerate() {
        let token = if leg == 0 { dress(token.clone()) } else { token.clone() };
        for cut in 0..token.len() {
            let cut_short = between(leg, &|token| token.truncate(cut));
            assert!(cut_short.is_err(), "token {leg} cut to {cut} of {}", token.len());
        }
        for more in [&[0][..], &[0, 0], &[5, 0], &[0xa1, 2, 0x30, 0]] {
            let longer = between(leg, &|token| token.extend_from_slice(more));
            assert!(longer.is_err(), "token {leg} with {more:?} behind it");
        }
        for (at, part) in parts(&token).into_iter().enumerate() {
            for bit in 0..8 {
                let Ok(mut agreed) = between(leg, &|token| token[at] ^= 1 << bit) else {
                    continue;
                };
                assert_eq!(agreed.acceptor.peer().client(), &principal("alice@EXAMPLE.COM"));
                agreed.works();
                found.insert((leg, part.clone()));
            }
        }
    }
    found
}

fn undressed(token: Vec<u8>) -> Vec<u8> {
    token
}

// As Windows' clients, with flags and a field that nobody knows.
fn with_flags(token: Vec<u8>) -> Vec<u8> {
    let Ok(NegToken::Init(token)) = NegToken::decode(&token) else {
        panic!("the first token is an offer");
    };
    let list = tlv(0xa0, &[token.mech_types.octets()]);
    let flags = tlv(0xa1, &[&[3, 2, 1, 0x36]]);
    let krb5 = token.mech_token.map(|krb5| string(2, krb5)).unwrap_or_default();
    init(&[&list, &flags, &krb5, &string(7, b"later")])
}

fn expect(offer: &Offer, dress: fn(Vec<u8>) -> Vec<u8>, parts: &[(usize, Part)]) {
    let expected: BTreeSet<_> = parts.iter().cloned().collect();
    assert_eq!(harmless(offer, dress), expected, "{offer:?}");
}

// In each token of Kerberos, its mechanism's other number; in an AP-REQ, the options, too, and the type of the service's
// name. Kerberos protects none of them, and no context depends on them.
const fn krb5(leg: usize) -> (usize, Part) {
    (leg, Content(2))
}

// That it is done, or that it is not. Whoever has a context and every MIC that was due does not care what the other says.
const fn state(leg: usize) -> (usize, Part) {
    (leg, Content(0))
}

// The other number of Kerberos.
const CHOICE: (usize, Part) = (1, Content(1));
// Of a list that begins with Kerberos: what comes after it, and under which number it begins.
const LIST: (usize, Part) = (0, Content(0));
// The tag of the token that goes along: without it, the service asks for it; or it was NTLM's, and not looked at.
const ALONG: (usize, Part) = (0, Header(2));

#[test]
fn of_an_offer_of_kerberos_only_what_is_not_relied_on_may_change() {
    let common = [LIST, ALONG, krb5(0), CHOICE];
    let mutual = [&common[..], &[state(1), krb5(1)]].concat();
    expect(&Offer::ours(Proof::Mutual), undressed, &mutual);
    expect(&Offer::ours(Proof::OneWay), undressed, &common);
}

#[test]
fn of_what_nobody_reads_everything_may_change() {
    let flags = [(0, Content(1)), (0, Header(7)), (0, Content(7))];
    let parts = [&[LIST, ALONG, krb5(0), CHOICE][..], &flags].concat();
    expect(&Offer::ours(Proof::OneWay), with_flags, &parts);
}

#[test]
fn of_a_token_that_is_asked_for_only_what_is_not_relied_on_may_change() {
    let offer = |proof| Offer::of(&[Kerberos], Along::Nothing, proof);
    let mutual = [LIST, CHOICE, state(2), krb5(2), state(3), krb5(3)];
    expect(&offer(Proof::Mutual), undressed, &mutual);
    // Asked for MICs, which the service did not do, the client makes one, and the service answers by one.
    let one_way = [LIST, state(1), CHOICE, state(2), krb5(2), state(3), (3, Header(0))];
    expect(&offer(Proof::OneWay), undressed, &one_way);
}

// Nothing of the list is in any of these: it is what the MICs are for.
#[test]
fn where_mics_are_due_nothing_of_the_list_may_change() {
    for mechs in [&[Ntlm, Kerberos][..], &[Ntlm, MicrosoftKerberos, Kerberos]] {
        let ntlms = (0, Content(2));
        let common = [ALONG, ntlms, state(1), CHOICE, state(2), krb5(2), state(3)];
        let mutual = [&common[..], &[krb5(3), state(4)]].concat();
        expect(&Offer::of(mechs, Along::Ntlm, Proof::Mutual), undressed, &mutual);
        expect(&Offer::of(mechs, Along::Ntlm, Proof::OneWay), undressed, &common);
    }
}

#[test]
fn of_a_token_of_kerberos_its_number_the_options_and_the_type_of_the_name_may_change() {
    let offer = Offer::ours(Proof::Mutual);
    let credential = Issue::default().credential();
    let good = negotiate(&offer, &credential, honest).unwrap();
    let token = &good.legs[0];
    let find = |part: &[u8]| token.windows(part.len()).rposition(|window| window == part).unwrap();
    let number = find(oid::KRB5) + 3;
    // BIT STRING, and the INTEGER before the SEQUENCE of the name's parts.
    let options = find(&[3, 5, 0, 0x20, 0, 0, 0]);
    let name_type = find(&[0xa0, 3, 2, 1, 2, 0xa1]) + 4;
    let may = |at| at == number || (options..options + 7).contains(&at) || at == name_type;
    for (at, part) in parts(token).into_iter().enumerate() {
        if part != Content(2) || may(at) {
            continue;
        }
        for bit in 0..8 {
            let altered = negotiate(&offer, &credential, |leg, mut token| {
                if leg == 0 {
                    token[at] ^= 1 << bit;
                }
                token
            });
            assert!(altered.is_err(), "octet {at} bit {bit}");
        }
    }
}
