//! A changed realm.toml, applied while requests are served.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::confinement::Confinement;
use super::service_manager::ServiceManager;
use crate::accounting::Accounting;
use crate::config::Config;
use crate::kerberos::Kdc;
use crate::store::Store;

type Reloader = dyn Fn() -> Result<Vec<String>, String> + Send + Sync;

/// Who is told of a reload, and what it cannot reach.
pub(super) struct Surroundings {
    pub(super) manager: Arc<ServiceManager>,
    pub(super) confinement: Confinement,
}

/// A function that reads the configuration's file again and puts it in force; `applied` is called then. It gives notes for the
/// operator, or what is wrong; then all stays as it was. Both are logged.
pub(super) fn reloader(
    started_with: Config,
    kdc: Arc<ArcSwap<Kdc>>,
    store: Arc<dyn Store>,
    applied: Box<dyn Fn() + Send + Sync>,
    surroundings: Surroundings,
    accounting: Accounting,
) -> Arc<Reloader> {
    let one_at_a_time = Mutex::new(());
    Arc::new(move || {
        let _one = one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let Surroundings { manager, confinement } = &surroundings;
        manager.reloading();
        let outcome = is_in_reach(&started_with.file, confinement)
            .and_then(|()| Config::load(&started_with.file).map_err(|error| error.to_string()))
            .and_then(|config| {
                fits_database(&config, &*store)?;
                let notes = apply(&started_with, &config, &kdc)?;
                accounting.log().set(config.log);
                accounting.reloaded(&config.accounting);
                Ok(notes)
            });
        let (realm, log) = (&started_with.realm.name, accounting.log());
        match &outcome {
            Ok(notes) => {
                log.info(format_args!("{} is in force", started_with.file.display()));
                applied();
                notes.iter().for_each(|note| log.warn(note));
                manager.ready(&format!("the realm {realm} is served"));
            }
            Err(why) => {
                let why = why.replace('\n', "; ");
                log.error(format_args!("the configuration stays as it was: {why}"));
                manager.ready(&format!(
                    "the realm {realm} is served, with the configuration as it was: {why}"
                ));
            }
        }
        outcome
    })
}

// What a file names that the daemon was not started with, it may be kept from.
fn is_in_reach(file: &Path, confinement: &Confinement) -> Result<(), String> {
    let text = fs::read_to_string(file).ok();
    let config = text.and_then(|text| Config::parse(file, &text).ok());
    match config.and_then(|config| config.passwords.dictionary) {
        Some(dictionary) if confinement.hides(&dictionary) => Err(format!(
            "{}: passwords.dictionary is {} now, which is out of reach since kdc was started (landlock); start kdc anew, or \
             leave the dictionary in the directory where it was",
            file.display(),
            dictionary.display()
        )),
        _ => Ok(()),
    }
}

/// That the roles, rules and policies of the file and those of the database may stand side by side.
pub(super) fn fits_database(config: &Config, store: &dyn Store) -> Result<(), String> {
    match config.access.conflicts(store.view().access().declared()) {
        none if none.is_empty() => Ok(()),
        conflicts => Err(conflicts.join("\n")),
    }
}

