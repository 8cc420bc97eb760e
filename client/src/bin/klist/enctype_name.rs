use tessera_common::crypto::EncType;

/// The name of any enctype, as MIT's klist shows it.
pub(crate) fn enctype_name(number: i32) -> String {
    if let Some(etype) = EncType::from_number(number) {
        return etype.name().to_owned();
    }
    match number {
        1 => "DEPRECATED:des-cbc-crc".into(),
        2 => "DEPRECATED:des-cbc-md4".into(),
        3 => "DEPRECATED:des-cbc-md5".into(),
        4 => "DEPRECATED:des-cbc-raw".into(),
        6 => "DEPRECATED:des3-cbc-raw".into(),
        8 => "DEPRECATED:des-hmac-sha1".into(),
        16 => "DEPRECATED:des3-cbc-sha1".into(),
        23 => "DEPRECATED:arcfour-hmac".into(),
        24 => "DEPRECATED:arcfour-hmac-exp".into(),
        25 => "camellia128-cts-cmac".into(),
        26 => "camellia256-cts-cmac".into(),
        other => format!("DEPRECATED:etype {other}"),
    }
}
