//! A page of figures as Prometheus reads it, taken apart.

use std::collections::{BTreeMap, BTreeSet};

/// The families of a page, by name.
#[derive(Debug, Default)]
pub struct Exposition(pub BTreeMap<String, Family>);

/// What is announced together.
#[derive(Debug, Default)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// What it says of itself.
    pub help: String,
    /// Labels and value of each sample, but for a histogram's buckets.
    pub samples: Vec<(BTreeMap<String, String>, f64)>,
}

impl Exposition {
    /// Reads a page.
    ///
    /// # Panics
    /// If a line is not understood.
    #[must_use]
    pub fn parse(page: &str) -> Self {
        let mut families = BTreeMap::<String, Family>::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                help.clone_into(&mut families.entry(name.to_owned()).or_default().help);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                kind.clone_into(&mut families.entry(name.to_owned()).or_default().kind);
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
                if name.ends_with("_bucket") {
                    continue;
                }
                let name = ["_sum", "_count"]
                    .iter()
                    .find_map(|suffix| name.strip_suffix(suffix).filter(|name| families.contains_key(*name)))
                    .unwrap_or(name);
                let family = families
                    .get_mut(name)
                    .unwrap_or_else(|| panic!("not announced: {line}"));
                let labels = labels.strip_suffix('}').unwrap();
                let labels = labels.split("\",").filter(|label| !label.is_empty()).map(|label| {
                    let (name, value) = label.split_once("=\"").unwrap();
                    (name.to_owned(), value.trim_end_matches('"').to_owned())
                });
                family.samples.push((labels.collect(), value.parse().unwrap()));
            }
        }
        Self(families)
    }

    /// The sum of the samples of a family that have these labels.
    ///
    /// # Panics
    /// If there is no such family.
    #[must_use]
    #[track_caller]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let family = self.0.get(name).unwrap_or_else(|| panic!("there is no {name}"));
        let fits = |own: &BTreeMap<String, String>| {
            labels
                .iter()
                .all(|(label, value)| own.get(*label).is_some_and(|own| own == value))
        };
        family
            .samples
            .iter()
            .filter(|(own, _)| fits(own))
            .map(|(_, value)| value)
            .sum()
    }
}

impl Family {
    /// The names of its labels.
    #[must_use]
    pub fn labels(&self) -> BTreeSet<&str> {
        self.samples
            .iter()
            .flat_map(|(labels, _)| labels.keys())
            .map(String::as_str)
            .collect()
    }
}
