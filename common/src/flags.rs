//! The three sets of bits that travel in requests and tickets, as `u32` with bit 0 of the RFC at the top.

/// Declares a set of flags over a `u32`, bit 0 at the top, as the RFCs count.
#[doc(hidden)]
#[macro_export]
macro_rules! flag_set {
    ($(#[$meta:meta])* $name:ident { $($(#[$bit_meta:meta])* $bit:ident = $number:expr, $text:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(pub u32);

        impl $name {
            $($(#[$bit_meta])* pub const $bit: Self = Self(1 << (31 - $number));)+

            /// Every named flag and its name, in the order of the bits.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self::$bit, $text)),+];

            /// No flag set.
            #[must_use]
            pub const fn empty() -> Self {
                Self(0)
            }

            /// Whether every flag of `other` is set here.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any flag of `other` is set here.
            #[must_use]
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// These flags and `other`'s.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// These flags without `other`'s.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// These flags and, if `on`, `other`'s; otherwise without them.
            #[must_use]
            pub const fn set(self, other: Self, on: bool) -> Self {
                if on { self.with(other) } else { self.without(other) }
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let named = Self::NAMED.iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, text)| text);
                f.debug_set().entries(named).finish()
            }
        }
    };
}

flag_set! {
    /// `KDCOptions` (RFC 4120 §5.4.1): what a client asks of the ticket. Bits that nobody named are kept and ignored.
    KdcOptions {
        /// The ticket may be forwarded.
        FORWARDABLE = 1, "forwardable";
        /// A ticket for another address, from a forwardable one (TGS only).
        FORWARDED = 2, "forwarded";
        /// The ticket may be proxied.
        PROXIABLE = 3, "proxiable";
        /// A proxy of a proxiable ticket (TGS only).
        PROXY = 4, "proxy";
        /// Postdated tickets may be got from this one.
        ALLOW_POSTDATE = 5, "allow-postdate";
        /// The ticket is to start in the future.
        POSTDATED = 6, "postdated";
        /// The ticket is to be renewable.
        RENEWABLE = 8, "renewable";
        /// Names may be made canonical (RFC 6806).
        CANONICALIZE = 15, "canonicalize";
        /// The ticket is to be for an anonymous client (RFC 8062).
        REQUEST_ANONYMOUS = 16, "request-anonymous";
        /// S4U2Proxy (MS-SFU): the second ticket names the client.
        CNAME_IN_ADDL_TKT = 14, "cname-in-addl-tkt";
        /// The transited path is not to be checked.
        DISABLE_TRANSITED_CHECK = 26, "disable-transited-check";
        /// A renewable ticket will do where the wanted life is too long.
        RENEWABLE_OK = 27, "renewable-ok";
        /// Encrypt in the session key of the second ticket: user-to-user (TGS only).
        ENC_TKT_IN_SKEY = 28, "enc-tkt-in-skey";
        /// Renew the header ticket (TGS only).
        RENEW = 30, "renew";
        /// Validate the postdated header ticket (TGS only).
        VALIDATE = 31, "validate";
    }
}

flag_set! {
    /// `TicketFlags` (RFC 4120 §5.3).
    TicketFlags {
        /// A forwarded TGT may be got from this ticket.
        FORWARDABLE = 1, "forwardable";
        /// Was forwarded, or comes from a forwarded TGT.
        FORWARDED = 2, "forwarded";
        /// A proxy may be got from this ticket.
        PROXIABLE = 3, "proxiable";
        /// Is a proxy.
        PROXY = 4, "proxy";
        /// A postdated ticket may be got from this one.
        MAY_POSTDATE = 5, "may-postdate";
        /// Is postdated.
        POSTDATED = 6, "postdated";
        /// Not usable before the KDC validates it.
        INVALID = 7, "invalid";
        /// Can be renewed until renew-till.
        RENEWABLE = 8, "renewable";
        /// Issued by the AS, not by a TGT.
        INITIAL = 9, "initial";
        /// The client was pre-authenticated.
        PRE_AUTHENT = 10, "pre-authent";
        /// Pre-authenticated with hardware held by the client alone.
        HW_AUTHENT = 11, "hw-authent";
        /// The KDC checked the transited path.
        TRANSITED_POLICY_CHECKED = 12, "transited-policy-checked";
        /// The realm trusts the server with delegated credentials.
        OK_AS_DELEGATE = 13, "ok-as-delegate";
        /// The encrypted part of the reply has encrypted-pa-data (RFC 6806 §11).
        ENC_PA_REP = 15, "enc-pa-rep";
        /// The client is anonymous (RFC 8062).
        ANONYMOUS = 16, "anonymous";
    }
}

flag_set! {
    /// `APOptions` (RFC 4120 §5.5.1).
    ApOptions {
        /// The ticket is encrypted in the server's TGT's session key.
        USE_SESSION_KEY = 1, "use-session-key";
        /// The client wants an AP-REP.
        MUTUAL_REQUIRED = 2, "mutual-required";
    }
}

flag_set! {
    /// `FastOptions` (RFC 6113 §5.4.2). A KDC refuses a request with a bit from 0 to 15 that it does not know.
    FastOptions {
        /// The outer reply names no client.
        HIDE_CLIENT_NAMES = 1, "hide-client-names";
        /// The KDC follows referrals itself.
        KDC_FOLLOW_REFERRALS = 16, "kdc-follow-referrals";
    }
}

flag_set! {
    /// `OTPFlags` (RFC 6560 §4.1).
    OtpFlags {
        /// Send the next code of the token.
        NEXT_OTP = 1, "next-otp";
        /// Put the code and the PIN together.
        COMBINE = 2, "combine";
        /// Collect a PIN.
        COLLECT_PIN = 3, "collect-pin";
        /// Do not collect a PIN.
        DO_NOT_COLLECT_PIN = 4, "do-not-collect-pin";
        /// Encrypt the nonce with the code, do not send the code itself.
        MUST_ENCRYPT_NONCE = 5, "must-encrypt-nonce";
        /// A PIN goes apart from the code.
        SEPARATE_PIN_REQUIRED = 6, "separate-pin-required";
        /// The code has a check digit.
        CHECK_DIGIT = 7, "check-digit";
    }
}

flag_set! {
    /// The options of `S4UUserID` (MS-SFU §2.2.2).
    S4uOptions {
        /// Ask for the ticket only if the user may log on from here now.
        CHECK_LOGON_HOURS = 1, "check-logon-hours";
        /// The checksum of the reply has key usage 27.
        SIGN_REPLY_WITH_KERBEROS_KEY = 2, "sign-reply";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_count_from_the_top_as_in_the_rfc() {
        assert_eq!(KdcOptions::FORWARDABLE.0, 0x4000_0000);
        assert_eq!(KdcOptions::VALIDATE.0, 1);
        assert_eq!(TicketFlags::INITIAL.0, 0x0040_0000);
        assert_eq!(TicketFlags::ENC_PA_REP.0, 0x0001_0000);
        assert_eq!(ApOptions::MUTUAL_REQUIRED.0, 0x2000_0000);
    }

    #[test]
    fn set_and_without_are_opposites() {
        let both = TicketFlags::INITIAL | TicketFlags::RENEWABLE;
        assert!(both.contains(TicketFlags::INITIAL));
        assert!(!both.set(TicketFlags::INITIAL, false).intersects(TicketFlags::INITIAL));
        assert_eq!(format!("{both:?}"), r#"{"renewable", "initial"}"#);
    }
}
