use core::fmt;

/// The password policy that an Active Directory server sends in place of a text: 30 octets, the first two zero.
///
/// ```text
/// zero             u16     lowest age       u64   units of 100 ns
/// least length     u32     (before it: longest age u64, of no use to somebody who looks for a password)
/// history          u32
/// properties       u32     bit 0: must be complex
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdPolicy {
    /// How many characters a password has at least.
    pub min_length: u32,
    /// How many former passwords may not come again.
    pub history: u32,
    /// Whether digits or signs have to be in it, and the name may not.
    pub complex: bool,
    /// How many days a password stays at least before it may be changed; begun days count whole.
    pub min_days: u64,
}

const LENGTH: usize = 30;
const COMPLEX: u32 = 1;
const DAY: u64 = 86_400 * 10_000_000;

impl AdPolicy {
    /// Reads a policy; `None` when the text is something else.
    #[must_use]
    pub fn decode(text: &[u8]) -> Option<Self> {
        let octets: &[u8; LENGTH] = text.try_into().ok()?;
        let (zero, rest) = octets.split_first_chunk::<2>()?;
        let (min_length, rest) = rest.split_first_chunk::<4>()?;
        let (history, rest) = rest.split_first_chunk::<4>()?;
        let (properties, rest) = rest.split_first_chunk::<4>()?;
        let (_max_age, rest) = rest.split_first_chunk::<8>()?;
        let (min_age, _) = rest.split_first_chunk::<8>()?;
        (*zero == [0, 0]).then(|| Self {
            min_length: u32::from_be_bytes(*min_length),
            history: u32::from_be_bytes(*history),
            complex: u32::from_be_bytes(*properties) & COMPLEX != 0,
            min_days: u64::from_be_bytes(*min_age).div_ceil(DAY),
        })
    }
}

/// In sentences, as many as there are rules.
impl fmt::Display for AdPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |n: u64| if n == 1 { "" } else { "s" };
        let mut rules = Vec::new();
        if self.complex {
            rules.push("It must have digits or signs in it, and no part of your name.".to_owned());
        }
        if self.min_length > 0 {
            rules.push(format!(
                "It must have at least {} character{}.",
                self.min_length,
                s(self.min_length.into())
            ));
        }
        if self.history > 0 {
            rules.push(format!(
                "It may not be one of your last {} password{}.",
                self.history,
                s(self.history.into())
            ));
        }
        if self.min_days > 0 {
            rules.push(format!(
                "It can be changed every {} day{} at most.",
                self.min_days,
                s(self.min_days)
            ));
        }
        f.write_str(&rules.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(min_length: u32, history: u32, properties: u32, min_age: u64) -> Vec<u8> {
        let mut octets = vec![0, 0];
        octets.extend([min_length, history, properties].iter().flat_map(|n| n.to_be_bytes()));
        octets.extend([42 * DAY, min_age].iter().flat_map(|n| n.to_be_bytes()));
        octets
    }

    #[test]
    fn a_policy_becomes_sentences() {
        let text = |octets: &[u8]| AdPolicy::decode(octets).unwrap().to_string();
        assert_eq!(text(&policy(8, 0, 0, 0)), "It must have at least 8 characters.");
        assert_eq!(
            text(&policy(1, 24, 1, DAY)),
            "It must have digits or signs in it, and no part of your name. It must have at least 1 character. \
             It may not be one of your last 24 passwords. It can be changed every 1 day at most."
        );
        assert_eq!(
            text(&policy(0, 0, 0, DAY + 1)),
            "It can be changed every 2 days at most."
        );
        assert_eq!(text(&policy(0, 0, 6, 0)), "");
    }

    #[test]
    fn other_texts_are_no_policy() {
        let good = policy(8, 0, 0, 0);
        for bad in [
            &good[..29],
            &[&good[..], &[0]].concat(),
            &[&[1], &good[1..]].concat(),
            b"Password too short",
        ] {
            assert_eq!(AdPolicy::decode(bad), None);
        }
    }
}
