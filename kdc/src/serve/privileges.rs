//! Root binds the ports, and then is somebody else for good.

use core::fmt::Display;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgroups, getresgid, getresuid, initgroups, setresgid, setresuid, setuid};

use crate::config::ProcessConfig;

/// Becomes whom `[process] user` names, for good. The state directory has to be that one's, or absent. What there is to say of
/// it is given back.
///
/// # Errors
/// What is wrong, and what to do. Then the daemon must not go on.
pub(super) fn become_user(process: &ProcessConfig, state: &Path) -> Result<Option<String>, String> {
    let Some(name) = &process.user else {
        return Ok(None);
    };
    let target = Target::find(name, process.group.as_deref())?;
    let own = Uid::effective();
    if !own.is_root() {
        target.is_already(own)?;
        return Ok(None);
    }
    target.owns(state)?;
    if target.user.uid.is_root() {
        return Ok(None);
    }
    let failed = |what: &str, errno: Errno| format!("kdc cannot become the user {name}: {what}: {errno}");
    let c_name = CString::new(name.as_str()).map_err(|_| format!("{name:?} is nobody's name"))?;
    // In this order: each takes the right to do the one before it.
    initgroups(&c_name, target.gid).map_err(|errno| failed("its groups", errno))?;
    setresgid(target.gid, target.gid, target.gid).map_err(|errno| failed("its group", errno))?;
    setresuid(target.user.uid, target.user.uid, target.user.uid).map_err(|errno| failed("its number", errno))?;
    target.is_for_good()?;
    Ok(Some(format!(
        "kdc is the user {name} (uid {}, gid {}) from here on",
        target.user.uid, target.gid
    )))
}

/// Who the daemon is to be.
struct Target {
    user: User,
    gid: Gid,
    /// Whether realm.toml names the group.
    group_is_named: bool,
}

impl Target {
    fn find(name: &str, group: Option<&str>) -> Result<Self, String> {
        let unreadable = |what: &str, errno: Errno| format!("[process] {what}: it cannot be looked up: {errno}");
        let user = User::from_name(name)
            .map_err(|errno| unreadable("user", errno))?
            .ok_or_else(|| {
                format!(
                    "[process] user: this machine has no user {name}; `useradd --system --user-group --home-dir /nonexistent \
                     --shell /usr/sbin/nologin {name}` makes it"
                )
            })?;
        let gid =
            match group {
                None => user.gid,
                Some(group) => Group::from_name(group)
                    .map_err(|errno| unreadable("group", errno))?
                    .ok_or_else(|| {
                        format!(
                            "[process] group: this machine has no group {group}; `groupadd --system {group}` makes it"
                        )
                    })?
                    .gid,
            };
        Ok(Self {
            user,
            gid,
            group_is_named: group.is_some(),
        })
    }

    fn is_already(&self, own: Uid) -> Result<(), String> {
        let name = &self.user.name;
        if own != self.user.uid {
            return Err(format!(
                "[process] user is {name}, and kdc was started as {}, who cannot become {name}; start it as root or as {name}",
                user_name(own)
            ));
        }
        if self.group_is_named && Gid::effective() != self.gid {
            return Err(format!(
                "[process] group is {}, and kdc was started in the group {}; start it as root, or in that group",
                group_name(self.gid),
                group_name(Gid::effective())
            ));
        }
        Ok(())
    }

    fn owns(&self, state: &Path) -> Result<(), String> {
        let Some((path, owner)) = foreign(state, self.user.uid) else {
            return Ok(());
        };
        let (user, group) = (&self.user.name, group_name(self.gid));
        let state = state.display();
        Err(format!(
            "{} belongs to {}, and kdc is to be {user}; `chown -R {user}:{group} {state}` makes it {user}'s",
            path.display(),
            user_name(owner)
        ))
    }

    fn is_for_good(&self) -> Result<(), String> {
        let failed = |what: &dyn Display| format!("kdc became the user {}, but not for good: {what}", self.user.name);
        let (uids, gids) = match (getresuid(), getresgid()) {
            (Ok(uids), Ok(gids)) => (
                [uids.real, uids.effective, uids.saved],
                [gids.real, gids.effective, gids.saved],
            ),
            (Err(errno), _) | (_, Err(errno)) => return Err(failed(&errno)),
        };
        if uids != [self.user.uid; 3] || gids != [self.gid; 3] {
            return Err(failed(&"it has still another's numbers"));
        }
        let root = Gid::from_raw(0);
        if self.gid != root && getgroups().map_err(|errno| failed(&errno))?.contains(&root) {
            return Err(failed(&"it is still in root's group; take it out of that"));
        }
        // Whoever kept the capability could.
        match setuid(Uid::from_raw(0)) {
            Err(Errno::EPERM) => Ok(()),
            Err(errno) => Err(failed(&errno)),
            Ok(()) => Err(failed(&"it could become root again")),
        }
    }
}

// Something at or below a path that is somebody else's, and whose.
fn foreign(path: &Path, uid: Uid) -> Option<(PathBuf, Uid)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let owner = Uid::from_raw(metadata.uid());
    if owner != uid && !metadata.is_symlink() {
        return Some((path.to_owned(), owner));
    }
    if path.is_dir() {
        let entries = fs::read_dir(path).ok()?;
        return entries.flatten().find_map(|entry| {
            // One that a link leads to is looked at when it is opened.
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if is_link { None } else { foreign(&entry.path(), uid) }
        });
    }
    None
}

fn user_name(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("the user {uid}"),
    }
}

fn group_name(gid: Gid) -> String {
    match Group::from_gid(gid) {
        Ok(Some(group)) => group.name,
        _ => gid.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(user: &str, group: Option<&str>) -> ProcessConfig {
        ProcessConfig {
            user: Some(user.to_owned()),
            group: group.map(ToOwned::to_owned),
            landlock: false,
        }
    }

    #[test]
    fn nobody_becomes_who_is_not_there() {
        let state = Path::new("/nonexistent");
        let why = become_user(&process("no-such-user", None), state).unwrap_err();
        assert!(
            why.contains("this machine has no user no-such-user; `useradd "),
            "{why}"
        );
        let why = become_user(&process("root", Some("no-such-group")), state).unwrap_err();
        assert!(
            why.contains("this machine has no group no-such-group; `groupadd "),
            "{why}"
        );
    }

    #[test]
    fn what_is_somebody_elses_is_found_however_deep() {
        let dir = tempfile::tempdir().unwrap();
        let own = Uid::effective();
        let other = Uid::from_raw(own.as_raw().wrapping_add(1));
        fs::create_dir(dir.path().join("journal")).unwrap();
        fs::write(dir.path().join("journal/1"), "").unwrap();
        std::os::unix::fs::symlink("/nonexistent", dir.path().join("link")).unwrap();
        assert_eq!(foreign(dir.path(), own), None);
        assert_eq!(foreign(dir.path(), other), Some((dir.path().to_owned(), own)));
        assert_eq!(foreign(&dir.path().join("absent"), other), None);
        if own.is_root() {
            let deep = dir.path().join("journal/1");
            nix::unistd::chown(&deep, Some(Uid::from_raw(65534)), None).unwrap();
            assert_eq!(foreign(dir.path(), own), Some((deep, Uid::from_raw(65534))));
        }
    }
}
