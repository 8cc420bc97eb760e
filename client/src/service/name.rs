use core::fmt;
use core::str::FromStr;

use tessera_common::name::{Name, NameError, Principal};

/// Which of a keytab's services tickets are accepted for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ServiceName {
    /// All of them.
    #[default]
    Any,
    /// Those of one kind, under every host name that the keytab has: `HTTP`.
    Kind(String),
    /// One, in whatever realm: `HTTP/www.example.com`, or `HTTP@www.example.com` as GSS-API writes it.
    Named(Name),
    /// One alone: `HTTP/www.example.com@EXAMPLE.COM`.
    Exactly(Principal),
}

impl ServiceName {
    /// Whether a principal of a keytab is meant.
    #[must_use]
    pub fn is(&self, principal: &Principal) -> bool {
        match self {
            Self::Any => true,
            Self::Kind(kind) => principal.name.len() > 1 && principal.name.component(0) == Some(kind),
            Self::Named(name) => principal.name == *name,
            Self::Exactly(one) => principal == one,
        }
    }
}

impl FromStr for ServiceName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match (text.contains('/'), text.split_once('@')) {
            (true, Some(_)) => text.parse().map(Self::Exactly),
            (true, None) => Name::parse(text).map(Self::Named),
            (false, Some((kind, host))) if kind.is_empty() || host.is_empty() => Err(NameError::Empty),
            (false, Some((kind, host))) => Name::new([kind, &host.to_ascii_lowercase()]).map(Self::Named),
            (false, None) => Name::new([text]).map(|_| Self::Kind(text.to_owned())),
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any service"),
            Self::Kind(kind) => write!(f, "{kind} under any name"),
            Self::Named(name) => write!(f, "{name}"),
            Self::Exactly(principal) => write!(f, "{principal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_writing_a_service_means_these() {
        let all = [
            "HTTP/www.example.com@A",
            "HTTP/www.example.com@B",
            "HTTP/api.example.com@A",
            "host/www.example.com@A",
            "HTTP@A",
        ];
        for (text, meant) in [
            ("HTTP", vec![0, 1, 2]),
            ("HTTP@www.example.com", vec![0, 1]),
            ("HTTP@WWW.Example.com", vec![0, 1]),
            ("HTTP/www.example.com", vec![0, 1]),
            ("HTTP/www.example.com@B", vec![1]),
            ("http", vec![]),
        ] {
            let name: ServiceName = text.parse().unwrap();
            let found: Vec<usize> = (0..all.len())
                .filter(|at| name.is(&all[*at].parse().unwrap()))
                .collect();
            assert_eq!(found, meant, "{text}");
        }
        assert!(all.iter().all(|one| ServiceName::Any.is(&one.parse().unwrap())));
        for wrong in ["HTTP@", "@host", "HTTP/a@b@c"] {
            assert!(wrong.parse::<ServiceName>().is_err(), "{wrong:?}");
        }
    }
}
