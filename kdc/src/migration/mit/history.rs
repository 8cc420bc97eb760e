//! The keys of `kadmin/history`, which former passwords are under.

use tessera_common::crypto::{EncType, Key};

use super::key_data::KeyData;
use super::master_keys::MasterKeys;
use super::principal_line::PrincipalLine;
use crate::realm::passwords::cost;

/// The keys that former passwords can be opened with.
#[derive(Debug, Default)]
pub(super) struct HistoryKeys {
    /// With their versions.
    keys: Vec<(u32, Key)>,
}

impl HistoryKeys {
    /// Opens them.
    ///
    /// # Errors
    /// Why a key does not open.
    pub(super) fn open(line: &PrincipalLine, masters: &MasterKeys) -> Result<Self, String> {
        let master = masters.get(line.tl_data.master_key_version)?;
        let mut keys = Vec::new();
        for data in &line.keys {
            match data.open_known(master) {
                Ok(Some(key)) => keys.push((data.kvno, key)),
                Ok(None) => {}
                Err(why) => return Err(format!("a key of kadmin/history, version {}: {why}", data.kvno)),
            }
        }
        Ok(Self { keys })
    }

    /// The key of a former password that is made soonest of those that can be opened, and what was written with it.
    pub(super) fn cheapest<'d>(&self, kvno: u32, password: &'d [KeyData]) -> Option<(Key, &'d KeyData)> {
        // Those of the version that is named first; older releases are not exact about it.
        let (named, others): (Vec<_>, Vec<_>) = self.keys.iter().partition(|(own, _)| *own == kvno);
        let open = |data: &'d KeyData| {
            let mut keys = named.iter().chain(&others);
            let key = keys.find_map(|(_, key)| data.open_known(key).ok().flatten())?;
            Some((key, data))
        };
        let mut sorted: Vec<&KeyData> = password.iter().collect();
        sorted.sort_by_key(|data| EncType::from_number(data.etype).map_or(u8::MAX, cost));
        sorted.into_iter().find_map(open)
    }
}
