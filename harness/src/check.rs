//! Runs the levels from the lowest to the highest and collects their results.

use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnose::Diagnosis;
use crate::interrupt;
use crate::level;
use crate::levels::Level;
use crate::measure::Measures;
use crate::outcome::Outcome;
use crate::participant::Participants;
use crate::task::Task;
use crate::verdict::{Attribution, Verdict};

/// Results of a level for all candidates and oracles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelReport {
    /// Level.
    pub level: Level,
    /// Verdict over all outcomes.
    pub verdict: Verdict,
    /// The worst measures of all outcomes except known divergences. Counts are summed.
    pub measures: Measures,
    /// One outcome for each pair of candidate and oracle.
    pub outcomes: Vec<Outcome>,
}

impl LevelReport {
    /// Combines the outcomes of a level.
    pub fn new(level: Level, outcomes: Vec<Outcome>) -> LevelReport {
        // A known divergence is a defect of the oracle, which says nothing about the candidate.
        let of_candidates = outcomes
            .iter()
            .map(|outcome| outcome.verdict)
            .filter(|&verdict| verdict != Verdict::KnownDivergence);
        let verdict = match of_candidates.clone().next() {
            None if !outcomes.is_empty() => Verdict::KnownDivergence,
            _ => Verdict::overall(of_candidates),
        };
        let measured = |outcome: &&Outcome| {
            outcome.measures.comparisons > 0 && outcome.verdict != Verdict::KnownDivergence
        };
        let measures = outcomes
            .iter()
            .filter(measured)
            .map(|outcome| outcome.measures)
            .reduce(Measures::worst)
            .unwrap_or_default();
        LevelReport {
            level,
            verdict,
            measures,
            outcomes,
        }
    }
}

/// The worst verdict of the levels. If a model was named (see [`Task::model`](crate::task::Task::model)) and a level
/// could not run it, the verdict of that level takes the place of an agreement.
pub fn verdict(reports: &[LevelReport], model: &str) -> Verdict {
    let not_run = |report: &&LevelReport| {
        Level::OF_MODELS.contains(&report.level)
            && report.verdict.is_omission()
            // A level without outcomes belongs to another shard.
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

/// Results of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckReport {
    /// Verdict of all levels.
    pub verdict: Verdict,
    /// The requested levels that were completed, the lowest first.
    pub levels: Vec<LevelReport>,
    /// A NaN or infinity in the model file, which explains every difference on the levels that run the model.
    pub input_fault: Option<String>,
    /// Duration of each level.
    pub timings: Vec<Timing>,
    /// The requested levels that an interruption left incomplete.
    pub not_done: Vec<Level>,
}

impl CheckReport {
    /// The outcomes of all levels, the lowest level first.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.levels.iter().flat_map(|report| &report.outcomes)
    }

    /// The system limit that ended a participant, if one did, with the participant's last output.
    pub fn limit(&self) -> Option<&str> {
        self.outcomes().find_map(|outcome| outcome.limit.as_deref())
    }

    /// Whether a level that runs the model does not agree.
    pub fn model_disagrees(&self) -> bool {
        let of_model = |report: &&LevelReport| Level::OF_MODELS.contains(&report.level);
        let mut reports = self.levels.iter().filter(of_model);
        reports.any(|report| !report.verdict.agrees())
    }

    /// Attributes the findings of the levels that run the model to a NaN or infinity in the file.
    pub fn attribute_to_input(&mut self, fault: String) {
        let outcomes = self
            .levels
            .iter_mut()
            .flat_map(|report| &mut report.outcomes);
        for finding in outcomes
            .filter(|o| Level::OF_MODELS.contains(&o.level) && o.lost.is_empty())
            .flat_map(|outcome| &mut outcome.findings)
        {
            finding.attribution = Attribution::InputWrong;
            finding.cause = None;
        }
        self.input_fault = Some(fault);
    }
}

/// Duration of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Name of the step.
    pub step: String,
    /// Duration in seconds.
    pub seconds: f64,
}

/// Names levels for the message about an interruption.
pub fn levels_of(levels: &[Level]) -> String {
    let names: Vec<&str> = levels.iter().map(|level| level.name()).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!("level {}", names.join(", ")),
    }
}

/// Runs the levels, each with all candidates and all oracles.
pub fn run(levels: &[Level], participants: &Participants, task: &Task<'_>) -> CheckReport {
    let mut levels = levels.to_vec();
    levels.sort_unstable();
    levels.dedup();
    task.progress.set_length(
        levels
            .iter()
            .map(|&level| level::steps(level, participants, task))
            .sum(),
    );
    let mut diagnosis = Diagnosis::new(participants);
    let mut check = CheckReport {
        verdict: Verdict::Skipped,
        levels: Vec::new(),
        input_fault: None,
        timings: Vec::new(),
        not_done: Vec::new(),
    };
    for (run, &level) in levels.iter().enumerate() {
        interrupt::not_done(levels_of(&levels[run..]));
        let started = Instant::now();
        task.progress.set_part(level.name());
        let mut outcomes = if interrupt::asked() {
            Vec::new()
        } else {
            level::run(level, participants, task)
        };
        // An interrupted level is incomplete and gives no result.
        if interrupt::asked() {
            check.not_done.push(level);
            continue;
        }
        diagnosis.explain(&mut outcomes);
        check.levels.push(LevelReport::new(level, outcomes));
        check.timings.push(Timing {
            step: level.name().into(),
            seconds: started.elapsed().as_secs_f64(),
        });
    }
    interrupt::not_done(levels_of(&check.not_done));
    task.progress.finish();
    check.verdict = verdict(&check.levels, &task.model);
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::PairAccumulator;

    #[test]
    fn a_known_divergence_says_nothing_about_the_candidate() {
        use Verdict::{Exact, KnownDivergence, Unsupported};
        let level = |verdicts: &[Verdict]| {
            let outcome = |&verdict: &Verdict| Outcome {
                verdict,
                ..PairAccumulator::new(Level::Block, "candidate", "oracle").finish()
            };
            LevelReport::new(Level::Block, verdicts.iter().map(outcome).collect()).verdict
        };
        assert_eq!(level(&[KnownDivergence, Exact]), Exact);
        assert_eq!(level(&[KnownDivergence, Unsupported]), Unsupported);
        assert_eq!(level(&[KnownDivergence]), KnownDivergence);
        assert_eq!(level(&[]), Verdict::Skipped);
    }
}
