//! What each command asks of the daemon, and what it says when that is done.

use core::fmt;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use tessera_common::admin::{
    ApplyMode, Dialogue, KeyInfo, KeyUse, NewKeys, NewPrincipal, PrincipalInfo, Request, Response, Rest, RoleChanges,
    Rotation, Settings, Time, YesNo,
};
use tessera_common::role::RoleName;

use super::cli::Command;
use super::connection::Connection;
use super::json_array::JsonArray;
use super::keytab::Output;
use super::render::{List, Look, explain, printable, show};
use super::render_access::explain_act;
use super::{AdminError, complain, import, password};
use crate::system;

/// Somebody who types commands.
pub(super) struct Administrator<S, W> {
    pub(super) daemon: Connection<S>,
    pub(super) out: W,
    pub(super) look: Look,
}

/// What became of a command that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it is done.
    Done,
    /// Some of what it was to do was refused, and that was said.
    SomeRefused,
}

/// A principal after a change.
struct Changed {
    name: String,
    kvno: Option<u32>,
}

impl<S: Dialogue, W: Write> Administrator<S, W> {
    pub(super) const fn new(daemon: Connection<S>, out: W, look: Look) -> Self {
        Self { daemon, out, look }
    }

    pub(super) fn run(mut self, command: Command) -> Result<Outcome, AdminError> {
        match command {
            Command::Add {
                name,
                password,
                random_key,
                no_preauth,
                enctypes,
                roles,
                policy,
            } => {
                let keys = if random_key {
                    NewKeys::Random
                } else {
                    NewKeys::Password(password::obtain(&self.daemon.full(&name), password.file())?)
                };
                let settings = Settings {
                    preauth: no_preauth.then_some(YesNo::No),
                    policy,
                    ..Settings::default()
                };
                let enctypes = enctypes.map(|all| all.iter().map(|etype| etype.name().to_owned()).collect());
                self.add(NewPrincipal {
                    name,
                    keys,
                    enctypes,
                    settings,
                    roles,
                })?;
            }
            Command::List {
                glob,
                role,
                json: false,
            } => self.list(glob, role)?,
            Command::List { glob, role, json: true } => self.list_json(glob, role)?,
            Command::Show { name, json } => self.show(name, json)?,
            Command::Explain {
                name,
                service,
                from,
                at,
                act: None,
                on: _,
                json,
            } => {
                let request = Request::Explain {
                    name,
                    service,
                    from,
                    at,
                };
                self.explain(&request, json)?;
            }
            Command::Explain {
                name,
                act: Some(act),
                on,
                json,
                ..
            } => self.explain_act(&Request::ExplainAct { name, act, on }, json)?,
            Command::Set {
                name,
                settings,
                roles,
                revision,
            } => {
                let (settings, roles) = (Settings::from(&*settings), RoleChanges::from(&roles));
                let changed = self.change(&name, |name| Request::Set {
                    name,
                    settings,
                    roles,
                    revision,
                })?;
                self.say(format_args!("changed {}", changed.name))?;
            }
            Command::Password { name, password } => {
                let password = password::obtain(&self.daemon.full(&name), password.file())?;
                let changed = self.change(&name, |name| Request::Password {
                    name,
                    password,
                    enctypes: None,
                })?;
                self.say(format_args!("new password of {changed}"))?;
            }
            Command::Rotate { name, how } => self.rotate(name, Rotation::from(&how))?,
            Command::Lock { name } => {
                let changed = self.change(&name, |name| Request::Lock { name })?;
                self.say(format_args!("locked {}", changed.name))?;
            }
            Command::Unlock { name } => {
                let changed = self.change(&name, |name| Request::Unlock { name })?;
                self.say(format_args!("unlocked {}", changed.name))?;
            }
            Command::Rename { old, new } => {
                let before = self.daemon.full(&old);
                self.change(&old, |name| Request::Rename { name, to: new.clone() })?;
                let after = self.daemon.full(&new);
                self.say(format_args!("renamed {before} to {after}"))?;
            }
            Command::Alias { name, alias, remove } => self.alias(&name, alias, remove)?,
            Command::Remove { name } => {
                let changed = self.change(&name, |name| Request::Remove { name })?;
                self.say(format_args!("removed {}", changed.name))?;
            }
            Command::Keytab { names, output, rotate } => self.keytab(names, &output, rotate)?,
            Command::Import { file } => return self.import(&file),
            Command::Apply {
                file,
                dry_run,
                prune,
                json,
            } => self.apply(
                &file,
                if dry_run { ApplyMode::DryRun } else { ApplyMode::Commit },
                if prune { Rest::Goes } else { Rest::Stays },
                json,
            )?,
            Command::Export => self.export()?,
            Command::Role(command) => self.role(command)?,
            Command::Rule(command) => self.rule(command)?,
            Command::Policy(command) => self.policy(command)?,
            Command::Log(args) => self.log(*args)?,
            Command::Sessions(args) => self.sessions(args)?,
            Command::Usage(args) => self.usage(args)?,
            Command::Reload => self.reload()?,
        }
        Ok(Outcome::Done)
    }

