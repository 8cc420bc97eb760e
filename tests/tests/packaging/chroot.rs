//! A Debian system of its own, with nothing in it but what every one has.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use tempfile::TempDir;
use tessera_tests::{Tool, installed};

/// Files and processes of its own, and a network that only has a loopback. Gone when dropped.
pub(crate) struct Chroot {
    directory: TempDir,
    /// Holds its network and mounts.
    holder: Child,
}

impl Chroot {
    /// A copy of the one that tests/run made: `TESSERA_CHROOT` names it.
    pub(crate) fn new() -> Self {
        let base = std::env::var_os("TESSERA_CHROOT").expect("TESSERA_CHROOT names no directory; tests/run sets it");
        let directory = TempDir::with_prefix("tessera-chroot-").unwrap();
        let root = directory.path().join("root");
        let copied = Tool::new(installed("cp"), "cp --archive --reflink=auto")
            .arg(base)
            .arg(&root);
        copied.run().ok();
        let script = "ip link set lo up && mount -t proc proc \"$1/proc\" && mount -t tmpfs tmpfs \"$1/dev\" && \
                      mknod -m 666 \"$1/dev/null\" c 1 3 && mknod -m 666 \"$1/dev/urandom\" c 1 9 && echo up && \
                      exec sleep infinity";
        let holder = Tool::new(
            installed("unshare"),
            "unshare --net --mount --kill-child --fork --pid --mount-proc",
        )
        .arg("/bin/sh")
        .arg("-c")
        .arg(script)
        .arg("sh")
        .arg(&root)
        .into_command()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
        let mut chroot = Self { directory, holder };
        let mut up = String::new();
        let said = chroot.holder.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut up).unwrap();
        assert_eq!(up, "up\n", "there is no chroot");
        chroot
    }

    /// Where its files are.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// A command line in it.
    pub(crate) fn sh(&self, line: &str) -> Tool {
        let tool = Tool::new(installed("chroot"), "chroot")
            .arg(self.root())
            .arg("/bin/sh")
            .arg("-c");
        self.inside(tool.arg(line), "--net --mount --pid")
            .env("DEBIAN_FRONTEND", "noninteractive")
    }

    /// A program of this system, in the network of that one.
    pub(crate) fn beside(&self, tool: Tool) -> Tool {
        self.inside(tool, "--net")
    }

    fn inside(&self, tool: Tool, which: &str) -> Tool {
        // `unshare --fork` waits outside for the one that is in there.
        let children = format!("/proc/{0}/task/{0}/children", self.holder.id());
        let holder = fs::read_to_string(children).unwrap();
        let line = format!("nsenter --target {} {which} --", holder.trim());
        tool.under(installed("nsenter"), &line)
    }

    /// Every file that is not a package manager's own business.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        let found = self.sh(
            "find / -xdev \\( -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o -path /tmp -o -path /run \\
             -o -path /proc -o -path /dev \\) -prune -o -print",
        );
        let backups = [
            "/etc/passwd-",
            "/etc/group-",
            "/etc/shadow-",
            "/etc/gshadow-",
            "/etc/subuid-",
            "/etc/subgid-",
        ];
        let listed = found.run().ok();
        let lines = listed.lines().filter(|line| !backups.contains(line));
        lines
            .filter(|line| *line != "/etc/.pwd.lock")
            .map(ToOwned::to_owned)
            .collect()
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(Path::new(path).strip_prefix("/").unwrap())).unwrap()
    }
}

impl Drop for Chroot {
    fn drop(&mut self) {
        // With it all end that were started in there.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
