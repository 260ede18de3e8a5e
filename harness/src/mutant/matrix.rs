//! The mutation matrix: which measure detects which mutant.

use std::collections::BTreeMap;

use super::{MUTANTS, Mutant};
use crate::cause::Fault;
use crate::check::{self, CheckReport};
use crate::levels::Level;
use crate::outcome::Outcome;
use crate::participant::{Candidate, Participants, Reference};
use crate::task::Task;
use crate::tolerance::{COSINE_FLOOR, NMSE_CEILING};
use crate::verdict::{Attribution, Verdict};

/// Whether each measure alone detects a mutant in one format.
#[derive(Debug, Clone, PartialEq)]
pub struct Catches {
    /// Format id.
    pub format: &'static str,
    /// Lowest cosine similarity of the products, and whether it is below [`COSINE_FLOOR`].
    pub cosine: (f64, bool),
    /// Whether the normalised mean square error of the products exceeds [`NMSE_CEILING`].
    pub nmse: bool,
    /// Whether finite products differ in any bit.
    pub ulp: bool,
    /// Whether integer dots differ.
    pub integers: bool,
    /// Whether the derived table of codes, slots and scale differs.
    pub lut: bool,
    /// Whether the verdict of all levels is divergent.
    pub gate: bool,
    /// The attributions in the findings of divergent outcomes.
    pub attributions: Vec<Attribution>,
    /// The distinct causes in these findings. None for findings without a cause.
    pub causes: Vec<Option<Fault>>,
}

impl Catches {
    /// Whether each measure detects the mutant, in the order of [`MutationMatrix::MEASURES`].
    pub fn measures(&self) -> [bool; 6] {
        [
            self.cosine.1,
            self.nmse,
            self.ulp,
            self.integers,
            self.lut,
            self.gate,
        ]
    }

    /// Whether the diagnosis finds the fault of this mutant and nothing else.
    pub fn named(&self, mutant: &Mutant) -> bool {
        self.causes == [Some(mutant.fault_in(self.format))]
    }

    /// Evaluates the outcomes of one candidate. Those within the noise floor of two oracles prove nothing.
    fn of(format: &'static str, outcomes: &[&Outcome]) -> Catches {
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
        Catches {
            format,
            cosine: (cosine, cosine < COSINE_FLOOR),
            nmse: on(Level::Tensor).any(|outcome| outcome.measures.nmse_exceeds(NMSE_CEILING)),
            ulp: on(Level::Tensor).any(|outcome| outcome.measures.max_ulp > Some(0)),
            integers: differs(Level::Block),
            lut: differs(Level::Lut),
            gate: Verdict::overall(outcomes.iter().map(|outcome| outcome.verdict))
                == Verdict::Divergent,
            attributions,
            causes,
        }
    }
}

/// All mutants with the measures that detect them.
pub struct MutationMatrix {
    /// A row for each of [`MUTANTS`], with one entry for each format.
    pub rows: Vec<(&'static Mutant, Vec<Catches>)>,
}

impl MutationMatrix {
    /// Headings of [`Catches::measures`].
    pub const MEASURES: [&str; 6] = ["cosine", "nmse", "ulp", "integers", "lut", "gate"];

    /// Runs the levels with all mutants as candidates.
    pub fn measure(references: Vec<Reference>, task: &Task<'_>) -> MutationMatrix {
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
        let mut ids = ids.iter();
        let row = |mutant: &'static Mutant| {
            let entry = |format: &&'static qk256::format::Format| {
                let id = ids.next().expect("a candidate for each mutant and format");
                let of_id = outcomes.get(id.as_str()).map_or(&[][..], Vec::as_slice);
                Catches::of(format.id, of_id)
            };
            (mutant, mutant.formats.iter().map(entry).collect())
        };
        MutationMatrix {
            rows: MUTANTS.iter().map(row).collect(),
        }
    }

    /// The mutants for which the diagnosis finds another fault or none, with the format.
    pub fn misnamed(&self) -> Vec<(&'static str, &'static str)> {
        let pairs = self
            .rows
            .iter()
            .flat_map(|(mutant, catches)| catches.iter().map(move |catch| (*mutant, catch)));
        pairs
            .filter(|(mutant, catch)| !catch.named(mutant))
            .map(|(mutant, catch)| (mutant.name, catch.format))
            .collect()
    }

    /// The mutants that the gate did not detect, with the format.
    pub fn survivors(&self) -> Vec<(&'static str, &'static str)> {
        let pairs = self
            .rows
            .iter()
            .flat_map(|(mutant, catches)| catches.iter().map(move |catch| (mutant.name, catch)));
        pairs
            .filter(|(_, catch)| !catch.gate)
            .map(|(name, catch)| (name, catch.format))
            .collect()
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
