//! Which measure catches which mistake.

use std::collections::BTreeMap;

use super::{MISTAKES, Mistake};
use crate::cause::Fault;
use crate::ladder::{self, Climb};
use crate::outcome::{Outcome, Rung};
use crate::side::{Candidate, Reference, Sides};
use crate::task::Task;
use crate::tolerance::{COSINE_FLOOR, NMSE_CEILING};
use crate::verdict::{Blame, Verdict};

/// Whether each measure, taken alone, notices a mistake in one format.
#[derive(Debug, Clone, PartialEq)]
pub struct Catches {
    /// Format id.
    pub format: &'static str,
    /// The lowest cosine similarity of the products, and whether it is below [`COSINE_FLOOR`].
    pub cosine: (f64, bool),
    /// Whether the normalised mean square error of the products is above [`NMSE_CEILING`].
    pub nmse: bool,
    /// Whether finite products differ in any bit.
    pub ulp: bool,
    /// Whether integer dots differ.
    pub integers: bool,
    /// Whether the derived table of codes, slots and scale differs.
    pub lut: bool,
    /// Whether the ladder as a whole says divergent.
    pub gate: bool,
    /// Who is wrong, by the findings of divergent outcomes.
    pub blames: Vec<Blame>,
    /// Why, by the same findings, each cause once; none for those whose cause is not shown.
    pub causes: Vec<Option<Fault>>,
}

impl Catches {
    /// Whether each measure notices, in the order of [`KillMatrix::MEASURES`].
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

    /// Whether the diagnosis says that it is this mistake, and nothing else.
    pub fn named(&self, mistake: &Mistake) -> bool {
        self.causes == [Some(mistake.fault_in(self.format))]
    }

    /// What the outcomes of one candidate show. Those within the noise between two references prove nothing.
    fn of(format: &'static str, outcomes: &[&Outcome]) -> Catches {
        let on = |rung: Rung| {
            outcomes
                .iter()
                .filter(move |o| o.rung == rung && o.held_to_identity())
        };
        let differs = |rung| on(rung).any(|outcome| outcome.measures.mismatches > 0);
        let cosine = on(Rung::Tensor)
            .filter_map(|outcome| outcome.measures.cosine_similarity)
            .fold(1.0, f64::min);
        let divergent = outcomes
            .iter()
            .filter(|o| o.verdict == Verdict::Divergent && o.held_to_identity());
        let findings = divergent.flat_map(|outcome| &outcome.findings);
        let (mut blames, mut causes) = (Vec::new(), Vec::new());
        for finding in findings {
            let fault = finding.cause.as_ref().map(|cause| cause.fault.clone());
            blames.push(finding.blame);
            if !causes.contains(&fault) {
                causes.push(fault);
            }
        }
        blames.dedup();
        Catches {
            format,
            cosine: (cosine, cosine < COSINE_FLOOR),
            nmse: on(Rung::Tensor).any(|outcome| outcome.measures.nmse_exceeds(NMSE_CEILING)),
            ulp: on(Rung::Tensor).any(|outcome| outcome.measures.max_ulp > Some(0)),
            integers: differs(Rung::Block),
            lut: differs(Rung::Lut),
            gate: Verdict::overall(outcomes.iter().map(|outcome| outcome.verdict))
                == Verdict::Divergent,
            blames,
            causes,
        }
    }
}

/// Every mistake with what catches it.
pub struct KillMatrix {
    /// A row for each of [`MISTAKES`], with one entry for each of its formats.
    pub rows: Vec<(&'static Mistake, Vec<Catches>)>,
}

impl KillMatrix {
    /// Headings of [`Catches::measures`].
    pub const MEASURES: [&str; 6] = ["cosine", "nmse", "ulp", "integers", "lut", "gate"];

    /// Climbs the ladder with all mistakes as candidates.
    pub fn measure(references: Vec<Reference>, task: &Task<'_>) -> KillMatrix {
        let candidates: Vec<Candidate> = MISTAKES
            .iter()
            .flat_map(|mistake| mistake.candidates())
            .collect();
        let ids: Vec<String> = candidates.iter().map(|c| c.side.id().to_owned()).collect();
        let sides = Sides {
            references,
            candidates,
            engines: Vec::new(),
        };
        let climb = ladder::climb(&Rung::OF_KERNELS, &sides, task);
        let outcomes = by_candidate(&climb);
        let mut ids = ids.iter();
        let row = |mistake: &'static Mistake| {
            let entry = |format: &&'static qk256::format::Format| {
                let id = ids.next().expect("a candidate for each mistake and format");
                let of_id = outcomes.get(id.as_str()).map_or(&[][..], Vec::as_slice);
                Catches::of(format.id, of_id)
            };
            (mistake, mistake.formats.iter().map(entry).collect())
        };
        KillMatrix {
            rows: MISTAKES.iter().map(row).collect(),
        }
    }

    /// The mistakes of which the diagnosis says anything but what they are, each with the format in which it does.
    pub fn misnamed(&self) -> Vec<(&'static str, &'static str)> {
        let pairs = self
            .rows
            .iter()
            .flat_map(|(mistake, catches)| catches.iter().map(move |catch| (*mistake, catch)));
        pairs
            .filter(|(mistake, catch)| !catch.named(mistake))
            .map(|(mistake, catch)| (mistake.name, catch.format))
            .collect()
    }

    /// The mistakes that the gate let pass, each with the format in which it did.
    pub fn survivors(&self) -> Vec<(&'static str, &'static str)> {
        let pairs = self
            .rows
            .iter()
            .flat_map(|(mistake, catches)| catches.iter().map(move |catch| (mistake.name, catch)));
        pairs
            .filter(|(_, catch)| !catch.gate)
            .map(|(name, catch)| (name, catch.format))
            .collect()
    }
}

fn by_candidate(climb: &Climb) -> BTreeMap<&str, Vec<&Outcome>> {
    let mut outcomes: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in climb.rungs.iter().flat_map(|report| &report.outcomes) {
        outcomes
            .entry(&outcome.candidate)
            .or_default()
            .push(outcome);
    }
    outcomes
}
