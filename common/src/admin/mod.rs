//! What `principal` and the daemon say to each other, over `<state>/admin.sock` in the clear or over a network [`Sealed`].
//!
//! Both begin with a greeting, [`Hello`] and [`Welcome`]; after that every [`Request`] has one [`Response`], but for those that
//! come in parts, such as [`Request::List`] and [`Request::Apply`], which have any number of [`Response::Listed`] or
//! [`Response::Differences`] before their [`Response::Done`]. Each message is a frame:
//! its length in four octets, big-endian, and that many octets of JSON. Unknown fields are refused: whoever sends one
//! expects something of it.

mod access;
mod account;
mod act;
mod declaration;
mod explanation;
mod frame;
mod octets;
mod policy;
mod principal;
mod sealed;
mod settings;

use core::fmt;
use core::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::role::RoleName;

pub use access::{AccessHistory, RightChanges, RoleChanges, RoleInfo, RuleChanges, RuleInfo, Source};
pub use account::{
    Counted, EventLine, EventQuery, Moment, MomentError, SessionInfo, SessionsUsage, Usage, WhichSessions,
};
pub use act::{Act, ActError};
pub use declaration::{
    Becomes, Declaration, DeclaredKind, DeclaredPrincipal, DeclaredRole, Difference, PartDifference,
};
pub use explanation::{ActExplanation, Considered, ConsideredRight, Entitlement, Explanation, Offer};
pub use frame::{Dialogue, FrameError, MAX_FRAME, MessageSink, MessageSource, read_frame, write_frame};
pub use octets::{HexOctets, Password};
pub use policy::{OrNone, OrNoneError, PolicyBody, PolicyChanges, PolicyInfo};
pub use principal::{ImportRecord, ImportRecordError, KeyInfo, KeyUse, PrincipalInfo, ShutOutInfo, Span, Time};
pub use sealed::{MAX_TOKEN, REQUIRED, Sealed, read_token, write_token};
pub use settings::{Deadline, DeadlineError, Limit, LimitError, OwnPolicy, Settings, Switch, YesNo, YesNoError};

/// The version of this protocol. Both ends have to speak the same.
pub const PROTOCOL: u32 = 4;

/// The socket's name in the state directory.
pub const SOCKET: &str = "admin.sock";

/// The realm's configuration in the directory where a program was started.
pub const CONFIG: &str = "realm.toml";

/// The realm's configuration on a machine that serves one realm, as a package installs it.
pub const SYSTEM_CONFIG: &str = "/etc/tessera/realm.toml";

/// The configuration that a program goes by: the one that it was told; or else [`CONFIG`]; or else, where there is none,
/// [`SYSTEM_CONFIG`], if there is that. `is_there` tells whether there is a file.
pub fn config_file(told: Option<PathBuf>, is_there: impl Fn(&Path) -> bool) -> PathBuf {
    let otherwise = || match (is_there(Path::new(CONFIG)), is_there(Path::new(SYSTEM_CONFIG))) {
        (false, true) => SYSTEM_CONFIG,
        _ => CONFIG,
    };
    told.unwrap_or_else(|| otherwise().into())
}

/// The most principals in one [`Request::Import`] or [`Response::Listed`], and the most events and sessions in one
/// [`Response::Events`] or [`Response::Sessions`].
pub const MAX_BATCH: usize = 1000;

/// The client's greeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The program and its version, for the log.
    pub program: String,
}

/// The daemon's greeting. A client that is not welcome gets [`Response::Refused`] instead of answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Welcome {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The program and its version.
    pub program: String,
    /// The realm that is administered.
    pub realm: String,
}

