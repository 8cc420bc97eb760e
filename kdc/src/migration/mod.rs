//! Moving another KDC's realm into this one, with every key: nobody gets a new password, and no keytab a new key.
//!
//! Whoever knows the other database's format ([`mit`], [`heimdal`]) reads it, opens its keys, and hands over each principal in this realm's
//! own terms, as an [`ImportedPrincipal`], with a [`Finding`] for whatever is not as it was. An [`Importer`] puts them together
//! to a database that is written when all of them are there, or not at all.
//!
//! What an importer has to keep to:
//!
//! - What is not understood and may be a restriction is not passed over: the principal is locked or left out, and the report
//!   says so.
//! - A key that cannot be used here is left out. If that takes all keys of the newest version, the older ones go, too:
//!   otherwise a former password would be good again.
//! - Keys are handed over with the newest version first, and within a version in the order of the other KDC, which is that of
//!   its preference. Each has its salt written out, unless it is known to be a random one.

mod enctype_name;
mod finding;
pub mod heimdal;
mod importer;
mod lines;
pub mod mit;
mod older_stash;
mod principal;
mod untranslated;

pub use finding::{Count, Finding, Item, Outcome, Summary, Whose};
pub use importer::{ImportError, Importer};
pub use principal::ImportedPrincipal;
