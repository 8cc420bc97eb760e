//! GSS_Pseudo_random.

use super::{octets, one_way_pair, pair};
use crate::ap::tests::fixture::Issue;
use crate::crypto::{EncType, Key};
use crate::gss::{ContextFlags, PrfKey};

// The published vectors of MIT's t_prf: initiator's subkey and the octets of an empty input, acceptor's subkey and the
// octets of the input below.
const VECTORS: [(EncType, [&str; 4]); 4] = [
    (
        EncType::Aes128CtsHmacSha1_96,
        [
            "6c742096eb896230312b73972fa28b5d",
            "94208d982fc1bb7778128bdd77904420b45c9da699f3117bce66e39602128ef0296611a6d191a5828530f20f",
            "fa61138c109d834a477d24c7311be6da",
            "0faedf0f842cc834fee750487e1b622739286b975fe5b7f45ab053143c75ca0df5d3d4bbb80f6a616c7c9027",
        ],
    ),
    (
        EncType::Aes256CtsHmacSha1_96,
        [
            "08fcdafd5832611b73ba7b497febff8c954b4b58031cad9b977c3b8c25192fd6",
            "e627efc14ef5b6d629f830c7109dea0d3d7d36e8cd57a1f301c5452494a1928f05affbee3360232209d3be0d",
            "f5b68b7823d8944f33f41541b4e4d38c9b2934f8d16334a796645b066152b4be",
            "112f2b2d878590653ccc7de278e9f0aa46fa5a380b6259f774cb7c134fcd37f61a50fd0d9f89bf8fe1a6b593",
        ],
    ),
    (
        EncType::Aes128CtsHmacSha256_128,
        [
            "089bca48b105ea6ea77ca5d2f39dc5e7",
            "ed1736209b7c59c9f6a3ae8ccc8a7c97adfdd11688adf304f2f74252cbacd311a2d9253211fda49745ce4f62",
            "3705d96080c17728a0e800eab6e0d23c",
            "2bb41b183d76d8d5b30cbb049a7efe9f350efa058dc2c4d868308d354a7b199be6fd1f22b53c038bc6036581",
        ],
    ),
    (
        EncType::Aes256CtsHmacSha384_192,
        [
            "45bd806dbf6a833a9cffc1c94589a222367a79bc21c413718906e9f578a78467",
            "1c613ae8b77a3b4d783f3dce6c9178fc025e87f48a44784a69cb5fc697fe266a6141905067ef78566d309085",
            "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52",
            "d15944b0a44508d1e61213f6455f292a02298f870c01a3f74ad0345a4a6651ebe101976e933f32d44f0b5947",
        ],
    ),
];
const INPUT: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz123456789";

#[test]
fn octets_are_those_of_the_published_vectors() {
    for (etype, [initiator_key, of_nothing, acceptor_key, of_input]) in VECTORS {
        let (mut context, _) = pair(&Issue::with(etype, etype), ContextFlags::empty());
        context.initiator_key = Key::new(etype, &octets(initiator_key)).unwrap();
        context.acceptor_subkey = Some(Key::new(etype, &octets(acceptor_key)).unwrap());
        for len in 0..=44 {
            let whole = octets(of_nothing);
            assert_eq!(
                context.prf(PrfKey::Partial, b"", len).as_slice(),
                &whole[..len],
                "{etype}"
            );
            let whole = octets(of_input);
            assert_eq!(
                context.prf(PrfKey::Full, INPUT, len).as_slice(),
                &whole[..len],
                "{etype}"
            );
        }
        context.acceptor_subkey = None;
        assert_eq!(
            context.prf(PrfKey::Full, b"", 44).as_slice(),
            octets(of_nothing),
            "{etype}"
        );
    }
}

#[test]
fn both_ends_have_the_same_octets() {
    for contexts in [pair, one_way_pair] {
        let (initiator, acceptor) = contexts(&Issue::default(), ContextFlags::empty());
        for key in [PrfKey::Full, PrfKey::Partial] {
            let ours = initiator.prf(key, b"label", 1000);
            assert_eq!(ours, acceptor.prf(key, b"label", 1000));
            assert_ne!(ours, acceptor.prf(key, b"other", 1000));
        }
        let same = initiator.prf(PrfKey::Full, b"", 16) == initiator.prf(PrfKey::Partial, b"", 16);
        assert_eq!(same, initiator.acceptor_subkey.is_none());
    }
}
