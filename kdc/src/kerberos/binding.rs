//! Binds a ticket to the principal that it was issued to: not to its name, which may pass to somebody else.
//!
//! The principal's immutable id travels in the ticket, inside IF-RELEVANT(CAMMAC) (RFC 7751). A TGT is sealed with the
//! realm's own key and needs no more. A service, though, holds the key of its own tickets, and could bring one back
//! rewritten; in such a ticket the CAMMAC carries a kdc-verifier, a MAC by the realm's key. It carries a svc-verifier, too:
//! the service sees by it that the realm vouches for what is in there ([`vouched`] has the format), and MIT's library
//! refuses a ticket with a CAMMAC that has none.
//!
//! A service's ticket carries the client's roles beside the id. They are looked up anew for every ticket: nothing that a
//! ticket says of roles is ever read here.

use tessera_common::ap::vouched::{self, svc_verifier};
use tessera_common::crypto::{Key, KeyUsage};
use tessera_common::wire::{
    self, AuthorizationData, AuthorizationDataElement, Cammac, Checksum, EncTicketPart, Kvno, Octets, VerifierMac,
    ad_type,
};
use zeroize::Zeroizing;

use super::authorization_data::if_relevant;
use crate::realm::principal::PrincipalId;

/// What a ticket says about whom it was issued to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// To this principal.
    To(PrincipalId),
    /// The ticket has none: another KDC with the same key issued it.
    Absent,
    /// There is one, and the realm did not make it.
    Forged,
}

/// A key of krbtgt and its version.
pub(super) struct RealmKey<'a> {
    pub(super) key: &'a Key,
    pub(super) kvno: u32,
}

/// What a ticket's verifiers are made with, if it is not sealed with the realm's own key.
pub(super) struct VerifierKeys<'a> {
    pub(super) realm: RealmKey<'a>,
    /// The one that the ticket is sealed with.
    pub(super) service: &'a Key,
}

/// What a ticket is to say.
pub(super) struct Bound {
    /// To whom it is issued.
    pub(super) id: PrincipalId,
    /// That principal's roles, if they are to be said and there are any.
    pub(super) roles: Option<AuthorizationDataElement>,
}

impl Bound {
    /// Issued to this principal, and no more.
    pub(super) const fn to(id: PrincipalId) -> Self {
        Self { id, roles: None }
    }
}

/// Adds the binding to a ticket that is about to be sealed, in place of any that it has, of every other CAMMAC and of every PAC: a
/// service takes only one CAMMAC, and what came with the header ticket has no MAC by the new ticket's key.
pub(super) fn bind(part: &mut EncTicketPart, bound: Bound, keys: Option<&VerifierKeys<'_>>) {
    let mut elements = vec![vouched::principal_id_element(&bound.id.0)];
    elements.extend(bound.roles);
    let others = part.authorization_data.take().map(portable).unwrap_or_default();
    // RFC 7751 §3: over the elements alone.
    let svc_verifier = keys.map(|VerifierKeys { service, .. }| svc_verifier(service, &elements));
    part.authorization_data = Some(elements);
    let kdc_verifier = keys.map(|VerifierKeys { realm, .. }| VerifierMac {
        identifier: None,
        kvno: Some(Kvno(realm.kvno)),
        enctype: Some(realm.key.etype().number()),
        mac: Checksum::keyed(realm.key, KeyUsage::CAMMAC, &Zeroizing::new(wire::encode(part))),
    });
    let elements = part.authorization_data.take().unwrap_or_default();
    let cammac = Cammac {
        elements,
        kdc_verifier,
        svc_verifier,
        other_verifiers: None,
    };
    let element = AuthorizationDataElement {
        ad_type: ad_type::CAMMAC,
        ad_data: Octets(wire::encode(&cammac)),
    };
    let mut data = vec![if_relevant(&vec![element])];
    data.extend(others);
    part.authorization_data = Some(data);
}

/// Reads a ticket's binding. `realm_key` finds the realm's key of a version and enctype; without it the ticket is a TGT,
/// whose seal is proof enough.
pub(super) fn read<'k>(part: &EncTicketPart, realm_key: Option<&dyn Fn(u32, i32) -> Option<&'k Key>>) -> Binding {
    let Some(cammac) = part.authorization_data.iter().flatten().find_map(cammac_of) else {
        return Binding::Absent;
    };
    if let Some(realm_key) = realm_key {
        let verified = cammac.kdc_verifier.as_ref().is_some_and(|verifier| {
            let key = verifier
                .kvno
                .zip(verifier.enctype)
                .and_then(|(kvno, etype)| realm_key(kvno.0, etype));
            key.is_some_and(|key| {
                let covered = covered(part, &cammac.elements);
                key.verify_checksum(
                    KeyUsage::CAMMAC,
                    verifier.mac.cksumtype,
                    &covered,
                    &verifier.mac.checksum,
                )
                .is_ok()
            })
        });
        if !verified {
            return Binding::Forged;
        }
    }
    cammac
        .elements
        .iter()
        .find_map(principal_id)
        .map_or(Binding::Absent, Binding::To)
}

// RFC 7751 §3: "the EncTicketPart with the authorization data replaced by the elements", encoded again. The one MAC that
// is not over octets as received; the flags are those of the ticket that carries it.
fn covered(part: &EncTicketPart, elements: &AuthorizationData) -> Zeroizing<Vec<u8>> {
    let mut covered = part.clone();
    covered.authorization_data = Some(elements.clone());
    Zeroizing::new(wire::encode(&covered))
}

// What of one ticket's authorization data may stand in another: what is signed for that one alone may not. This realm signs no
// PAC; one comes with a ticket of another KDC that has the realm's key, and would be taken for a forged one.
fn portable(data: AuthorizationData) -> AuthorizationData {
    let is_bound = |element: &AuthorizationDataElement| matches!(element.ad_type, ad_type::CAMMAC | ad_type::WIN2K_PAC);
    let mut others = AuthorizationData::new();
    for element in data {
        if is_bound(&element) {
            continue;
        }
        let nested = (element.ad_type == ad_type::IF_RELEVANT)
            .then(|| wire::decode::<AuthorizationData>(&element.ad_data).ok())
            .flatten();
        match nested {
            Some(mut nested) if nested.iter().any(is_bound) => {
                nested.retain(|element| !is_bound(element));
                if !nested.is_empty() {
                    others.push(if_relevant(&nested));
                }
            }
            _ => others.push(element),
        }
    }
    others
}

// The CAMMAC with a principal id in an IF-RELEVANT, if this is one.
fn cammac_of(element: &AuthorizationDataElement) -> Option<Cammac> {
    if element.ad_type != ad_type::IF_RELEVANT {
        return None;
    }
    let nested: AuthorizationData = wire::decode(&element.ad_data).ok()?;
    let cammac = nested.iter().find(|element| element.ad_type == ad_type::CAMMAC)?;
    let cammac: Cammac = wire::decode(&cammac.ad_data).ok()?;
    cammac
        .elements
        .iter()
        .any(|element| principal_id(element).is_some())
        .then_some(cammac)
}

fn principal_id(element: &AuthorizationDataElement) -> Option<PrincipalId> {
    vouched::principal_id(element).map(PrincipalId)
}
