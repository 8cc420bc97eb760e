//! Principal names: what a person types, what a log prints, what two names being the same means.

use core::fmt;
use core::str::FromStr;

use smallvec::SmallVec;

/// The most components that a name may have.
pub const MAX_COMPONENTS: usize = 16;
/// The most octets that a name, with its realm, may have once written out.
pub const MAX_NAME_OCTETS: usize = 1024;

/// Name types (RFC 4120 §6.2, RFC 6806). They are hints: no two names differ by their type alone.
pub mod name_type {
    /// Not known.
    pub const UNKNOWN: i32 = 0;
    /// A user, or any name with no better type.
    pub const PRINCIPAL: i32 = 1;
    /// A service and an instance, as krbtgt's.
    pub const SRV_INST: i32 = 2;
    /// A service and a host.
    pub const SRV_HST: i32 = 3;
    /// `user@domain` in one component (RFC 6806 §5).
    pub const ENTERPRISE: i32 = 10;
    /// A name that the KDC knows by itself (RFC 6111).
    pub const WELLKNOWN: i32 = 11;
}

/// Why a text or a wire's name is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// No component at all, or nothing before the `@`.
    Empty,
    /// More than [`MAX_COMPONENTS`] components or [`MAX_NAME_OCTETS`] octets.
    TooLong,
    /// A NUL or another control character.
    ControlCharacter,
    /// Octets that are no UTF-8.
    NotUtf8,
    /// A backslash at the end, or before a character that has no escape.
    BadEscape,
    /// A second unescaped `@`.
    ManyRealms,
    /// No realm in the text and no default realm.
    NoRealm,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the name is empty",
            Self::TooLong => "the name is too long",
            Self::ControlCharacter => "the name has a control character",
            Self::NotUtf8 => "the name is not UTF-8",
            Self::BadEscape => "the name has a backslash before nothing that it could escape",
            Self::ManyRealms => "the name has more than one realm; write \\@ for an @ inside a component",
            Self::NoRealm => "the name has no realm, and no default realm is configured",
        })
    }
}

impl core::error::Error for NameError {}

/// The components of a principal's name, without realm and without type: at least one component, each UTF-8 without
/// control characters. A component may be empty (`host/`), the whole may not be.
///
/// Names are in the order of their components, each compared octet by octet.
// Kept in one piece, with a NUL between two components: no component has one, and no octet is less, so that the order of the
// whole is the order of the components.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

const BETWEEN: char = '\0';

fn has_control_character(text: &str) -> bool {
    // Those of ASCII at a glance; the others are two octets long, the first of them never ASCII.
    text.bytes().any(|octet| octet < b' ' || octet == 0x7f) || (!text.is_ascii() && text.chars().any(char::is_control))
}

impl Name {
    /// From components as they are, unescaped.
    ///
    /// # Errors
    /// [`NameError`] when there is none, one has a control character, or all together are too long.
    pub fn new<C: AsRef<str>>(components: impl IntoIterator<Item = C>) -> Result<Self, NameError> {
        let parts: SmallVec<[C; 4]> = components.into_iter().collect();
        Self::of(parts.iter().map(AsRef::as_ref))
    }

    /// As [`Name::new`], for components that are at hand: the name takes no more memory than it needs, at once.
    pub(crate) fn of<'c>(components: impl Iterator<Item = &'c str> + Clone) -> Result<Self, NameError> {
        Self::check(components.clone())?;
        let octets: usize = components.clone().map(|component| component.len() + 1).sum();
        let mut joined = String::with_capacity(octets.saturating_sub(1));
        for (at, component) in components.enumerate() {
            if at > 0 {
                joined.push(BETWEEN);
            }
            joined.push_str(component);
        }
        Ok(Self(joined.into()))
    }

    /// Whether these components are a name, as [`Name::new`] would take it.
    ///
    /// # Errors
    /// As [`Name::new`].
    pub fn check<'a>(components: impl IntoIterator<Item = &'a str>) -> Result<(), NameError> {
        let (mut count, mut octets, mut empty, mut controls) = (0, 0, true, false);
        for component in components {
            count += 1;
            octets += component.len() + 1;
            empty &= component.is_empty();
            controls |= has_control_character(component);
        }
        if count > MAX_COMPONENTS || octets > MAX_NAME_OCTETS {
            Err(NameError::TooLong)
        } else if empty {
            Err(NameError::Empty)
        } else if controls {
            Err(NameError::ControlCharacter)
        } else {
            Ok(())
        }
    }

    /// `krbtgt/REALM`: the ticket-granting service of `realm`.
    #[must_use]
    pub fn krbtgt(realm: &Realm) -> Self {
        Self(["krbtgt", realm.as_str()].join("\0").into())
    }

    /// Reads a name without a realm, with MIT's escapes.
    ///
    /// # Errors
    /// As [`Principal::parse`]; a text with a realm is [`NameError::ManyRealms`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match split(text)? {
            (components, None) => Self::new(components),
            (_, Some(_)) => Err(NameError::ManyRealms),
        }
    }

    /// The components, unescaped.
    pub fn components(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split(BETWEEN)
    }

    /// How many components there are, at least 1.
    #[must_use]
    pub fn len(&self) -> usize {
        self.components().count()
    }

    /// Never: a name has a component.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The component at `at`, from 0.
    #[must_use]
    pub fn component(&self, at: usize) -> Option<&str> {
        self.components().nth(at)
    }

    /// Whether the components are just these.
    #[must_use]
    pub fn is(&self, components: &[&str]) -> bool {
        self.components().eq(components.iter().copied())
    }

    /// Whether this is the ticket-granting service of some realm; which one, if so.
    #[must_use]
    pub fn tgs_realm(&self) -> Option<&str> {
        let (service, realm) = self.0.split_once(BETWEEN)?;
        (service == "krbtgt" && !realm.contains(BETWEEN)).then_some(realm)
    }

    /// The characters of the name as it is written out: with MIT's escapes, as `Display` has them.
    pub fn chars(&self) -> impl Iterator<Item = char> + Clone {
        self.0
            .chars()
            .flat_map(|c| match c {
                BETWEEN => [None, Some('/')],
                '\\' | '@' | '/' => [Some('\\'), Some(c)],
                plain => [None, Some(plain)],
            })
            .flatten()
    }

    /// The salt of RFC 4120 §4 for this name in `realm`: the realm and the components, put together without separators.
    #[must_use]
    pub fn default_salt(&self, realm: &Realm) -> Vec<u8> {
        let mut salt = Vec::with_capacity(realm.as_str().len() + self.0.len());
        for part in core::iter::once(realm.as_str()).chain(self.components()) {
            salt.extend_from_slice(part.as_bytes());
        }
        salt
    }
}

