//! A machine that may be spoilt: this one, with all that is written going nowhere, a network of its own, and no process left at
//! the end.

use std::path::Path;

use tempfile::TempDir;

use crate::terminal::Terminal;
use crate::tool::Tool;

/// Comes before and after the exit status, whenever the shell is ready for the next command.
const MARK: &str = "@@";

/// What the shell says first, once.
const SET_UP: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
mount --rbind /dev "$1/root/dev"
mount -t proc proc "$1/root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$1/root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$1/root/run"
cp "$2"/*.deb "$1/root/tmp"
install -m 755 "$3" "$1/root/usr/local/bin/systemctl"
rm -f "$1/root/etc/krb5.conf"
ip link set lo up
stty -echo
cd "$1/root"
exec chroot . env -i HOME=/root TERM=dumb LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PS1='@@$?@@' PS2= bash --norc --noprofile --noediting -i
"#;

/// A shell of root's there.
pub struct Sandbox {
    terminal: Terminal,
    _directory: TempDir,
}

/// What a command came to.
pub struct Outcome {
    /// What was shown, questions and answers' ends included.
    pub shown: String,
    /// The exit status.
    pub status: i32,
}

impl Sandbox {
    /// With the packages of this directory in `/tmp`, and this program as `systemctl`. Takes root.
    #[must_use]
    pub fn start(packages: &Path, systemctl: &Path) -> Self {
        let directory = TempDir::with_prefix("sandbox-").unwrap();
        let mut unshare = Tool::new("unshare".into(), "unshare");
        unshare
            .command
            .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
            .args(["bash", "-c", SET_UP, "bash"])
            .arg(directory.path())
            .arg(packages)
            .arg(systemctl);
        let mut sandbox = Self {
            terminal: unshare.at_terminal(),
            _directory: directory,
        };
        sandbox.outcome(&[], "");
        sandbox.run("cd /root && useradd --create-home --uid 4711 anybody", &[], "");
        sandbox
    }

    /// Types a command and what it reads, and `answer` whenever one of `questions` is asked, each once and in their order.
    pub fn run(&mut self, command: &str, questions: &[&str], answer: &str) -> Outcome {
        self.terminal.type_line(command);
        self.outcome(questions, answer)
    }

    /// The same, as somebody who is not root.
    pub fn run_as_anybody(&mut self, command: &str, questions: &[&str], answer: &str) -> Outcome {
        let quoted = format!("'{}'", command.replace('\'', r"'\''"));
        let command = format!(
            "setpriv --reuid=4711 --regid=4711 --clear-groups env HOME=/home/anybody USER=anybody bash -c {quoted}"
        );
        self.run(&command, questions, answer)
    }

    fn outcome(&mut self, questions: &[&str], answer: &str) -> Outcome {
        let mut shown = String::new();
        let mut questions = questions.iter().peekable();
        loop {
            let question = questions.peek().copied();
            shown += &self.terminal.read_until(|rest| {
                let asked = question.is_some_and(|question| rest.trim_end().ends_with(question));
                (asked || finished(rest).is_some()).then_some(rest.len())
            });
            if let Some((text, status)) = finished(&shown) {
                let shown = text.replace("\r\n", "\n");
                return Outcome { shown, status };
            }
            questions.next();
            self.terminal.type_line(answer);
        }
    }
}

// As the first process of its machine, the shell does not end with its terminal; and all others there end with it.
impl Drop for Sandbox {
    fn drop(&mut self) {
        self.terminal.kill();
    }
}

/// What was shown before the shell was ready again, and the status of what it ran.
fn finished(shown: &str) -> Option<(&str, i32)> {
    let (text, status) = shown.strip_suffix(MARK)?.rsplit_once(MARK)?;
    Some((text, status.parse().ok()?))
}
