//! Whether an administrator may do what it asks for.
//!
//! Every act takes a right: looking, at principals and at what happened, takes `viewer`; passwords and letting in again, `helpdesk`; services' keys, `keytab`; the
//! rest, `admin`. A right over a pattern is over the principals all of whose names match it, before and after the act, so that
//! an alias leads nobody round a pattern. What goes beyond principals (roles, rules, policies, the daemon) takes `admin` over
//! everybody; and so does every change to a principal that has rights itself or that the realm rests on, and every change that
//! gives rights: else the least right would be a ladder to all of them.

use core::fmt;

use tessera_common::admin::Act;
use tessera_common::name::{Name, Principal};
use tessera_common::role::RoleName;

use super::access::{AccessPolicy, Held};
use super::founding;
use super::principal::{Attributes, PrincipalRecord};
use super::rights::{Granted, Right};

/// What an administrator asks to do, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What.
    pub act: Act,
    /// To whom.
    pub target: Target<'a>,
}

/// Whom an act is done to.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The realm as a whole.
    Realm,
    /// Whoever has this name, or is to have it: all that is known is the name.
    Name(&'a Name),
    /// A principal as it is.
    Principal(&'a PrincipalRecord),
    /// A principal as it is, unless it is new, and as it is to be.
    Edit {
        /// As it is; `None`: it is new.
        before: Option<&'a PrincipalRecord>,
        /// As it is to be.
        after: &'a PrincipalRecord,
    },
}

/// Somebody whom something that happened names.
#[derive(Clone, Copy, Debug)]
pub enum Named<'a> {
    /// A principal as it is now, whatever it was called then.
    Principal(&'a PrincipalRecord),
    /// A name that was nobody's then and is nobody's now.
    Name(&'a Name),
}

/// What an act takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need<'a> {
    /// The right.
    pub right: Right,
    /// Over whom.
    pub over: Over,
    /// Why it is more than such acts take; `None`: it is not.
    pub because: Option<Because<'a>>,
}

/// Over whom a right has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Over anybody: whatever the pattern is.
    Anybody,
    /// Over the principals of the names that the act is about.
    TheseNames,
    /// Over everybody: without a pattern.
    Everybody,
}

/// Why an act takes more than such acts do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because<'a> {
    /// The principal has rights itself.
    HoldsRights,
    /// The principal would have rights, by this role.
    GivesRights(&'a RoleName),
    /// The realm rests on the principal.
    BuiltIn,
    /// An administrator has locked the principal.
    LockedByAdministrator,
    /// The principal has a password, so that its keys are a person.
    HasPassword,
    /// The principal is no service, so that its keys are a person, too.
    NoService,
    /// The principal is a service with random keys, so that whoever gives it a password is the service.
    IsService,
    /// The principal has other names, which the pattern does not match.
    OtherNames,
}

/// That an act is permitted: the right that it is done by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warrant<'p, 'r>(pub Held<'p, 'r>);

/// The right that an administrator lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    act: Act,
    who: Principal,
    on: Option<Principal>,
    right: Right,
    over: Over,
    // In words, since it is only told.
    because: Option<String>,
    has: Vec<(RoleName, Granted)>,
}

/// A right of an administrator's, as it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked<'p, 'r> {
    /// The right.
    pub held: Held<'p, 'r>,
    /// Whether it is enough.
    pub fit: Fit,
}

/// Whether a right is what an act takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is.
    Covers,
    /// It lets do other things.
    OtherRight,
    /// It is over some, and the act takes one over everybody.
    NotEverybody,
    /// A name does not match its pattern.
    OtherNames,
}

/// Whether an administrator may do what it asks for. The least role by name that gives the right decides.
///
/// # Errors
/// The right that is missing.
pub fn authorize<'p, 'r>(
    policy: AccessPolicy<'p>,
    who: &'r PrincipalRecord,
    asked: &Asked<'_>,
) -> Result<Warrant<'p, 'r>, Missing> {
    let need = need(policy, asked);
    let covers = look(policy, who, asked, need).find(|looked| looked.fit == Fit::Covers);
    covers
        .map(|looked| Warrant(looked.held))
        .ok_or_else(|| Missing::of(policy, who, asked, need))
}

