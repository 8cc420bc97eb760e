//! The error codes of KRB-ERROR (RFC 4120 §7.5.9 and its successors).

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        /// An error code as it stands in a KRB-ERROR; any 32-bit number may arrive.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct ErrorCode(pub i32);

        impl ErrorCode {
            $(#[doc = $text] pub const $name: Self = Self($code);)+

            /// The name in the RFC, as `KDC_ERR_PREAUTH_REQUIRED`; `None` when nobody gave the number one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)+
                    _ => None,
                }
            }

            /// What the code means, in a few words.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self.0 {
                    $($code => $text,)+
                    _ => "unknown error code",
                }
            }
        }
    };
}

codes! {
    KDC_ERR_NONE = 0, "no error";
    KDC_ERR_NAME_EXP = 1, "client's entry in the database has expired";
    KDC_ERR_SERVICE_EXP = 2, "server's entry in the database has expired";
    KDC_ERR_BAD_PVNO = 3, "requested protocol version number not supported";
    KDC_ERR_C_OLD_MAST_KVNO = 4, "client's key encrypted in old master key";
    KDC_ERR_S_OLD_MAST_KVNO = 5, "server's key encrypted in old master key";
    KDC_ERR_C_PRINCIPAL_UNKNOWN = 6, "client not found in the database";
    KDC_ERR_S_PRINCIPAL_UNKNOWN = 7, "server not found in the database";
    KDC_ERR_PRINCIPAL_NOT_UNIQUE = 8, "multiple principal entries in the database";
    KDC_ERR_NULL_KEY = 9, "the client or server has a null key";
    KDC_ERR_CANNOT_POSTDATE = 10, "ticket not eligible for postdating";
    KDC_ERR_NEVER_VALID = 11, "requested start time is later than end time";
    KDC_ERR_POLICY = 12, "KDC policy rejects request";
    KDC_ERR_BADOPTION = 13, "KDC cannot accommodate requested option";
    KDC_ERR_ETYPE_NOSUPP = 14, "KDC has no support for encryption type";
    KDC_ERR_SUMTYPE_NOSUPP = 15, "KDC has no support for checksum type";
    KDC_ERR_PADATA_TYPE_NOSUPP = 16, "KDC has no support for padata type";
    KDC_ERR_TRTYPE_NOSUPP = 17, "KDC has no support for transited type";
    KDC_ERR_CLIENT_REVOKED = 18, "client's credentials have been revoked";
    KDC_ERR_SERVICE_REVOKED = 19, "credentials for server have been revoked";
    KDC_ERR_TGT_REVOKED = 20, "TGT has been revoked";
    KDC_ERR_CLIENT_NOTYET = 21, "client not yet valid; try again later";
    KDC_ERR_SERVICE_NOTYET = 22, "server not yet valid; try again later";
    KDC_ERR_KEY_EXPIRED = 23, "password has expired; change password to reset";
    KDC_ERR_PREAUTH_FAILED = 24, "pre-authentication information was invalid";
    KDC_ERR_PREAUTH_REQUIRED = 25, "additional pre-authentication required";
    KDC_ERR_SERVER_NOMATCH = 26, "requested server and ticket don't match";
    KDC_ERR_MUST_USE_USER2USER = 27, "server principal valid for user-to-user only";
    KDC_ERR_PATH_NOT_ACCEPTED = 28, "KDC policy rejects transited path";
    KDC_ERR_SVC_UNAVAILABLE = 29, "a service is not available";
    KRB_AP_ERR_BAD_INTEGRITY = 31, "integrity check on decrypted field failed";
    KRB_AP_ERR_TKT_EXPIRED = 32, "ticket expired";
    KRB_AP_ERR_TKT_NYV = 33, "ticket not yet valid";
    KRB_AP_ERR_REPEAT = 34, "request is a replay";
    KRB_AP_ERR_NOT_US = 35, "the ticket isn't for us";
    KRB_AP_ERR_BADMATCH = 36, "ticket and authenticator don't match";
    KRB_AP_ERR_SKEW = 37, "clock skew too great";
    KRB_AP_ERR_BADADDR = 38, "incorrect net address";
    KRB_AP_ERR_BADVERSION = 39, "protocol version mismatch";
    KRB_AP_ERR_MSG_TYPE = 40, "invalid message type";
    KRB_AP_ERR_MODIFIED = 41, "message stream modified";
    KRB_AP_ERR_BADORDER = 42, "message out of order";
    KRB_AP_ERR_BADKEYVER = 44, "specified version of key is not available";
    KRB_AP_ERR_NOKEY = 45, "service key not available";
    KRB_AP_ERR_MUT_FAIL = 46, "mutual authentication failed";
    KRB_AP_ERR_BADDIRECTION = 47, "incorrect message direction";
    KRB_AP_ERR_METHOD = 48, "alternative authentication method required";
    KRB_AP_ERR_BADSEQ = 49, "incorrect sequence number in message";
    KRB_AP_ERR_INAPP_CKSUM = 50, "inappropriate type of checksum in message";
    KRB_AP_PATH_NOT_ACCEPTED = 51, "policy rejects transited path";
    KRB_ERR_RESPONSE_TOO_BIG = 52, "response too big for UDP; retry with TCP";
    KRB_ERR_GENERIC = 60, "generic error; description in e-text";
    KRB_ERR_FIELD_TOOLONG = 61, "field is too long for this implementation";
    KDC_ERR_WRONG_REALM = 68, "wrong realm";
    KRB_AP_ERR_NO_TGT = 67, "no TGT available to validate user-to-user";
    KRB_AP_ERR_USER_TO_USER_REQUIRED = 69, "ticket must be for user-to-user";
    KDC_ERR_PREAUTH_EXPIRED = 90, "pre-authentication took too long; begin again";
    KDC_ERR_MORE_PREAUTH_DATA_REQUIRED = 91, "pre-authentication is not complete";
    KDC_ERR_PREAUTH_BAD_AUTHENTICATION_SET = 92, "the authentication set is not one that was offered";
    KDC_ERR_UNKNOWN_CRITICAL_FAST_OPTIONS = 93, "a critical FAST option is not known";
}

impl core::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({}): {}", self.0, self.meaning()),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl core::fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}