/// With MIT's escapes: `\/`, `\@`, `\\`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, component) in self.components().enumerate() {
            if at > 0 {
                f.write_str("/")?;
            }
            write_escaped(f, component, true)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A realm's name: UTF-8, not empty, no control characters. Compared octet by octet, so case matters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Realm(Box<str>);

impl Realm {
    /// Checks a realm's name.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, has a control character or is too long.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAX_NAME_OCTETS {
            return Err(NameError::TooLong);
        }
        if has_control_character(text) {
            return Err(NameError::ControlCharacter);
        }
        Ok(Self(text.into()))
    }

    /// The empty realm, which no text and no message has. MIT's library keeps a ticket in a credential cache under it when it left the
    /// choice of the service's realm to the KDC; what the ticket is for, its own cleartext says.
    #[must_use]
    pub fn left_to_kdc() -> Self {
        Self("".into())
    }

    /// The realm as text, unescaped.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, &self.0, false)
    }
}

impl fmt::Debug for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A principal: a name in a realm.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    /// The name within the realm.
    pub name: Name,
    /// The realm.
    pub realm: Realm,
}

impl Principal {
    /// Puts a name into a realm.
    #[must_use]
    pub const fn new(name: Name, realm: Realm) -> Self {
        Self { name, realm }
    }

    /// Reads `component/component@REALM` with MIT's escapes (`\/`, `\@`, `\\`, `\ `). Without `@REALM`, `default_realm`
    /// is taken.
    ///
    /// # Errors
    /// [`NameError`], with [`NameError::NoRealm`] when neither the text nor the caller names a realm.
    pub fn parse(text: &str, default_realm: Option<&Realm>) -> Result<Self, NameError> {
        let (components, realm) = split(text)?;
        let realm = match realm {
            Some(realm) => Realm::new(&realm)?,
            None => default_realm.cloned().ok_or(NameError::NoRealm)?,
        };
        Ok(Self {
            name: Name::new(components)?,
            realm,
        })
    }

    /// The ticket-granting service of `realm`, in `realm` itself.
    #[must_use]
    pub fn krbtgt(realm: &Realm) -> Self {
        Self {
            name: Name::krbtgt(realm),
            realm: realm.clone(),
        }
    }

