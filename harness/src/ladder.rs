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
use crate::verdict::{Blame, Verdict};

/// What a rung came to, over all candidates and references.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RungReport {
    /// Rung.
    pub rung: Rung,
    /// Verdict over all outcomes.
    pub verdict: Verdict,
    /// The worst of all outcomes, known divergences aside; counts are added up.
    pub measures: Measures,
    /// Each pair of candidate and reference.
    pub outcomes: Vec<Outcome>,
}

impl RungReport {
    /// What these outcomes of the rung come to.
    pub fn new(rung: Rung, outcomes: Vec<Outcome>) -> RungReport {
        let counted = |outcome: &Outcome| match outcome.verdict {
            // The reference's own defect, counted apart, says nothing about a candidate.
            Verdict::KnownDivergence => Verdict::Exact,
            verdict => verdict,
        };
        let verdict = Verdict::overall(outcomes.iter().map(counted));
        let measured = |outcome: &&Outcome| {
            outcome.measures.comparisons > 0 && outcome.verdict != Verdict::KnownDivergence
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

/// The verdict over levels: the worst of them. Where a model was named (see [`Task::model`](crate::task::Task::model)),
/// a level that was to run it and did not keeps the others from being agreement.
pub fn verdict(reports: &[RungReport], model: &str) -> Verdict {
    let not_run = |report: &&RungReport| {
        Rung::OF_MODELS.contains(&report.rung)
            && report.verdict.is_omission()
            // Without outcomes it is another shard's.
            && !report.outcomes.is_empty()
    };
    let worst = Verdict::overall(reports.iter().map(|report| report.verdict));
    let omission = reports
        .iter()
        .filter(not_run)
        .map(|report| report.verdict)
        .max();
    match omission.filter(|_| worst.agrees() && !model.is_empty()) {
        Some(omission) => omission,
        None => worst,
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Climb {
    /// Verdict over all rungs.
    pub verdict: Verdict,
    /// The rungs that were asked for, the lowest first, as far as they were climbed to their end.
    pub rungs: Vec<RungReport>,
    /// A number of the file that is none, which is at fault wherever the model was run.
    pub input_fault: Option<String>,
    /// How long each of them took.
    pub timings: Vec<Timing>,
    /// The rungs that were asked for and not climbed to their end, since the run was interrupted.
    pub not_done: Vec<Rung>,
}

impl Climb {
    /// What each pair came to, the lowest level first.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.rungs.iter().flat_map(|report| &report.outcomes)
    }

    /// The limit of the system that a participant died of, if one did, with its last words.
    pub fn limit(&self) -> Option<&str> {
        self.outcomes().find_map(|outcome| outcome.limit.as_deref())
    }

    /// Whether a level that runs the model came to no agreement.
    pub fn model_disagrees(&self) -> bool {
        let of_model = |report: &&RungReport| Rung::OF_MODELS.contains(&report.rung);
        let mut reports = self.rungs.iter().filter(of_model);
        reports.any(|report| !report.verdict.agrees())
    }

    /// Blames the file for what the levels that run the model found: a number of it is none.
    pub fn blame_input(&mut self, fault: String) {
        let outcomes = self
            .rungs
            .iter_mut()
            .flat_map(|report| &mut report.outcomes);
        for finding in outcomes
            .filter(|o| Rung::OF_MODELS.contains(&o.rung) && o.lost.is_empty())
            .flat_map(|outcome| &mut outcome.findings)
        {
            finding.blame = Blame::InputWrong;
            finding.cause = None;
        }
        self.input_fault = Some(fault);
    }
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

/// Rungs in words, as what an interruption leaves undone.
pub fn rungs_of(rungs: &[Rung]) -> String {
    let names: Vec<&str> = rungs.iter().map(|rung| rung.name()).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!("rung {}", names.join(", ")),
    }
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
        input_fault: None,
        timings: Vec::new(),
        not_done: Vec::new(),
    };
    for (climbed, &rung) in rungs.iter().enumerate() {
        interrupt::not_done(rungs_of(&rungs[climbed..]));
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
    interrupt::not_done(rungs_of(&climb.not_done));
    task.progress.finish_and_clear();
    climb.verdict = verdict(&climb.rungs, &task.model);
    climb
}
