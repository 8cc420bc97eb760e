//! What sets a principal apart, as an administrator writes it.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::duration;
use crate::role::{RoleNameError, is_role_name};
use crate::time::KerberosTime;

/// When something ends: `never`, an RFC 3339 time, or `+D` from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// It does not.
    Never,
    /// Then.
    At(KerberosTime),
    /// So long after it is set.
    After(Duration),
}

/// The text is no [`Deadline`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineError;

impl fmt::Display for DeadlineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected a time such as 2027-01-31T18:00:00Z or 2027-01-31, a time from now such as +90d, or never",
        )
    }
}

impl core::error::Error for DeadlineError {}

impl FromStr for Deadline {
    type Err = DeadlineError;

    fn from_str(text: &str) -> Result<Self, DeadlineError> {
        if text == "never" {
            return Ok(Self::Never);
        }
        match text.strip_prefix('+') {
            Some(span) => duration::parse(span).map(Self::After).map_err(|_| DeadlineError),
            None => text.parse().map(Self::At).map_err(|_| DeadlineError),
        }
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::At(time) => write!(f, "{time}"),
            Self::After(span) => write!(f, "+{}", duration::format(*span)),
        }
    }
}

impl Deadline {
    /// The time that is meant, when it is said at `now`.
    #[must_use]
    pub fn resolve(self, now: KerberosTime) -> Option<KerberosTime> {
        match self {
            Self::Never => None,
            Self::At(time) => Some(time),
            Self::After(span) => Some(now.plus(span)),
        }
    }
}

/// How long something may live: a time such as `10h`, or `realm` for what the realm allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// No longer than the realm allows.
    Realm,
    /// So long, and no longer than the realm allows.
    At(Duration),
}

/// The text is no [`Limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitError;

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a time such as 10h, 7d or 5m30s, or realm for what the realm allows")
    }
}

impl core::error::Error for LimitError {}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        if text == "realm" {
            return Ok(Self::Realm);
        }
        duration::parse(text).map(Self::At).map_err(|_| LimitError)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Realm => f.write_str("realm"),
            Self::At(span) => f.write_str(&duration::format(*span)),
        }
    }
}

impl Limit {
    /// The limit; `None` for the realm's.
    #[must_use]
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::Realm => None,
            Self::At(span) => Some(span),
        }
    }
}

/// The policy that a principal goes by: its name, or `none` for none of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnPolicy {
    /// None of its own: the one that is called `default`, if it has a password and there is one.
    None,
    /// This one.
    Named(String),
}

impl FromStr for OwnPolicy {
    type Err = RoleNameError;

    fn from_str(text: &str) -> Result<Self, RoleNameError> {
        match text {
            "none" => Ok(Self::None),
            name if is_role_name(name) => Ok(Self::Named(name.to_owned())),
            _ => Err(RoleNameError),
        }
    }
}

impl fmt::Display for OwnPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// `yes` or `no`; in JSON, `true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum YesNo {
    /// It is so.
    Yes,
    /// It is not.
    No,
}

/// The text is neither `yes` nor `no`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YesNoError;

impl fmt::Display for YesNoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected yes or no")
    }
}

impl core::error::Error for YesNoError {}

impl FromStr for YesNo {
    type Err = YesNoError;

    fn from_str(text: &str) -> Result<Self, YesNoError> {
        match text {
            "yes" => Ok(Self::Yes),
            "no" => Ok(Self::No),
            _ => Err(YesNoError),
        }
    }
}

