//! What is installed beside the programs: units, manuals, completions, and Debian's packages.

mod chroot;
mod debian;
mod filter;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tempfile::TempDir;
use tessera_tests::{Tool, binary, example, installed};

const PROGRAMS: [&str; 8] = [
    "kdc",
    "principal",
    "kinit",
    "klist",
    "kdestroy",
    "kswitch",
    "kvno",
    "kpasswd",
];

/// A file of the distribution.
fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[test]
#[ignore = "needs MIT's tools"]
fn systemd_takes_the_units_and_finds_the_service_hardened() {
    let directory = TempDir::new().unwrap();
    // The programs are where a package puts them only once it is installed.
    let service = fs::read_to_string(source("packaging/systemd/tessera-kdc.service")).unwrap();
    let mut here = service.clone();
    for program in ["kdc", "principal"] {
        let installed = format!("/usr/bin/{program} ");
        assert!(service.contains(&installed), "{program} is in no line of the unit");
        here = here.replace(&installed, &format!("{} ", binary(program).display()));
    }
    let unit = directory.path().join("tessera-kdc.service");
    fs::write(&unit, here).unwrap();
    let socket = directory.path().join("tessera-kdc.socket");
    fs::copy(source("packaging/systemd/tessera-kdc.socket"), &socket).unwrap();
    let analyze = |line: &str| Tool::new(installed("systemd-analyze"), &format!("systemd-analyze {line}"));
    let verified = analyze("verify --man=no").arg(&unit).arg(&socket).run();
    assert_eq!(
        (verified.status.success(), verified.stderr.as_str()),
        (true, ""),
        "{verified}"
    );
    // 0 is what nothing can happen to, 100 what runs as root with all rights.
    analyze("security --offline=yes --threshold=20").arg(&unit).run().ok();
    // That is for a service that can be hurt.
    fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    analyze("security --offline=yes --threshold=20")
        .arg(&unit)
        .run()
        .refused();
}

/// Manuals and completions, made anew.
fn manual() -> TempDir {
    let directory = TempDir::new().unwrap();
    Tool::new(example("manual"), "manual").arg(directory.path()).run().ok();
    directory
}

/// A program's commands, and those of them: the words of each.
fn commands(program: &str) -> Vec<Vec<String>> {
    let mut all = vec![vec![program.to_owned()]];
    let mut at = 0;
    while let Some(words) = all.get(at).cloned() {
        let help = help(&words);
        let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
        let own = listed.lines().take_while(|line| !line.is_empty());
        for line in own.filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
            let name = line.split_whitespace().next().unwrap();
            if name != "help" {
                all.push([&words[..], &[name.to_owned()]].concat());
            }
        }
        at += 1;
    }
    all
}

fn help(words: &[String]) -> String {
    let line = format!("{} --help", words.join(" "));
    Tool::new(binary(&words[0]), &line).run().ok()
}

/// Every flag that a help or a page has at the beginning of a line.
fn flags(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = lines.flat_map(|line| {
        line.split([' ', ',', '=', '['])
            .take_while(|word| !word.starts_with('<'))
    });
    words
        .filter(|word| word.len() > 1 && word.starts_with('-'))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
#[ignore = "needs MIT's tools"]
fn man_takes_every_manual_page_and_finds_every_command_and_flag_in_it() {
    let manual = manual();
    let all: Vec<_> = PROGRAMS.iter().flat_map(|program| commands(program)).collect();
    assert!(all.len() > 40, "{all:?}");
    let left = Mutex::new(all.iter());
    let look = || {
        while let Some(words) = { left.lock().unwrap().next() } {
            let section = if words[0] == "kdc" { "8" } else { "1" };
            let name = format!("{}.{section}", words.join("-"));
            let page = manual.path().join(format!("man{section}")).join(&name);
            let man = Tool::new(installed("man"), "man --warnings -E UTF-8 -l").arg(&page);
            let shown = man.env("MANWIDTH", "200").env("MANPAGER", "cat").run();
            assert_eq!(shown.stderr, "", "{name}");
            let text = shown.ok();
            let missing: Vec<_> = flags(&help(words)).difference(&flags(&text)).cloned().collect();
            assert!(missing.is_empty(), "{name} lacks {missing:?} in\n{text}");
            for own in all
                .iter()
                .filter(|own| own.len() == words.len() + 1 && own.starts_with(words))
            {
                assert!(
                    text.contains(&format!("{}({section})", own.join("-"))),
                    "{name} lacks {own:?}"
                );
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(look);
        }
    });
    let pages = ["man1", "man8"].map(|pages| fs::read_dir(manual.path().join(pages)).unwrap().count());
    assert_eq!(pages.iter().sum::<usize>(), all.len(), "pages without a command");
}

#[test]
fn bash_completes_commands_and_flags_of_every_program() {
    let manual = manual();
    let complete = |program: &str, typed: &str| {
        let words: Vec<_> = typed.split(' ').collect();
        let file = manual.path().join(format!("bash/{program}.bash"));
        let script = format!(
            "source {}; complete -p {program} >/dev/null || exit; COMP_WORDS=({typed}); COMP_CWORD={}; \
             _{program} {program} {:?} {:?}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file.display(),
            words.len() - 1,
            words[words.len() - 1],
            words[words.len() - 2]
        );
        let said = Tool::new("/bin/bash".into(), "bash --norc -c").arg(script).run();
        said.ok().lines().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    for (program, typed, offered) in [
        ("kdc", "kdc rot", "rotate-master-key"),
        ("kdc", "kdc dump --un", "--until"),
        ("principal", "principal ren", "rename"),
        ("principal", "principal add --random", "--random-key"),
        ("kinit", "kinit --forw", "--forwardable"),
        ("klist", "klist --js", "--json"),
        ("kdestroy", "kdestroy --ver", "--version"),
        ("kswitch", "kswitch --ver", "--version"),
        ("kvno", "kvno --cached", "--cached-only"),
        ("kpasswd", "kpasswd --ver", "--version"),
    ] {
        assert_eq!(complete(program, typed), [offered], "{typed}");
    }
}
