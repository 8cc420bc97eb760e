//! What enctypes are called that other realms have, and this one never.

use tessera_common::crypto::EncType;

/// The name that an enctype's number has in MIT's programs.
pub(super) fn enctype_name(number: i32) -> String {
    if let Some(known) = EncType::from_number(number) {
        return known.name().to_owned();
    }
    let name = match number {
        1 => "des-cbc-crc",
        2 => "des-cbc-md4",
        3 => "des-cbc-md5",
        5 => "des3-cbc-md5",
        7 => "old-des3-cbc-sha1",
        16 => "des3-cbc-sha1",
        23 => "arcfour-hmac",
        24 => "arcfour-hmac-exp",
        25 => "camellia128-cts-cmac",
        26 => "camellia256-cts-cmac",
        other => return format!("enctype {other}"),
    };
    name.into()
}
