//! A place to work at: one krb5.conf, one credential cache, one keytab; MIT's tools and ours share them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::tool::{Tool, binary, example, heimdal, installed};

/// Whose tools.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// MIT's, as the distribution packages them.
    Mit,
    /// Ours.
    Ours,
}

impl Side {
    /// Both, to say the same to each.
    pub const BOTH: [Self; 2] = [Self::Mit, Self::Ours];
}

/// What a person's environment holds. Clone it for another person at the same realm with [`Self::another`].
#[derive(Clone)]
pub struct Workstation {
    directory: PathBuf,
    number: usize,
    config: PathBuf,
    cache: String,
    clock: Option<Arc<Clock>>,
}

impl Workstation {
    pub(crate) fn new(directory: &Path, config: PathBuf, clock: Option<Arc<Clock>>) -> Self {
        let mut station = Self {
            directory: directory.to_owned(),
            number: 0,
            config,
            cache: String::new(),
            clock,
        };
        station.number = station.claim_number();
        station.cache = format!("FILE:{}", station.path("cache").display());
        station
    }

    /// Another person with the same krb5.conf, and a cache and a keytab of their own.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(&self.directory, self.config.clone(), self.clock.clone())
    }

    /// With these sections before those of the krb5.conf in use, so that they win.
    #[must_use]
    pub fn with_config(mut self, text: &str) -> Self {
        let fresh = self.path("krb5.conf");
        std::fs::write(&fresh, format!("{text}\n\ninclude {}\n", self.config.display())).unwrap();
        self.config = fresh;
        self
    }

    /// With this krb5.conf and nothing of the old one.
    #[must_use]
    pub fn with_whole_config(mut self, text: &str) -> Self {
        self.config = self.path("krb5.conf");
        std::fs::write(&self.config, text).unwrap();
        self
    }

    /// Another `KRB5CCNAME`; empty, none.
    #[must_use]
    pub fn with_cache(mut self, name: &str) -> Self {
        name.clone_into(&mut self.cache);
        self
    }

    /// Living by another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// A tool of either side; the command is what one would type.
    #[must_use]
    pub fn tool(&self, side: Side, line: &str) -> Tool {
        match side {
            Side::Mit => self.mit(line),
            Side::Ours => self.ours(line),
        }
    }

    /// MIT's tool; the command is what one would type.
    #[must_use]
    pub fn mit(&self, line: &str) -> Tool {
        self.equip(Tool::new(installed(program(line)), line), "MIT's")
    }

    /// A program of the distribution's that finds MIT's library; the command is what one would type.
    #[must_use]
    pub fn installed(&self, line: &str) -> Tool {
        self.equip(Tool::new(installed(program(line)), line), "installed")
    }

    /// A script of the tests' for Debian's own Python, which has the packages that tests/run installs. Arguments follow.
    #[must_use]
    pub fn python(&self, script: &str) -> Tool {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
        let python = Tool::new("/usr/bin/python3".into(), "python3").arg(path);
        // It would leave what it compiles beside the scripts.
        self.equip(python, "installed").env("PYTHONDONTWRITEBYTECODE", "1")
    }

    /// The same with Heimdal's libraries.
    #[must_use]
    pub fn python_with_heimdal(&self, script: &str) -> Tool {
        let (_, libraries) = heimdal("kinit");
        self.python(script).env("LD_LIBRARY_PATH", libraries)
    }

    /// One of our examples; the command is what one would type.
    #[must_use]
    pub fn example(&self, line: &str) -> Tool {
        self.equip(Tool::new(example(program(line)), line), "our example")
    }

    /// Our tool; the command is what one would type.
    #[must_use]
    pub fn ours(&self, line: &str) -> Tool {
        self.equip(Tool::new(binary(program(line)), line), "our")
    }

    /// Heimdal's tool; the command is what one would type.
    #[must_use]
    pub fn heimdal(&self, line: &str) -> Tool {
        let (program, libraries) = heimdal(program(line));
        let tool = self.equip(Tool::new(program, line), "Heimdal's");
        tool.env("LD_LIBRARY_PATH", libraries)
    }

    pub(crate) fn equip(&self, mut tool: Tool, whose: &str) -> Tool {
        tool.line = format!("{whose} {}", tool.line);
        let tool = tool
            .env("KRB5_CONFIG", &self.config)
            .env("KRB5_KTNAME", format!("FILE:{}", self.keytab().display()))
            .env(
                "KRB5_CLIENT_KTNAME",
                format!("FILE:{}", self.path("client-keytab").display()),
            )
            .env("KRB5RCACHEDIR", &self.directory)
            .env("KRB5_TRACE", self.path("trace"))
            .env("HOME", &self.directory);
        let tool = if self.cache.is_empty() {
            tool
        } else {
            tool.env("KRB5CCNAME", &self.cache)
        };
        match &self.clock {
            Some(clock) => clock.set(tool),
            None => tool,
        }
    }

    /// `KRB5CCNAME`.
    #[must_use]
    pub fn cache(&self) -> &str {
        &self.cache
    }

    /// The file behind `KRB5CCNAME`.
    #[must_use]
    pub fn cache_file(&self) -> PathBuf {
        self.cache
            .strip_prefix("FILE:")
            .map(PathBuf::from)
            .expect("not a FILE cache")
    }

    /// The file behind `KRB5_KTNAME`.
    #[must_use]
    pub fn keytab(&self) -> PathBuf {
        self.path("keytab")
    }

    /// The file behind `KRB5_CONFIG`.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// A file of this workstation's own.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{}-{name}", self.number))
    }

    /// What MIT's tools traced so far (`KRB5_TRACE`).
    #[must_use]
    pub fn trace(&self) -> String {
        std::fs::read_to_string(self.path("trace")).unwrap_or_default()
    }

    fn claim_number(&self) -> usize {
        (1..)
            .find(|n| std::fs::create_dir(self.directory.join(format!(".station-{n}"))).is_ok())
            .unwrap()
    }
}

fn program(line: &str) -> &str {
    line.split(' ').next().unwrap()
}
