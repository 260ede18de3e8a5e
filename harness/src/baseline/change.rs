//! What one baseline has and another has not.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::command::Missing;
use super::document::Baseline;
use super::fact::{Fact, Facts};

/// A fact that is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The architecture.
    pub arch: &'a str,
    /// The fact.
    pub fact: Fact<'a>,
    /// How many there were; none if it was not there.
    pub was: u64,
    /// How many there are; none if it is not there.
    pub is: u64,
}

impl Change<'_> {
    /// Whether there is less than there was.
    pub fn is_loss(&self) -> bool {
        self.is < self.was
    }

    /// Whether the fact is there on one side alone.
    pub fn is_whole(&self) -> bool {
        self.was == 0 || self.is == 0
    }
}

/// The facts whose counts differ, in their order.
pub fn changes<'a>(was: &'a Baseline, is: &'a Baseline) -> Vec<Change<'a>> {
    let (was, is) = (was.facts(), is.facts());
    let keys: BTreeSet<_> = was.keys().chain(is.keys()).copied().collect();
    let count = |facts: &Facts<'a>, key: &(&'a str, Fact<'a>)| facts.get(key).copied().unwrap_or(0);
    let change = |key: (&'a str, Fact<'a>)| Change {
        arch: key.0,
        fact: key.1,
        was: count(&was, &key),
        is: count(&is, &key),
    };
    let all = keys.into_iter().map(change);
    all.filter(|change| change.was != change.is).collect()
}

/// Changes that are one: all that there was of a model, of a rung, of a format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The architecture.
    pub arch: String,
    /// What changed.
    pub what: String,
    /// How many facts.
    pub facts: usize,
    /// How many there were of all of them together.
    pub was: u64,
    /// How many there are.
    pub is: u64,
    /// Which commands cover it.
    pub commands: String,
}

/// The widest groups that changes fill, in their order. `other` is the side that lacks the facts: a group that it has
/// nothing of is lost, or gained, as a whole.
pub fn groups<'a>(
    changes: impl IntoIterator<Item = &'a Change<'a>>,
    other: &Baseline,
) -> Vec<Group> {
    let there: BTreeSet<(&str, String)> = other
        .facts()
        .keys()
        .flat_map(|(arch, fact)| fact.groups().into_iter().map(move |group| (*arch, group)))
        .collect();
    let mut order = Vec::new();
    let mut found: BTreeMap<(&str, String), (Group, Missing)> = BTreeMap::new();
    for change in changes {
        let own = change.fact.to_string();
        let mut candidates = change.fact.groups().into_iter();
        let absent = candidates.find(|group| !there.contains(&(change.arch, group.clone())));
        // What is there on both sides, and only less of it, stands for itself.
        let what = absent.filter(|_| change.is_whole()).unwrap_or(own);
        let key = (change.arch, what.clone());
        if !found.contains_key(&key) {
            order.push(key.clone());
        }
        let (group, missing) = found.entry(key).or_insert_with(|| {
            let group = Group {
                arch: change.arch.into(),
                what,
                facts: 0,
                was: 0,
                is: 0,
                commands: String::new(),
            };
            (group, Missing::default())
        });
        missing.add(change.fact, change.was);
        group.facts += 1;
        group.was = group.was.saturating_add(change.was);
        group.is = group.is.saturating_add(change.is);
    }
    let in_order = order.iter().filter_map(|key| found.remove(key));
    in_order
        .map(|(group, missing)| Group {
            commands: missing.commands(),
            ..group
        })
        .collect()
}