/// The same of a principal whom the administrator knows by `typed`, which may be an alias or the name of nobody at all. As long
/// as it may not look at the principal, it is told the same, whether there is one or not.
///
/// # Errors
/// The right that is missing.
pub fn authorize_by_name<'p, 'r>(
    policy: AccessPolicy<'p>,
    who: &'r PrincipalRecord,
    act: Act,
    typed: &Name,
    found: Option<&PrincipalRecord>,
) -> Result<Warrant<'p, 'r>, Missing> {
    let on = |act, target| Asked { act, target };
    let Some(found) = found else {
        return authorize(policy, who, &on(act, Target::Name(typed)));
    };
    if authorize(policy, who, &on(Act::Show, Target::Principal(found))).is_ok() {
        return authorize(policy, who, &on(act, Target::Principal(found)));
    }
    let asked = on(act, Target::Name(typed));
    authorize(policy, who, &asked)?;
    // The name that was typed would do, but the principal has others.
    let need = Need {
        because: Some(Because::OtherNames),
        ..need(policy, &asked)
    };
    Err(Missing::of(policy, who, &asked, need))
}

/// Whether an administrator may see something that happened, which names these. Who may look at any of them may; who may look at
/// everybody sees also what names nobody, or somebody who is no more.
pub fn sees<'a>(policy: AccessPolicy<'_>, who: &PrincipalRecord, named: impl IntoIterator<Item = Named<'a>>) -> bool {
    let may = |target, over| {
        let asked = Asked { act: Act::Show, target };
        let need = Need {
            right: Right::Viewer,
            over,
            because: None,
        };
        look(policy, who, &asked, need).any(|looked| looked.fit == Fit::Covers)
    };
    may(Target::Realm, Over::Everybody)
        || named.into_iter().any(|named| match named {
            Named::Principal(record) => may(Target::Principal(record), Over::TheseNames),
            Named::Name(name) => may(Target::Name(name), Over::TheseNames),
        })
}

/// What an act takes.
#[must_use]
pub fn need<'a>(policy: AccessPolicy<'_>, asked: &Asked<'a>) -> Need<'a> {
    let least = |right, over| Need {
        right,
        over,
        because: None,
    };
    let of_principals = |right| Need {
        right,
        over: Over::TheseNames,
        because: None,
    };
    let need = match asked.act {
        Act::List | Act::ShowAccess => return least(Right::Viewer, Over::Anybody),
        // Of each event and each session it is asked by itself, besides.
        Act::Events | Act::Sessions if matches!(asked.target, Target::Realm) => {
            return least(Right::Viewer, Over::Anybody);
        }
        // Each principal is asked for by itself, besides.
        Act::Import if matches!(asked.target, Target::Realm) => return least(Right::Admin, Over::Anybody),
        Act::Declare | Act::Reload | Act::RotateMasterKey => return least(Right::Admin, Over::Everybody),
        Act::Show | Act::Explain | Act::Usage | Act::Events | Act::Sessions => return of_principals(Right::Viewer),
        Act::Password | Act::MustChangePassword | Act::Unlock => of_principals(Right::Helpdesk),
        Act::Keytab | Act::Rotate => of_principals(Right::Keytab),
        Act::Add | Act::Import | Act::Set | Act::Grant | Act::Lock | Act::Rename | Act::Alias | Act::Remove => {
            of_principals(Right::Admin)
        }
    };
    match because(policy, asked) {
        None => need,
        // The principal is like any other, but it takes more to have its keys, or to undo what was done to it.
        because @ Some(
            Because::LockedByAdministrator | Because::HasPassword | Because::NoService | Because::IsService,
        ) => Need {
            right: Right::Admin,
            because,
            ..need
        },
        because => Need {
            right: Right::Admin,
            over: Over::Everybody,
            because,
        },
    }
}

fn because<'a>(policy: AccessPolicy<'_>, asked: &Asked<'a>) -> Option<Because<'a>> {
    let (before, after) = asked.target.records();
    let gives_rights = |role: &&RoleName| policy.rights(core::slice::from_ref(*role)).next().is_some();
    if before.is_some_and(|record| record.roles.iter().any(|role| gives_rights(&role))) {
        return Some(Because::HoldsRights);
    }
    if let Some(role) = after.and_then(|record| record.roles.iter().find(gives_rights)) {
        return Some(Because::GivesRights(role));
    }
    // A ticket-granting service of another realm is one as well: who has its key is whoever that realm vouches for.
    let is_built_in = |name: &Name| name.tgs_realm().is_some() || founding::is_built_in(name, &policy.settings.name);
    if asked.target.names().any(is_built_in) {
        return Some(Because::BuiltIn);
    }
    let target = before.or(after)?;
    let is_no_service = target.attributes.contains(Attributes::NOT_A_SERVICE);
    match asked.act {
        Act::Unlock if target.attributes.contains(Attributes::LOCKED) => Some(Because::LockedByAdministrator),
        Act::Password if !target.has_password() && !is_no_service => Some(Because::IsService),
        Act::Keytab | Act::Rotate if target.has_password() => Some(Because::HasPassword),
        Act::Keytab | Act::Rotate if is_no_service => Some(Because::NoService),
        _ => None,
    }
}