    /// Reads an enterprise name (RFC 6806 §5): `user@domain` becomes one component; a second, last `@` begins a realm.
    ///
    /// # Errors
    /// As [`Principal::parse`].
    pub fn parse_enterprise(text: &str, default_realm: Option<&Realm>) -> Result<Self, NameError> {
        let (user, realm) = match text.match_indices('@').nth(1) {
            Some((at, _)) => (
                text.get(..at).unwrap_or_default(),
                Some(Realm::new(text.get(at + 1..).unwrap_or_default())?),
            ),
            None => (text, None),
        };
        let realm = realm.or_else(|| default_realm.cloned()).ok_or(NameError::NoRealm)?;
        Ok(Self {
            name: Name::new([user])?,
            realm,
        })
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.realm)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

macro_rules! as_text {
    ($type:ty, $parse:expr) => {
        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let parse: fn(&str) -> Result<Self, NameError> = $parse;
                parse(text)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Name, Name::parse);
as_text!(Realm, |text| match split(text)? {
    (parts, None) => match <[String; 1]>::try_from(parts) {
        Ok([realm]) => Realm::new(&realm),
        Err(parts) => Realm::new(&parts.join("/")),
    },
    (_, Some(_)) => Err(NameError::ManyRealms),
});
as_text!(Principal, |text| Principal::parse(text, None));

fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str, component: bool) -> fmt::Result {
    use fmt::Write as _;
    if !text.bytes().any(|octet| matches!(octet, b'\\' | b'@' | b'/')) {
        return f.write_str(text);
    }
    for c in text.chars() {
        if matches!(c, '\\' | '@') || (component && c == '/') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    Ok(())
}

// Splits at unescaped `/` and `@` and takes the escapes away. A realm keeps its unescaped `/`.
fn split(text: &str) -> Result<(Vec<String>, Option<String>), NameError> {
    let mut components = vec![String::new()];
    let mut realm: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '\\' => match chars.next() {
                Some(escaped @ ('/' | '@' | '\\' | ' ')) => escaped,
                Some('n' | 't' | 'b' | '0') => return Err(NameError::ControlCharacter),
                _ => return Err(NameError::BadEscape),
            },
            '@' if realm.is_some() => return Err(NameError::ManyRealms),
            '@' => {
                realm = Some(String::new());
                continue;
            }
            '/' if realm.is_none() => {
                components.push(String::new());
                continue;
            }
            plain => plain,
        };
        match (&mut realm, components.last_mut()) {
            (Some(realm), _) => realm.push(literal),
            (None, Some(component)) => component.push(literal),
            (None, None) => {}
        }
    }
    Ok((components, realm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn realm() -> Realm {
        Realm::new("EXAMPLE.COM").unwrap()
    }

    #[test]
    fn names_are_read_as_mit_reads_them() {
        let r = realm();
        for (text, components, realm) in [
            ("alice", &["alice"][..], "EXAMPLE.COM"),
            ("alice@OTHER", &["alice"], "OTHER"),
            ("HTTP/www.example.com@R", &["HTTP", "www.example.com"], "R"),
            (r"al\/ice@R", &["al/ice"], "R"),
            (r"alice\@example.com@R", &["alice@example.com"], "R"),
            (r"back\\slash", &["back\\slash"], "EXAMPLE.COM"),
            ("host/", &["host", ""], "EXAMPLE.COM"),
            ("a b", &["a b"], "EXAMPLE.COM"),
            ("žofie", &["žofie"], "EXAMPLE.COM"),
            ("a@R/S", &["a"], "R/S"),
        ] {
            let p = Principal::parse(text, Some(&r)).unwrap();
            assert!(p.name.is(components), "{text}: {p:?}");
            assert_eq!(p.realm.as_str(), realm, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let r = realm();
        for (text, why) in [
            ("", NameError::Empty),
            ("@R", NameError::Empty),
            ("/", NameError::Empty),
            ("a@", NameError::Empty),
            ("a@R@S", NameError::ManyRealms),
            ("a\\", NameError::BadEscape),
            ("a\\x", NameError::BadEscape),
            ("a\\0", NameError::ControlCharacter),
            ("a\0b", NameError::ControlCharacter),
            ("a\nb", NameError::ControlCharacter),
            ("a@R\0", NameError::ControlCharacter),
            ("\u{85}", NameError::ControlCharacter),
        ] {
            assert_eq!(Principal::parse(text, Some(&r)), Err(why), "{text:?}");
        }
        assert_eq!(Principal::parse("a", None), Err(NameError::NoRealm));
        assert_eq!(Name::new(vec!["x"; 17]), Err(NameError::TooLong));
        assert_eq!(Name::parse(&"x".repeat(1025)), Err(NameError::TooLong));
    }

    #[test]
    fn an_enterprise_name_is_one_component() {
        let r = realm();
        let p = Principal::parse_enterprise("alice@mail.example.com", Some(&r)).unwrap();
        assert!(p.name.is(&["alice@mail.example.com"]));
        assert_eq!(p.to_string(), r"alice\@mail.example.com@EXAMPLE.COM");
        let p = Principal::parse_enterprise("alice@mail@R", Some(&r)).unwrap();
        assert_eq!((p.name.is(&["alice@mail"]), p.realm.as_str()), (true, "R"));
    }

    #[test]
    fn the_default_salt_has_no_separators() {
        let name = Name::parse("host/www").unwrap();
        assert_eq!(name.default_salt(&realm()), b"EXAMPLE.COMhostwww");
    }

    proptest! {
        #[test]
        fn written_names_read_back(parts in prop::collection::vec("[^\\p{Cc}]{0,12}", 1..5), realm in "[^\\p{Cc}]{1,12}") {
            prop_assume!(parts.iter().any(|p| !p.is_empty()));
            let p = Principal::new(Name::new(&parts).unwrap(), Realm::new(&realm).unwrap());
            prop_assert_eq!(&Principal::parse(&p.to_string(), None).unwrap(), &p);
            prop_assert_eq!(p.realm.to_string().parse::<Realm>().unwrap(), p.realm);
        }
    }
}
