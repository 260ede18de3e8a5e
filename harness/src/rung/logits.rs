//! Rung 5: does the model say the same?
//!
//! The logits of every position, decoded without a look at nodes in between: most tokens in one go, then the last ones
//! alone. Candidates must have the first reference's very bits; against another build they may be as far off as the
//! builds are from each other. What only logits have (divergence of the distributions, the likeliest tokens) is
//! reported beside, with the noise floor.

use super::cast::Cast;
use super::stream::Ran;
use crate::decoding::Decoding;
use crate::finding::{Finding, Observed};
use crate::inference::{Engine, InferenceError};
use crate::measure::{LogitMeasures, LogitMeter};
use crate::outcome::{LogitComparison, Outcome, Rung};
use crate::side::Sides;
use crate::task::Task;
use crate::verdict::Blame;

pub(super) fn steps(sides: &Sides, task: &Task<'_>) -> u64 {
    let references = sides.references.iter().filter(|r| r.engine.is_some());
    match task.decoding {
        Ok(_) => (references.count() + sides.engines.len()) as u64,
        Err(_) => 0,
    }
}

pub(super) fn climb(sides: &Sides, task: &Task<'_>) -> Vec<Outcome> {
    let mut cast = match Cast::of(Rung::Logits, sides, task) {
        Ok(cast) => cast,
        Err(skipped) => return skipped,
    };
    // One engine after the other: each has the machine, and its model's memory, to itself.
    let (mut spoken, mut ran) = (Vec::new(), Vec::new());
    for engine in &cast.engines {
        let mut graph = None;
        let (logits, failure) = match speak(*engine, cast.decoding, &mut graph) {
            Ok(logits) => (Some(logits), None),
            Err(error) => (None, Some(error)),
        };
        spoken.push(logits);
        ran.push(Ran { graph, failure });
        task.progress.inc(1);
    }
    for pair in &mut cast.pairs {
        pair.settle(&ran, &cast.reproduce);
        // Against another build than the first there is no verdict without the distance of both.
        let (Some(first), Some(expected), Some(actual)) =
            (&spoken[0], &spoken[pair.reference], &spoken[pair.candidate])
        else {
            continue;
        };
        if expected.vocabulary != actual.vocabulary {
            pair.tally.meter.add_same(false);
            pair.tally
                .find(different_vocabulary(expected, actual, &cast.reproduce));
            continue;
        }
        pair.tally.meter.add(&expected.values, &actual.values);
        let has_floor = pair.reference > 0 && first.vocabulary == expected.vocabulary;
        let first = Some(first).filter(|_| has_floor);
        if let Some(first) = first {
            let floor = pair.tally.floor.get_or_insert_default();
            floor.add(&first.values, &expected.values);
        }
        pair.tally.outcome.logits = Some(LogitComparison {
            measures: expected.against(actual),
            noise_floor: first.map(|first| first.against(expected)),
        });
        if let Some(finding) = first_difference(expected, actual, &cast.reproduce) {
            pair.tally.find(finding);
        }
    }
    cast.pairs
        .into_iter()
        .map(|pair| pair.tally.finish())
        .collect()
}

/// What an engine says after each token.
struct Logits {
    vocabulary: usize,
    /// `positions x vocabulary`.
    values: Vec<f32>,
}

impl Logits {
    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.vocabulary)
    }

    fn against(&self, candidate: &Logits) -> LogitMeasures {
        let mut meter = LogitMeter::default();
        for (reference, candidate) in self.rows().zip(candidate.rows()) {
            meter.add(reference, candidate);
        }
        meter.measures()
    }
}

/// Has an engine decode, and notes who put its graph together once that is known.
fn speak(
    engine: &dyn Engine,
    decoding: &Decoding,
    graph: &mut Option<String>,
) -> Result<Logits, InferenceError> {
    let mut spoken = None;
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
        spoken = Some(decode());
    })?;
    spoken.expect("an engine that opens a model calls the work")
}

fn first_difference(expected: &Logits, actual: &Logits, reproduce: &str) -> Option<Finding> {
    let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
    let mut pairs = expected.values.iter().zip(&actual.values);
    let at = pairs.position(differs)?;
    let (position, token) = (at / expected.vocabulary, at % expected.vocabulary);
    Some(Finding {
        subject: "logits".into(),
        place: format!("position {position}, token {token}"),
        expected: Observed::from(expected.values[at]),
        actual: Observed::from(actual.values[at]),
        truth: None,
        blame: Blame::Unjudged,
        node: None,
        cause: None,
        input: None,
        case: None,
        reproduce: reproduce.into(),
    })
}

fn different_vocabulary(expected: &Logits, actual: &Logits, reproduce: &str) -> Finding {
    let tokens = |logits: &Logits| Observed::from(format!("{} tokens", logits.vocabulary));
    Finding {
        subject: "logits".into(),
        place: "the vocabulary".into(),
        expected: tokens(expected),
        actual: tokens(actual),
        truth: None,
        blame: Blame::Unjudged,
        node: None,
        cause: None,
        input: None,
        case: None,
        reproduce: reproduce.into(),
    }
}
