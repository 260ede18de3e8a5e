//! The ladder: rungs run from the lowest up, and what they come to.

use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnose::Examinations;
use crate::interrupt;
use crate::measure::Measures;
use crate::outcome::{Outcome, Rung};
use crate::rung;
use crate::side::Sides;
use crate::task::Task;
use crate::verdict::Verdict;

/// What a rung came to, over all candidates and references.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RungReport {
    /// Rung.
    pub rung: Rung,
    /// Verdict over all outcomes.
    pub verdict: Verdict,
    /// The worst of all outcomes that are held to identity, known divergences aside; see
    /// [`Outcome::held_to_identity`].
    pub measures: Measures,
    /// Each pair of candidate and reference.
    pub outcomes: Vec<Outcome>,
}

impl RungReport {
    /// What these outcomes of the rung come to.
    pub fn new(rung: Rung, outcomes: Vec<Outcome>) -> RungReport {
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
#[derive(Debug, Clone, PartialEq)]
pub struct Climb {
    /// Verdict over all rungs.
    pub verdict: Verdict,
    /// The rungs that were asked for, the lowest first, as far as they were climbed to their end.
    pub rungs: Vec<RungReport>,
    /// How long each of them took.
    pub timings: Vec<Timing>,
    /// The rungs that were asked for and not climbed to their end, since the run was interrupted.
    pub not_done: Vec<Rung>,
}

/// How long a step took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// The step.
    pub step: String,
    /// Its time.
    pub seconds: f64,
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
    let mut examinations = Examinations::new(sides);
    let mut climb = Climb {
        verdict: Verdict::Skipped,
        rungs: Vec::new(),
        timings: Vec::new(),
        not_done: Vec::new(),
    };
    for rung in rungs {
        let started = Instant::now();
        task.progress.set_message(rung.name());
        let mut outcomes = if interrupt::asked() {
            Vec::new()
        } else {
            rung::climb(rung, sides, task)
        };
        // What was asked to end in the middle has not seen everything.
        if interrupt::asked() {
            climb.not_done.push(rung);
            continue;
        }
        examinations.explain(&mut outcomes);
        climb.rungs.push(RungReport::new(rung, outcomes));
        climb.timings.push(Timing {
            step: rung.name().into(),
            seconds: started.elapsed().as_secs_f64(),
        });
    }
    task.progress.finish_and_clear();
    climb.verdict = Verdict::overall(climb.rungs.iter().map(|report| report.verdict));
    climb
}
