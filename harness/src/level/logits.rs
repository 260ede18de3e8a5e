//! Level `logits`: compares the logits of every position.
//!
//! The model decodes most tokens at once and the last ones one at a time, without recording nodes. Candidates must have
//! the bits of an identity build. Against another build they may differ by the noise floor. Measures of logits
//! (divergence of the distributions, the likeliest tokens) are reported with their noise floor.

use super::engine_pairs::{EnginePairs, running};
use super::invariance::{self, ITSELF};
use super::stream::EngineRun;
use crate::decoding::Decoding;
use crate::finding::{Finding, Observed};
use crate::inference::{Engine, InferenceError};
use crate::levels::Level;
use crate::measure::{LogitCounter, LogitMeasures};
use crate::outcome::{LogitComparison, Outcome, PairAccumulator};
use crate::participant::Participants;
use crate::rerun::Rerun;
use crate::task::Task;

pub(super) fn steps(participants: &Participants, task: &Task<'_>) -> u64 {
    match task.decoding {
        Ok(_) => (running(participants, task).len() + participants.engines.len()) as u64,
        Err(_) => 0,
    }
}

pub(super) fn run(participants: &Participants, task: &Task<'_>) -> Vec<Outcome> {
    let mut engine_pairs = match EnginePairs::of(Level::Logits, participants, task) {
        Ok(engine_pairs) => engine_pairs,
        Err(skipped) => return skipped,
    };
    // Engines run one after the other, so that only one model is in memory and computes.
    let (mut computed, mut ran) = (Vec::new(), Vec::new());
    for engine in &engine_pairs.engines {
        let mut graph = None;
        let (logits, failure) = match compute_logits(*engine, engine_pairs.decoding, &mut graph) {
            Ok(logits) => (Some(logits), None),
            Err(error) => (None, Some(error)),
        };
        computed.push(logits);
        ran.push(EngineRun { graph, failure });
        task.progress.inc(1);
    }
    for pair in &mut engine_pairs.pairs {
        pair.record_failures(&ran, &engine_pairs.reproduce);
        let (Some(expected), Some(actual)) = (&computed[pair.reference], &computed[pair.candidate])
        else {
            continue;
        };
        let builds = match pair.floor.map(|(a, b)| (&computed[a], &computed[b])) {
            None => None,
            Some((Some(first), Some(second))) => Some((first, second)),
            Some(_) => continue,
        };
        if expected.vocabulary != actual.vocabulary {
            pair.accumulator.counter.add_same(false);
            pair.accumulator.find(different_vocabulary(
                expected,
                actual,
                &engine_pairs.reproduce,
            ));
            continue;
        }
        pair.accumulator
            .counter
            .add(&expected.values, &actual.values);
        let builds = builds.filter(|(first, second)| first.vocabulary == second.vocabulary);
        if let Some((first, second)) = builds {
            let floor = pair.accumulator.floor.get_or_insert_default();
            floor.add(&first.values, &second.values);
        }
        pair.accumulator.outcome.logits = Some(LogitComparison {
            measures: expected.against(actual),
            noise_floor: builds.map(|(first, second)| first.against(second)),
        });
        if let Some(finding) = first_difference(expected, actual, &engine_pairs.reproduce) {
            pair.accumulator.find(finding);
        }
    }
    let mut outcomes = Vec::new();
    for pair in engine_pairs.pairs {
        outcomes.push(pair.accumulator.finish());
    }
    if participants.upstream.is_some() {
        for engine in &participants.engines {
            let mut accumulator = PairAccumulator::new(Level::Logits, engine.id(), ITSELF);
            let reproduce = &engine_pairs.reproduce;
            invariance::of_model(
                engine.as_ref(),
                engine_pairs.decoding,
                &mut accumulator,
                reproduce,
            );
            outcomes.push(accumulator.finish());
        }
    }
    outcomes
}

/// The logits of an engine.
struct Logits {
    vocabulary: usize,
    /// `positions x vocabulary`, row-major.
    values: Vec<f32>,
}

impl Logits {
    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.vocabulary)
    }

    fn against(&self, candidate: &Logits) -> LogitMeasures {
        let mut counter = LogitCounter::default();
        for (reference, candidate) in self.rows().zip(candidate.rows()) {
            counter.add(reference, candidate);
        }
        counter.measures()
    }
}

/// Decodes with an engine. Sets `graph` as soon as it is known.
fn compute_logits(
    engine: &dyn Engine,
    decoding: &Decoding,
    graph: &mut Option<String>,
) -> Result<Logits, InferenceError> {
    let mut result = None;
    engine.with_model(&decoding.model, &decoding.params, &mut |inference| {
        let vocabulary = inference.vocabulary();
        *graph = Some(inference.graph().to_owned());
        let mut decode = || {
            let mut values = Vec::new();
            for tokens in decoding.decodes() {
                values.extend(inference.decode(tokens, None)?);
            }
            Ok(Logits { vocabulary, values })
        };
        result = Some(decode());
    })?;
    result.expect("an engine that opens a model calls the work")
}

fn first_difference(expected: &Logits, actual: &Logits, reproduce: &Rerun) -> Option<Finding> {
    let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
    let mut pairs = expected.values.iter().zip(&actual.values);
    let at = pairs.position(differs)?;
    let (position, token) = (at / expected.vocabulary, at % expected.vocabulary);
    Some(Finding::new(
        "logits",
        format!("position {position}, token {token}"),
        Observed::from(expected.values[at]),
        Observed::from(actual.values[at]),
        reproduce,
    ))
}

fn different_vocabulary(expected: &Logits, actual: &Logits, reproduce: &Rerun) -> Finding {
    let tokens = |logits: &Logits| Observed::from(format!("{} tokens", logits.vocabulary));
    Finding::new(
        "logits",
        "the vocabulary",
        tokens(expected),
        tokens(actual),
        reproduce,
    )
}
