use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use tessera_common::spnego::MAX_TOKEN;

use crate::http_token;

/// What a request brings to prove who sends it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// Nothing, or something of another scheme.
    Nothing,
    /// A token.
    Token(Vec<u8>),
    /// Something of this scheme that is no token: why not.
    Wrong(&'static str),
}

/// Reads `Authorization` (RFC 4559 §4.2: the scheme, and the token in base64).
pub(super) fn brought(headers: &HeaderMap) -> Brought {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (first, more) = (values.next(), values.next().is_some());
    let Some(parameter) = first.and_then(of_scheme) else {
        // Which of several would count is for nobody to choose.
        let hidden = headers
            .get_all(AUTHORIZATION)
            .iter()
            .any(|value| of_scheme(value).is_some());
        return if hidden {
            Brought::Wrong("there is more than one Authorization header")
        } else {
            Brought::Nothing
        };
    };
    if more {
        return Brought::Wrong("there is more than one Authorization header");
    }
    if parameter.is_empty() {
        return Brought::Wrong("the Authorization header has no token");
    }
    if parameter.len() > MAX_TOKEN.div_ceil(3) * 4 {
        return Brought::Wrong("the token in the Authorization header is too long");
    }
    http_token::decode(parameter).map_or(
        Brought::Wrong("the token in the Authorization header is not base64"),
        Brought::Token,
    )
}

fn of_scheme(value: &HeaderValue) -> Option<&[u8]> {
    http_token::parameter(value.as_bytes())
}

/// `WWW-Authenticate`: the scheme, and the token if there is one.
pub(super) fn challenge(token: Option<&[u8]>) -> HeaderValue {
    // Of nothing but characters that a header may have.
    HeaderValue::try_from(http_token::value(token)).unwrap_or(HeaderValue::from_static(http_token::SCHEME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_token_is_read_however_the_scheme_is_written() {
        for value in [
            "Negotiate Zm9v",
            "negotiate Zm9v",
            "NEGOTIATE   Zm9v ",
            "Negotiate Zm9v",
        ] {
            assert_eq!(brought(&with(&[value])), Brought::Token(b"foo".to_vec()), "{value}");
        }
        assert_eq!(brought(&with(&["Negotiate Zg"])), Brought::Token(b"f".to_vec()));
    }

    #[test]
    fn other_schemes_are_not_ours_to_judge() {
        for values in [
            &[][..],
            &["Basic Zm9v"],
            &["Bearer x", "Basic y"],
            &["Negotiated Zm9v"],
            &["Nego"],
            &[""],
        ] {
            assert_eq!(brought(&with(values)), Brought::Nothing, "{values:?}");
        }
    }

    #[test]
    fn what_is_of_this_scheme_and_no_token_is_wrong() {
        let long = format!("Negotiate {}", "A".repeat(90_000));
        for values in [
            &["Negotiate"][..],
            &["Negotiate "],
            &["Negotiate Zm9v Zm9v"],
            &["Negotiate Zm9v, Basic Zm9v"],
            &["Negotiate Zh"],
            &["Negotiate Zm9v", "Negotiate Zm9v"],
            &["Basic Zm9v", "Negotiate Zm9v"],
            &["Negotiate Zm9v", "Basic Zm9v"],
            &[long.as_str()],
        ] {
            assert!(matches!(brought(&with(values)), Brought::Wrong(_)), "{values:?}");
        }
    }
}
