use tessera_common::ccache::CredentialCache;
use tessera_common::name::Principal;
use tessera_common::time::KerberosTime;

/// Whether a cache is of any use: its ticket-granting ticket is still good or, where it has none, any ticket is.
pub(crate) fn is_current(cache: &CredentialCache, now: KerberosTime) -> bool {
    let tgs = Principal::krbtgt(&cache.principal.realm);
    let (tgts, others): (Vec<_>, Vec<_>) = cache.credentials().partition(|entry| entry.server == tgs);
    let relevant = if tgts.is_empty() { others } else { tgts };
    relevant.iter().any(|entry| now < entry.endtime)
}

#[cfg(test)]
mod tests {
    use tessera_common::ccache::Entry;
    use tessera_common::name::name_type;

    use super::*;

    #[test]
    fn the_ticket_granting_ticket_decides_where_there_is_one() {
        const TGT: &str = "krbtgt/R@R";
        for (entries, current) in [
            (&[][..], false),
            (&[(TGT, 1001)], true),
            (&[(TGT, 1000)], false),
            (&[("host/a@R", 1001)], true),
            (&[("host/a@R", 999)], false),
            (&[(TGT, 999), ("host/a@R", 1001)], false),
            (&[(TGT, 999), (TGT, 1001)], true),
            (&[("krbtgt/S@R", 1001)], true),
            (&[("krbtgt/R@S", 999)], false),
        ] {
            let alice: Principal = "alice@R".parse().unwrap();
            let mut cache = CredentialCache::new(alice.clone(), name_type::PRINCIPAL);
            for (server, endtime) in entries {
                let blank = Entry::new_config(&alice, name_type::PRINCIPAL, "x", None, b"").unwrap();
                let server = server.parse().unwrap();
                cache.entries.push(Entry {
                    server,
                    endtime: KerberosTime(*endtime),
                    ..blank
                });
            }
            cache.set_config("fast_avail", None, b"yes").unwrap();
            assert_eq!(is_current(&cache, KerberosTime(1000)), current, "{entries:?}");
        }
    }
}