/// What an administrator asks for. Names are as people type them: escaped, with or without the realm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Request {
    /// A new principal.
    Add(NewPrincipal),
    /// Every principal, or those whose name or alias matches.
    List {
        /// A pattern with `*`, `?` and `[…]`, of names without the realm.
        glob: Option<String>,
        /// Only those that have this role.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<RoleName>,
    },
    /// One principal.
    Show {
        /// Its name or alias.
        name: String,
    },
    /// What one would be offered and given if it asked for a ticket now.
    Explain {
        /// The principal.
        name: String,
        /// For a ticket to what; absent, the ticket-granting service.
        service: Option<String>,
        /// From where; absent, from the daemon's own machine.
        from: Option<IpAddr>,
        /// When; absent, now.
        at: Option<Deadline>,
    },
    /// Whether one may do something as an administrator, and by which of its rights.
    ExplainAct {
        /// The administrator.
        name: String,
        /// What it would do.
        act: Act,
        /// To whom, for an act that is done to a principal; for a new one, its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<String>,
    },
    /// Other attributes, times and limits.
    Set {
        /// The principal.
        name: String,
        /// What is to change; the rest stays.
        settings: Settings,
        /// Likewise of its roles.
        #[serde(default, skip_serializing_if = "RoleChanges::is_empty")]
        roles: RoleChanges,
        /// Only if it is still at this revision; absent, whatever somebody else changed in the meantime.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u64>,
    },
    /// A new password.
    Password {
        /// The principal.
        name: String,
        /// The password.
        password: Password,
        /// What to make keys for; absent, what the realm makes keys for.
        enctypes: Option<Vec<String>>,
    },
    /// New random keys, or a step on the way to them.
    Rotate {
        /// The principal.
        name: String,
        /// Which step.
        how: Rotation,
        /// What to make keys for; absent, what the realm makes keys for. Meaningless where none are made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        enctypes: Option<Vec<String>>,
    },
    /// No more tickets for it or to it.
    Lock {
        /// The principal.
        name: String,
    },
    /// Tickets again.
    Unlock {
        /// The principal.
        name: String,
    },
    /// Another name. Its keys stay good.
    Rename {
        /// The principal.
        name: String,
        /// Its name from now on.
        to: String,
    },
    /// One more name.
    Alias {
        /// The principal.
        name: String,
        /// The other name.
        alias: String,
    },
    /// One name less.
    Unalias {
        /// The principal.
        name: String,
        /// The other name.
        alias: String,
    },
    /// The principal is to be no more.
    Remove {
        /// The principal.
        name: String,
    },
    /// The current keys and those that are staged, for a keytab. Never a former one.
    Keytab {
        /// The principals.
        names: Vec<String>,
        /// Whether to make new random keys first.
        rotate: bool,
    },
    /// Many new principals, at most [`MAX_BATCH`]. Each is added or refused by itself.
    Import {
        /// The principals.
        principals: Vec<NewPrincipal>,
    },
    /// A role in the database.
    AddRole {
        /// Its name.
        name: RoleName,
        /// What it lets its holders do to the realm, as in `helpdesk:*/student`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rights: Vec<String>,
    },
    /// Other rights of a role in the database.
    SetRole {
        /// Its name.
        name: RoleName,
        /// Which rights come and go; the rest stays.
        rights: RightChanges,
    },
    /// The role is to be no more in the database. Refused while a rule names it or a principal has it.
    RemoveRole {
        /// Its name.
        name: RoleName,
    },
    /// Every role, wherever it is declared.
    ListRoles,
    /// A rule in the database.
    AddRule {
        /// Its name.
        name: String,
        /// Its parts; an effect and services among them.
        parts: RuleChanges,
    },
    /// Other parts of a rule in the database.
    SetRule {
        /// Its name.
        name: String,
        /// What is to change; the rest stays.
        parts: RuleChanges,
        /// Only if it is still at this revision; absent, whatever somebody else changed in the meantime.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u64>,
    },
    /// The rule is to be no more in the database.
    RemoveRule {
        /// Its name.
        name: String,
    },
    /// One rule, wherever it is declared.
    ShowRule {
        /// Its name.
        name: String,
    },
    /// Every rule, wherever it is declared.
    ListRules,
    /// A policy in the database.
    AddPolicy {
        /// Its name.
        name: String,
        /// Its parts.
        parts: PolicyChanges,
    },
    /// Other parts of a policy in the database.
    SetPolicy {
        /// Its name.
        name: String,
        /// What is to change; the rest stays.
        parts: PolicyChanges,
        /// Only if it is still at this revision; absent, whatever somebody else changed in the meantime.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u64>,
    },
    /// The policy is to be no more in the database. Refused while a principal has it.
    RemovePolicy {
        /// Its name.
        name: String,
    },
    /// One policy, wherever it is declared.
    ShowPolicy {
        /// Its name.
        name: String,
    },
    /// Every policy, wherever it is declared.
    ListPolicies,
    /// The realm is to be as this declares it: all of it, or nothing. Answered by [`Response::Differences`].
    Apply {
        /// What is declared.
        declaration: Declaration,
        /// What becomes of what is in the database and not declared.
        rest: Rest,
        /// Whether to do it or only to tell the difference.
        mode: ApplyMode,
    },
    /// What the database holds, as [`Request::Apply`] takes it. Answered by [`Response::Exported`].
    Export,
    /// What happened, the oldest first: those events that whoever asks may see. Answered by [`Response::Events`].
    Events {
        /// Which events.
        #[serde(default, skip_serializing_if = "EventQuery::is_empty")]
        query: EventQuery,
        /// Only so many, the last ones; absent, all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<u64>,
        /// Whether those that happen from now on are told as well, without an end.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        follow: bool,
    },
    /// Sessions, the oldest first: those that whoever asks may see. Answered by [`Response::Sessions`].
    Sessions {
        /// Those of one principal only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Those that are open, or those that have ended.
        which: WhichSessions,
    },
    /// What one principal did. Answered by [`Response::Usage`].
    Usage {
        /// The principal, or a name that nobody has or had.
        name: String,
        /// From when on; absent, as far as the log goes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Moment>,
        /// Before when; absent, now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Moment>,
    },
    /// A new master key, and every key sealed anew under it.
    RotateMasterKey,
    /// Apply a changed realm.toml.
    Reload,
}

