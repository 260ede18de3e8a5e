//! The mutation matrix: which measure detects which mutant.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MUTANTS, Mutant};
use crate::cause::Fault;
use crate::check::{self, CheckReport};
use crate::levels::Level;
use crate::outcome::Outcome;
use crate::participant::{Candidate, Participants, Reference};
use crate::task::Task;
use crate::tolerance::{COSINE_FLOOR, NMSE_CEILING};
use crate::verdict::{Attribution, Verdict};

/// A mutant of a kernel of one format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KernelMutant {
    /// Name of the mutant.
    pub mutant: String,
    /// Description of the fault.
    pub description: String,
    /// Format id.
    pub format: String,
    /// Lowest cosine similarity of products.
    pub cosine_similarity: f64,
    /// The measures that catch the mutant.
    pub caught: Caught,
    /// Attributions of the findings.
    pub attributions: Vec<Attribution>,
    /// Causes of the findings without duplicates; `null` for findings without a known cause.
    pub causes: Vec<Option<Fault>>,
    /// Whether the mutant itself is the only cause.
    pub named: bool,
}

/// Whether each measure alone catches a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caught {
    /// Whether the cosine similarity of products is below 0.99.
    pub cosine: bool,
    /// Whether the normalised mean square error of products is above the limit of llama.cpp's own tests.
    pub nmse: bool,
    /// Whether bits of products differ.
    pub ulp: bool,
    /// Whether integer dots differ.
    pub integers: bool,
    /// Whether the table of codes, slots and scale differs.
    pub lut: bool,
    /// Whether any of the levels diverges.
    pub gate: bool,
}

/// Name of a measure, and whether it catches a mutant.
pub type CatchingMeasure = (&'static str, fn(&Caught) -> bool);

impl Caught {
    /// The single measures, and the gate, which consists of all levels.
    pub const MEASURES: [CatchingMeasure; 6] = [
        ("cosine", |caught| caught.cosine),
        ("nmse", |caught| caught.nmse),
        ("ulp", |caught| caught.ulp),
        ("integers", |caught| caught.integers),
        ("lut", |caught| caught.lut),
        ("gate", |caught| caught.gate),
    ];
}

impl KernelMutant {
    /// Evaluates the outcomes of a mutant in one format. Those within the noise floor of two oracles prove nothing.
    fn of(mutant: &Mutant, format: &str, outcomes: &[&Outcome]) -> KernelMutant {
        let on = |level: Level| {
            outcomes
                .iter()
                .filter(move |o| o.level == level && o.held_to_identity())
        };
        let differs = |level| on(level).any(|outcome| outcome.measures.mismatches > 0);
        let cosine = on(Level::Tensor)
            .filter_map(|outcome| outcome.measures.cosine_similarity)
            .fold(1.0, f64::min);
        let divergent = outcomes
            .iter()
            .filter(|o| o.verdict == Verdict::Divergent && o.held_to_identity());
        let findings = divergent.flat_map(|outcome| &outcome.findings);
        let (mut attributions, mut causes) = (Vec::new(), Vec::new());
        for finding in findings {
            let fault = finding.cause.as_ref().map(|cause| cause.fault.clone());
            attributions.push(finding.attribution);
            if !causes.contains(&fault) {
                causes.push(fault);
            }
        }
        attributions.dedup();
        KernelMutant {
            mutant: mutant.name.into(),
            description: mutant.description.into(),
            format: format.into(),
            cosine_similarity: cosine,
            caught: Caught {
                cosine: cosine < COSINE_FLOOR,
                nmse: on(Level::Tensor).any(|outcome| outcome.measures.nmse_exceeds(NMSE_CEILING)),
                ulp: on(Level::Tensor).any(|outcome| outcome.measures.max_ulp > Some(0)),
                integers: differs(Level::Block),
                lut: differs(Level::Lut),
                gate: Verdict::overall(outcomes.iter().map(|outcome| outcome.verdict))
                    == Verdict::Divergent,
            },
            attributions,
            named: causes == [Some(mutant.fault_in(format))],
            causes,
        }
    }

    /// Runs the levels with all mutants as candidates. Returns a row for each of [`MUTANTS`] and each of its formats.
    pub fn measure_all(references: Vec<Reference>, task: &Task<'_>) -> Vec<KernelMutant> {
        let candidates: Vec<Candidate> = MUTANTS
            .iter()
            .flat_map(|mutant| mutant.candidates())
            .collect();
        let ids: Vec<String> = candidates
            .iter()
            .map(|c| c.implementation.id().to_owned())
            .collect();
        let participants = Participants {
            references,
            candidates,
            engines: Vec::new(),
            upstream: None,
        };
        let check = check::run(&Level::OF_KERNELS, &participants, task);
        let outcomes = by_candidate(&check);
        let mutants = MUTANTS.iter();
        let pairs =
            mutants.flat_map(|mutant| mutant.formats.iter().map(move |format| (mutant, format)));
        let row = |((mutant, format), id): ((&Mutant, &&qk256::format::Format), &String)| {
            let of_id = outcomes.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            KernelMutant::of(mutant, format.id, of_id)
        };
        pairs.zip(&ids).map(row).collect()
    }
}

fn by_candidate(check: &CheckReport) -> BTreeMap<&str, Vec<&Outcome>> {
    let mut outcomes: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in check.levels.iter().flat_map(|report| &report.outcomes) {
        outcomes
            .entry(&outcome.candidate)
            .or_default()
            .push(outcome);
    }
    outcomes
}
