//! The commands about roles, rules and policies.

use std::io::Write;

use serde::Serialize;
use tessera_common::admin::{
    Dialogue, PolicyChanges, PolicyInfo, Request, Response, RightChanges, RoleInfo, RuleChanges, RuleInfo,
};

use super::AdminError;
use super::cli_access::{PolicyCommand, RoleCommand, RuleCommand};
use super::command::Administrator;
use super::json_array::JsonArray;
use super::render_access::{roles, rule, rules};
use super::render_policy::{policies, policy};

impl<S: Dialogue, W: Write> Administrator<S, W> {
    pub(super) fn role(&mut self, command: RoleCommand) -> Result<(), AdminError> {
        match command {
            RoleCommand::Add { name, rights } => {
                let request = Request::AddRole {
                    name: name.clone(),
                    rights,
                };
                self.done(&request)?;
                self.say(format_args!("added the role {name}"))
            }
            RoleCommand::Set { name, rights } => {
                let request = Request::SetRole {
                    name: name.clone(),
                    rights: RightChanges::from(&rights),
                };
                self.done(&request)?;
                self.say(format_args!("changed the role {name}"))
            }
            RoleCommand::Remove { name } => {
                let request = Request::RemoveRole { name: name.clone() };
                self.done(&request)?;
                self.say(format_args!("removed the role {name}"))
            }
            RoleCommand::List { json } => {
                let all: Vec<RoleInfo> = self.daemon.all(&Request::ListRoles, |part| match part {
                    Response::Roles(some) => Some(some),
                    _ => None,
                })?;
                let text = roles(&all, self.look);
                self.print_all(&all, &text, json)
            }
        }
    }

    pub(super) fn rule(&mut self, command: RuleCommand) -> Result<(), AdminError> {
        match command {
            RuleCommand::Add { name, parts } => {
                let parts = RuleChanges::from(&*parts);
                let info = self.ask_rule(&Request::AddRule { name, parts })?;
                self.say(format_args!("added the rule {}", info.name))
            }
            RuleCommand::Set { name, parts, revision } => {
                let parts = RuleChanges::from(&*parts);
                let info = self.ask_rule(&Request::SetRule { name, parts, revision })?;
                self.say(format_args!("changed the rule {}", info.name))
            }
            RuleCommand::Remove { name } => {
                self.done(&Request::RemoveRule { name: name.clone() })?;
                self.say(format_args!("removed the rule {name}"))
            }
            RuleCommand::Show { name, json } => {
                let info = self.ask_rule(&Request::ShowRule { name })?;
                let text = rule(&info, self.look);
                self.print(&info, text, json)
            }
            RuleCommand::List { json } => {
                let all: Vec<RuleInfo> = self.daemon.all(&Request::ListRules, |part| match part {
                    Response::Rules(some) => Some(some),
                    _ => None,
                })?;
                let text = rules(&all, self.look);
                self.print_all(&all, &text, json)
            }
        }
    }

    pub(super) fn policy(&mut self, command: PolicyCommand) -> Result<(), AdminError> {
        match command {
            PolicyCommand::Add { name, parts } => {
                let parts = PolicyChanges::from(&*parts);
                let info = self.ask_policy(&Request::AddPolicy { name, parts })?;
                self.say(format_args!("added the policy {}", info.name))
            }
            PolicyCommand::Set { name, parts, revision } => {
                let parts = PolicyChanges::from(&*parts);
                let info = self.ask_policy(&Request::SetPolicy { name, parts, revision })?;
                self.say(format_args!("changed the policy {}", info.name))
            }
            PolicyCommand::Remove { name } => {
                self.done(&Request::RemovePolicy { name: name.clone() })?;
                self.say(format_args!("removed the policy {name}"))
            }
            PolicyCommand::Show { name, json } => {
                let info = self.ask_policy(&Request::ShowPolicy { name })?;
                let text = policy(&info, self.look);
                self.print(&info, text, json)
            }
            PolicyCommand::List { json } => {
                let all: Vec<PolicyInfo> = self.daemon.all(&Request::ListPolicies, |part| match part {
                    Response::Policies(some) => Some(some),
                    _ => None,
                })?;
                let text = policies(&all, self.look);
                self.print_all(&all, &text, json)
            }
        }
    }

    fn ask_policy(&mut self, request: &Request) -> Result<PolicyInfo, AdminError> {
        match self.daemon.ask(request)? {
            Response::Policy(info) => Ok(*info),
            _ => Err(AdminError::Unexpected),
        }
    }

    fn done(&mut self, request: &Request) -> Result<(), AdminError> {
        match self.daemon.ask(request)? {
            Response::Done => Ok(()),
            _ => Err(AdminError::Unexpected),
        }
    }

    fn ask_rule(&mut self, request: &Request) -> Result<RuleInfo, AdminError> {
        match self.daemon.ask(request)? {
            Response::Rule(info) => Ok(*info),
            _ => Err(AdminError::Unexpected),
        }
    }

    pub(super) fn print_all(&mut self, all: &[impl Serialize], text: &str, json: bool) -> Result<(), AdminError> {
        if !json {
            self.out.write_all(text.as_bytes()).map_err(AdminError::Output)?;
            return self.out.flush().map_err(AdminError::Output);
        }
        let mut array = JsonArray::new(&mut self.out);
        array.add(all)?;
        array.end()
    }
}
