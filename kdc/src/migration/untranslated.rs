//! What has no counterpart in this realm.

use std::borrow::Cow;

/// A flag that is left out, or met in another way.
#[derive(Debug)]
pub(super) struct Untranslated {
    /// As the other KDC's programs name it, or its number; and what it is met by, if anything.
    pub(super) name: Cow<'static, str>,
    pub(super) why: &'static str,
    pub(super) advice: &'static str,
}

impl Untranslated {
    /// A flag that is not known at all.
    pub(super) const fn unknown(name: String) -> Self {
        Self {
            name: Cow::Owned(name),
            why: "it is not known what it means",
            advice: "ask whoever set it",
        }
    }
}
