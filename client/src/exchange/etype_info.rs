use tessera_common::crypto::{CryptoError, EncType, Key, MAX_ROUNDS, string_to_key};
use tessera_common::wire::{self, EtypeInfo2Entry, PaData, pa_type};

use super::ExchangeError;

/// The fewest PBKDF2 rounds that this client takes. ETYPE-INFO2 arrives unprotected: whoever altered it to one round would
/// get a proof that is cheap to guess passwords against.
pub const MIN_ROUNDS: u32 = 4096;

/// A long-term key that an exchange needs to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// Its enctype.
    pub etype: EncType,
    /// The salt, where the key is made from a password.
    pub salt: Vec<u8>,
    /// The string-to-key parameters, likewise; absent, the enctype's own.
    pub params: Option<Vec<u8>>,
}

impl KeyRequest {
    /// Makes the key from a password. Costs 1 to 27 ms of CPU.
    ///
    /// # Errors
    /// [`CryptoError::StringToKeyParams`].
    pub fn derive(&self, password: &[u8]) -> Result<Key, CryptoError> {
        string_to_key(self.etype, password, &self.salt, self.params.as_deref())
    }
}

/// The key to prove with: of the enctypes that we asked for, in our order, the first that the KDC has a key for. Without
/// ETYPE-INFO2, our first and the salt of RFC 4120 §4.
pub(super) fn choose(
    padata: &[PaData],
    ours: &[EncType],
    default_salt: impl Fn() -> Vec<u8>,
) -> Result<KeyRequest, ExchangeError> {
    let Some(entries) = entries(padata)? else {
        let etype = ours
            .first()
            .copied()
            .ok_or_else(|| ExchangeError::NoCommonEncType { offered: Vec::new() })?;
        return Ok(KeyRequest {
            etype,
            salt: default_salt(),
            params: None,
        });
    };
    let found = ours.iter().find_map(|etype| {
        entries
            .iter()
            .find(|e| e.etype == etype.number())
            .map(|entry| (*etype, entry))
    });
    let (etype, entry) = found.ok_or_else(|| ExchangeError::NoCommonEncType {
        offered: entries.iter().map(|entry| entry.etype).collect(),
    })?;
    request(etype, entry, default_salt)
}

/// The key that a reply is under: of the reply's own enctype, with the salt and parameters that came with it.
pub(super) fn of_reply(
    padata: &[PaData],
    etype: EncType,
    default_salt: impl Fn() -> Vec<u8>,
) -> Result<KeyRequest, ExchangeError> {
    match entries(padata)?
        .iter()
        .flatten()
        .find(|entry| entry.etype == etype.number())
    {
        Some(entry) => request(etype, entry, default_salt),
        None => Ok(KeyRequest {
            etype,
            salt: default_salt(),
            params: None,
        }),
    }
}

fn entries(padata: &[PaData]) -> Result<Option<Vec<EtypeInfo2Entry>>, ExchangeError> {
    let element = padata.iter().find(|pa| pa.padata_type == pa_type::ETYPE_INFO2);
    Ok(element.map(|pa| wire::decode(&pa.padata_value)).transpose()?)
}

fn request(
    etype: EncType,
    entry: &EtypeInfo2Entry,
    default_salt: impl Fn() -> Vec<u8>,
) -> Result<KeyRequest, ExchangeError> {
    let params = entry.s2kparams.as_ref().map(|params| params.0.clone());
    if let Some(params) = &params {
        let rounds = <[u8; 4]>::try_from(params.as_slice()).map(u32::from_be_bytes);
        if !rounds.is_ok_and(|rounds| (MIN_ROUNDS..=MAX_ROUNDS).contains(&rounds)) {
            return Err(ExchangeError::StringToKey { etype });
        }
    }
    let salt = entry
        .salt
        .as_ref()
        .map_or_else(default_salt, |salt| salt.as_bytes().to_vec());
    Ok(KeyRequest { etype, salt, params })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_common::wire::KerberosString;

    type Row<'a> = (i32, Option<&'a str>, Option<&'a [u8]>);

    fn info(entries: &[Row<'_>]) -> Vec<PaData> {
        let entries: Vec<EtypeInfo2Entry> = entries
            .iter()
            .map(|(etype, salt, params)| EtypeInfo2Entry {
                etype: *etype,
                salt: salt.map(KerberosString::from),
                s2kparams: params.map(Into::into),
            })
            .collect();
        vec![PaData::new(pa_type::ETYPE_INFO2, wire::encode(&entries))]
    }

    fn salt() -> Vec<u8> {
        b"default".to_vec()
    }

    #[test]
    fn our_order_decides_among_what_the_kdc_has() {
        let ours = [EncType::Aes256CtsHmacSha1_96, EncType::Aes128CtsHmacSha1_96];
        let padata = info(&[
            (23, None, None),
            (17, Some("a"), None),
            (18, Some("b"), Some(&[0, 0, 0x10, 0])),
        ]);
        let chosen = choose(&padata, &ours, salt).unwrap();
        assert_eq!(chosen.etype, EncType::Aes256CtsHmacSha1_96);
        assert_eq!(
            (chosen.salt.as_slice(), chosen.params),
            (&b"b"[..], Some(vec![0, 0, 0x10, 0]))
        );
    }

    #[test]
    fn an_absent_salt_is_the_default_one_and_an_empty_salt_is_empty() {
        let ours = [EncType::Aes256CtsHmacSha1_96];
        assert_eq!(
            choose(&info(&[(18, None, None)]), &ours, salt).unwrap().salt,
            b"default"
        );
        assert_eq!(choose(&info(&[(18, Some(""), None)]), &ours, salt).unwrap().salt, b"");
        assert_eq!(choose(&[], &ours, salt).unwrap().salt, b"default");
    }

    #[test]
    fn enctypes_that_nobody_asked_for_are_no_choice() {
        let refused = choose(&info(&[(23, None, None), (3, None, None)]), &EncType::ALL, salt);
        assert_eq!(refused, Err(ExchangeError::NoCommonEncType { offered: vec![23, 3] }));
    }

    #[test]
    fn weak_string_to_key_parameters_are_refused() {
        let rounds = |rounds: u32| rounds.to_be_bytes().to_vec();
        for (params, taken) in [
            (rounds(0), false),
            (rounds(1), false),
            (rounds(MIN_ROUNDS - 1), false),
            (rounds(MIN_ROUNDS), true),
            (rounds(MAX_ROUNDS), true),
            (rounds(MAX_ROUNDS + 1), false),
            (vec![0x10, 0], false),
            (vec![], false),
        ] {
            let chosen = choose(&info(&[(18, None, Some(&params))]), &EncType::ALL, salt);
            assert_eq!(chosen.is_ok(), taken, "{params:?}");
        }
    }
}
