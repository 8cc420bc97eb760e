//! What of a client's authorization data goes into its tickets.

use tessera_common::error_code::ErrorCode;
use tessera_common::wire::{self, AdAndOr, AuthorizationData, AuthorizationDataElement, Octets, ad_type};

use super::refusal::Refusal;

/// How deep containers may nest. Each is an octet string of its own, so that the decoder's limit does not see it; without
/// one here, a request of 64 KiB nests three thousand levels deep, and each level costs stack and a copy of the rest.
const MAX_NESTING: usize = 8;

/// Types that only a KDC may issue. A client that sends one wants to be taken for a KDC: it is dropped.
fn is_kdc_issued(ad_type: i32) -> bool {
    // Negative numbers are for local use: this realm's own are among them, other realms' mean nothing here.
    const SIGNED_PATH: i32 = 142;
    ad_type < 0
        || matches!(
            ad_type,
            ad_type::KDC_ISSUED
                | ad_type::CAMMAC
                | ad_type::AUTHENTICATION_INDICATOR
                | ad_type::WIN2K_PAC
                | SIGNED_PATH
        )
}

/// What of `elements` a client may put into a ticket, also when it is nested in IF-RELEVANT. An AND-OR that holds anything
/// else goes as a whole: what remained would be another condition.
///
/// # Errors
/// `KDC_ERR_POLICY` for MANDATORY-FOR-KDC (RFC 4120 §5.2.6.4), since there is none that this KDC understands, and for
/// containers that nest deeper than [`MAX_NESTING`].
pub(super) fn from_client(elements: AuthorizationData) -> Result<AuthorizationData, Refusal> {
    without_kdc_issued(elements, MAX_NESTING)
}

fn without_kdc_issued(elements: AuthorizationData, depth: usize) -> Result<AuthorizationData, Refusal> {
    let deeper = depth.checked_sub(1).ok_or_else(|| {
        Refusal::new(ErrorCode::KDC_ERR_POLICY, "authorization-data-too-deep")
            .text("the authorization data nests too deep")
    })?;
    let mut kept = AuthorizationData::new();
    for element in elements {
        match element.ad_type {
            kdc if is_kdc_issued(kdc) => {}
            ad_type::MANDATORY_FOR_KDC => {
                return Err(Refusal::new(ErrorCode::KDC_ERR_POLICY, "mandatory-authorization-data"));
            }
            ad_type::IF_RELEVANT => {
                let Ok(nested) = wire::decode::<AuthorizationData>(&element.ad_data) else {
                    continue;
                };
                let nested = without_kdc_issued(nested, deeper)?;
                if !nested.is_empty() {
                    kept.push(if_relevant(&nested));
                }
            }
            ad_type::AND_OR if !is_free_of_kdc_issued(&element.ad_data, deeper) => {}
            _ => kept.push(element),
        }
    }
    Ok(kept)
}

/// Whether an element of this type is among `elements`, or in an IF-RELEVANT among them.
pub(super) fn holds(elements: &[AuthorizationDataElement], wanted: i32) -> bool {
    fn at_depth(elements: &[AuthorizationDataElement], wanted: i32, depth: usize) -> bool {
        elements.iter().any(|element| match element.ad_type {
            found if found == wanted => true,
            ad_type::IF_RELEVANT if depth > 1 => wire::decode::<AuthorizationData>(&element.ad_data)
                .is_ok_and(|nested| at_depth(&nested, wanted, depth - 1)),
            _ => false,
        })
    }
    at_depth(elements, wanted, MAX_NESTING)
}

/// `AD-IF-RELEVANT` (RFC 4120 §5.2.6.1) around `elements`.
pub(super) fn if_relevant(elements: &AuthorizationData) -> AuthorizationDataElement {
    AuthorizationDataElement {
        ad_type: ad_type::IF_RELEVANT,
        ad_data: Octets(wire::encode(elements)),
    }
}

fn is_free_of_kdc_issued(and_or: &[u8], depth: usize) -> bool {
    wire::decode::<AdAndOr>(and_or).is_ok_and(|nested| {
        let before = nested.elements.clone();
        without_kdc_issued(nested.elements, depth).is_ok_and(|after| after == before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(ad_type: i32) -> AuthorizationDataElement {
        AuthorizationDataElement {
            ad_type,
            ad_data: Octets(b"x".to_vec()),
        }
    }

    fn types(elements: &AuthorizationData) -> Vec<i32> {
        elements.iter().map(|e| e.ad_type).collect()
    }

    #[test]
    fn what_only_a_kdc_may_issue_is_dropped_at_every_depth() {
        for kdc in [4, 96, 97, 128, 142, -1, i32::MIN] {
            let inner = vec![element(kdc), element(70)];
            let sent = vec![element(kdc), if_relevant(&vec![if_relevant(&inner)]), element(71)];
            let kept = from_client(sent).unwrap();
            assert_eq!(types(&kept), [1, 71], "{kdc}");
            let middle: AuthorizationData = wire::decode(&kept[0].ad_data).unwrap();
            let innermost: AuthorizationData = wire::decode(&middle[0].ad_data).unwrap();
            assert_eq!(types(&innermost), [70], "{kdc}");
            assert!(from_client(vec![if_relevant(&vec![element(kdc)])]).unwrap().is_empty());
        }
    }

    #[test]
    fn containers_nest_to_a_limit() {
        let nested = |depth| (1..depth).fold(vec![element(70)], |inner, _| vec![if_relevant(&inner)]);
        assert!(from_client(nested(MAX_NESTING)).is_ok());
        assert!(from_client(nested(MAX_NESTING + 1)).is_err());
        // As much as fits into a message must not exhaust the stack.
        assert!(from_client(nested(3000)).is_err());
    }

    #[test]
    fn an_and_or_is_taken_whole_or_not_at_all() {
        let and_or = |elements| AuthorizationDataElement {
            ad_type: ad_type::AND_OR,
            ad_data: Octets(wire::encode(&AdAndOr {
                condition_count: 1,
                elements,
            })),
        };
        assert_eq!(types(&from_client(vec![and_or(vec![element(70)])]).unwrap()), [5]);
        assert!(
            from_client(vec![and_or(vec![element(70), element(128)])])
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn what_the_kdc_must_understand_is_refused() {
        assert!(from_client(vec![element(8)]).is_err());
        assert!(from_client(vec![if_relevant(&vec![element(8)])]).is_err());
    }
}