impl From<bool> for YesNo {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl From<YesNo> for bool {
    fn from(answer: YesNo) -> Self {
        answer == YesNo::Yes
    }
}

macro_rules! settings {
    ($($(#[$meta:meta])* $field:ident $switch:ident;)+) => {
        /// What is to change about a principal; what is absent stays, or for a new one is as by default.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct Settings {
            /// From then on it gets no tickets, nor are any to it issued.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub expires: Option<Deadline>,
            /// From then on it has to change its password before it gets tickets.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub password_expires: Option<Deadline>,
            /// How long its tickets, and tickets to it, live at most.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub max_life: Option<Limit>,
            /// How long they can be renewed at most.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub max_renew: Option<Limit>,
            /// The policy that it goes by.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub policy: Option<OwnPolicy>,
            $(
                $(#[$meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<YesNo>,
            )+
        }

        /// The settings that are yes or no.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Switch {
            $($(#[$meta])* $switch,)+
        }

        impl Switch {
            /// Its name: the flag's of `principal set`, without the dashes before it.
            #[must_use]
            pub fn name(self) -> String {
                match self {
                    $(Self::$switch => stringify!($field).replace('_', "-"),)+
                }
            }
        }

        impl Settings {
            /// The switches that are to be set, and how.
            pub fn switches(&self) -> impl Iterator<Item = (Switch, bool)> {
                [$((Switch::$switch, self.$field)),+].into_iter().filter_map(|(switch, to)| Some((switch, to?.into())))
            }

            /// With this switch set, too.
            #[must_use]
            pub const fn with(mut self, switch: Switch, to: YesNo) -> Self {
                match switch {
                    $(Switch::$switch => self.$field = Some(to),)+
                }
                self
            }
        }

        impl Switch {
            /// Every switch.
            pub const ALL: &[Self] = &[$(Self::$switch),+];
        }
    };
}

settings! {
    /// It has to change its password before it gets tickets.
    must_change_password MustChangePassword;
    /// It has to prove who it is before it gets tickets.
    preauth Preauth;
    /// Tickets to it are issued.
    service Service;
    /// Its tickets, and tickets to it, may be forwardable.
    forwardable Forwardable;
    /// They may be proxiable.
    proxiable Proxiable;
    /// They may be renewable.
    renewable Renewable;
    /// They may be postdated.
    postdateable Postdateable;
    /// User-to-user tickets to it are issued.
    user_to_user UserToUser;
    /// Tickets to it are issued from a ticket-granting ticket, not only from a login.
    tgt_based TgtBased;
    /// Tickets to it are only for clients that proved who they are.
    require_preauth RequirePreauth;
    /// The realm trusts it with delegated credentials.
    ok_as_delegate OkAsDelegate;
    /// It logs in through FAST armor only.
    require_fast RequireFast;
}

macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

as_text!(Deadline, Limit, OwnPolicy);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_and_written() {
        let now = KerberosTime(1000);
        for (text, time) in [
            ("never", None),
            ("1970-01-02T00:00:00Z", Some(86_400)),
            ("1970-01-02", Some(86_400)),
            ("+1h30m", Some(1000 + 5400)),
        ] {
            let deadline: Deadline = text.parse().unwrap();
            assert_eq!(deadline.resolve(now), time.map(KerberosTime), "{text}");
            assert_eq!(deadline.to_string().parse(), Ok(deadline));
        }
        for bad in ["", "Never", "tomorrow", "90d", "+", "-1h", "+1", "19700101000000Z"] {
            assert_eq!(bad.parse::<Deadline>(), Err(DeadlineError), "{bad}");
        }
    }

    #[test]
    fn limits_are_read_and_written() {
        for (text, seconds) in [("realm", None), ("10h", Some(36_000)), ("0s", Some(0))] {
            let limit: Limit = text.parse().unwrap();
            assert_eq!(limit.duration(), seconds.map(Duration::from_secs), "{text}");
            assert_eq!(limit.to_string().parse(), Ok(limit));
        }
        for bad in ["", "10", "never"] {
            assert_eq!(bad.parse::<Limit>(), Err(LimitError), "{bad}");
        }
    }

    #[test]
    fn policies_are_named_or_none() {
        for text in ["none", "staff", "default"] {
            let policy: OwnPolicy = text.parse().unwrap();
            assert_eq!(
                (policy == OwnPolicy::None, policy.to_string()),
                (text == "none", text.to_owned())
            );
        }
        assert_eq!("Staff".parse::<OwnPolicy>(), Err(RoleNameError));
    }

    #[test]
    fn only_switches_that_are_set_are_named() {
        let settings = Settings {
            service: Some(YesNo::No),
            renewable: Some(YesNo::Yes),
            ..Settings::default()
        };
        assert!(
            settings
                .switches()
                .eq([(Switch::Service, false), (Switch::Renewable, true)])
        );
        assert_eq!(Settings::default().switches().count(), 0);
        for switch in Switch::ALL {
            let settings = Settings::default().with(*switch, YesNo::No);
            assert!(settings.switches().eq([(*switch, false)]));
        }
    }
}