fn apply(old: &Config, new: &Config, kdc: &ArcSwap<Kdc>) -> Result<Vec<String>, String> {
    for (key, old, new) in [
        ("realm.name", old.realm.name.to_string(), new.realm.name.to_string()),
        (
            "realm.state",
            old.realm.state.display().to_string(),
            new.realm.state.display().to_string(),
        ),
    ] {
        if old != new {
            return Err(format!(
                "{key} cannot change from {old} to {new} while the realm is served; stop kdc first"
            ));
        }
    }
    kdc.store(Arc::new(kdc.load().with_settings(Arc::new(new.settings()))));
    let mut notes = new.warnings.clone();
    for (key, old, new) in [
        ("listen.kerberos", &old.listen.kerberos, &new.listen.kerberos),
        ("listen.password", &old.listen.password, &new.listen.password),
        ("listen.admin", &old.listen.admin, &new.listen.admin),
        ("listen.metrics", &old.listen.metrics, &new.listen.metrics),
    ] {
        if old != new {
            notes.push(format!("{key} is changed; that takes effect when kdc is started anew"));
        }
    }
    for (table, is_changed) in [
        ("store", old.store != new.store),
        ("process", old.process != new.process),
    ] {
        if is_changed {
            notes.push(format!(
                "[{table}] is changed; that takes effect when kdc is started anew"
            ));
        }
    }
    let (before, after) = (&old.accounting, &new.accounting);
    for (key, same) in [
        ("accounting.enabled", before.enabled == after.enabled),
        ("accounting.directory", before.directory == after.directory),
        ("accounting.interim-every", before.interim_every == after.interim_every),
        ("accounting.syslog", before.syslog == after.syslog),
        ("accounting.journald", before.journald == after.journald),
    ] {
        if !same {
            notes.push(format!("{key} is changed; that takes effect when kdc is started anew"));
        }
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};
    use core::time::Duration;
    use std::fs;

    use super::super::service_manager;
    use super::*;
    use crate::log::Log;
    use crate::store::Memory;
    use crate::store::test_realm::{author, declare, full_rule, keyring, role};

    const BASE: &str =
        "[process]\nlandlock = false\n[realm]\nname = \"R\"\nstate = \"var\"\n[listen]\nkerberos = [\"127.0.0.1:0\"]\n";

    #[test]
    fn a_changed_file_is_applied_and_a_bad_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("realm.toml");
        fs::write(&file, BASE).unwrap();
        let config = Config::load(&file).unwrap();
        let kdc = Arc::new(ArcSwap::from_pointee(Kdc::new(Arc::new(config.settings()))));
        let log = Log::start(std::io::sink()).unwrap();
        let store = Arc::new(Memory::new(keyring()));
        let (applied, seen) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&store));
        let count = Arc::clone(&applied);
        let count = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        let surroundings = Surroundings {
            manager: Arc::new(service_manager::Found::in_environment().with_log(&log.log())),
            confinement: Confinement::begin(&config),
        };
        let reload = reloader(
            config,
            Arc::clone(&kdc),
            seen as _,
            Box::new(count),
            surroundings,
            Accounting::new(log.log()),
        );
        let lifetime = || kdc.load().settings().lifetime;
        let hour = Duration::from_secs(3600);

        fs::write(&file, format!("{BASE}[tickets]\nlifetime = \"1h\"\n")).unwrap();
        assert_eq!(reload(), Ok(vec![]));
        assert_eq!(lifetime(), hour);

        fs::write(&file, format!("{BASE}[tickets]\nlifetime = \"2h\"\nlife = 1\n")).unwrap();
        assert!(reload().unwrap_err().ends_with(
            "realm.toml:10:1: tickets.life: unknown key; known here: lifetime, renewable-lifetime, clock-skew"
        ));
        fs::write(&file, BASE.replace("\"R\"", "\"S\"")).unwrap();
        assert_eq!(
            reload().unwrap_err(),
            "realm.name cannot change from R to S while the realm is served; stop kdc first"
        );
        fs::remove_file(&file).unwrap();
        assert!(reload().is_err());
        assert_eq!(lifetime(), hour);

        let declared = [role("staff"), role("auditors"), full_rule("office")].map(declare);
        store.commit(&author(), declared.into()).unwrap();
        fs::write(&file, format!("{BASE}[roles.staff]\n")).unwrap();
        let both = reload().unwrap_err();
        assert!(
            both.contains("realm.toml:8:") && both.contains("`principal role remove staff`"),
            "{both}"
        );

        fs::write(&file, BASE.replace(":0", ":8888")).unwrap();
        assert_eq!(
            reload().unwrap(),
            ["listen.kerberos is changed; that takes effect when kdc is started anew"]
        );
        fs::write(&file, format!("{BASE}admin = [\"127.0.0.1:0\"]\n")).unwrap();
        assert_eq!(
            reload().unwrap(),
            ["listen.admin is changed; that takes effect when kdc is started anew"]
        );
        fs::write(&file, format!("{BASE}metrics = [\"127.0.0.1:0\"]\n")).unwrap();
        assert_eq!(
            reload().unwrap(),
            ["listen.metrics is changed; that takes effect when kdc is started anew"]
        );
        fs::write(&file, BASE.replace("false", "true")).unwrap();
        assert_eq!(
            reload().unwrap(),
            ["[process] is changed; that takes effect when kdc is started anew"]
        );
        fs::write(&file, format!("{BASE}[accounting]\nsyslog = \"log\"\nkeep = \"1d\"\n")).unwrap();
        assert_eq!(
            reload().unwrap(),
            ["accounting.syslog is changed; that takes effect when kdc is started anew"]
        );
        assert_eq!(lifetime(), 10 * hour);
        assert_eq!(
            applied.load(Ordering::Relaxed),
            6,
            "and nothing when nothing is applied"
        );
    }
}