/// Every right of the administrator's, and whether it is what `need` says: in the order of its roles, which is that of their
/// names.
pub fn look<'p, 'r>(
    policy: AccessPolicy<'p>,
    who: &'r PrincipalRecord,
    asked: &Asked<'_>,
    need: Need<'_>,
) -> impl Iterator<Item = Looked<'p, 'r>> {
    let target = asked.target;
    policy.rights(&who.roles).map(move |held| {
        let granted = held.granted;
        let fit = if !granted.right.includes(need.right) {
            Fit::OtherRight
        } else {
            match need.over {
                Over::Everybody if granted.over.is_some() => Fit::NotEverybody,
                Over::TheseNames if !granted.is_over(target.names()) => Fit::OtherNames,
                Over::Anybody | Over::TheseNames | Over::Everybody => Fit::Covers,
            }
        };
        Looked { held, fit }
    })
}

impl<'a> Target<'a> {
    /// Every name that the act is about.
    pub fn names(self) -> impl Iterator<Item = &'a Name> {
        let (before, after) = self.records();
        let typed = match self {
            Self::Name(name) => Some(name),
            Self::Realm | Self::Principal(_) | Self::Edit { .. } => None,
        };
        let of_records = [before, after]
            .into_iter()
            .flatten()
            .flat_map(|record| [&record.name].into_iter().chain(&record.aliases));
        typed.into_iter().chain(of_records)
    }

    // As it is, and as it is to be.
    const fn records(self) -> (Option<&'a PrincipalRecord>, Option<&'a PrincipalRecord>) {
        match self {
            Self::Realm | Self::Name(_) => (None, None),
            Self::Principal(record) => (Some(record), None),
            Self::Edit { before, after } => (before, Some(after)),
        }
    }
}

impl Over {
    /// Its name, which stays as it is.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::TheseNames => "these-names",
            Self::Everybody => "everybody",
        }
    }
}

impl Because<'_> {
    /// Its name, which stays as it is.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HoldsRights => "holds-rights",
            Self::GivesRights(_) => "gives-rights",
            Self::BuiltIn => "built-in",
            Self::LockedByAdministrator => "locked-by-administrator",
            Self::HasPassword => "has-password",
            Self::NoService => "no-service",
            Self::IsService => "is-service",
            Self::OtherNames => "other-names",
        }
    }
}

impl Missing {
    fn of(policy: AccessPolicy<'_>, who: &PrincipalRecord, asked: &Asked<'_>, need: Need<'_>) -> Self {
        let realm = &policy.settings.name;
        let full = |name: &Name| Principal::new(name.clone(), realm.clone());
        let has = policy.rights(&who.roles);
        Self {
            act: asked.act,
            who: full(&who.name),
            on: asked.target.names().next().map(full),
            right: need.right,
            over: need.over,
            because: need.because.map(|because| because.to_string()),
            has: has.map(|held| (held.role.clone(), held.granted.clone())).collect(),
        }
    }
}

/// For the administrator and for the log: the act, the target, the right that is missing, and those that there are.
impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.act)?;
        if let Some(on) = &self.on {
            write!(f, " {on}")?;
        }
        write!(f, " needs the right {}", self.right)?;
        match (self.over, &self.on) {
            (Over::TheseNames, Some(on)) => write!(f, " over {on}")?,
            (Over::Everybody, _) => f.write_str(" over everybody, without a pattern")?,
            (Over::Anybody | Over::TheseNames, _) => {}
        }
        if let Some(because) = &self.because {
            write!(f, ", since {because}")?;
        }
        write!(f, "; {} has ", self.who)?;
        if self.has.is_empty() {
            return f.write_str("no right to administer this realm");
        }
        for (at, (role, granted)) in self.has.iter().enumerate() {
            let between = if at == 0 { "" } else { ", " };
            write!(f, "{between}{granted} (role {role})")?;
        }
        Ok(())
    }
}

impl core::error::Error for Missing {}

/// As what follows `since`.
impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HoldsRights => f.write_str("it has rights itself"),
            Self::GivesRights(role) => write!(f, "the role {role} gives rights"),
            Self::BuiltIn => f.write_str("the realm rests on it"),
            Self::LockedByAdministrator => f.write_str("an administrator has locked it"),
            Self::HasPassword => f.write_str("it has a password"),
            Self::NoService => f.write_str("it is no service"),
            Self::IsService => f.write_str("it is a service with random keys"),
            Self::OtherNames => f.write_str("it has other names, which have to match, too"),
        }
    }
}

#[cfg(test)]
mod tests;
