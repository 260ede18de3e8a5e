//! Causes for the findings of a run.

use std::collections::BTreeMap;

use qk256::format::Format;
use rayon::prelude::*;

use super::examination::Examination;
use crate::case::Case;
use crate::cause::{Cause, Fault, six_digits};
use crate::finding::{Finding, NodeFinding};
use crate::implementation::Implementation;
use crate::measure::Measures;
use crate::outcome::{Outcome, Rung};
use crate::side::{Sides, reference_format};
use crate::tolerance::PROPORTIONAL;
use crate::verdict::{Blame, Verdict};

/// A side in a format, by their ids.
type Key = (String, &'static str);

/// The sides of a run that were examined so far.
pub struct Examinations<'a> {
    sides: &'a Sides,
    done: BTreeMap<Key, Examination<'a>>,
    /// What was found in the nodes of each pair of engines, candidate and reference.
    operations: BTreeMap<(String, String), Cause>,
}

/// Who is to be examined for a finding.
struct Culprit<'a> {
    side: &'a dyn Implementation,
    format: &'static Format,
    is_reference: bool,
}

impl<'a> Examinations<'a> {
    /// None yet.
    pub fn new(sides: &'a Sides) -> Examinations<'a> {
        Examinations {
            sides,
            done: BTreeMap::new(),
            operations: BTreeMap::new(),
        }
    }

    /// Gives the findings of divergent outcomes their causes, where the evidence shows them.
    pub fn explain(&mut self, outcomes: &mut [Outcome]) {
        // After a loss what differs may be its consequence.
        let divergent = |outcome: &&mut Outcome| {
            outcome.verdict == Verdict::Divergent && outcome.lost.is_empty()
        };
        let mut divergent: Vec<&mut Outcome> = outcomes.iter_mut().filter(divergent).collect();
        let culprits = divergent.iter().flat_map(|outcome| {
            let of = |finding| self.culprit(finding, outcome.names());
            outcome.findings.iter().filter_map(of).collect::<Vec<_>>()
        });
        let culprits = culprits.collect();
        self.examine(culprits);
        for outcome in &mut divergent {
            self.take_over(outcome);
        }
        divergent.par_iter_mut().for_each(|outcome| {
            let (candidate, reference, format) = outcome.names();
            let names = (candidate.to_owned(), reference.to_owned(), format);
            for finding in outcome.findings.iter_mut().filter(|f| f.cause.is_none()) {
                let names = (names.0.as_str(), names.1.as_str(), names.2);
                finding.cause = self.cause(finding, names, finding.case.as_ref());
            }
        });
    }

    /// The cause of a finding in a case, `candidate` and `reference` being what differs in it.
    pub fn of_case(
        &mut self,
        finding: &Finding,
        candidate: &str,
        reference: &str,
        case: &Case,
    ) -> Option<Cause> {
        let names = (candidate, reference, Some(case.format));
        let culprit = self.culprit(finding, names);
        self.examine(culprit.into_iter().collect());
        self.cause(finding, names, Some(case))
    }

    /// Examines whoever was not yet.
    fn examine(&mut self, culprits: Vec<Culprit<'a>>) {
        let mut new: BTreeMap<Key, Culprit<'a>> = BTreeMap::new();
        for culprit in culprits {
            if !self.done.contains_key(&culprit.key()) {
                new.insert(culprit.key(), culprit);
            }
        }
        let examine = |(key, culprit): (Key, Culprit<'a>)| {
            (key, Examination::of(culprit.side, culprit.format))
        };
        let examined: Vec<_> = new.into_par_iter().map(examine).collect();
        self.done.extend(examined);
    }

    fn cause(&self, finding: &Finding, names: Names<'_>, case: Option<&Case>) -> Option<Cause> {
        let culprit = self.culprit(finding, names)?;
        let examination = self.done.get(&culprit.key())?;
        match case {
            Some(case) if culprit.is_reference => examination.cause(Some(&case.for_references())),
            case => examination.cause(case),
        }
    }

    /// Whoever is to blame, if it is a side that multiplies.
    fn culprit(
        &self,
        finding: &Finding,
        (candidate, reference, format): Names<'_>,
    ) -> Option<Culprit<'a>> {
        let format = format?;
        let of_reference = |id: &str| {
            let mut references = self.sides.references.iter();
            let reference = references.find(|reference| reference.side.id() == id)?;
            Some(Culprit {
                side: reference.side.as_ref(),
                format: reference_format(format),
                is_reference: true,
            })
        };
        let of_candidate = |id: &str| {
            let mut candidates = self.sides.candidates.iter();
            let candidate = candidates.find(|c| c.side.id() == id && c.format == format)?;
            Some(Culprit {
                side: candidate.side.as_ref(),
                format,
                is_reference: false,
            })
        };
        match finding.blame {
            Blame::CandidateWrong | Blame::BothWrong => of_candidate(candidate),
            // An oracle that differs from the arbiter stands where candidates do.
            Blame::ReferenceWrong => of_reference(reference).or_else(|| of_reference(candidate)),
            Blame::BothDiffer | Blame::InputWrong | Blame::Unjudged => None,
        }
    }

    /// Takes over what the rungs that run a model located: the first operation that is to blame explains its own
    /// findings, and the logits of the same pair.
    fn take_over(&mut self, outcome: &mut Outcome) {
        let pair = (outcome.candidate.clone(), outcome.reference.clone());
        for finding in &mut outcome.findings {
            finding.cause = match outcome.rung {
                Rung::Node => {
                    // Whoever computed another number than the weights and the inputs say.
                    let side = match finding.blame {
                        Blame::ReferenceWrong => &pair.1,
                        _ => &pair.0,
                    };
                    finding.node.as_ref().and_then(|n| operation(side, n))
                }
                Rung::Logits => self.operations.get(&pair).cloned(),
                Rung::Lut | Rung::Block | Rung::Tensor => None,
            };
            if let (Rung::Node, Some(cause)) = (outcome.rung, &finding.cause) {
                self.operations.entry(pair.clone()).or_insert(cause.clone());
            }
        }
    }
}

/// Candidate, reference, and the candidate's format if it is a kernel.
type Names<'n> = (&'n str, &'n str, Option<&'static Format>);

impl Outcome {
    fn names(&self) -> Names<'_> {
        let format = self.format.as_deref().and_then(Format::by_id);
        (&self.candidate, &self.reference, format)
    }
}

impl Culprit<'_> {
    fn key(&self) -> Key {
        (self.side.id().to_owned(), self.format.id)
    }
}

/// By what factor all of a node is off, if that is all that is wrong with it.
fn proportion(measures: &Measures) -> Option<f64> {
    let ratio = measures.scale_ratio?;
    let proportional = 1.0 - measures.cosine_similarity? < PROPORTIONAL;
    (proportional && (ratio - 1.0).abs() > PROPORTIONAL.sqrt()).then(|| six_digits(ratio))
}

/// The operation of a node, if it is to blame for all that differs in the node.
fn operation(side: &str, node: &NodeFinding) -> Option<Cause> {
    let fault = Fault::Operation {
        op: node.op.clone(),
        node: node.name.clone(),
        occurrence: node.occurrence,
        layer: node.layer,
        scale_ratio: proportion(&node.measures),
    };
    let wrong = node.measures.mismatches;
    node.op_blamed.then(|| Cause {
        side: side.into(),
        fault,
        only_in: None,
        explained: wrong,
        wrong,
    })
}
