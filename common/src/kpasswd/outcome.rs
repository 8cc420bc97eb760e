use core::fmt;

use super::ad_policy::AdPolicy;

/// The result of a request, as a number (RFC 3244 §2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResultCode(pub u16);

impl ResultCode {
    /// The password was changed.
    pub const SUCCESS: Self = Self(0);
    /// The request makes no sense.
    pub const MALFORMED: Self = Self(1);
    /// The server has a fault of its own.
    pub const HARDERROR: Self = Self(2);
    /// The AP-REQ was refused.
    pub const AUTHERROR: Self = Self(3);
    /// The new password is refused: policy, history, quality. The text says why.
    pub const SOFTERROR: Self = Self(4);
    /// This client may not set that password.
    pub const ACCESSDENIED: Self = Self(5);
    /// The version is not spoken here.
    pub const BAD_VERSION: Self = Self(6);
    /// The ticket came from a TGT; an own password is changed with a ticket got by the old one.
    pub const INITIAL_FLAG_NEEDED: Self = Self(7);

    /// The name in RFC 3244; `None` when nobody gave the number one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "KRB5_KPASSWD_SUCCESS",
            1 => "KRB5_KPASSWD_MALFORMED",
            2 => "KRB5_KPASSWD_HARDERROR",
            3 => "KRB5_KPASSWD_AUTHERROR",
            4 => "KRB5_KPASSWD_SOFTERROR",
            5 => "KRB5_KPASSWD_ACCESSDENIED",
            6 => "KRB5_KPASSWD_BAD_VERSION",
            7 => "KRB5_KPASSWD_INITIAL_FLAG_NEEDED",
            _ => return None,
        })
    }

    /// What the code means, in a few words for a person.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self.0 {
            0 => "password changed",
            1 => "the request was malformed",
            2 => "the server failed",
            3 => "authentication failed",
            4 => "the new password was refused",
            5 => "not permitted to set this password",
            6 => "protocol version not supported",
            7 => "a ticket got with the password itself is needed",
            _ => "unknown result",
        }
    }
}

impl fmt::Display for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({}): {}", self.0, self.meaning()),
            None => write!(f, "result {}", self.0),
        }
    }
}

impl fmt::Debug for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// What a server says in the end, in a KRB-PRIV or in the e-data of a KRB-ERROR: two octets of [`ResultCode`], then a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it went.
    pub code: ResultCode,
    /// For people: the rest of the message, UTF-8 as it should be, or a Windows server's policy.
    pub text: Vec<u8>,
}

impl Outcome {
    /// With a text for people.
    #[must_use]
    pub fn new(code: ResultCode, text: &str) -> Self {
        Self {
            code,
            text: text.as_bytes().to_vec(),
        }
    }

    /// Reads an outcome: `None` when it is shorter than its code, or the code is not one of RFC 3244's.
    #[must_use]
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let (code, text) = octets.split_first_chunk::<2>()?;
        let code = ResultCode(u16::from_be_bytes(*code));
        code.name().map(|_| Self {
            code,
            text: text.to_vec(),
        })
    }

    /// The octets.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [&self.code.0.to_be_bytes(), self.text.as_slice()].concat()
    }
}

/// What there is to tell a person: the server's text, when it is one that can be shown, or what a policy or code means.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.meaning())?;
        if let Some(policy) = AdPolicy::decode(&self.text) {
            let policy = policy.to_string();
            return if policy.is_empty() {
                Ok(())
            } else {
                write!(f, ": {policy}")
            };
        }
        match core::str::from_utf8(&self.text) {
            Ok(text) if !text.is_empty() && !text.contains('\0') => write!(f, ": {}", printable(text)),
            _ => Ok(()),
        }
    }
}

// Anybody may have sent it, and it ends on a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_two_octets_and_a_text() {
        let outcome = Outcome::new(ResultCode::SOFTERROR, "too short");
        assert_eq!(outcome.encode(), b"\x00\x04too short");
        assert_eq!(Outcome::decode(&outcome.encode()), Some(outcome));
        assert_eq!(
            Outcome::decode(b"\x00\x00"),
            Some(Outcome::new(ResultCode::SUCCESS, ""))
        );
        for bad in [&b""[..], b"\x00", b"\x00\x08", b"\x01\x00", b"\xff\xff"] {
            assert_eq!(Outcome::decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_code_has_a_name_and_a_meaning() {
        for code in 0..=7 {
            assert!(ResultCode(code).name().unwrap().starts_with("KRB5_KPASSWD_"));
            assert_ne!(ResultCode(code).meaning(), "unknown result");
        }
        assert_eq!(ResultCode(8).name(), None);
        assert_eq!(
            format!("{:?} {:?}", ResultCode(5), ResultCode(8)),
            "KRB5_KPASSWD_ACCESSDENIED 8"
        );
    }

    #[test]
    fn what_is_shown_is_fit_for_a_terminal() {
        let shown = |text: &[u8]| {
            Outcome {
                code: ResultCode::SOFTERROR,
                text: text.to_vec(),
            }
            .to_string()
        };
        assert_eq!(shown(b"too short"), "the new password was refused: too short");
        assert_eq!(shown(b"a\x1b[2Jb"), "the new password was refused: a [2Jb");
        for none in [&b""[..], b"\xff\xfe", b"abc\0"] {
            assert_eq!(shown(none), "the new password was refused");
        }
        let mut policy = [0; 30];
        policy[5] = 8;
        assert_eq!(
            shown(&policy),
            "the new password was refused: It must have at least 8 characters."
        );
    }
}
