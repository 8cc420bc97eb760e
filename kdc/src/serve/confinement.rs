//! What the daemon can reach once it serves: the kernel holds it to that (landlock(7)), whoever gets it to do what.

use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, RestrictionStatus, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::config::{self, Config};

/// What is asked of the kernel. One that knows less gives less.
const KNOWN: ABI = ABI::V7;
/// Since this one, TCP can be refused.
const TCP: ABI = ABI::V4;

/// What is reached after the start.
#[derive(Debug, Default)]
struct Reachable {
    read_write: Vec<PathBuf>,
    read: Vec<PathBuf>,
}

/// What is in force.
#[derive(Debug)]
pub(super) struct Confinement {
    /// Nothing, where nothing is in force.
    within: Option<Reachable>,
    tcp: bool,
    why_not: String,
}

impl Reachable {
    // Whatever the daemon opens later has to be here. A directory, where a file may be replaced by another of its name.
    fn of(config: &Config) -> Self {
        let mut reachable = Self::default();
        reachable.read_write.push(config.realm.state.clone());
        if config.accounting.enabled {
            reachable
                .read_write
                .push(config.accounting.directory_in(&config.realm.state));
        }
        // A reload.
        reachable.put_directory_of(&config.file);
        if let Some(dictionary) = &config.passwords.dictionary {
            reachable.put_directory_of(dictionary);
        }
        // A new master key that a service manager hands in.
        reachable.read.extend(config::credentials());
        // Rules with hours. What TZ names, where it names a file.
        reachable
            .read
            .extend(["/etc/localtime", "/usr/share/zoneinfo"].map(PathBuf::from));
        let zone = std::env::var_os("TZ").map(|zone| zone.to_string_lossy().trim_start_matches(':').to_owned());
        reachable
            .read
            .extend(zone.map(PathBuf::from).filter(|zone| zone.is_absolute()));
        reachable
    }

    fn put_directory_of(&mut self, file: &Path) {
        let directory = |file: &Path| match file.parent() {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_owned(),
            None => PathBuf::from("/"),
        };
        self.read.push(directory(file));
        // Where it is, if that is only a link to it.
        if let Ok(target) = fs::canonicalize(file) {
            self.read.push(directory(&target));
        }
    }

    // As they are called without links and dots; those that are not there are left out.
    fn resolved(self) -> Self {
        let resolved = |paths: Vec<PathBuf>| {
            let mut resolved: Vec<_> = paths.iter().flat_map(fs::canonicalize).collect();
            resolved.sort();
            resolved.dedup();
            resolved
        };
        Self {
            read_write: resolved(self.read_write),
            read: resolved(self.read),
        }
    }
}

impl Confinement {
    /// Holds the calling thread, and all that are started from here on, to what `config` needs. As much as the kernel can.
    pub(super) fn begin(config: &Config) -> Self {
        if !config.process.landlock {
            return Self::none("[process] landlock is off");
        }
        let reachable = Reachable::of(config).resolved();
        match restrict(&reachable) {
            Ok(status) => Self::with(reachable, &status),
            Err(why) => Self::none(format!("landlock is not in force: {why}")),
        }
    }

    fn with(reachable: Reachable, status: &RestrictionStatus) -> Self {
        match (status.landlock, &status.ruleset) {
            (LandlockStatus::NotEnabled, _) => {
                Self::none("landlock is not in force: this kernel was started without it (lsm=landlock,…)")
            }
            (LandlockStatus::NotImplemented, _) => Self::none("landlock is not in force: this kernel has none"),
            (_, RulesetStatus::NotEnforced) => Self::none("landlock is not in force"),
            (LandlockStatus::Available { effective_abi, .. }, _) => Self {
                within: Some(reachable),
                tcp: effective_abi >= TCP,
                why_not: String::new(),
            },
        }
    }

    fn none(why_not: impl Into<String>) -> Self {
        Self {
            within: None,
            tcp: false,
            why_not: why_not.into(),
        }
    }

    /// For the log.
    pub(super) fn sentence(&self) -> String {
        let Some(Reachable { read_write, read }) = &self.within else {
            return self.why_not.clone();
        };
        format!(
            "landlock is in force: kdc can change {}, read {}, and {}",
            listed(read_write),
            listed(read),
            if self.tcp {
                "neither listen nor connect anew over TCP"
            } else {
                "use TCP as before (this kernel cannot keep it from that)"
            }
        )
    }

    /// Whether a file is there, but out of reach.
    pub(super) fn hides(&self, file: &Path) -> bool {
        let (Some(within), Ok(file)) = (&self.within, fs::canonicalize(file)) else {
            return false;
        };
        let mut all = within.read_write.iter().chain(&within.read);
        !all.any(|path| file.starts_with(path))
    }
}

