//! Combines the shards of a check.

use crate::check::LevelReport;
use crate::levels::Level;
use crate::measure::{Counter, Measures};
use crate::outcome::{MAX_FINDINGS, Outcome};
use crate::verdict::Verdict;

/// Combines the levels of several shards. Outcomes of the same pair of implementations become one outcome.
pub(super) fn pool(reports: &[&LevelReport]) -> Vec<LevelReport> {
    let reports = || reports.iter();
    let mut levels: Vec<Level> = reports().map(|report| report.level).collect();
    levels.sort_unstable();
    levels.dedup();
    let pooled = |level: Level| {
        let mut pairs: Vec<Vec<&Outcome>> = Vec::new();
        let of_level = reports().filter(|report| report.level == level);
        for outcome in of_level.flat_map(|report| &report.outcomes) {
            match pairs.iter_mut().find(|pair| is_same_pair(pair[0], outcome)) {
                Some(pair) => pair.push(outcome),
                None => pairs.push(vec![outcome]),
            }
        }
        LevelReport::new(level, pairs.iter().map(|pair| pool_pair(pair)).collect())
    };
    levels.into_iter().map(pooled).collect()
}

fn is_same_pair(a: &Outcome, b: &Outcome) -> bool {
    let key = |outcome: &Outcome| {
        let Outcome {
            format,
            candidate,
            reference,
            ..
        } = outcome;
        (format.clone(), candidate.clone(), reference.clone())
    };
    key(a) == key(b)
}

fn pool_pair(pair: &[&Outcome]) -> Outcome {
    let [first, ..] = pair else {
        unreachable!("a pair has at least one outcome");
    };
    if pair.len() == 1 {
        return (*first).clone();
    }
    let mut pooled = Outcome {
        measures: add_up(pair.iter().map(|outcome| &outcome.measures)).unwrap_or_default(),
        noise_floor: add_up(pair.iter().filter_map(|o| o.noise_floor.as_ref())),
        findings: pair
            .iter()
            .flat_map(|outcome| outcome.findings.iter().cloned())
            .take(MAX_FINDINGS)
            .collect(),
        nodes: pair.iter().flat_map(|o| o.nodes.iter().cloned()).collect(),
        logits: pair.iter().find_map(|outcome| outcome.logits.clone()),
        omitted: pair.iter().find_map(|outcome| outcome.omitted.clone()),
        lost: pair.iter().flat_map(|o| o.lost.iter().cloned()).collect(),
        limit: None,
        ..(*first).clone()
    };
    let has = |verdict| pair.iter().any(|outcome| outcome.verdict == verdict);
    pooled.verdict = match has(Verdict::KnownDivergence) {
        // The verdict of a known divergence depends on whether it still reproduces, which a single shard tests.
        true if has(Verdict::Divergent) => Verdict::Divergent,
        true => Verdict::KnownDivergence,
        false => pooled.derived_verdict(),
    };
    pooled
}

fn add_up<'a>(measures: impl Iterator<Item = &'a Measures>) -> Option<Measures> {
    let counter = measures.map(Counter::from).reduce(|mut sum, counter| {
        sum.merge(&counter);
        sum
    });
    Some(counter?.measures())
}
