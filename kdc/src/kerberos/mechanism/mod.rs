//! Pre-authentication: each mechanism offers itself, and checks what a client sends for it.

mod encrypted_timestamp;

use std::sync::Arc;

use tessera_common::wire::PaData;

use super::Exchange;
use super::refusal::Refusal;
use crate::realm::authentication::Factors;
use crate::realm::principal::{PrincipalRecord, StoredKey};

/// What a mechanism sees of a request.
pub(super) struct AsContext<'a> {
    pub(super) exchange: &'a Exchange<'a>,
    /// The client; `None` for a name that nobody has, when those are hidden.
    pub(super) client: Option<&'a Arc<PrincipalRecord>>,
}

/// What came of a mechanism's step.
pub(super) enum Step<'a> {
    /// The client proved these factors, with this key. The ciphertext that did it is good for one request.
    Done {
        factors: Factors,
        proof: Vec<u8>,
        key: &'a StoredKey,
    },
    /// The proof is wrong.
    Wrong { detail: &'static str },
    /// The proof may be right, but something else is wrong that the client should know.
    Refused(Refusal),
}

/// One kind of pre-authentication.
pub(super) trait Mechanism: Sync {
    /// The padata type that it is sent with.
    fn pa_type(&self) -> i32;

    /// How it is offered in METHOD-DATA; `None`: not to this client.
    fn offer(&self, cx: &AsContext<'_>) -> Option<PaData>;

    /// Checks what the client sent.
    fn step<'a>(&self, cx: &AsContext<'a>, pa: &PaData) -> Step<'a>;
}

/// Every mechanism, the best first: offered in this order, and the first that a client sends is taken.
pub(super) const MECHANISMS: [&dyn Mechanism; 1] = [&encrypted_timestamp::EncryptedTimestamp];

/// The best mechanism that knows something of this padata; all else in a request counts as not sent.
pub(super) fn find(padata: &[PaData]) -> Option<(&'static dyn Mechanism, &PaData)> {
    MECHANISMS.into_iter().find_map(|mechanism| {
        Some((
            mechanism,
            padata.iter().find(|pa| pa.padata_type == mechanism.pa_type())?,
        ))
    })
}
