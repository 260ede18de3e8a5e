//! What the shards of a check come to together.

use super::section::CheckPart;
use crate::ladder::RungReport;
use crate::measure::{Measures, Meter};
use crate::outcome::{MAX_FINDINGS, Outcome, Rung};
use crate::verdict::Verdict;

/// The rungs of all parts together, a pair of sides being one outcome.
pub(super) fn pool(parts: &[CheckPart]) -> Vec<RungReport> {
    let reports = || parts.iter().flat_map(|part| &part.rungs);
    let mut rungs: Vec<Rung> = reports().map(|report| report.rung).collect();
    rungs.sort_unstable();
    rungs.dedup();
    let pooled = |rung: Rung| {
        let mut pairs: Vec<Vec<&Outcome>> = Vec::new();
        let of_rung = reports().filter(|report| report.rung == rung);
        for outcome in of_rung.flat_map(|report| &report.outcomes) {
            match pairs.iter_mut().find(|pair| is_same_pair(pair[0], outcome)) {
                Some(pair) => pair.push(outcome),
                None => pairs.push(vec![outcome]),
            }
        }
        RungReport::new(rung, pairs.iter().map(|pair| pool_pair(pair)).collect())
    };
    rungs.into_iter().map(pooled).collect()
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
        unreachable!("a pair is made with its first outcome");
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
        // A listed divergence is judged by its reproduction, which one shard has tried.
        true if has(Verdict::Divergent) => Verdict::Divergent,
        true => Verdict::KnownDivergence,
        false => pooled.follows(),
    };
    pooled
}

fn add_up<'a>(measures: impl Iterator<Item = &'a Measures>) -> Option<Measures> {
    let meter = measures.map(Meter::from).reduce(|mut sum, meter| {
        sum.merge(&meter);
        sum
    });
    Some(meter?.measures())
}
