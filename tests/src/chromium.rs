//! Chromium without a window.

use std::path::{Path, PathBuf};

use crate::tool::{Finished, Tool, installed_one_of};
use crate::workstation::Workstation;

/// A browser with a profile of its own at a workstation.
pub struct Chromium<'a> {
    desk: &'a Workstation,
    options: Vec<String>,
}

impl<'a> Chromium<'a> {
    /// As it comes: no server is sent a ticket.
    #[must_use]
    pub fn at(desk: &'a Workstation) -> Self {
        Self {
            desk,
            options: Vec::new(),
        }
    }

    /// Servers with these names are sent tickets when they ask.
    #[must_use]
    pub fn allowing(self, servers: &str) -> Self {
        self.with(&format!("--auth-server-allowlist={servers}"))
    }

    /// One more option of its command line.
    #[must_use]
    pub fn with(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// What the document is, once the page is loaded.
    #[must_use]
    pub fn document(&self, url: &str) -> String {
        self.run(&["--dump-dom"], url).ok()
    }

    /// What the page looks like: a picture that is kept beside what cargo builds.
    #[must_use]
    pub fn screenshot(&self, url: &str, name: &str) -> PathBuf {
        let built = std::env::current_exe().unwrap();
        let directory = built.ancestors().nth(3).unwrap().join("screenshots");
        std::fs::create_dir_all(&directory).unwrap();
        let picture = directory.join(name);
        // An old one proves nothing.
        let _ = std::fs::remove_file(&picture);
        let option = format!("--screenshot={}", picture.display());
        self.run(&[&option, "--window-size=800,600"], url).ok();
        assert_is_picture(&picture);
        picture
    }

    fn run(&self, options: &[&str], url: &str) -> Finished {
        let program = installed_one_of(&["chromium-headless-shell", "chromium"]);
        // In a container, and as root, it has no sandbox; and it has no business with the rest of the world.
        let line = "chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run \
                    --disable-background-networking --disable-component-update --disable-sync --disable-extensions";
        let profile = tempfile::TempDir::with_prefix("chromium-").unwrap();
        let mut tool = self
            .desk
            .equip(Tool::new(program, line), "installed")
            .env("HOME", profile.path())
            .arg(format!("--user-data-dir={}", profile.path().display()));
        for option in self.options.iter().map(String::as_str).chain(options.iter().copied()) {
            tool = tool.arg(option);
        }
        tool.arg(url).run()
    }
}

fn assert_is_picture(path: &Path) {
    let picture = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        picture.starts_with(b"\x89PNG\r\n\x1a\n") && picture.len() > 1000,
        "{} is no picture",
        path.display()
    );
}
