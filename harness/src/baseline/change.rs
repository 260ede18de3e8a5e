//! Differences between two baselines.

use std::collections::BTreeSet;

use serde::Serialize;

use super::command::Missing;
use super::document::Baseline;
use super::entry::{Entries, Entry};

/// An entry whose count differs between two baselines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The architecture.
    pub arch: &'a str,
    /// The entry.
    pub entry: Entry<'a>,
    /// Count in the old baseline; 0 if it lacks the entry.
    pub was: u64,
    /// Count in the new baseline; 0 if it lacks the entry.
    pub is: u64,
}

impl Change<'_> {
    /// Whether the count decreased.
    pub fn is_loss(&self) -> bool {
        self.is < self.was
    }

    /// Whether one of the baselines lacks the entry.
    pub fn is_whole(&self) -> bool {
        self.was == 0 || self.is == 0
    }
}

/// The entries whose counts differ, in ascending order.
pub fn changes<'a>(was: &'a Baseline, is: &'a Baseline) -> Vec<Change<'a>> {
    let (was, is) = (was.entries(), is.entries());
    let keys: BTreeSet<_> = was.keys().chain(is.keys()).copied().collect();
    let count = |entries: &Entries<'a>, key| entries.get(&key).copied().unwrap_or(0);
    let all = keys.into_iter().map(|(arch, entry)| Change {
        arch,
        entry,
        was: count(&was, (arch, entry)),
        is: count(&is, (arch, entry)),
    });
    all.filter(|change| change.was != change.is).collect()
}

/// Changes that belong together, such as all entries of a model, of a level or of a format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The architecture.
    pub arch: String,
    /// What changed.
    pub what: String,
    /// Number of entries.
    pub entries: usize,
    /// Sum of their counts in the old baseline.
    pub was: u64,
    /// Sum of their counts in the new baseline.
    pub is: u64,
    /// The commands that cover it.
    pub commands: String,
}

/// Combines changes into the widest groups, in the order of the changes. `other` is the baseline that lacks the
/// entries. If it has no entry of a group, the whole group was lost or gained.
pub fn groups<'a>(
    changes: impl IntoIterator<Item = &'a Change<'a>>,
    other: &Baseline,
) -> Vec<Group> {
    let present: BTreeSet<(&str, String)> = other
        .entries()
        .keys()
        .flat_map(|(arch, entry)| entry.groups().into_iter().map(move |group| (*arch, group)))
        .collect();
    let mut found: Vec<(Group, Missing)> = Vec::new();
    for change in changes {
        let own = change.entry.to_string();
        let mut candidates = change.entry.groups().into_iter();
        let absent = candidates.find(|group| !present.contains(&(change.arch, group.clone())));
        // An entry that both baselines have, with different counts, is a group of its own.
        let what = absent.filter(|_| change.is_whole()).unwrap_or(own);
        let known = |(group, _): &(Group, _)| group.arch == change.arch && group.what == what;
        let at = found.iter().position(known).unwrap_or(found.len());
        if at == found.len() {
            let arch = change.arch.into();
            let group = Group {
                arch,
                what,
                ..Group::default()
            };
            found.push((group, Missing::default()));
        }
        let (group, missing) = &mut found[at];
        missing.add(change.entry, change.was);
        group.entries += 1;
        group.was = group.was.saturating_add(change.was);
        group.is = group.is.saturating_add(change.is);
    }
    let groups = found.into_iter().map(|(group, missing)| Group {
        commands: missing.commands(),
        ..group
    });
    groups.collect()
}
