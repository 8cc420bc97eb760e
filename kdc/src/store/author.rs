use tessera_common::time::KerberosTime;

/// Who makes a change, for the journal and the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Such as `uid 0` or `alice/admin@EXAMPLE.COM`.
    pub who: String,
    /// From where: `admin.sock`, or an address and a port; `None` for the daemon itself.
    pub from: Option<String>,
    /// How they proved who they are, as logs name it, such as `peer-credentials` or `long-term-key`; `None` for the daemon
    /// itself.
    pub factors: Option<String>,
    /// When, by the daemon's clock.
    pub when: KerberosTime,
}

impl Author {
    /// The daemon itself, in its own name.
    #[must_use]
    pub fn daemon(when: KerberosTime) -> Self {
        Self::unproved("kdc", when)
    }

    /// Somebody of whom no more is known.
    #[must_use]
    pub fn unproved(who: impl Into<String>, when: KerberosTime) -> Self {
        Self {
            who: who.into(),
            from: None,
            factors: None,
            when,
        }
    }
}
