//! What may be typed about roles, rules and policies.

use core::str::FromStr;

use clap::{Args, Subcommand};
use tessera_common::admin::{
    Limit, OrNone, OwnPolicy, PolicyChanges, RightChanges, RoleChanges, RuleChanges, Span, YesNo,
};
use tessera_common::crypto::EncType;
use tessera_common::role::RoleName;

use super::cli::enctype;

#[derive(Debug, Subcommand)]
pub(super) enum RoleCommand {
    /// Add a role
    Add {
        /// Its name: of a-z, 0-9, '.', '_' and '-'
        name: RoleName,
        /// Let its holders administer the realm by this right, as in 'viewer' or 'helpdesk:*/student'; as often as there are
        /// rights
        #[arg(long = "right", value_name = "RIGHT")]
        rights: Vec<String>,
    },
    /// Change the rights that a role gives
    Set {
        /// Its name
        name: RoleName,
        #[command(flatten)]
        rights: RightArgs,
    },
    /// Remove a role that nobody has and no rule names
    Remove {
        /// Its name
        name: RoleName,
    },
    /// List roles, where they are declared, and how many principals have them
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RuleCommand {
    /// Add a rule
    Add {
        /// Its name: of a-z, 0-9, '.', '_' and '-'
        name: String,
        #[command(flatten)]
        parts: Box<NewRuleArgs>,
    },
    /// Change parts of a rule; a part that is named is replaced as a whole
    Set {
        /// Its name
        name: String,
        #[command(flatten)]
        parts: Box<RuleArgs>,
        /// Only if it is still at this revision, as 'rule show' told it
        #[arg(long, value_name = "NUMBER")]
        revision: Option<u64>,
    },
    /// Remove a rule
    Remove {
        /// Its name
        name: String,
    },
    /// Show one rule
    Show {
        /// Its name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List rules, and where they are declared
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Add a policy
    Add {
        /// Its name: of a-z, 0-9, '.', '_' and '-'; 'default' is for every password without one
        name: String,
        #[command(flatten)]
        parts: Box<PolicyArgs>,
    },
    /// Change parts of a policy
    Set {
        /// Its name
        name: String,
        #[command(flatten)]
        parts: Box<PolicyArgs>,
        /// Only if it is still at this revision, as 'policy show' told it
        #[arg(long, value_name = "NUMBER")]
        revision: Option<u64>,
    },
    /// Remove a policy that no principal has for its own
    Remove {
        /// Its name
        name: String,
    },
    /// Show one policy
    Show {
        /// Its name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List policies, and where they are declared
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// The parts of a policy; `none` says nothing of one.
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    /// The fewest characters of a password; or none
    #[arg(long, value_name = "NUMBER")]
    min_length: Option<OrNone<u32>>,
    /// Of how many kinds these have to be: lower case, upper case, digits, punctuation, others; or none
    #[arg(long, value_name = "NUMBER")]
    min_classes: Option<OrNone<u8>>,
    /// How hard a password has to be to guess, from 1 to 4; or none
    #[arg(long, value_name = "NUMBER")]
    min_strength: Option<OrNone<u8>>,
    /// No word of the realm's dictionary
    #[arg(long, value_name = "yes|no")]
    dictionary: Option<YesNo>,
    /// How many passwords, the present one included, cannot be taken again; or none
    #[arg(long, value_name = "NUMBER")]
    history: Option<OrNone<u16>>,
    /// How long a password has to be kept before its owner may change it; or none
    #[arg(long, value_name = "SPAN")]
    min_age: Option<OrNone<Span>>,
    /// How long a password is good for; or none
    #[arg(long, value_name = "SPAN")]
    max_age: Option<OrNone<Span>>,
    /// How many wrong passwords are tried before no more are; or none
    #[arg(long, value_name = "NUMBER")]
    max_failures: Option<OrNone<u16>>,
    /// Within what time these have to come; none for 15m
    #[arg(long, value_name = "SPAN")]
    failure_window: Option<OrNone<Span>>,
    /// For how long no more are tried; none until 'unlock'
    #[arg(long, value_name = "SPAN")]
    lockout: Option<OrNone<Span>>,
    /// Make new keys for these enctypes, best first; none for the realm's
    #[arg(long, value_name = "ENCTYPE,…", value_delimiter = ',', value_parser = enctype_or_none)]
    enctypes: Option<Vec<OrNoEnctype>>,
    /// The longest life of tickets, as in 8h; or none
    #[arg(long, value_name = "SPAN")]
    max_life: Option<OrNone<Span>>,
    /// The longest time that they can be renewed for, 0s for not at all; or none
    #[arg(long, value_name = "SPAN")]
    max_renew: Option<OrNone<Span>>,
}

/// One of a list of enctypes, or what stands for an empty one.
#[derive(Clone, Copy, Debug)]
pub(super) enum OrNoEnctype {
    None,
    One(EncType),
}

fn enctype_or_none(text: &str) -> Result<OrNoEnctype, String> {
    match text {
        "none" => Ok(OrNoEnctype::None),
        name => enctype(name).map(OrNoEnctype::One),
    }
}

pub(super) fn policy(text: &str) -> Result<OwnPolicy, String> {
    text.parse::<OwnPolicy>().map_err(|why| why.to_string())
}

impl From<&PolicyArgs> for PolicyChanges {
    fn from(args: &PolicyArgs) -> Self {
        let name = |etype: &OrNoEnctype| match etype {
            OrNoEnctype::None => None,
            OrNoEnctype::One(etype) => Some(etype.name().to_owned()),
        };
        Self {
            min_length: args.min_length,
            min_classes: args.min_classes,
            min_strength: args.min_strength,
            dictionary: args.dictionary,
            history: args.history,
            min_age: args.min_age,
            max_age: args.max_age,
            max_failures: args.max_failures,
            failure_window: args.failure_window,
            lockout: args.lockout,
            enctypes: args.enctypes.as_ref().map(|all| all.iter().filter_map(name).collect()),
            max_life: args.max_life,
            max_renew: args.max_renew,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct RoleArgs {
    /// Give it this role; as often as there are roles
    #[arg(long, value_name = "ROLE")]
    add_role: Vec<RoleName>,
    /// Take this role away
    #[arg(long, value_name = "ROLE")]
    remove_role: Vec<RoleName>,
}

impl From<&RoleArgs> for RoleChanges {
    fn from(args: &RoleArgs) -> Self {
        Self {
            add: args.add_role.clone(),
            remove: args.remove_role.clone(),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct RightArgs {
    /// Let its holders administer the realm by this right, as in 'viewer' or 'helpdesk:*/student'; as often as there are rights
    #[arg(long, value_name = "RIGHT")]
    add_right: Vec<String>,
    /// Take this right from its holders
    #[arg(long, value_name = "RIGHT")]
    remove_right: Vec<String>,
}

impl From<&RightArgs> for RightChanges {
    fn from(args: &RightArgs) -> Self {
        Self {
            add: args.add_right.clone(),
            remove: args.remove_right.clone(),
        }
    }
}

/// The parts of a new rule. Whom it is about, where and when are those of [`RuleArgs`].
#[derive(Debug, Args)]
pub(super) struct NewRuleArgs {
    /// Let them have tickets, and nobody else whom no rule lets; or refuse them
    #[arg(long, value_parser = EFFECTS)]
    effect: String,
    /// For services with a name or alias that matches, as in 'host/*'; as often as there are patterns
    #[arg(long = "service", value_name = "GLOB", required = true)]
    services: Vec<String>,
    #[command(flatten)]
    conditions: Conditions,
}

#[derive(Debug, Args)]
pub(super) struct RuleArgs {
    /// Let them have tickets, and nobody else whom no rule lets; or refuse them
    #[arg(long, value_parser = EFFECTS)]
    effect: Option<String>,
    /// For services with a name or alias that matches, as in 'host/*'; as often as there are patterns
    #[arg(long = "service", value_name = "GLOB")]
    services: Vec<String>,
    #[command(flatten)]
    conditions: Conditions,
}

#[derive(Debug, Args)]
struct Conditions {
    /// For whoever has this role, or one of several; '*' for everybody
    #[arg(long = "role", value_name = "ROLE", value_parser = any_or::<RoleName>)]
    roles: Vec<AnyOr<RoleName>>,
    /// From this network, as in 192.0.2.0/24, or one of several; '*' for anywhere
    #[arg(long, value_name = "NETWORK", value_parser = any_or::<String>)]
    from: Vec<AnyOr<String>>,
    /// In these hours, local to the daemon, as in 'Mon-Fri 08:00-18:00', or one of several; '*' for always
    #[arg(long, value_name = "HOURS", value_parser = any_or::<String>)]
    hours: Vec<AnyOr<String>>,
    /// The longest life of such a ticket, renewals included, as in 8h; realm for the realm's
    #[arg(long, value_name = "SPAN")]
    max_life: Option<Limit>,
}

const EFFECTS: [&str; 2] = ["allow", "deny"];

/// `*`, which takes a condition away, or one of what it asks for.
#[derive(Clone, Debug)]
enum AnyOr<T> {
    Any,
    One(T),
}

fn any_or<T: FromStr>(text: &str) -> Result<AnyOr<T>, T::Err> {
    match text {
        "*" => Ok(AnyOr::Any),
        one => one.parse().map(AnyOr::One),
    }
}

/// What to set a condition to; `None`, it is not named. Beside `*`, nothing else counts.
fn condition<T: Clone>(values: &[AnyOr<T>]) -> Option<Vec<T>> {
    let mut all = Vec::with_capacity(values.len());
    for value in values {
        match value {
            AnyOr::Any => return Some(Vec::new()),
            AnyOr::One(one) => all.push(one.clone()),
        }
    }
    (!all.is_empty()).then_some(all)
}

impl Conditions {
    fn with(&self, effect: Option<String>, services: Option<Vec<String>>) -> RuleChanges {
        RuleChanges {
            effect,
            roles: condition(&self.roles),
            services,
            from: condition(&self.from),
            hours: condition(&self.hours),
            max_life: self.max_life,
        }
    }
}

impl From<&NewRuleArgs> for RuleChanges {
    fn from(args: &NewRuleArgs) -> Self {
        args.conditions
            .with(Some(args.effect.clone()), Some(args.services.clone()))
    }
}

impl From<&RuleArgs> for RuleChanges {
    fn from(args: &RuleArgs) -> Self {
        let services = (!args.services.is_empty()).then(|| args.services.clone());
        args.conditions.with(args.effect.clone(), services)
    }
}