/// What becomes of roles, rules, policies and principals that are in the database and not declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rest {
    /// They stay.
    Stays,
    /// They go, if the declaration is about their kind at all; but for the principals that the realm needs.
    Goes,
}

/// Whether a declaration is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplyMode {
    /// It is.
    Commit,
    /// Nothing is changed.
    DryRun,
}

/// A step in the life of a principal's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rotation {
    /// New ones at once; the former are gone, but for a ticket-granting service's, which stay good as long as a ticket under
    /// them can live.
    Replace,
    /// New ones at once; the former stay good.
    Keep,
    /// New ones of the next version, for keytabs; no ticket is sealed with them yet.
    Stage,
    /// The staged ones are in force; the former stay good as long as a ticket under them can live.
    Activate,
    /// The former ones are gone.
    Purge,
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replace => "replace",
            Self::Keep => "keep",
            Self::Stage => "stage",
            Self::Activate => "activate",
            Self::Purge => "purge",
        })
    }
}

/// A principal to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NewPrincipal {
    /// Its name.
    pub name: String,
    /// Its keys.
    pub keys: NewKeys,
    /// What to make keys for, by name; absent, what the realm makes keys for. Meaningless with [`NewKeys::Given`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enctypes: Option<Vec<String>>,
    /// What sets it apart.
    #[serde(default)]
    pub settings: Settings,
    /// What it is to the realm's services; in any order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleName>,
}

/// Where a principal's keys come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewKeys {
    /// From a password.
    Password(Password),
    /// At random.
    Random,
    /// Made elsewhere.
    Given(Vec<GivenKey>),
}

/// A key that was made elsewhere, or is to be used elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GivenKey {
    /// Its enctype, by name.
    pub enctype: String,
    /// Its version, 1 or more.
    pub kvno: u32,
    /// The key, in hexadecimal digits.
    pub key: HexOctets,
    /// The salt, if it was made from a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Response {
    /// It is done, and durable.
    Done,
    /// It is done, and durable; the principal is now this.
    Principal(Box<PrincipalInfo>),
    /// What one would be offered and given.
    Explained(Box<Explanation>),
    /// Whether one may do something, and by which right.
    ActExplained(Box<ActExplanation>),
    /// Some principals; more may follow until [`Response::Done`].
    Listed(Vec<PrincipalInfo>),
    /// It is done, and durable; the rule is now this. Or this is the rule that was asked for.
    Rule(Box<RuleInfo>),
    /// Some roles; more may follow until [`Response::Done`].
    Roles(Vec<RoleInfo>),
    /// Some rules; more may follow until [`Response::Done`].
    Rules(Vec<RuleInfo>),
    /// It is done, and durable; the policy is now this. Or this is the policy that was asked for.
    Policy(Box<PolicyInfo>),
    /// Some policies; more may follow until [`Response::Done`].
    Policies(Vec<PolicyInfo>),
    /// Some of what a declaration changed, or would; more may follow until [`Response::Done`].
    Differences(Vec<Difference>),
    /// Some of what the database holds; more may follow until [`Response::Done`].
    Exported(Box<Declaration>),
    /// Some events; more may follow until [`Response::Done`], or without an end. None at all says that the daemon is still
    /// there.
    Events(Vec<EventLine>),
    /// Some sessions; more may follow until [`Response::Done`].
    Sessions(Vec<SessionInfo>),
    /// What one principal did.
    Usage(Box<Usage>),
    /// Keys for a keytab.
    Keys(Vec<KeytabKey>),
    /// It is done, and durable: former keys are gone.
    Purged {
        /// The principal, as it is now.
        principal: Box<PrincipalInfo>,
        /// Which keys went, the newest first; none, when it had no former ones.
        gone: Vec<KeyInfo>,
    },
    /// What became of an import. What is not refused is durable.
    Imported {
        /// How many were added.
        added: usize,
        /// Which were not, and why.
        refused: Vec<RefusedImport>,
    },
    /// How far something is that takes its time; more follows.
    Progress {
        /// How many are done.
        done: usize,
        /// Of how many.
        total: usize,
    },
    /// What became of the master key.
    MasterKey {
        /// For the operator, in sentences.
        notes: Vec<String>,
    },
    /// What became of a changed realm.toml.
    Reloaded {
        /// What an operator should know: warnings, and what needs a restart.
        notes: Vec<String>,
    },
    /// It was not done, and nothing was changed.
    Refused {
        /// Whose fault it is.
        reason: Reason,
        /// What was asked, what is wrong, what to do.
        message: String,
    },
}

