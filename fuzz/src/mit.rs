//! A small database of MIT's, as a dump and a stash file, under a master key that is always the same.

use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::keytab::{Keytab, KeytabEntry};
use tessera_common::name::{Principal, Realm};
use tessera_common::time::KerberosTime;

use crate::realm::Counter;

/// The realm that it is of.
pub const REALM: &str = "EXAMPLE.COM";

fn key(octet: u8) -> Key {
    Key::new(EncType::Aes128CtsHmacSha1_96, &[octet; 16]).unwrap()
}

/// A key as the database has it: under the master key.
fn sealed(octet: u8) -> Vec<u8> {
    let ciphertext = key(1).encrypt(KeyUsage(0), key(octet).octets(), &mut Counter::default());
    [&[16, 0][..], &ciphertext].concat()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The stash file of the master key.
#[must_use]
pub fn stash() -> Vec<u8> {
    let entry = KeytabEntry {
        principal: Principal::parse("K/M", Some(&Realm::new(REALM).unwrap())).unwrap(),
        name_type: 1,
        timestamp: KerberosTime(1_700_000_000),
        kvno: 1,
        key: key(1).into(),
    };
    let keytab = Keytab { entries: vec![entry] };
    keytab.to_bytes().to_vec()
}

fn line(name: &str, tagged: &[(u16, Vec<u8>)], keys: &[String]) -> String {
    let name = format!("{name}@{REALM}");
    let tagged_text: String = tagged
        .iter()
        .map(|(kind, octets)| format!("\t{kind}\t{}\t{}", octets.len(), hex(octets)))
        .collect();
    format!(
        "princ\t38\t{}\t{}\t{}\t0\t{name}\t128\t36000\t604800\t0\t0\t0\t0\t0{tagged_text}\t{}-1;\n",
        name.len(),
        tagged.len(),
        keys.len(),
        keys.concat(),
    )
}

fn plain_key(kvno: u32, octet: u8) -> String {
    let octets = sealed(octet);
    format!("1\t{kvno}\t17\t{}\t{}\t", octets.len(), hex(&octets))
}

fn salted_key(kvno: u32, octet: u8, kind: u8) -> String {
    let octets = sealed(octet);
    format!(
        "2\t{kvno}\t17\t{}\t{}\t{kind}\t4\t73616c74\t",
        octets.len(),
        hex(&octets)
    )
}

/// Policy `staff`, and a former password under the key of `kadmin/history`.
fn administration_data() -> Vec<u8> {
    let ciphertext = key(3).encrypt(KeyUsage(0), key(9).octets(), &mut Counter::default());
    let former = [&[16, 0][..], &ciphertext].concat();
    let mut out = vec![0x12, 0x34, 0x5c, 1, 0, 0, 0, 6];
    out.extend(b"staff\0\0\0");
    let length = u32::try_from(former.len()).unwrap();
    for word in [0x800, 1, 2, 1, 1, 1, 1, 17, 0, length, 0, length] {
        out.extend(u32::to_be_bytes(word));
    }
    out.extend(&former);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend([0; 4]);
    out
}

/// A dump with most of what there can be in one.
#[must_use]
pub fn dump() -> String {
    let time = 1_600_000_000_u32.to_le_bytes();
    let modified = [&time[..], b"admin/admin@EXAMPLE.COM\0"].concat();
    let tagged = |kind, octets: &[u8]| (kind, octets.to_vec());
    let mut dump = "kdb5_util load_dump version 7\n".to_owned();
    dump += &line(
        "K/M",
        &[tagged(8, &[1, 0]), tagged(9, &[1, 0, 1, 0, 0, 0, 0, 0])],
        &[plain_key(1, 1)],
    );
    dump += &line("kadmin/history", &[], &[plain_key(2, 3)]);
    dump += &line("krbtgt/EXAMPLE.COM", &[], &[plain_key(2, 4), plain_key(1, 5)]);
    dump += &line(
        "alice",
        &[
            tagged(1, &time),
            tagged(2, &modified),
            (3, administration_data()),
            tagged(8, &[1, 0]),
            tagged(11, b"colour\0red\0"),
            tagged(0x700, &time),
            tagged(7, b"certificate"),
        ],
        &[salted_key(2, 6, 4), salted_key(1, 7, 2)],
    );
    dump += &line("al", &[tagged(12, b"alice@EXAMPLE.COM\0")], &[]);
    dump += "policy\tstaff\t0\t7776000\t8\t2\t3\t0\t5\t600\t900\t0\t0\t0\taes256-cts:normal,des3-cbc-sha1\t0\n";
    dump
}
