//! What a filter is looked for by among lines that are not taken apart.

use core::net::IpAddr;

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use super::filter::EventFilter;
use super::frame::Index;
use super::line::{self, Sort, escaped, without_realm};

/// A filter, made ready to be looked for. What it finds may match; what it does not find does not.
pub(super) struct Search {
    filter: EventFilter,
    /// As times stand in lines.
    since: Option<String>,
    until: Option<String>,
    /// One of these is in every line that matches; `None`, nothing is known that would be.
    needles: Option<Vec<Finder<'static>>>,
    /// For each condition that indexes know: one of these is in every frame with a line that matches.
    keys: Vec<Vec<(Sort, Vec<u8>)>>,
}

impl Search {
    pub(super) fn new(filter: &EventFilter) -> Self {
        let conditions = [by_principal(filter), by_address(filter)];
        let mut needles = None;
        let mut keys = Vec::new();
        for condition in conditions.into_iter().flatten() {
            keys.push(condition.keys);
            needles = needles.or(Some(condition.needles));
        }
        let needles = needles.or_else(|| by_words(filter));
        let finders = |texts: Vec<String>| texts.iter().map(|text| Finder::new(text).into_owned()).collect();
        Self {
            since: filter.since.map(|time| time.to_string()),
            until: filter.until.map(|time| time.to_string()),
            needles: needles.map(finders),
            keys,
            filter: filter.clone(),
        }
    }

    pub(super) const fn filter(&self) -> &EventFilter {
        &self.filter
    }

    /// Whether a frame may have a line that matches.
    pub(super) fn may_be_in(&self, index: &Index) -> bool {
        let kinds = &self.filter.kinds;
        self.filter.covers_any(index.earliest, index.latest)
            && (kinds.is_empty() || kinds.iter().any(|kind| index.may_have_kind(*kind)))
            && self
                .keys
                .iter()
                .all(|any| any.iter().any(|(sort, text)| index.may_have(*sort, text)))
    }

    /// Whether a line may match, by its time.
    pub(super) fn may_be_at(&self, line: &[u8]) -> bool {
        let Some(time) = line::time_text(line) else {
            return false;
        };
        self.since.as_ref().is_none_or(|since| since.as_bytes() <= time)
            && self.until.as_ref().is_none_or(|until| time < until.as_bytes())
    }

    /// The lines that may match, in their order, without their ends.
    pub(super) fn lines<'a>(&'a self, lines: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
        let mut from = 0;
        // Where each needle is next.
        let mut next: Vec<Option<usize>> = Vec::new();
        if let Some(needles) = &self.needles {
            next.extend(needles.iter().map(|needle| needle.find(lines)));
        }
        core::iter::from_fn(move || {
            let start = match &self.needles {
                None => from,
                Some(needles) => {
                    for (needle, at) in needles.iter().zip(&mut next) {
                        if at.is_some_and(|at| at < from) {
                            *at = lines.get(from..).and_then(|rest| needle.find(rest)).map(|at| from + at);
                        }
                    }
                    let at = next.iter().flatten().min()?;
                    lines
                        .get(..*at)
                        .and_then(|before| memrchr(b'\n', before))
                        .map_or(0, |end| end + 1)
                }
            };
            let rest = lines.get(start..).filter(|rest| !rest.is_empty())?;
            let length = memchr(b'\n', rest).unwrap_or(rest.len());
            from = start + length + 1;
            rest.get(..length)
        })
        .filter(|line| self.may_be_at(line))
    }
}

struct Condition {
    needles: Vec<String>,
    keys: Vec<(Sort, Vec<u8>)>,
}

fn by_principal(filter: &EventFilter) -> Option<Condition> {
    let whose = Some(&filter.principals).filter(|list| !list.is_empty())?;
    let mut condition = Condition {
        needles: Vec::new(),
        keys: Vec::new(),
    };
    for whose in whose {
        if let Some(id) = &whose.id {
            condition.needles.push(format!("-id\":\"{}\"", escaped(id)));
            condition.keys.push((Sort::Id, escaped(id).into_bytes()));
        }
        for name in &whose.names {
            let name = escaped(name);
            condition
                .keys
                .push((Sort::Name, without_realm(name.as_bytes()).to_vec()));
            condition.needles.push(format!("\":\"{name}"));
        }
    }
    Some(condition)
}

fn by_address(filter: &EventFilter) -> Option<Condition> {
    let mut texts = Vec::new();
    match filter.sole_address()? {
        IpAddr::V4(address) => {
            texts.push(address.to_string());
            texts.push(format!("[{}]", address.to_ipv6_mapped()));
        }
        IpAddr::V6(address) => texts.push(format!("[{address}]")),
    }
    Some(Condition {
        needles: texts.iter().map(|text| format!("\"peer\":\"{text}:")).collect(),
        keys: texts
            .into_iter()
            .map(|text| (Sort::Address, text.into_bytes()))
            .collect(),
    })
}

// What makes a line rare, if anything: a reason more than a result, and that more than a kind.
fn by_words(filter: &EventFilter) -> Option<Vec<String>> {
    let reasons = filter
        .reasons
        .iter()
        .map(|reason| format!("\"reason\":\"{}\"", escaped(reason)));
    let results = filter
        .results
        .iter()
        .map(|result| format!("\"result\":\"{}\"", result.name()));
    let kinds = filter.kinds.iter().map(|kind| format!("\"kind\":\"{}\"", kind.name()));
    [reasons.collect(), results.collect(), kinds.collect()]
        .into_iter()
        .find(|words: &Vec<String>| !words.is_empty())
}
