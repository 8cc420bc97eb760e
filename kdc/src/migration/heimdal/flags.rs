//! Heimdal's flags of a principal (`HDBFlags`), and what becomes of each.

use crate::migration::untranslated::Untranslated;
use crate::realm::principal::Attributes;

pub(super) const INITIAL: u32 = 1;
const SERVER: u32 = 1 << 5;
const CLIENT: u32 = 1 << 6;
pub(super) const INVALID: u32 = 1 << 7;
const REQUIRE_PREAUTH: u32 = 1 << 8;
pub(super) const CHANGE_PW: u32 = 1 << 9;
/// Set on the realm's own services, which nobody can remove here.
pub(super) const IMMUTABLE: u32 = 1 << 13;

/// Flags that mean the same here.
const SET: [(u32, Attributes); 6] = [
    (INITIAL, Attributes::NOT_TGT_BASED),
    (INVALID, Attributes::LOCKED),
    // Of a service. Clients have to be pre-authenticated whether they have it or not: so says Heimdal's own configuration, unless
    // it says `require-preauth = no`, and a client that is asked for a proof gives one.
    (REQUIRE_PREAUTH, Attributes::REQUIRE_PREAUTH),
    (1 << 11, Attributes::OK_AS_DELEGATE),
    // Of clients and services alike, as for Heimdal's KDC.
    (1 << 17, Attributes::LOCKED),
    (1 << 18, Attributes::MUST_CHANGE_PASSWORD),
];

/// Flags whose absence means this here.
const CLEAR: [(u32, Attributes); 5] = [
    (1 << 1, Attributes::NOT_FORWARDABLE),
    (1 << 2, Attributes::NOT_PROXIABLE),
    (1 << 3, Attributes::NOT_RENEWABLE),
    (1 << 4, Attributes::NOT_POSTDATEABLE),
    (SERVER, Attributes::NOT_A_SERVICE),
];

/// What becomes of a principal's flags.
pub(super) struct Mapped {
    pub(super) attributes: Attributes,
    /// It must not log in, which nothing says here but that it is locked.
    pub(super) is_no_client: bool,
    /// Flags that mean nothing here.
    pub(super) unknown: Vec<Untranslated>,
}

/// Says it all in this realm's terms. `expected` are flags that are met otherwise, and need no mention.
pub(super) fn map(flags: u32, expected: u32) -> Mapped {
    let set = SET.into_iter().filter(|(flag, _)| flags & flag != 0);
    let clear = CLEAR.into_iter().filter(|(flag, _)| flags & flag == 0);
    let mut attributes = set
        .chain(clear)
        .fold(Attributes::empty(), |all, (_, attribute)| all.with(attribute));
    let is_no_client = flags & CLIENT == 0;
    if is_no_client {
        attributes = attributes.with(Attributes::LOCKED);
    }
    let known = SET
        .into_iter()
        .chain(CLEAR)
        .fold(CLIENT | expected, |all, (flag, _)| all | flag);
    let unknown = (0..u32::BITS)
        .filter(|bit| flags & !known & 1 << bit != 0)
        .map(unknown)
        .collect();
    Mapped {
        attributes,
        is_no_client,
        unknown,
    }
}

fn unknown(bit: u32) -> Untranslated {
    let (name, why, advice) = match bit {
        9 => (
            "change-pw",
            "kadmin/changepw alone is for that here",
            "clients change passwords there",
        ),
        10 => (
            "require-hwauth",
            "Heimdal's KDC never looks at it, and no login with hardware exists here",
            "if a password is not to be enough: principal lock",
        ),
        12 => (
            "user-to-user",
            "everybody may be met user to user here",
            "to forbid it: principal set --user-to-user no",
        ),
        13 => (
            "immutable",
            "who may remove a principal is said by roles here",
            "see who has the right: principal role list",
        ),
        14 => (
            "trusted-for-delegation",
            "services get no tickets in the name of others here (S4U2Self)",
            "what needs it stays on the Heimdal side",
        ),
        15 => (
            "allow-kerberos4",
            "there is no Kerberos 4 here",
            "nothing is to be done",
        ),
        16 => (
            "allow-digest",
            "there is no digest service here",
            "what needs it stays on the Heimdal side",
        ),
        19..=21 => (
            match bit {
                19 => "materialize",
                20 => "virtual-keys",
                _ => "virtual",
            },
            "no keys are derived from a name here",
            "if it has no keys: principal rotate",
        ),
        22 => (
            "synthetic",
            "nobody logs in with a certificate alone here",
            "nothing is to be done",
        ),
        23 => ("no-auth-data-reqd", "no ticket has a PAC here", "nothing is to be done"),
        24 => (
            "auth-data-reqd",
            "no ticket has a PAC here",
            "services that need one stay on the Heimdal side",
        ),
        30 | 31 => (
            if bit == 30 {
                "force-canonicalize"
            } else {
                "do-not-store"
            },
            "Heimdal never stores it",
            "ask whoever edited the dump",
        ),
        other => return Untranslated::unknown(format!("bit {other}")),
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

    /// What Heimdal's kadmin gives a principal: client and server, and tickets of every kind.
    const USUAL: u32 = 126;

    #[test]
    fn what_is_usual_there_is_usual_here() {
        let usual = map(USUAL, 0);
        assert_eq!(usual.attributes, Attributes::empty());
        assert!(!usual.is_no_client && usual.unknown.is_empty());
    }

    #[test]
    fn every_flag_that_means_something_here_is_carried_over() {
        for (flag, attribute) in SET {
            let mapped = map(USUAL | flag, 0);
            assert_eq!(mapped.attributes, attribute, "{flag:x}");
            assert!(mapped.unknown.is_empty(), "{flag:x}");
        }
        for (flag, attribute) in CLEAR {
            assert_eq!(map(USUAL & !flag, 0).attributes, attribute, "{flag:x}");
        }
    }

    #[test]
    fn who_must_not_log_in_is_locked() {
        let mapped = map(USUAL & !CLIENT, 0);
        assert!(mapped.is_no_client);
        assert_eq!(mapped.attributes, Attributes::LOCKED);
    }

    #[test]
    fn every_other_flag_is_told_by_its_name_or_number_unless_it_is_expected() {
        let names: Vec<_> = map(u32::MAX, 0)
            .unknown
            .into_iter()
            .map(|unknown| unknown.name)
            .collect();
        assert_eq!(
            names,
            [
                "change-pw",
                "require-hwauth",
                "user-to-user",
                "immutable",
                "trusted-for-delegation",
                "allow-kerberos4",
                "allow-digest",
                "materialize",
                "virtual-keys",
                "virtual",
                "synthetic",
                "no-auth-data-reqd",
                "auth-data-reqd",
                "bit 25",
                "bit 26",
                "bit 27",
                "bit 28",
                "bit 29",
                "force-canonicalize",
                "do-not-store",
            ]
        );
        assert_eq!(map(u32::MAX, CHANGE_PW | IMMUTABLE).unknown.len(), names.len() - 2);
    }
}
