//! Finds the causes of the findings of a run.

use std::collections::BTreeMap;

use qk256::format::Format;
use rayon::prelude::*;

use super::diagnosed::Diagnosed;
use crate::case::Case;
use crate::cause::{Cause, Fault, six_digits};
use crate::finding::{Finding, NodeFinding};
use crate::implementation::Implementation;
use crate::levels::Level;
use crate::measure::Measures;
use crate::outcome::Outcome;
use crate::participant::{Participants, reference_format};
use crate::tolerance::PROPORTIONAL;
use crate::verdict::{Attribution, Verdict};

/// Ids of an implementation and a format.
type Key = (String, &'static str);

/// The implementations of a run that are diagnosed so far.
pub struct Diagnosis<'a> {
    participants: &'a Participants,
    done: BTreeMap<Key, Diagnosed<'a>>,
    /// The first wrong operation of each pair of engines, by the ids of candidate and oracle.
    operations: BTreeMap<(String, String), Cause>,
}

/// The implementation to diagnose for a finding.
struct WrongImplementation<'a> {
    implementation: &'a dyn Implementation,
    format: &'static Format,
    is_reference: bool,
}

impl<'a> Diagnosis<'a> {
    /// An empty diagnosis.
    pub fn new(participants: &'a Participants) -> Diagnosis<'a> {
        Diagnosis {
            participants,
            done: BTreeMap::new(),
            operations: BTreeMap::new(),
        }
    }

    /// Sets the causes of the findings of divergent outcomes, if the evidence shows them.
    pub fn explain(&mut self, outcomes: &mut [Outcome]) {
        // After the loss of a participant, differences may be a consequence of it.
        let divergent = |outcome: &&mut Outcome| {
            outcome.verdict == Verdict::Divergent && outcome.lost.is_empty()
        };
        let mut divergent: Vec<&mut Outcome> = outcomes.iter_mut().filter(divergent).collect();
        let wrong_implementations = divergent.iter().flat_map(|outcome| {
            let of = |finding| self.wrong_implementation(finding, outcome.names());
            outcome.findings.iter().filter_map(of).collect::<Vec<_>>()
        });
        let wrong_implementations = wrong_implementations.collect();
        self.examine(wrong_implementations);
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

    /// The cause of a finding in a case in which `candidate` and `reference` differ.
    pub fn of_case(
        &mut self,
        finding: &Finding,
        candidate: &str,
        reference: &str,
        case: &Case,
    ) -> Option<Cause> {
        let names = (candidate, reference, Some(case.format));
        let wrong_implementation = self.wrong_implementation(finding, names);
        self.examine(wrong_implementation.into_iter().collect());
        self.cause(finding, names, Some(case))
    }

    /// Diagnoses the implementations that are not diagnosed yet.
    fn examine(&mut self, wrong_implementations: Vec<WrongImplementation<'a>>) {
        let mut new: BTreeMap<Key, WrongImplementation<'a>> = BTreeMap::new();
        for wrong_implementation in wrong_implementations {
            if !self.done.contains_key(&wrong_implementation.key()) {
                new.insert(wrong_implementation.key(), wrong_implementation);
            }
        }
        let examine = |(key, wrong_implementation): (Key, WrongImplementation<'a>)| {
            (
                key,
                Diagnosed::of(
                    wrong_implementation.implementation,
                    wrong_implementation.format,
                ),
            )
        };
        let examined: Vec<_> = new.into_par_iter().map(examine).collect();
        self.done.extend(examined);
    }

    fn cause(&self, finding: &Finding, names: Names<'_>, case: Option<&Case>) -> Option<Cause> {
        let wrong_implementation = self.wrong_implementation(finding, names)?;
        let diagnosed = self.done.get(&wrong_implementation.key())?;
        match case {
            Some(case) if wrong_implementation.is_reference => {
                diagnosed.cause(Some(&case.for_references()))
            }
            case => diagnosed.cause(case),
        }
    }

    /// The wrong implementation, if it implements a format.
    fn wrong_implementation(
        &self,
        finding: &Finding,
        (candidate, reference, format): Names<'_>,
    ) -> Option<WrongImplementation<'a>> {
        let format = format?;
        let of_reference = |id: &str| {
            let mut references = self.participants.references.iter();
            let reference = references.find(|reference| reference.implementation.id() == id)?;
            Some(WrongImplementation {
                implementation: reference.implementation.as_ref(),
                format: reference_format(format),
                is_reference: true,
            })
        };
        let of_candidate = |id: &str| {
            let mut candidates = self.participants.candidates.iter();
            let candidate =
                candidates.find(|c| c.implementation.id() == id && c.format == format)?;
            Some(WrongImplementation {
                implementation: candidate.implementation.as_ref(),
                format,
                is_reference: false,
            })
        };
        match finding.attribution {
            Attribution::CandidateWrong | Attribution::BothWrong => of_candidate(candidate),
            // If an oracle differs from the reference model, the oracle is in the place of the candidate.
            Attribution::ReferenceWrong => {
                of_reference(reference).or_else(|| of_reference(candidate))
            }
            Attribution::BothDiffer
            | Attribution::InputWrong
            | Attribution::BatchVariant
            | Attribution::ThreadVariant
            | Attribution::Nondeterministic
            | Attribution::Unjudged => None,
        }
    }

    /// Uses the results of the levels that run a model: the first wrong operation explains its own findings and those
    /// of the logits of the same pair.
    fn take_over(&mut self, outcome: &mut Outcome) {
        let pair = (outcome.candidate.clone(), outcome.reference.clone());
        for finding in &mut outcome.findings {
            finding.cause = match outcome.level {
                Level::Node => {
                    // The implementation whose result does not follow from weights and inputs.
                    let implementation = match finding.attribution {
                        Attribution::ReferenceWrong => &pair.1,
                        _ => &pair.0,
                    };
                    finding
                        .node
                        .as_ref()
                        .and_then(|n| operation(implementation, n))
                }
                Level::Logits => self.operations.get(&pair).cloned(),
                Level::Lut | Level::Block | Level::Tensor => None,
            };
            if let (Level::Node, Some(cause)) = (outcome.level, &finding.cause) {
                self.operations.entry(pair.clone()).or_insert(cause.clone());
            }
        }
    }
}

/// Candidate, oracle, and the candidate's format if it is a kernel.
type Names<'n> = (&'n str, &'n str, Option<&'static Format>);

impl Outcome {
    fn names(&self) -> Names<'_> {
        let format = self.format.as_deref().and_then(Format::by_id);
        (&self.candidate, &self.reference, format)
    }
}

impl WrongImplementation<'_> {
    fn key(&self) -> Key {
        (self.implementation.id().to_owned(), self.format.id)
    }
}

/// The factor by which all of a node is off, if nothing else is wrong.
fn proportion(measures: &Measures) -> Option<f64> {
    let ratio = measures.scale_ratio?;
    let proportional = 1.0 - measures.cosine_similarity? < PROPORTIONAL;
    (proportional && (ratio - 1.0).abs() > PROPORTIONAL.sqrt()).then(|| six_digits(ratio))
}

/// The cause of a node's difference, if the operation itself is wrong.
fn operation(implementation: &str, node: &NodeFinding) -> Option<Cause> {
    let fault = Fault::Operation {
        op: node.op.clone(),
        node: node.name.clone(),
        occurrence: node.occurrence,
        layer: node.layer,
        scale_ratio: proportion(&node.measures),
    };
    let wrong = node.measures.mismatches;
    node.op_attributed.then(|| Cause {
        implementation: implementation.into(),
        fault,
        only_in: None,
        explained: wrong,
        wrong,
    })
}