    fn add(&mut self, new: NewPrincipal) -> Result<(), AdminError> {
        let name = new.name.clone();
        let changed = self.change(&name, |_| Request::Add(new))?;
        self.say(format_args!("added {changed}"))
    }

    fn list(&mut self, glob: Option<String>, role: Option<RoleName>) -> Result<(), AdminError> {
        let mut list = List::new(self.look);
        let out = &mut self.out;
        self.daemon.list(&Request::List { glob, role }, listed, |some| {
            out.write_all(list.lines(&some).as_bytes()).map_err(AdminError::Output)
        })?;
        self.out.flush().map_err(AdminError::Output)
    }

    fn list_json(&mut self, glob: Option<String>, role: Option<RoleName>) -> Result<(), AdminError> {
        let mut array = JsonArray::new(&mut self.out);
        self.daemon
            .list(&Request::List { glob, role }, listed, |some| array.add(&some))?;
        array.end()
    }

    fn show(&mut self, name: String, json: bool) -> Result<(), AdminError> {
        let Response::Principal(info) = self.daemon.ask(&Request::Show { name })? else {
            return Err(AdminError::Unexpected);
        };
        let text = show(&info, self.look, system::now().time);
        self.print(&info, text, json)
    }

    fn explain(&mut self, request: &Request, json: bool) -> Result<(), AdminError> {
        let Response::Explained(explanation) = self.daemon.ask(request)? else {
            return Err(AdminError::Unexpected);
        };
        let text = explain(&explanation, self.look);
        self.print(&explanation, text, json)
    }

    fn explain_act(&mut self, request: &Request, json: bool) -> Result<(), AdminError> {
        let Response::ActExplained(explanation) = self.daemon.ask(request)? else {
            return Err(AdminError::Unexpected);
        };
        let text = explain_act(&explanation, self.look);
        self.print(&explanation, text, json)
    }

    // One thing, for a program or for a person.
    pub(super) fn print(&mut self, value: &impl Serialize, text: String, json: bool) -> Result<(), AdminError> {
        if json {
            serde_json::to_writer_pretty(&mut self.out, value).map_err(|why| AdminError::Output(why.into()))?;
            return self.say(format_args!(""));
        }
        self.out.write_all(text.as_bytes()).map_err(AdminError::Output)?;
        self.out.flush().map_err(AdminError::Output)
    }

    fn alias(&mut self, name: &str, alias: String, remove: bool) -> Result<(), AdminError> {
        let other = self.daemon.full(&alias);
        if remove {
            let changed = self.change(name, |name| Request::Unalias { name, alias })?;
            self.say(format_args!("{other} is no longer {}", changed.name))
        } else {
            let changed = self.change(name, |name| Request::Alias { name, alias })?;
            self.say(format_args!("{other} is {}", changed.name))
        }
    }

    fn rotate(&mut self, name: String, how: Rotation) -> Result<(), AdminError> {
        let request = Request::Rotate {
            name,
            how,
            enctypes: None,
        };
        match self.daemon.ask(&request)? {
            Response::Principal(info) => self.say(format_args!("{}", rotated(&info, how))),
            Response::Purged { principal, gone } => self.say(format_args!("{}", purged(&principal.name, &gone))),
            _ => Err(AdminError::Unexpected),
        }
    }

