//! What may be typed.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use tessera_common::admin::{
    Act, Deadline, Limit, OwnPolicy, PolicyChanges, RightChanges, RoleChanges, Rotation, RuleChanges, Settings, YesNo,
};
use tessera_common::crypto::EncType;
use tessera_common::role::RoleName;

use super::cli_access::{PolicyCommand, RoleArgs, RoleCommand, RuleCommand, policy};
use super::cli_account::{LogArgs, SessionsArgs, UsageArgs};
use super::server::Server;

/// Under what help has the flags that every command has.
const DAEMON: &str = "Which daemon";

/// Administers the principals of a realm, over the socket of its daemon or from afar.
///
/// Over the socket, run it as root or as the daemon's user. With --server it asks a daemon on another machine, over a sealed
/// connection, with a ticket for kadmin/admin: one that is in the credential cache, or one for the password that it asks for,
/// which it reads from the first line of the standard input when that is no terminal. Names without a realm belong to the
/// daemon's.
#[derive(Debug, Parser)]
#[command(name = "principal", version, max_term_width = 100)]
pub(super) struct Cli {
    /// The realm's configuration, which says where the daemon's socket is [default: realm.toml, or where there is none
    /// /etc/tessera/realm.toml]
    #[arg(long, value_name = "FILE", global = true, help_heading = DAEMON)]
    pub(super) config: Option<PathBuf>,
    /// Ask the daemon that listens there, as its realm.toml says in [listen] admin; an IPv6 address stands in brackets
    #[arg(long, value_name = "HOST:PORT", global = true, help_heading = DAEMON)]
    pub(super) server: Option<Server>,
    /// With --server: the credential cache that has the ticket for kadmin/admin, as kinit -S kadmin/admin gets it
    #[arg(short = 'c', long, value_name = "CACHE", global = true, help_heading = DAEMON)]
    pub(super) cache: Option<String>,
    /// With --server: who asks. Otherwise whose credential cache it is, or the user, with /admin behind the name
    #[arg(short = 'p', long, value_name = "PRINCIPAL", global = true, help_heading = DAEMON)]
    pub(super) principal: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

impl Cli {
    /// Reads a command line, the program's name first.
    pub(super) fn read<I>(words: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator,
        I::Item: Into<OsString> + Clone,
    {
        let cli = Self::try_parse_from(words)?;
        // By hand: clap looks at these where they stand, before or behind the command, and not together.
        if cli.server.is_none() && (cli.cache.is_some() || cli.principal.is_some()) {
            let alone = "--cache and --principal go with --server HOST:PORT; over the socket nobody needs a ticket";
            return Err(Self::command().error(ErrorKind::MissingRequiredArgument, alone));
        }
        match &cli.command {
            Command::Set { settings, roles, .. }
                if Settings::from(&**settings) == Settings::default() && RoleChanges::from(roles).is_empty() =>
            {
                let nothing = "nothing to set: name at least one setting, as in --max-life 5h";
                Err(Self::command().error(ErrorKind::MissingRequiredArgument, nothing))
            }
            Command::Role(RoleCommand::Set { rights, .. }) if RightChanges::from(rights).is_empty() => {
                let nothing = "nothing to set: name at least one right, as in --add-right viewer";
                Err(Self::command().error(ErrorKind::MissingRequiredArgument, nothing))
            }
            Command::Rule(RuleCommand::Set { parts, .. }) if RuleChanges::from(&**parts) == RuleChanges::default() => {
                let nothing = "nothing to set: name at least one part, as in --effect deny";
                Err(Self::command().error(ErrorKind::MissingRequiredArgument, nothing))
            }
            Command::Policy(PolicyCommand::Set { parts, .. })
                if PolicyChanges::from(&**parts) == PolicyChanges::default() =>
            {
                let nothing = "nothing to set: name at least one part, as in --min-length 12";
                Err(Self::command().error(ErrorKind::MissingRequiredArgument, nothing))
            }
            _ => Ok(cli),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a principal
    Add {
        /// Its name
        name: String,
        #[command(flatten)]
        password: PasswordSource,
        /// Make random keys instead of keys from a password
        #[arg(long, conflicts_with = "password_file")]
        random_key: bool,
        /// Let anybody have tickets encrypted in its key, without proof
        #[arg(long)]
        no_preauth: bool,
        /// Make keys for these enctypes, best first, instead of the realm's
        #[arg(long, value_name = "ENCTYPE,…", value_delimiter = ',', value_parser = enctype)]
        enctypes: Option<Vec<EncType>>,
        /// Give it this role; as often as there are roles
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<RoleName>,
        /// Let it go by this policy
        #[arg(long, value_name = "POLICY", value_parser = policy)]
        policy: Option<OwnPolicy>,
    },
    /// List principals
    List {
        /// Only those with a name or alias that matches, as in 'host/*'
        glob: Option<String>,
        /// Only those that have this role
        #[arg(long)]
        role: Option<RoleName>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one principal
    Show {
        /// Its name, or an alias
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what a principal would be offered and given if it asked for a ticket now, or may do as an administrator
    Explain {
        /// Its name, or an alias
        name: String,
        /// For a ticket to this, instead of a ticket-granting ticket
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// Asked from this address, instead of the daemon's own machine
        #[arg(long, value_name = "ADDRESS")]
        from: Option<IpAddr>,
        /// Asked at this time, instead of now
        #[arg(long, value_name = "TIME")]
        at: Option<Deadline>,
        /// Whether it may do this as an administrator, and by which of its rights
        #[arg(long, value_parser = acts(), conflicts_with_all = ["service", "from", "at"])]
        act: Option<Act>,
        /// Done to this one, for what is done to a principal; its name, or an alias
        #[arg(long, value_name = "NAME", requires = "act")]
        on: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change a principal's times, limits, attributes and roles
    Set {
        /// Its name, or an alias
        name: String,
        #[command(flatten)]
        settings: Box<SettingsArgs>,
        #[command(flatten)]
        roles: RoleArgs,
        /// Only if it is still at this revision, as 'show' told it
        #[arg(long, value_name = "NUMBER")]
        revision: Option<u64>,
    },
    /// Give a principal a new password
    Password {
        /// Its name, or an alias
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Give a principal new random keys, at once or in steps
    Rotate {
        /// Its name, or an alias
        name: String,
        #[command(flatten)]
        how: RotationArgs,
    },
    /// Give a principal no more tickets, nor anybody tickets to it
    Lock {
        /// Its name, or an alias
        name: String,
    },
    /// Take a lock away, also one that came of too many wrong passwords
    Unlock {
        /// Its name, or an alias
        name: String,
    },
    /// Give a principal another name
    Rename {
        /// Its name, or an alias
        old: String,
        /// Its name from now on
        new: String,
    },
    /// Give a principal one more name
    Alias {
        /// Its name, or an alias
        name: String,
        /// The other name
        alias: String,
        /// Take that name away
        #[arg(long)]
        remove: bool,
    },
    /// Remove a principal
    Remove {
        /// Its name, or an alias
        name: String,
    },
    /// Write principals' current and staged keys into a keytab
    Keytab {
        /// Their names or aliases; the keytab has the keys under these
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// The keytab. Entries that it has stay in it
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        /// Make new random keys first
        #[arg(long)]
        rotate: bool,
    },
    /// Add many principals
    Import {
        /// One JSON object on each line; - for the standard input
        file: PathBuf,
    },
    /// Make the realm what a file declares: roles, policies, rules and principals; all of it or nothing
    Apply {
        /// The declaration, in TOML; - for the standard input
        file: PathBuf,
        /// Change nothing; only tell what would differ
        #[arg(long)]
        dry_run: bool,
        /// Remove what is in the database and not in the file, of the kinds that the file is about
        #[arg(long)]
        prune: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the database's roles, policies, rules and principals as a file that 'apply' reads, without secrets
    Export,
    /// Roles: what principals are to services, and what administrators may do
    #[command(subcommand)]
    Role(RoleCommand),
    /// Rules: who may have tickets for which services, from where, when and for how long
    #[command(subcommand)]
    Rule(RuleCommand),
    /// Policies: what passwords have to be, how many wrong ones are taken, and what keys and tickets come of them
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Tell what happened: logins, tickets, passwords, changes, sessions
    Log(Box<LogArgs>),
    /// Tell which sessions are open, or have ended, and what passed in them
    Sessions(SessionsArgs),
    /// Tell what a principal did
    Usage(UsageArgs),
    /// Apply a changed realm.toml
    Reload,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
#[allow(clippy::struct_excessive_bools, reason = "flags, of which there is one at most")]
pub(super) struct RotationArgs {
    /// Let tickets under the keys up to now stay good
    #[arg(long)]
    keep: bool,
    /// Make keys that 'keytab' delivers and no ticket is sealed with yet
    #[arg(long)]
    stage: bool,
    /// Seal tickets with the staged keys; those up to now stay good as long as a ticket may need them
    #[arg(long)]
    activate: bool,
    /// Make no keys, and let none but the current and the staged ones be good
    #[arg(long)]
    purge: bool,
}

impl From<&RotationArgs> for Rotation {
    fn from(args: &RotationArgs) -> Self {
        match *args {
            RotationArgs { keep: true, .. } => Self::Keep,
            RotationArgs { stage: true, .. } => Self::Stage,
            RotationArgs { activate: true, .. } => Self::Activate,
            RotationArgs { purge: true, .. } => Self::Purge,
            _ => Self::Replace,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct PasswordSource {
    /// Read the password from this file's first line; - for the standard input. Without it, it is asked for
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    pub(super) fn file(&self) -> Option<&Path> {
        self.password_file.as_deref()
    }
}

#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// No tickets from then on: RFC 3339, or from now, as in +90d; or never
    #[arg(long, value_name = "TIME")]
    expires: Option<Deadline>,
    /// No tickets from then on until the password is changed; or never
    #[arg(long, value_name = "TIME")]
    password_expires: Option<Deadline>,
    /// The longest life of its tickets and of tickets to it, as in 10h; realm for the realm's
    #[arg(long, value_name = "SPAN")]
    max_life: Option<Limit>,
    /// The longest time that they can be renewed for; realm for the realm's
    #[arg(long, value_name = "SPAN")]
    max_renew: Option<Limit>,
    /// The policy that it goes by, or none
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    policy: Option<OwnPolicy>,
    /// No tickets until the password is changed
    #[arg(long, value_name = "yes|no", num_args = 0..=1, default_missing_value = "yes")]
    must_change_password: Option<YesNo>,
    /// Proof of who it is before it gets tickets
    #[arg(long, value_name = "yes|no")]
    preauth: Option<YesNo>,
    /// Tickets to it
    #[arg(long, value_name = "yes|no")]
    service: Option<YesNo>,
    /// Forwardable tickets for it and to it
    #[arg(long, value_name = "yes|no")]
    forwardable: Option<YesNo>,
    /// Proxiable tickets
    #[arg(long, value_name = "yes|no")]
    proxiable: Option<YesNo>,
    /// Renewable tickets
    #[arg(long, value_name = "yes|no")]
    renewable: Option<YesNo>,
    /// Postdated tickets
    #[arg(long, value_name = "yes|no")]
    postdateable: Option<YesNo>,
    /// User-to-user tickets to it
    #[arg(long, value_name = "yes|no")]
    user_to_user: Option<YesNo>,
    /// Tickets to it for a ticket-granting ticket, not only for a login
    #[arg(long, value_name = "yes|no")]
    tgt_based: Option<YesNo>,
    /// Tickets to it only for clients that proved who they are
    #[arg(long, value_name = "yes|no")]
    require_preauth: Option<YesNo>,
    /// Tell clients that it is trusted with delegated credentials
    #[arg(long, value_name = "yes|no")]
    ok_as_delegate: Option<YesNo>,
    /// Log in through FAST armor only
    #[arg(long, value_name = "yes|no")]
    require_fast: Option<YesNo>,
}

impl From<&SettingsArgs> for Settings {
    fn from(args: &SettingsArgs) -> Self {
        Self {
            expires: args.expires,
            password_expires: args.password_expires,
            max_life: args.max_life,
            max_renew: args.max_renew,
            policy: args.policy.clone(),
            must_change_password: args.must_change_password,
            preauth: args.preauth,
            service: args.service,
            forwardable: args.forwardable,
            proxiable: args.proxiable,
            renewable: args.renewable,
            postdateable: args.postdateable,
            user_to_user: args.user_to_user,
            tgt_based: args.tgt_based,
            require_preauth: args.require_preauth,
            ok_as_delegate: args.ok_as_delegate,
            require_fast: args.require_fast,
        }
    }
}

fn acts() -> impl TypedValueParser<Value = Act> {
    named(&Act::ALL.map(|act| (act.name(), act)))
}

/// One of these, by its name.
pub(super) fn named<T: Copy + Send + Sync + 'static>(
    all: &[(&'static str, T)],
) -> impl TypedValueParser<Value = T> + use<T> {
    let all = all.to_vec();
    PossibleValuesParser::new(all.iter().map(|(name, _)| *name).collect::<Vec<_>>()).try_map(move |typed| {
        let known = all.iter().find(|(name, _)| *name == typed);
        // The parser has let through no other.
        known.map(|(_, value)| *value).ok_or("there is none of that name")
    })
}

pub(super) fn enctype(name: &str) -> Result<EncType, String> {
    EncType::from_name(name).ok_or_else(|| {
        let names: Vec<_> = EncType::ALL.iter().map(|etype| etype.name()).collect();
        format!("the enctypes are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use tessera_common::admin::Request;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        let words = core::iter::once("principal").chain(line.split_whitespace());
        Cli::read(words).map(|cli| cli.command)
    }

    #[test]
    fn the_parser_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_is_set_by_its_own_flag() {
        for (flag, json) in [
            ("--expires never", r#"{"expires":"never"}"#),
            ("--expires 2027-01-31", r#"{"expires":"2027-01-31T00:00:00Z"}"#),
            ("--password-expires +90d", r#"{"password-expires":"+90d"}"#),
            ("--max-life 5m30s", r#"{"max-life":"5m30s"}"#),
            ("--max-renew realm", r#"{"max-renew":"realm"}"#),
            ("--must-change-password", r#"{"must-change-password":true}"#),
            ("--must-change-password no", r#"{"must-change-password":false}"#),
            ("--preauth no", r#"{"preauth":false}"#),
            ("--service yes", r#"{"service":true}"#),
            ("--forwardable no", r#"{"forwardable":false}"#),
            ("--proxiable no", r#"{"proxiable":false}"#),
            ("--renewable no", r#"{"renewable":false}"#),
            ("--postdateable no", r#"{"postdateable":false}"#),
            ("--user-to-user no", r#"{"user-to-user":false}"#),
            ("--tgt-based no", r#"{"tgt-based":false}"#),
            ("--require-preauth yes", r#"{"require-preauth":true}"#),
            ("--ok-as-delegate yes", r#"{"ok-as-delegate":true}"#),
            ("--require-fast yes", r#"{"require-fast":true}"#),
        ] {
            let Ok(Command::Set { name, settings, .. }) = parse(&format!("set alice {flag}")) else {
                panic!("{flag}")
            };
            assert_eq!(name, "alice");
            assert_eq!(serde_json::to_string(&Settings::from(&*settings)).unwrap(), json);
        }
    }

    #[test]
    fn every_part_of_a_rule_is_set_by_its_own_flag() {
        for (flags, json) in [
            ("--effect deny", r#"{"effect":"deny"}"#),
            ("--role staff --role mail", r#"{"roles":["staff","mail"]}"#),
            ("--role staff --role *", r#"{"roles":[]}"#),
            ("--service host/* --service *", r#"{"services":["host/*","*"]}"#),
            ("--from 192.0.2.0/24", r#"{"from":["192.0.2.0/24"]}"#),
            ("--from *", r#"{"from":[]}"#),
            ("--hours Sat", r#"{"hours":["Sat"]}"#),
            ("--hours *", r#"{"hours":[]}"#),
            ("--max-life 1h", r#"{"max-life":"1h"}"#),
            ("--max-life realm --revision 7", r#"{"max-life":"realm"}"#),
        ] {
            let Ok(Command::Rule(RuleCommand::Set { name, parts, revision })) =
                parse(&format!("rule set office {flags}"))
            else {
                panic!("{flags}")
            };
            assert_eq!((name.as_str(), revision.is_some()), ("office", flags.contains("7")));
            assert_eq!(serde_json::to_string(&RuleChanges::from(&*parts)).unwrap(), json);
        }
        let line = "rule add office --effect allow --service host/* --role staff --max-life 1h";
        let Ok(Command::Rule(RuleCommand::Add { parts, .. })) = parse(line) else {
            panic!("{line}")
        };
        let json = r#"{"effect":"allow","roles":["staff"],"services":["host/*"],"max-life":"1h"}"#;
        assert_eq!(serde_json::to_string(&RuleChanges::from(&*parts)).unwrap(), json);
    }

    #[test]
    fn roles_are_added_and_removed_by_their_own_flags() {
        let Ok(Command::Set { roles, .. }) = parse("set alice --add-role staff --add-role mail --remove-role free")
        else {
            panic!()
        };
        let json = r#"{"add":["staff","mail"],"remove":["free"]}"#;
        assert_eq!(serde_json::to_string(&RoleChanges::from(&roles)).unwrap(), json);
    }

    #[test]
    fn rights_come_and_go_by_their_own_flags() {
        let Ok(Command::Role(RoleCommand::Add { rights, .. })) = parse("role add desk --right viewer --right admin:a*")
        else {
            panic!()
        };
        assert_eq!(rights, ["viewer", "admin:a*"]);
        let Ok(Command::Role(RoleCommand::Set { rights, .. })) =
            parse("role set desk --add-right viewer --remove-right admin:a*")
        else {
            panic!()
        };
        let json = r#"{"add":["viewer"],"remove":["admin:a*"]}"#;
        assert_eq!(serde_json::to_string(&RightChanges::from(&rights)).unwrap(), json);
        let Ok(Command::Explain { act, on, .. }) = parse("explain desk --act must-change-password --on alice") else {
            panic!()
        };
        assert_eq!((act, on.as_deref()), (Some(Act::MustChangePassword), Some("alice")));
    }

    #[test]
    fn what_happened_is_asked_for_by_each_of_its_flags() {
        let request = |line: &str| match parse(line).unwrap() {
            Command::Log(args) => Request::from(*args),
            Command::Sessions(args) => Request::from(args),
            Command::Usage(args) => Request::from(args),
            other => panic!("{other:?}"),
        };
        for (line, json) in [
            ("log", r#"{"events":{}}"#),
            ("log alice bob", r#"{"events":{"query":{"names":["alice","bob"]}}}"#),
            ("log --follow", r#"{"events":{"follow":true}}"#),
            ("log --last 5", r#"{"events":{"last":5}}"#),
            (
                "log --from ::1 --from 192.0.2.0/24",
                r#"{"events":{"query":{"networks":["::1","192.0.2.0/24"]}}}"#,
            ),
            (
                "log --kind as --kind tgs",
                r#"{"events":{"query":{"kinds":["as","tgs"]}}}"#,
            ),
            (
                "log --result refused",
                r#"{"events":{"query":{"results":["refused"]}}}"#,
            ),
            ("log --reason locked", r#"{"events":{"query":{"reasons":["locked"]}}}"#),
            (
                "log --since 1h --until 2026-11-23",
                r#"{"events":{"query":{"since":"1h","until":"2026-11-23T00:00:00Z"}}}"#,
            ),
            ("sessions", r#"{"sessions":{"which":"open"}}"#),
            ("sessions alice", r#"{"sessions":{"name":"alice","which":"open"}}"#),
            ("sessions --ended", r#"{"sessions":{"which":{"ended":{}}}}"#),
            (
                "sessions --ended --since 7d",
                r#"{"sessions":{"which":{"ended":{"since":"7d"}}}}"#,
            ),
            ("usage alice", r#"{"usage":{"name":"alice"}}"#),
            (
                "usage alice --since 7d --until 1d",
                r#"{"usage":{"name":"alice","since":"7d","until":"1d"}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&request(line)).unwrap(), json, "{line}");
        }
    }

    #[test]
    fn wrong_usage_is_refused() {
        for (line, kind) in [
            ("", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            ("add", ErrorKind::MissingRequiredArgument),
            ("add a --random-key --password-file -", ErrorKind::ArgumentConflict),
            ("add a --enctypes des-cbc-crc", ErrorKind::ValueValidation),
            ("set a", ErrorKind::MissingRequiredArgument),
            ("set a --revision 7", ErrorKind::MissingRequiredArgument),
            ("explain a --act delete", ErrorKind::InvalidValue),
            ("explain a --on b", ErrorKind::MissingRequiredArgument),
            ("explain a --act show --on b --service c", ErrorKind::ArgumentConflict),
            ("role set a", ErrorKind::MissingRequiredArgument),
            ("set a --preauth maybe", ErrorKind::ValueValidation),
            ("set a --expires tomorrow", ErrorKind::ValueValidation),
            ("set a --max-life 10", ErrorKind::ValueValidation),
            ("keytab --output x", ErrorKind::MissingRequiredArgument),
            ("keytab a", ErrorKind::MissingRequiredArgument),
            ("rotate a --stage --activate", ErrorKind::ArgumentConflict),
            ("rotate a --activate --purge", ErrorKind::ArgumentConflict),
            ("rotate a --purge --keep", ErrorKind::ArgumentConflict),
            ("rotate a --keep --stage", ErrorKind::ArgumentConflict),
            ("rename a", ErrorKind::MissingRequiredArgument),
            ("explain", ErrorKind::MissingRequiredArgument),
            ("add a --role Staff", ErrorKind::ValueValidation),
            ("set a --add-role *", ErrorKind::ValueValidation),
            ("role", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            ("role add Staff", ErrorKind::ValueValidation),
            ("rule add a --effect allow", ErrorKind::MissingRequiredArgument),
            ("rule add a --service host/*", ErrorKind::MissingRequiredArgument),
            ("rule add a --effect permit --service *", ErrorKind::InvalidValue),
            ("rule set a", ErrorKind::MissingRequiredArgument),
            ("rule set a --revision 7", ErrorKind::MissingRequiredArgument),
            ("rule set a --role Staff", ErrorKind::ValueValidation),
            ("session", ErrorKind::InvalidSubcommand),
            ("log --since tomorrow", ErrorKind::ValueValidation),
            ("log --since +1h", ErrorKind::ValueValidation),
            ("log --from www.example.com", ErrorKind::ValueValidation),
            ("log --kind login", ErrorKind::InvalidValue),
            ("log --result lost", ErrorKind::InvalidValue),
            ("log --last few", ErrorKind::ValueValidation),
            ("log --follow --until 1h", ErrorKind::ArgumentConflict),
            ("sessions --since 1h", ErrorKind::MissingRequiredArgument),
            ("usage", ErrorKind::MissingRequiredArgument),
            ("-c FILE:x list", ErrorKind::MissingRequiredArgument),
            ("list -p alice/admin", ErrorKind::MissingRequiredArgument),
            ("--server kdc list", ErrorKind::ValueValidation),
            ("list --all", ErrorKind::UnknownArgument),
        ] {
            assert_eq!(parse(line).unwrap_err().kind(), kind, "{line}");
        }
    }

    #[test]
    fn a_server_is_named_before_or_behind_the_command() {
        for line in [
            "principal --server kdc:8749 -c FILE:x -p alice/admin list",
            "principal list --server kdc:8749 --cache FILE:x --principal alice/admin",
            "principal -p alice/admin list --server kdc:8749 -c FILE:x",
        ] {
            let cli = Cli::read(line.split(' ')).unwrap();
            assert_eq!(cli.server.unwrap().to_string(), "kdc:8749");
            assert_eq!(
                (cli.cache.as_deref(), cli.principal.as_deref()),
                (Some("FILE:x"), Some("alice/admin"))
            );
        }
    }

    #[test]
    fn enctypes_go_by_any_of_their_names() {
        let Ok(Command::Add { enctypes, .. }) = parse("add a --enctypes aes256-sha2,aes128-cts") else {
            panic!()
        };
        let enctypes = enctypes.unwrap();
        assert_eq!(
            enctypes,
            [EncType::Aes256CtsHmacSha384_192, EncType::Aes128CtsHmacSha1_96]
        );
    }
}
