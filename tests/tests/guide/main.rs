//! What the guide tells people to type, typed, in the order of the guide, on a machine where the packages are installed as it says.
//!
//! A block of ```` ```console ```` is a conversation: `# ` is typed by root and `$ ` by somebody else, `> ` goes on with the line before
//! it, and what comes after, if anything, is what has to be shown, where `...` alone is any number of lines and `…` anything within one. Comments before a
//! block, which no reader sees, say the rest: `<!-- types: TEXT -->` what is typed when the block shows a question, and `<!-- not run:
//! WHY -->` that it is an example of something that has no place in a test.

mod document;
mod systemctl;

use std::path::{Path, PathBuf};
use std::process::Command;

use document::{Document, Step};
use tempfile::TempDir;
use tessera_tests::{Sandbox, binary};

/// Read, and typed, one after the other.
const DOCUMENTS: [&str; 3] = ["install.md", "guide.md", "monitoring.md"];

fn root_of_the_repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The packages, of the programs that are tested here.
fn packages() -> TempDir {
    let packages = TempDir::with_prefix("packages-").unwrap();
    let built = Command::new(root_of_the_repository().join("packaging/debian/build"))
        .arg(binary("kdc").parent().unwrap())
        .arg(packages.path())
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    packages
}

#[test]
#[ignore = "needs root, and programs that tests/run installs"]
fn what_the_guide_says_can_be_typed() {
    let (packages, systemctl) = (packages(), systemctl::program());
    let mut sandbox = Sandbox::start(packages.path(), systemctl.path());
    let mut wrong = Vec::new();
    for name in DOCUMENTS {
        let path = root_of_the_repository().join("docs").join(name);
        let document = Document::read(&path);
        assert!(!document.steps.is_empty(), "{name} has no commands");
        for step in &document.steps {
            if let Err(why) = follow(&mut sandbox, step) {
                wrong.push(format!("docs/{name}:{}: {}\n{why}", step.line, step.command));
            }
        }
        for (line, why) in &document.left_out {
            println!("docs/{name}:{line}: not typed: {why}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn follow(sandbox: &mut Sandbox, step: &Step) -> Result<(), String> {
    let questions: Vec<&str> = step.questions();
    let outcome = match step.as_root {
        true => sandbox.run(&step.command, &questions, &step.types),
        false => sandbox.run_as_anybody(&step.command, &questions, &step.types),
    };
    if outcome.status != 0 {
        return Err(format!("ended with {}:\n{}", outcome.status, outcome.shown));
    }
    step.shows(&outcome.shown)
}
