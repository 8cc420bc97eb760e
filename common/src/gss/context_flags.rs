use crate::flag_set;

flag_set! {
    /// What a context is to do, or does (RFC 2743 §1.2, with the values of RFC 2744 and RFC 4121 §4.1.1.1).
    ContextFlags {
        /// The initiator's credentials go along.
        DELEG = 31, "deleg";
        /// The acceptor proves itself, too.
        MUTUAL = 30, "mutual";
        /// A message that comes twice is refused.
        REPLAY = 29, "replay";
        /// A message that comes out of its turn is refused.
        SEQUENCE = 28, "sequence";
        /// Messages can be encrypted.
        CONF = 27, "conf";
        /// Messages can be authenticated.
        INTEG = 26, "integ";
        /// The initiator is anonymous.
        ANON = 25, "anon";
        /// Both ends were given the same channel bindings.
        CHANNEL_BOUND = 20, "channel-bound";
        /// Three legs without frames, as DCE-RPC has them; not offered here.
        DCE_STYLE = 19, "dce-style";
        /// The acceptor may learn who it is, and no more.
        IDENTIFY = 18, "identify";
        /// Errors in Microsoft's longer form are understood.
        EXTENDED_ERROR = 17, "extended-error";
        /// Delegation, where the KDC says that the service may have it.
        DELEG_POLICY = 16, "deleg-policy";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_rfc_2744_and_its_successors() {
        for (flag, value) in [
            (ContextFlags::DELEG, 1),
            (ContextFlags::MUTUAL, 2),
            (ContextFlags::REPLAY, 4),
            (ContextFlags::SEQUENCE, 8),
            (ContextFlags::CONF, 16),
            (ContextFlags::INTEG, 32),
            (ContextFlags::ANON, 64),
            (ContextFlags::CHANNEL_BOUND, 0x800),
            (ContextFlags::DCE_STYLE, 0x1000),
            (ContextFlags::IDENTIFY, 0x2000),
            (ContextFlags::EXTENDED_ERROR, 0x4000),
            (ContextFlags::DELEG_POLICY, 0x8000),
        ] {
            assert_eq!(flag.0, value, "{flag:?}");
        }
    }
}