    fn keytab(&mut self, names: Vec<String>, path: &Path, rotate: bool) -> Result<(), AdminError> {
        let mut output = Output::open(path)?;
        let request = Request::Keytab { names, rotate };
        let Response::Keys(keys) = self.daemon.ask(&request)? else {
            return Err(AdminError::Unexpected);
        };
        let Request::Keytab { names, .. } = request else {
            return Ok(());
        };
        output.add(&keys, system::now().time)?;
        let lost = output.write().map_err(|why| AdminError::KeytabUnwritten {
            file: path.to_owned(),
            names,
            rotated: rotate,
            why,
        })?;
        let path = path.display();
        for of_one in keys.chunk_by(|a, b| a.principal == b.principal && a.key.kvno == b.key.kvno) {
            if let Some(first) = of_one.first() {
                let (count, principal, kvno) = (of_one.len(), &first.principal, first.key.kvno);
                let noun = if count == 1 { "key" } else { "keys" };
                let staged = if first.staged { ", staged" } else { "" };
                self.say(format_args!(
                    "{count} {noun} of {principal}, kvno {kvno}{staged}, in {path}"
                ))?;
            }
        }
        if let Some(owner) = lost {
            complain(format_args!(
                "{path} belonged to uid {owner}; it is yours now, and its service cannot read it unless you chown it"
            ));
        }
        Ok(())
    }

    fn import(&mut self, file: &Path) -> Result<Outcome, AdminError> {
        let summary = import::run(&mut self.daemon, file)?;
        self.say(format_args!("{} added, {} refused", summary.added, summary.refused))?;
        Ok(if summary.refused == 0 {
            Outcome::Done
        } else {
            Outcome::SomeRefused
        })
    }

    fn reload(&mut self) -> Result<(), AdminError> {
        let Response::Reloaded { notes } = self.daemon.ask(&Request::Reload)? else {
            return Err(AdminError::Unexpected);
        };
        self.say(format_args!("the daemon has applied its realm.toml"))?;
        notes.iter().try_for_each(|note| self.say(format_args!("{note}")))
    }

    fn change(&mut self, name: &str, request: impl FnOnce(String) -> Request) -> Result<Changed, AdminError> {
        match self.daemon.ask(&request(name.to_owned()))? {
            Response::Principal(info) => Ok(Changed {
                name: info.name,
                kvno: info.kvno,
            }),
            Response::Done => Ok(Changed {
                name: self.daemon.full(name),
                kvno: None,
            }),
            _ => Err(AdminError::Unexpected),
        }
    }

    pub(super) fn say(&mut self, line: fmt::Arguments<'_>) -> Result<(), AdminError> {
        let line = printable(&line.to_string());
        let said = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        said.map_err(AdminError::Output)
    }
}

/// What a step of a principal's keys came to.
fn rotated(info: &PrincipalInfo, how: Rotation) -> String {
    let kvno_of = |used| info.keys.iter().find(|key| key.used == used).map(|key| key.kvno);
    let changed = Changed {
        name: info.name.clone(),
        kvno: match how {
            Rotation::Stage => kvno_of(KeyUse::Staged),
            _ => info.kvno,
        },
    };
    match how {
        Rotation::Stage => format!("staged keys of {changed}"),
        Rotation::Activate => {
            let ends = info.keys.iter().filter(|key| key.used == KeyUse::Former);
            let last: Option<Time> = ends.filter_map(|key| key.retired).max();
            let former = last.map(|end| format!("; the former are good until {end}"));
            format!(
                "the staged keys of {changed}, are in force{}",
                former.unwrap_or_default()
            )
        }
        _ => format!("new keys of {changed}"),
    }
}

fn purged(name: &str, gone: &[KeyInfo]) -> String {
    if gone.is_empty() {
        return format!("{name} has no former keys");
    }
    let versions = gone.chunk_by(|a, b| a.kvno == b.kvno);
    let versions: Vec<_> = versions
        .filter_map(<[_]>::first)
        .map(|key| format!("kvno {}", key.kvno))
        .collect();
    format!("the former keys of {name} are gone: {}", versions.join(", "))
}

fn listed(part: Response) -> Option<Vec<PrincipalInfo>> {
    match part {
        Response::Listed(some) => Some(some),
        _ => None,
    }
}

/// The name, and the version of its keys.
impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.kvno {
            Some(kvno) => write!(f, ", kvno {kvno}"),
            None => Ok(()),
        }
    }
}
