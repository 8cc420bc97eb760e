//! As much of an X.509 certificate as RFC 5929 §4 needs: by which hash it was signed.

use crate::tlv::{OID, SEQUENCE, split_value};

/// The hash that stands for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureHash {
    Sha256,
    Sha384,
    Sha512,
}

use SignatureHash::{Sha256, Sha384, Sha512};

const BIT_STRING: u8 = 0x03;
const CONTEXT_0: u8 = 0xa0;

// 1.2.840.113549.1.1.10, whose hash stands in its parameters.
const RSASSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";

// Signature algorithms with one hash. SHA-224 and SHA-3 stand in no certificate that a client accepts.
const SIGNATURES: [(&[u8], SignatureHash); 13] = [
    // 1.2.840.113549.1.1.{4,5,11,12,13}: RSA with MD5, SHA-1, SHA-256, SHA-384 and SHA-512. The RFC puts SHA-256 for the
    // first two.
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", Sha256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", Sha256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", Sha256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", Sha384),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", Sha512),
    // 1.3.14.3.2.29: RSA with SHA-1, by its other name.
    (b"\x2b\x0e\x03\x02\x1d", Sha256),
    // 1.2.840.10045.4.1 and 1.2.840.10045.4.3.{2,3,4}: ECDSA with SHA-1, SHA-256, SHA-384 and SHA-512.
    (b"\x2a\x86\x48\xce\x3d\x04\x01", Sha256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", Sha256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", Sha384),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", Sha512),
    // 1.2.840.10040.4.3 and 2.16.840.1.101.3.4.3.{2,3}: DSA with SHA-1, SHA-256 and SHA-384.
    (b"\x2a\x86\x48\xce\x38\x04\x03", Sha256),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x02", Sha256),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x03", Sha384),
];

// 1.3.14.3.2.26 and 2.16.840.1.101.3.4.2.{1,2,3}: SHA-1, SHA-256, SHA-384 and SHA-512 themselves.
const HASHES: [(&[u8], SignatureHash); 4] = [
    (b"\x2b\x0e\x03\x02\x1a", Sha256),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x01", Sha256),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x02", Sha384),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x03", Sha512),
];

/// RFC 5280 §4.1:
///
/// ```asn1
/// Certificate ::= SEQUENCE {
///         tbsCertificate      TBSCertificate,
///         signatureAlgorithm  AlgorithmIdentifier,
///         signatureValue      BIT STRING
/// }
/// ```
///
/// `None` when it is no such thing, or its signature has no hash that the RFC would take.
pub(super) fn signature_hash(certificate: &[u8]) -> Option<SignatureHash> {
    let (certificate, rest) = element(SEQUENCE, certificate)?;
    let (_tbs_certificate, after) = element(SEQUENCE, certificate)?;
    let (algorithm, after) = element(SEQUENCE, after)?;
    let (_signature, after) = element(BIT_STRING, after)?;
    if !rest.is_empty() || !after.is_empty() {
        return None;
    }
    let (oid, parameters) = element(OID, algorithm)?;
    if oid == RSASSA_PSS {
        pss_hash(parameters)
    } else {
        find(&SIGNATURES, oid)
    }
}

/// RFC 4055 §3.1: `SEQUENCE { hashAlgorithm [0] AlgorithmIdentifier DEFAULT sha1, … }`.
fn pss_hash(parameters: &[u8]) -> Option<SignatureHash> {
    let (parameters, rest) = element(SEQUENCE, parameters)?;
    if !rest.is_empty() {
        return None;
    }
    if parameters.first() != Some(&CONTEXT_0) {
        // SHA-1, for which there is SHA-256.
        return Some(Sha256);
    }
    let (tagged, _) = element(CONTEXT_0, parameters)?;
    let (algorithm, _) = element(SEQUENCE, tagged)?;
    let (oid, _) = element(OID, algorithm)?;
    find(&HASHES, oid)
}

fn find(table: &[(&[u8], SignatureHash)], oid: &[u8]) -> Option<SignatureHash> {
    table.iter().find(|(known, _)| *known == oid).map(|(_, hash)| *hash)
}

// The contents of the element of this tag that `octets` begin with, and what comes after it.
fn element(tag: u8, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = split_value(octets)?;
    (found == tag).then_some((content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gss::tests::octets;

    // As OpenSSL writes them.
    const ALGORITHMS: [(&str, &str, Option<SignatureHash>); 16] = [
        ("rsa with MD5", "300d06092a864886f70d0101040500", Some(Sha256)),
        ("rsa with SHA-1", "300d06092a864886f70d0101050500", Some(Sha256)),
        ("rsa with SHA-256", "300d06092a864886f70d01010b0500", Some(Sha256)),
        ("rsa with SHA-384", "300d06092a864886f70d01010c0500", Some(Sha384)),
        ("rsa with SHA-512", "300d06092a864886f70d01010d0500", Some(Sha512)),
        ("ecdsa with SHA-1", "300906072a8648ce3d0401", Some(Sha256)),
        ("ecdsa with SHA-256", "300a06082a8648ce3d040302", Some(Sha256)),
        ("ecdsa with SHA-384", "300a06082a8648ce3d040303", Some(Sha384)),
        ("ecdsa with SHA-512", "300a06082a8648ce3d040304", Some(Sha512)),
        (
            "rsa-pss with SHA-1",
            "301206092a864886f70d01010a3005a20302016a",
            Some(Sha256),
        ),
        (
            "rsa-pss with SHA-256",
            "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a20302015e",
            Some(Sha256),
        ),
        (
            "rsa-pss with SHA-384",
            "304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a20302014e",
            Some(Sha384),
        ),
        (
            "rsa-pss with SHA-512",
            "304106092a864886f70d01010a3034a00f300d06096086480165030402030500a11c301a06092a864886f70d010108300d06096086480165030402030500a20302013e",
            Some(Sha512),
        ),
        ("rsa-pss without parameters", "300b06092a864886f70d01010a", None),
        ("ed25519", "300506032b6570", None),
        ("ed448", "300506032b6571", None),
    ];

    // A certificate of which only the outermost parts are there.
    fn hollow(algorithm: &[u8]) -> Vec<u8> {
        let content = [&[SEQUENCE, 0], algorithm, &[BIT_STRING, 1, 0]].concat();
        let length = u8::try_from(content.len()).unwrap();
        [&[SEQUENCE, length], &content[..]].concat()
    }

    #[test]
    fn the_hash_is_the_signatures_own_or_sha_256_for_weak_ones() {
        for (name, algorithm, hash) in ALGORITHMS {
            assert_eq!(signature_hash(&hollow(&octets(algorithm))), hash, "{name}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_none() {
        for (name, algorithm, _) in ALGORITHMS {
            let whole = hollow(&octets(algorithm));
            for cut in 0..whole.len() {
                assert_eq!(signature_hash(&whole[..cut]), None, "{name} {cut}");
            }
            assert_eq!(signature_hash(&[&whole[..], &[0]].concat()), None, "{name}");
        }
        assert_eq!(signature_hash(b"-----BEGIN CERTIFICATE-----"), None);
    }
}
