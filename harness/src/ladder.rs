//! The ladder: rungs run from the lowest up, and what they come to.

use serde::{Deserialize, Serialize};

use crate::measure::Measures;
use crate::outcome::{Outcome, Rung};
use crate::rung;
use crate::side::Sides;
use crate::task::Task;
use crate::verdict::Verdict;

/// What a rung came to, over all candidates and references.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RungReport {
    /// Rung.
    pub rung: Rung,
    /// Verdict over all outcomes.
    pub verdict: Verdict,
    /// The worst of all outcomes that are held to identity, known divergences aside; see
    /// [`Outcome::held_to_identity`].
    #[serde(flatten)]
    pub measures: Measures,
    /// Each pair of candidate and reference.
    pub outcomes: Vec<Outcome>,
}

impl RungReport {
    fn new(rung: Rung, outcomes: Vec<Outcome>) -> RungReport {
        let counted = |outcome: &Outcome| match outcome.verdict {
            // No more can be asked against another build than to be within its noise.
            Verdict::WithinNoiseFloor if !outcome.held_to_identity() => Verdict::Exact,
            // The reference's own defect, counted apart, says nothing about a candidate.
            Verdict::KnownDivergence => Verdict::Exact,
            verdict => verdict,
        };
        let verdict = Verdict::overall(outcomes.iter().map(counted));
        let measured = |outcome: &&Outcome| {
            outcome.held_to_identity()
                && outcome.measures.comparisons > 0
                && outcome.verdict != Verdict::KnownDivergence
        };
        let measures = outcomes
            .iter()
            .filter(measured)
            .map(|outcome| outcome.measures)
            .reduce(Measures::worst)
            .unwrap_or_default();
        RungReport {
            rung,
            verdict,
            measures,
            outcomes,
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Climb {
    /// Verdict over all rungs.
    pub verdict: Verdict,
    /// The rungs that were asked for, the lowest first.
    pub rungs: Vec<RungReport>,
}

/// Runs the rungs, each with every candidate and every reference.
pub fn climb(rungs: &[Rung], sides: &Sides, task: &Task<'_>) -> Climb {
    let mut rungs = rungs.to_vec();
    rungs.sort_unstable();
    rungs.dedup();
    task.progress.set_length(
        rungs
            .iter()
            .map(|&rung| rung::steps(rung, sides, task))
            .sum(),
    );
    let report = |rung: Rung| {
        task.progress.set_message(rung.name());
        RungReport::new(rung, rung::climb(rung, sides, task))
    };
    let rungs: Vec<RungReport> = rungs.into_iter().map(report).collect();
    task.progress.finish_and_clear();
    Climb {
        verdict: Verdict::overall(rungs.iter().map(|report| report.verdict)),
        rungs,
    }
}
