//! The realm's own services, which this daemon is itself: `kadmin/changepw` and `kadmin/admin`.

use tessera_common::crypto::Key;
use tessera_common::error_code::ErrorCode;
use tessera_common::name::{Name, Principal, Realm};
use tessera_common::time::KerberosTime;

use super::refusal::Refusal;
use crate::realm::principal::Attributes;
use crate::store::View;

/// `kadmin/` and this, in this realm.
pub(super) fn kadmin(instance: &str, realm: &Realm) -> Result<Principal, Refusal> {
    let name = Name::new(["kadmin", instance])
        .map_err(|_| Refusal::new(ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN, "service-unknown"))?;
    Ok(Principal::new(name, realm.clone()))
}

/// The keys that tickets for `service` may be sealed with: those of today, and former ones as long as they are good. One
/// that is locked has none.
pub(super) fn keys(view: &View, service: &Principal, now: KerberosTime) -> Vec<(Principal, u32, Key)> {
    let record = view
        .find(&service.name)
        .filter(|record| !record.attributes.contains(Attributes::LOCKED));
    record
        .into_iter()
        .flat_map(|record| {
            record
                .keys
                .iter()
                .filter(|stored| stored.retired.is_none_or(|at| at > now))
                .filter_map(move |stored| Some((stored.kvno, view.key(record, stored).ok()?.clone())))
        })
        .map(|(kvno, key)| (service.clone(), kvno, key))
        .collect()
}
