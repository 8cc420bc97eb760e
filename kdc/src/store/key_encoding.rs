//! How a key is written down, within a principal's record (see `encoding`).

use tessera_common::crypto::EncType;
use tessera_common::time::KerberosTime;

use super::octets::{DecodeError, Reader, put_number, put_octets, put_option, put_signed, read_option};
use crate::realm::principal::{SealedKey, StoredKey};

pub(super) fn put_key(out: &mut Vec<u8>, key: &StoredKey) {
    let StoredKey {
        kvno,
        etype,
        salt,
        made,
        retired,
        sealed:
            SealedKey {
                master,
                nonce,
                ciphertext,
                opened: _,
            },
    } = key;
    put_number(out, (*kvno).into());
    put_signed(out, etype.number().into());
    put_option(out, salt.as_deref(), put_octets);
    put_option(out, retired.as_ref(), |out, time| put_signed(out, time.0));
    put_number(out, (*master).into());
    out.extend_from_slice(nonce);
    put_octets(out, ciphertext);
    // Last, since it was not there from the beginning.
    if let Some(made) = made {
        put_signed(out, made.0);
    }
}

/// A stored key, where it is written down.
pub(super) struct KeyField<'a> {
    pub(super) kvno: u32,
    pub(super) etype: EncType,
    pub(super) salt: Option<&'a [u8]>,
    pub(super) made: Option<KerberosTime>,
    pub(super) retired: Option<KerberosTime>,
    pub(super) master: u32,
    pub(super) nonce: [u8; 12],
    pub(super) ciphertext: &'a [u8],
}

impl KeyField<'_> {
    pub(super) fn to_stored(&self) -> StoredKey {
        StoredKey {
            kvno: self.kvno,
            etype: self.etype,
            salt: self.salt.map(<[u8]>::to_vec),
            made: self.made,
            retired: self.retired,
            sealed: SealedKey::new(self.master, self.nonce, self.ciphertext.to_vec()),
        }
    }
}

pub(super) fn read_key<'a>(reader: &mut Reader<'a>) -> Result<KeyField<'a>, DecodeError> {
    let kvno = reader.narrow()?;
    let number = reader.signed()?;
    let etype = i32::try_from(number).ok().and_then(EncType::from_number);
    let mut key = KeyField {
        kvno,
        etype: etype.ok_or(DecodeError::Newer("enctype", number.cast_unsigned()))?,
        salt: read_option(reader, Reader::octets)?,
        made: None,
        retired: read_option(reader, |reader| reader.signed().map(KerberosTime))?,
        master: reader.narrow()?,
        nonce: reader.array()?,
        ciphertext: reader.octets()?,
    };
    if !reader.is_empty() {
        key.made = Some(KerberosTime(reader.signed()?));
    }
    Ok(key)
}
