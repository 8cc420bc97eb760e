//! From the name in a request to the principal that it means (RFC 6806).

use std::sync::Arc;

use tessera_common::error_code::ErrorCode;
use tessera_common::name::{Name, Realm, name_type};
use tessera_common::wire::{KerberosString, PrincipalName};

use super::refusal::Refusal;
use super::request::AskedName;
use crate::realm::denied::Denied;
use crate::realm::principal::PrincipalRecord;
use crate::store::View;

/// The client that a name means: by its name, by an alias, or, for an enterprise name `user@domain` (RFC 6806 §5) whose
/// domain is this realm's name in either case, by the user's part.
pub(super) fn client<'v>(
    view: &'v View,
    realm: &Realm,
    asked: &PrincipalName,
    name: &Name,
) -> Option<&'v Arc<PrincipalRecord>> {
    view.find(name)
        .or_else(|| view.find(&user_of_enterprise_name(realm, asked, name)?))
}

/// The name that a principal would have if `name` meant one: whose salt a stranger is told where names are hidden.
pub(super) fn decoy(realm: &Realm, asked: &PrincipalName, name: &Name) -> Name {
    user_of_enterprise_name(realm, asked, name).unwrap_or_else(|| name.clone())
}

fn user_of_enterprise_name(realm: &Realm, asked: &PrincipalName, name: &Name) -> Option<Name> {
    let (name_type::ENTERPRISE, Some(whole), 1) = (asked.name_type, name.component(0), name.len()) else {
        return None;
    };
    let (user, domain) = whole.rsplit_once('@')?;
    if !domain.eq_ignore_ascii_case(realm.as_str()) {
        return None;
    }
    Name::new([user]).ok()
}

/// The service that a name means.
pub(super) fn service<'v>(view: &'v View, asked: AskedName<'_>) -> Result<&'v Arc<PrincipalRecord>, Refusal> {
    view.find(asked.name).ok_or_else(|| Denied::ServiceUnknown.into())
}

/// The realm's own ticket-granting service.
pub(super) fn krbtgt<'v>(view: &'v View, realm: &Realm) -> Result<&'v Arc<PrincipalRecord>, Refusal> {
    view.find(&Name::krbtgt(realm))
        .ok_or_else(|| Refusal::new(ErrorCode::KRB_ERR_GENERIC, "krbtgt-missing"))
}

/// Whether a request is for this realm. Another realm's is refused as an unknown name: a referral to where the client is
/// already would send it round in circles.
pub(super) fn check_realm(asked: &KerberosString, realm: &Realm, code: ErrorCode) -> Result<(), Refusal> {
    if asked.as_bytes() == realm.as_str().as_bytes() {
        return Ok(());
    }
    let named = String::from_utf8_lossy(asked.as_bytes()).into_owned();
    Err(Refusal::new(code, "foreign-realm")
        .detail(named)
        .text("this KDC serves another realm"))
}

/// The name that a canonical reply carries.
pub(super) fn canonical(record: &PrincipalRecord) -> PrincipalName {
    let name_type = if record.name.tgs_realm().is_some() {
        name_type::SRV_INST
    } else {
        name_type::PRINCIPAL
    };
    PrincipalName::new(name_type, &record.name)
}
