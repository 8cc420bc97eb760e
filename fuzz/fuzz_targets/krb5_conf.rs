//! krb5.conf: the syntax, what clients heed of it, and files that include each other. The input is split at NULs into the
//! files `/0`, `/1` …
#![no_main]

use std::io;

use libfuzzer_sys::fuzz_target;
use tessera_common::krb5_conf::{ClientConfig, Files, PathTokens, Profile};
use tessera_common::name::Realm;

struct Parts<'a>(Vec<&'a [u8]>);

impl Files for Parts<'_> {
    fn read(&mut self, path: &str) -> io::Result<Vec<u8>> {
        let number = path
            .trim_start_matches("/d")
            .trim_start_matches('/')
            .parse::<usize>()
            .ok();
        let content = number.and_then(|number| self.0.get(number));
        content
            .map(|content| content.to_vec())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&mut self, directory: &str) -> io::Result<Vec<String>> {
        match directory {
            "/d" => Ok((0..self.0.len()).map(|number| number.to_string()).collect()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fuzz_target!(|octets: &[u8]| {
    let mut files = Parts(octets.split(|octet| *octet == 0).collect());
    let Ok(profile) = Profile::load("/0:/1", &mut files) else {
        return;
    };
    let Ok(config) = ClientConfig::new(profile) else { return };
    assert!(!config.tkt_enctypes.is_empty() && !config.tgs_enctypes.is_empty());
    let tokens = PathTokens {
        uid: 1,
        euid: 2,
        username: None,
        temp: "/tmp".to_owned(),
    };
    let _ = config.default_ccache_name(&tokens);
    let _ = config.default_keytab_name(&tokens);
    let realm = config.default_realm.clone().unwrap_or_else(|| Realm::new("R").unwrap());
    let _ = config.kdcs(&realm);
    let _ = config.password_servers(&realm);
    let _ = config.realm_of_host("www.example.com");
});
