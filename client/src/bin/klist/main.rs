//! klist: shows what is in credential caches and keytabs.

mod cache_listing;
mod collection_listing;
mod enctype_name;
mod json;
mod keytab_listing;
mod timestamp;
mod validity;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use tessera_client::cache::{self, CacheError, CacheFile};
use tessera_client::command_line::klist::Arguments;
use tessera_client::keytab_file::KeytabFile;
use tessera_client::program::complain;
use tessera_client::{Error, Settings, system};
use tessera_common::ccache::CacheName;
use tessera_common::time::KerberosTime;
use timestamp::Columns;
use validity::is_current;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let listing = Listing {
        now: system::now().time,
        columns: Columns::of_environment(),
        arguments: &arguments,
    };
    match listing.run() {
        Ok(status) => status,
        Err(_) if arguments.status_only => ExitCode::FAILURE,
        // Who only looks is not told to log in.
        Err(Error::Cache(why)) => {
            complain("klist", why);
            ExitCode::FAILURE
        }
        Err(why) => {
            complain("klist", why);
            ExitCode::FAILURE
        }
    }
}

/// What is to be shown, and how.
struct Listing<'a> {
    arguments: &'a Arguments,
    now: KerberosTime,
    columns: Columns,
}

impl Listing<'_> {
    fn run(&self) -> Result<ExitCode, Error> {
        let settings = Settings::load()?;
        if self.arguments.keytab {
            return self.keytab(&settings);
        }
        let name = match &self.arguments.name {
            Some(name) => name.parse().map_err(CacheError::Name)?,
            None => settings.default_cache()?,
        };
        if self.arguments.summary {
            self.summary(&name)
        } else if self.arguments.all {
            self.all(&name)
        } else {
            self.one(&cache::open(&name)?)
        }
    }

    fn one(&self, file: &CacheFile) -> Result<ExitCode, Error> {
        let content = file.load()?;
        if self.arguments.status_only {
            return Ok(ExitCode::from(u8::from(!is_current(&content, self.now))));
        }
        if self.arguments.json {
            show_json(&json::cache(self, file.name(), &content));
        } else {
            show(&cache_listing::cache(self, file.name(), &content));
        }
        Ok(ExitCode::SUCCESS)
    }

    // Succeeds if any of the caches can be shown; for the status alone, if any has tickets that are still good.
    fn all(&self, name: &CacheName) -> Result<ExitCode, Error> {
        let mut shown = Vec::new();
        let mut any = false;
        for (number, file) in cache::all(name)?.iter().enumerate() {
            if !self.arguments.status_only && !self.arguments.json && number > 0 {
                show("\n");
            }
            match file.load() {
                Ok(content) if self.arguments.status_only => any |= is_current(&content, self.now),
                Ok(content) => {
                    any = true;
                    if self.arguments.json {
                        shown.push(json::cache(self, file.name(), &content));
                    } else {
                        show(&cache_listing::cache(self, file.name(), &content));
                    }
                }
                Err(_) if self.arguments.status_only => {}
                Err(why) => complain("klist", why),
            }
        }
        if self.arguments.json {
            show_json(&shown);
        }
        Ok(ExitCode::from(u8::from(!any)))
    }

    fn summary(&self, name: &CacheName) -> Result<ExitCode, Error> {
        let files = cache::all(name)?;
        let contents: Vec<_> = files
            .iter()
            .filter_map(|file| Some((file.name(), file.load().ok()?)))
            .collect();
        if self.arguments.json {
            show_json(&json::summary(&contents, self.now));
        } else {
            show(&collection_listing::summary(&contents, self.now));
        }
        Ok(ExitCode::from(u8::from(contents.is_empty())))
    }

    fn keytab(&self, settings: &Settings) -> Result<ExitCode, Error> {
        let file = match &self.arguments.name {
            Some(name) => KeytabFile::named(name)?,
            None if self.arguments.client_keytab => settings.client_keytab()?,
            None => settings.default_keytab()?,
        };
        if !self.arguments.json {
            show(&format!("Keytab name: {file}\n"));
        }
        match file.load() {
            Ok(content) if self.arguments.json => show_json(&json::keytab(self, &file, &content)),
            Ok(content) => show(&keytab_listing::entries(self, &content)),
            Err(why) => {
                complain("klist", format!("{why} while starting keytab scan"));
                return Ok(ExitCode::FAILURE);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show_json(value: &impl serde::Serialize) {
    if let Ok(text) = serde_json::to_string_pretty(value) {
        show(&format!("{text}\n"));
    }
}

// A reader that has seen enough and went away is no error.
fn show(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}
