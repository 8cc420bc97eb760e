//! Many new principals at once: what can be added is, in one commit; what cannot is named, each with its reason.

use std::collections::HashSet;

use tessera_common::admin::{NewKeys, NewPrincipal, RefusedImport, Response};
use tessera_common::name::Name;

use super::execute::{Executor, Refused, unmade};
use super::keys::Wanted;
use crate::realm::keys::FreshKeys;
use crate::realm::principal::PrincipalRecord;
use crate::store::{Change, StoreError, View};

pub(super) fn run(executor: &mut Executor<'_>, principals: &[NewPrincipal]) -> Result<Response, Refused> {
    let mut refused = Vec::new();
    let mut made = make(executor, principals, &mut refused);
    let added = loop {
        let changes = made
            .iter()
            .map(|(_, record)| Change::Put {
                expected: None,
                record: Box::new(record.clone()),
            })
            .collect();
        match executor.store.commit(&executor.author, changes) {
            Ok(_) => break made.len(),
            // Somebody else took a name since it was looked up; the others can still have theirs.
            Err(error @ (StoreError::NameTaken { .. } | StoreError::Conflict { .. })) => {
                let (StoreError::NameTaken { name, .. } | StoreError::Conflict { name, .. }) = &error else {
                    return Err(executor.refusal(&error));
                };
                let Some(place) = made.iter().position(|(_, record)| record.name == *name) else {
                    return Err(executor.refusal(&error));
                };
                let (at, _) = made.remove(place);
                refused.push(RefusedImport {
                    at,
                    message: executor.refusal(&error).message,
                });
            }
            Err(error) => return Err(executor.refusal(&error)),
        }
    };
    refused.sort_by_key(|refused| refused.at);
    Ok(Response::Imported { added, refused })
}

// The records of those that can be made, each with its place in `principals`.
fn make(
    executor: &mut Executor<'_>,
    principals: &[NewPrincipal],
    refused: &mut Vec<RefusedImport>,
) -> Vec<(usize, PrincipalRecord)> {
    let view = executor.store.view();
    let mut seen = HashSet::new();
    let mut named = Vec::with_capacity(principals.len());
    for (at, new) in principals.iter().enumerate() {
        let name = executor.name(&new.name).and_then(|name| {
            executor.is_free(&view, &name)?;
            Ok(name)
        });
        match name {
            Ok(name) if !seen.insert(name.clone()) => refused.push(RefusedImport {
                at,
                message: format!("{} is named twice", executor.full(&name)),
            }),
            Ok(name) => named.push((at, new, name)),
            Err(why) => refused.push(RefusedImport {
                at,
                message: why.message,
            }),
        }
    }
    let fresh = keys_from_passwords(executor, &view, &named);
    let mut made = Vec::with_capacity(named.len());
    for ((at, new, name), fresh) in named.into_iter().zip(fresh) {
        match fresh.and_then(|fresh| executor.make(&view, name, new, fresh)) {
            Ok(record) => made.push((at, record)),
            Err(why) => refused.push(RefusedImport {
                at,
                message: why.message,
            }),
        }
    }
    made
}

// The passwords' keys, made on all of the pool's threads.
fn keys_from_passwords(
    executor: &Executor<'_>,
    view: &View,
    named: &[(usize, &NewPrincipal, Name)],
) -> Vec<Result<Option<FreshKeys>, Refused>> {
    let mut jobs = Vec::new();
    let mut results: Vec<Result<Option<FreshKeys>, Refused>> = Vec::with_capacity(named.len());
    for (place, (_, new, name)) in named.iter().enumerate() {
        let NewKeys::Password(password) = &new.keys else {
            results.push(Ok(None));
            continue;
        };
        let job = executor
            .named_policy(view, new.settings.policy.as_ref())
            .and_then(|policy| {
                executor.making_keys(&Wanted {
                    view,
                    name,
                    held: None,
                    policy,
                    password,
                    enctypes: new.enctypes.as_deref(),
                })
            });
        results.push(job.map(|job| {
            jobs.push((place, job));
            None
        }));
    }
    let (places, jobs): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
    for (place, made) in places.into_iter().zip(executor.workers.run_all(jobs)) {
        if let Some(result) = results.get_mut(place) {
            *result = made.unwrap_or_else(|| Err(unmade())).map(Some);
        }
    }
    results
}
