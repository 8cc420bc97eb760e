//! MIT's flags of a principal, and what becomes of each.

use crate::migration::untranslated::Untranslated;
use crate::realm::principal::Attributes;

const REQUIRES_PRE_AUTH: u32 = 0x80;
const REQUIRES_HW_AUTH: u32 = 0x100;
/// Set on `kadmin/changepw`, which is known by its name here.
pub(super) const PWCHANGE_SERVICE: u32 = 0x2000;
/// Set on the realm's own services, whose keys take all rights here.
pub(super) const LOCKDOWN_KEYS: u32 = 0x80_0000;

/// Flags that mean the same here.
const SAME: [(u32, Attributes); 11] = [
    (0x1, Attributes::NOT_POSTDATEABLE),
    (0x2, Attributes::NOT_FORWARDABLE),
    (0x4, Attributes::NOT_TGT_BASED),
    (0x8, Attributes::NOT_RENEWABLE),
    (0x10, Attributes::NOT_PROXIABLE),
    (0x20, Attributes::NO_USER_TO_USER),
    (0x40, Attributes::LOCKED),
    // Of a service. What it means of a client is the other way round here.
    (REQUIRES_PRE_AUTH, Attributes::REQUIRE_PREAUTH),
    (0x200, Attributes::MUST_CHANGE_PASSWORD),
    (0x1000, Attributes::NOT_A_SERVICE),
    (0x10_0000, Attributes::OK_AS_DELEGATE),
];

/// What becomes of a principal's flags.
pub(super) struct Mapped {
    pub(super) attributes: Attributes,
    /// Flags that are met in another way.
    pub(super) replaced: Vec<Untranslated>,
    /// Flags that mean nothing here.
    pub(super) unknown: Vec<Untranslated>,
}

/// Says it all in this realm's terms. `expected` are flags that are met otherwise, and need no mention.
pub(super) fn map(flags: u32, expected: u32) -> Mapped {
    let mut attributes = SAME
        .iter()
        .filter(|(flag, _)| flags & flag != 0)
        .fold(Attributes::empty(), |set, (_, attribute)| set.with(*attribute));
    if flags & REQUIRES_PRE_AUTH == 0 {
        attributes = attributes.with(Attributes::NO_PREAUTH);
    }
    let mut replaced = Vec::new();
    if flags & REQUIRES_HW_AUTH != 0 {
        // Nobody who has proved a password only may get what took more.
        attributes = attributes.with(Attributes::LOCKED);
        replaced.push(Untranslated {
            name: "requires_hwauth: the principal is locked".into(),
            why: "logins with hardware, which it asks for, do not exist here",
            advice: "if a password is enough: principal unlock",
        });
    }
    let known = SAME
        .iter()
        .fold(REQUIRES_HW_AUTH | expected, |set, (flag, _)| set | flag);
    let unknown = (0..u32::BITS)
        .map(|bit| 1_u32 << bit)
        .filter(|flag| flags & !known & flag != 0)
        .map(unknown)
        .collect();
    Mapped {
        attributes,
        replaced,
        unknown,
    }
}

fn unknown(flag: u32) -> Untranslated {
    let (name, why, advice) = match flag {
        PWCHANGE_SERVICE => (
            "password_changing_service",
            "kadmin/changepw alone is one here",
            "clients change passwords there",
        ),
        0x4000 => ("support_desmd5", "there is no DES here", "nothing is to be done"),
        0x8000 => (
            "new_princ",
            "it means nothing to MIT's own KDC",
            "nothing is to be done",
        ),
        0x20_0000 => (
            "ok_to_auth_as_delegate",
            "services get no tickets in the name of others here (S4U2Self)",
            "what needs it stays on the MIT side",
        ),
        0x40_0000 => (
            "no_auth_data_required",
            "no ticket has a PAC here",
            "nothing is to be done",
        ),
        LOCKDOWN_KEYS => (
            "lockdown_keys",
            "who may have keys is said by roles here",
            "see who has the right keytab: principal role list",
        ),
        other => return Untranslated::unknown(format!("0x{other:08x}")),
    };
    Untranslated {
        name: name.into(),
        why,
        advice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_carried_over_replaced_or_told() {
        let none = map(0, 0);
        assert_eq!(none.attributes, Attributes::NO_PREAUTH);
        assert!(none.replaced.is_empty() && none.unknown.is_empty());
        for (flag, attribute) in SAME {
            let mapped = map(flag, 0);
            let expected = match flag {
                REQUIRES_PRE_AUTH => attribute,
                _ => attribute | Attributes::NO_PREAUTH,
            };
            assert_eq!(mapped.attributes, expected, "{flag:x}");
            assert!(mapped.unknown.is_empty());
        }
        let all = map(u32::MAX, 0);
        assert_eq!(all.unknown.len(), 32 - SAME.len() - 1);
        assert_eq!(all.replaced.len(), 1);
        assert!(!all.attributes.contains(Attributes::NO_PREAUTH));
        let names: Vec<_> = all.unknown.iter().map(|unknown| unknown.name.as_ref()).collect();
        for name in ["ok_to_auth_as_delegate", "lockdown_keys", "0x80000000", "0x00000400"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert_eq!(map(u32::MAX, PWCHANGE_SERVICE).unknown.len(), all.unknown.len() - 1);
    }

    #[test]
    fn what_took_hardware_is_not_to_be_had_with_a_password() {
        assert!(map(REQUIRES_HW_AUTH, 0).attributes.contains(Attributes::LOCKED));
    }
}