fn restrict(reachable: &Reachable) -> Result<RestrictionStatus, RulesetError> {
    // What is not needed: to run programs, to make devices, pipes and links, to talk to devices.
    let write = AccessFs::from_write(KNOWN)
        & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeFifo | AccessFs::MakeSym | AccessFs::IoctlDev);
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .add_rules(rules(&reachable.read_write, read | write))?
        .add_rules(rules(&reachable.read, read))?
        .restrict_self()
}

fn rules(
    paths: &[PathBuf],
    access: BitFlags<AccessFs>,
) -> impl Iterator<Item = Result<PathBeneath<PathFd>, RulesetError>> {
    paths.iter().filter_map(move |path| {
        let access = if path.is_dir() {
            access
        } else {
            access & AccessFs::from_file(KNOWN)
        };
        let opened = PathFd::new(path).ok()?;
        Some(Ok(PathBeneath::new(opened, access)))
    })
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::thread;

    use super::*;

    fn denied<T>(outcome: io::Result<T>) -> bool {
        outcome.is_err_and(|why| why.kind() == io::ErrorKind::PermissionDenied)
    }

    /// What the thread finds that is confined, and one that it starts. Nothing on a kernel without landlock.
    fn confined<T: Send + 'static>(
        config: &Config,
        look: impl FnOnce(&Confinement) -> T + Send + 'static,
    ) -> Option<T> {
        let config = config.clone();
        let found = thread::spawn(move || {
            let confinement = Confinement::begin(&config);
            confinement.within.is_some().then(|| {
                let child = thread::spawn(move || look(&confinement));
                child.join().unwrap()
            })
        });
        let found = found.join().unwrap();
        if found.is_none() {
            eprintln!("skipped: this kernel has no landlock");
        }
        found
    }

    fn house() -> (tempfile::TempDir, Config) {
        let dir = tempfile::tempdir().unwrap();
        for directory in ["etc", "var", "words", "elsewhere"] {
            fs::create_dir(dir.path().join(directory)).unwrap();
        }
        for file in ["words/words", "elsewhere/words"] {
            fs::write(dir.path().join(file), "x").unwrap();
        }
        let file = dir.path().join("etc/realm.toml");
        let text = "[realm]\nname = \"R\"\nstate = \"../var\"\n[passwords]\ndictionary = \"../words/words\"\n";
        fs::write(&file, text).unwrap();
        let config = Config::load(&file).unwrap();
        (dir, config)
    }

    #[test]
    fn what_is_needed_can_be_reached_and_nothing_else() {
        let (dir, config) = house();
        let top = dir.path().to_owned();
        confined(&config, move |confinement| {
            let at = |path: &str| top.join(path);
            fs::write(at("var/journal"), "x").unwrap();
            fs::create_dir(at("var/deep")).unwrap();
            fs::rename(at("var/journal"), at("var/deep/journal")).unwrap();
            fs::remove_file(at("var/deep/journal")).unwrap();
            fs::read(at("etc/realm.toml")).unwrap();
            fs::read(at("words/words")).unwrap();
            for path in ["etc/realm.toml", "words/words", "elsewhere/words", "words/new"] {
                assert!(denied(fs::write(at(path), "y")), "{path}");
            }
            assert!(denied(fs::read(at("elsewhere/words"))));
            assert!(denied(fs::read("/etc/passwd")) && denied(fs::read_dir("/")));
            assert!(denied(std::process::Command::new("/bin/true").status()));
            assert!(denied(std::os::unix::fs::symlink("/etc/passwd", at("var/link"))));
            assert!(confinement.hides(&at("elsewhere/words")) && confinement.hides(Path::new("/etc/passwd")));
            assert!(!confinement.hides(&at("words/words")) && !confinement.hides(&at("elsewhere/absent")));
            let sentence = confinement.sentence();
            assert!(
                sentence.starts_with("landlock is in force: kdc can change "),
                "{sentence}"
            );
        });
    }

    #[test]
    fn nothing_new_is_listened_at_nor_connected_to_over_tcp() {
        let (_dir, config) = house();
        let before = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = before.local_addr().unwrap();
        let client = TcpStream::connect(at).unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        confined(&config, move |confinement| {
            before.accept().unwrap();
            assert_eq!(denied(TcpListener::bind("127.0.0.1:0")), confinement.tcp);
            assert_eq!(denied(TcpStream::connect(at)), confinement.tcp);
            datagrams.send_to(b"x", datagrams.local_addr().unwrap()).unwrap();
            drop(client);
        });
    }

    #[test]
    fn switched_off_it_says_so_and_hides_nothing() {
        let (dir, mut config) = house();
        config.process.landlock = false;
        let confinement = Confinement::begin(&config);
        assert_eq!(confinement.sentence(), "[process] landlock is off");
        assert!(!confinement.hides(&dir.path().join("elsewhere/words")));
    }
}
