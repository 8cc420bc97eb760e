use chrono::{Local, TimeZone as _};
use tessera_client::Prompter;
use tessera_client::exchange::AsReply;
use tessera_common::time::KerberosTime;

const WEEK: u64 = 7 * 86_400;
// RFC 4120 §5.4.2: when the password expires, here or at every KDC.
const PASSWORD_EXPIRES: [i32; 2] = [6, -6];

/// Tells when the password will expire: always, where the KDC makes a point of it; else when it is within a week.
pub(crate) fn warn_of_expiry(reply: &AsReply, now: KerberosTime, prompter: &mut dyn Prompter) {
    let told = reply
        .last_req
        .iter()
        .rev()
        .find(|entry| PASSWORD_EXPIRES.contains(&entry.lr_type));
    let (expires, insistent) = match (told, reply.key_expiration) {
        (Some(entry), _) => (entry.lr_value, true),
        (None, Some(expires)) => (expires, false),
        (None, None) => return,
    };
    let left = expires.since(now).as_secs();
    let for_change = reply.credential.server.name.is(&["kadmin", "changepw"]);
    if expires == KerberosTime::EPOCH || for_change || (!insistent && !(1..=WEEK).contains(&left)) {
        return;
    }
    let when = match Local.timestamp_opt(expires.seconds(), 0).earliest() {
        Some(when) => when.format("%a %b %e %H:%M:%S %Y").to_string(),
        None => expires.to_string(),
    };
    let left = match left {
        0..3600 => "less than one hour".to_owned(),
        3600..7200 => "1 hour".to_owned(),
        7200..172_800 => format!("{} hours", left / 3600),
        _ => format!("{} days", left / 86_400),
    };
    prompter.tell(&format!("Warning: Your password will expire in {left} on {when}"));
}
