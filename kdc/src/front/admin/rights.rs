//! What whoever asks may ask for. Each request is an act, and here, in one place, it is asked whether it is permitted: of what
//! is done to the realm before anything is done, of what is done to principals where their names are looked up, and of what
//! principals are to be before that is committed. An administrator's rights are those of the same view of the realm that the
//! change is made on, so that a right that was taken away counts at once.

use std::sync::Arc;

use tessera_common::admin::{Act, Reason};
use tessera_common::name::Name;

use super::execute::{Executor, Refused};
use crate::realm::access::AccessPolicy;
use crate::realm::administration::{self, Asked, Missing, Named, Target};
use crate::realm::principal::{PrincipalId, PrincipalRecord};
use crate::store::View;

/// Whose rights count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    /// Everything: root's and the daemon's own user's, over the socket.
    Everything,
    /// Those that the roles of this principal give.
    Of(PrincipalId),
}

/// Whose rights count for one request, and what is done by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permits {
    rights: Rights,
    act: Act,
}

impl Permits {
    pub(super) const fn to(rights: Rights, act: Act) -> Self {
        Self { rights, act }
    }
}

impl Executor<'_> {
    /// Whether the request may be looked at at all: what is done to the realm as a whole is decided here, what is done to
    /// principals when they are looked up.
    pub(super) fn admit(&self) -> Result<(), Refused> {
        if self.permits.act.is_to_a_principal() {
            return Ok(());
        }
        self.may(&self.store.view(), Target::Realm)
    }

    /// Whether it may be done to this.
    pub(super) fn may(&self, view: &View, target: Target<'_>) -> Result<(), Refused> {
        let Some(who) = self.administrator(view)? else {
            return Ok(());
        };
        let asked = Asked {
            act: self.permits.act,
            target,
        };
        permitted(administration::authorize(self.policy(view), who, &asked))
    }

    /// Whether it may be done to the principal that was looked up by a name. Who may not look at it is not told whether there
    /// is one.
    pub(super) fn may_by_name(
        &self,
        view: &View,
        typed: &Name,
        found: Option<&Arc<PrincipalRecord>>,
    ) -> Result<(), Refused> {
        let Some(who) = self.administrator(view)? else {
            return Ok(());
        };
        let found = found.map(|record| &**record);
        let act = self.permits.act;
        permitted(administration::authorize_by_name(
            self.policy(view),
            who,
            act,
            typed,
            found,
        ))
    }

    /// Whether a principal may be looked at, whatever it is that is done.
    pub(super) fn sees(&self, view: &View, record: &PrincipalRecord) -> bool {
        let asked = Asked {
            act: Act::Show,
            target: Target::Principal(record),
        };
        match self.administrator(view) {
            Ok(None) => true,
            Ok(Some(who)) => administration::authorize(self.policy(view), who, &asked).is_ok(),
            Err(_) => false,
        }
    }

    /// Whether whoever asks may see everything that happened, whomever it names.
    pub(super) fn sees_all(&self, view: &View) -> bool {
        self.sees_what_names(view, [])
    }

    /// Whether something that happened may be seen, which names these.
    pub(super) fn sees_what_names<'n>(&self, view: &View, named: impl IntoIterator<Item = Named<'n>>) -> bool {
        match self.administrator(view) {
            Ok(None) => true,
            Ok(Some(who)) => administration::sees(self.policy(view), who, named),
            Err(_) => false,
        }
    }

    /// What the realm goes by.
    pub(super) fn policy<'v>(&'v self, view: &'v View) -> AccessPolicy<'v> {
        AccessPolicy {
            settings: &self.settings,
            database: view.access().declared(),
        }
    }

    // Whose rights have to be looked at; `None`: nobody's, everything is permitted.
    fn administrator<'v>(&self, view: &'v View) -> Result<Option<&'v PrincipalRecord>, Refused> {
        match self.permits.rights {
            Rights::Everything => Ok(None),
            Rights::Of(id) => view.get(id).map(|record| Some(&**record)).ok_or_else(|| {
                let message = format!("{} is no principal of this realm any more", self.author.who);
                Refused::new(Reason::NotPermitted, message)
            }),
        }
    }
}

fn permitted<T>(decided: Result<T, Missing>) -> Result<(), Refused> {
    decided
        .map(drop)
        .map_err(|missing| Refused::new(Reason::NotPermitted, missing.to_string()))
}