/// One principal of an import that was not added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RefusedImport {
    /// Its place in the request, from 0.
    pub at: usize,
    /// Why.
    pub message: String,
}

/// A key for a keytab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KeytabKey {
    /// The principal, with its realm, under the name that was asked for.
    pub principal: String,
    /// The key.
    pub key: GivenKey,
    /// Whether no ticket is sealed with it yet.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub staged: bool,
}

/// Whose fault it is that something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The caller is not permitted.
    NotPermitted,
    /// There is no such principal, role, rule or policy.
    NotFound,
    /// The name is taken.
    Taken,
    /// Somebody else was faster.
    Conflict,
    /// What was asked makes no sense.
    Invalid,
    /// The realm cannot do without it, or it is not for commands to change.
    Protected,
    /// The daemon cannot, just now.
    Unavailable,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::KerberosTime;

    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn the_configuration_is_the_one_told_or_the_one_here_or_the_machines() {
        let here = |there: &'static [&str]| move |file: &Path| there.iter().any(|other| file == Path::new(other));
        for (told, there, found) in [
            (Some("r.toml"), &[CONFIG, SYSTEM_CONFIG][..], "r.toml"),
            (None, &[CONFIG, SYSTEM_CONFIG], CONFIG),
            (None, &[SYSTEM_CONFIG], SYSTEM_CONFIG),
            (None, &[CONFIG], CONFIG),
            (None, &[], CONFIG),
        ] {
            assert_eq!(
                config_file(told.map(PathBuf::from), here(there)),
                Path::new(found),
                "{told:?} {there:?}"
            );
        }
    }

    #[test]
    fn messages_look_as_documented() {
        let add = Request::Add(NewPrincipal {
            name: "alice".into(),
            keys: NewKeys::Password(Password::new("secret".into())),
            enctypes: None,
            settings: Settings {
                expires: Some(Deadline::At(KerberosTime(0))),
                max_life: Some(Limit::At(core::time::Duration::from_secs(3600))),
                preauth: Some(YesNo::No),
                ..Settings::default()
            },
            roles: Vec::new(),
        });
        let text = r#"{"add":{"name":"alice","keys":{"password":"secret"},"settings":{"expires":"1970-01-01T00:00:00Z","max-life":"1h","preauth":false}}}"#;
        assert_eq!(json(&add), text);
        assert_eq!(serde_json::from_str::<Request>(text).unwrap(), add);
        for (request, text) in [
            (Request::Reload, r#""reload""#),
            (
                Request::Rotate {
                    name: "host/a".into(),
                    how: Rotation::Stage,
                    enctypes: None,
                },
                r#"{"rotate":{"name":"host/a","how":"stage"}}"#,
            ),
            (
                Request::Set {
                    name: "alice".into(),
                    settings: Settings::default(),
                    roles: RoleChanges {
                        add: vec!["staff".parse().unwrap()],
                        ..RoleChanges::default()
                    },
                    revision: None,
                },
                r#"{"set":{"name":"alice","settings":{},"roles":{"add":["staff"]}}}"#,
            ),
            (
                Request::SetRule {
                    name: "office".into(),
                    parts: RuleChanges {
                        effect: Some("deny".into()),
                        ..RuleChanges::default()
                    },
                    revision: Some(7),
                },
                r#"{"set-rule":{"name":"office","parts":{"effect":"deny"},"revision":7}}"#,
            ),
        ] {
            assert_eq!(json(&request), text);
            assert_eq!(serde_json::from_str::<Request>(text).unwrap(), request);
        }
        assert_eq!(json(&Response::Done), r#""done""#);
        assert_eq!(
            json(&Response::Refused {
                reason: Reason::NotFound,
                message: "no bob".into()
            }),
            r#"{"refused":{"reason":"not-found","message":"no bob"}}"#
        );
    }

    /// What may stand in the place of a name that is not known, by what serde says of it.
    fn expected(error: &serde_json::Error) -> Vec<String> {
        let text = error.to_string();
        let (_, names) = text.split_once("expected ").unwrap_or_else(|| panic!("{text}"));
        names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_message_and_each_of_its_fields_is_documented() {
        let document = include_str!("../../../docs/admin-protocol.md");
        let requests = expected(&serde_json::from_str::<Request>(r#""?""#).unwrap_err());
        let responses = expected(&serde_json::from_str::<Response>(r#""?""#).unwrap_err());
        assert!(
            requests.len() > 20 && responses.len() > 10,
            "{requests:?} {responses:?}"
        );
        for name in requests.iter().chain(&responses) {
            assert!(document.contains(&format!("\"{name}\"")), "{name}");
        }
        let parts = [
            serde_json::from_str::<Settings>(r#"{"?":1}"#).err(),
            serde_json::from_str::<NewPrincipal>(r#"{"?":1}"#).err(),
            serde_json::from_str::<GivenKey>(r#"{"?":1}"#).err(),
            serde_json::from_str::<KeytabKey>(r#"{"?":1}"#).err(),
            serde_json::from_str::<RefusedImport>(r#"{"?":1}"#).err(),
            serde_json::from_str::<RuleChanges>(r#"{"?":1}"#).err(),
            serde_json::from_str::<RoleChanges>(r#"{"?":1}"#).err(),
            serde_json::from_str::<EventQuery>(r#"{"?":1}"#).err(),
        ];
        let of_requests = requests
            .iter()
            .filter_map(|name| serde_json::from_str::<Request>(&format!(r#"{{"{name}":{{"?":1}}}}"#)).err());
        for error in parts.into_iter().flatten().chain(of_requests) {
            if error.to_string().contains("unknown field") {
                for field in expected(&error) {
                    let named = [format!("\"{field}\""), format!("`{field}`")];
                    assert!(named.iter().any(|named| document.contains(named)), "{field}: {error}");
                }
            }
        }
        // These are printed as they come.
        let printed = include_str!("../../../docs/administration.md");
        let parts = [
            serde_json::from_str::<SessionInfo>(r#"{"?":1}"#).unwrap_err(),
            serde_json::from_str::<Usage>(r#"{"?":1}"#).unwrap_err(),
        ];
        for field in parts.iter().flat_map(expected) {
            assert!(printed.contains(&format!("`{field}`")), "{field}");
        }
        let reasons = expected(&serde_json::from_str::<Reason>(r#""?""#).unwrap_err());
        for reason in reasons {
            assert!(document.contains(&format!("`{reason}`")), "{reason}");
        }
        for number in [MAX_FRAME, MAX_TOKEN] {
            let digits = number.to_string();
            let grouped: Vec<&str> = digits
                .as_bytes()
                .rchunks(3)
                .rev()
                .map(|group| core::str::from_utf8(group).unwrap())
                .collect();
            assert!(document.contains(&grouped.join(",")), "{number}");
        }
        assert!(document.contains(&format!("version {PROTOCOL}")));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for text in [
            r#""stop""#,
            r#"{"show":{"name":"a","all":true}}"#,
            r#"{"add":{"name":"a","keys":"random","colour":1}}"#,
            r#"{"set":{"name":"a","settings":{"colour":1}}}"#,
            r#"{"rotate":{"name":"a","how":"twice"}}"#,
            r#"{"rotate":{"name":"a","keep":true}}"#,
            r#"{"add":{"name":"a","keys":{"given":[{"enctype":"aes256-cts","kvno":1,"key":"0g"}]}}}"#,
            r#"{"set":{"name":"a","settings":{"expires":"tomorrow"}}}"#,
        ] {
            assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let key = GivenKey {
            enctype: "aes256-cts".into(),
            kvno: 1,
            key: HexOctets::new(vec![0xab; 32]),
            salt: None,
        };
        let add = NewPrincipal {
            name: "a".into(),
            keys: NewKeys::Given(vec![key]),
            enctypes: None,
            settings: Settings::default(),
            roles: Vec::new(),
        };
        let printed = format!("{add:?} {:?}", NewKeys::Password(Password::new("secret".into())));
        assert!(
            !printed.contains("171") && !printed.contains("abab") && !printed.contains("secret"),
            "{printed}"
        );
    }
}
