//! A trial: runs a case on all participants.

use std::panic::{AssertUnwindSafe, catch_unwind};

use qk256::activation::{ActivationKind, Activations};
use qk256::format::{QK256, Weights};

use crate::case::{Case, CaseError, Input, Shifted};
use crate::finding::{Finding, Observed};
use crate::implementation::{Implementation, ImplementationError};
use crate::known::KnownDivergence;
use crate::levels::Level;
use crate::participant::{Candidate, Reference, ReferenceModel};
use crate::rerun::Rerun;
use crate::verdict::Attribution;

/// Magnitudes for which f32 arithmetic neither overflows nor becomes subnormal in between, so that the reference
/// model's rounding bound holds.
const JUDGED: std::ops::RangeInclusive<f32> = 1e-12..=1e12;

/// The results of a case.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// Number of compared candidate results, for each oracle, times the blocks of a row.
    pub comparisons: u64,
    /// Number of oracle results that a known divergence explains.
    pub known: u64,
    /// The first difference of each pair of implementations.
    pub differences: Vec<Difference>,
}

/// The difference of a pair of implementations.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Id of the candidate, or of the oracle if an oracle differs from the reference model.
    pub candidate: String,
    /// Id of the reference: an oracle or the reference model.
    pub reference: String,
    /// The first difference.
    pub finding: Finding,
}

/// Runs a case on the candidates of its format, on every oracle that supports it, and on the reference model.
///
/// # Errors
///
/// [`CaseError`] if the case cannot be packed.
pub fn try_case(
    case: &Case,
    candidates: &[Candidate],
    references: &[Reference],
) -> Result<Trial, CaseError> {
    let (storage, bytes) = case.pack()?;
    let bytes = Shifted::new(&bytes, case.shift[0]);
    let weights = Weights::new(storage, bytes.as_slice())?;
    let theirs = case.pack_for_references().ok();
    let theirs = match &theirs {
        Some((storage, bytes)) => Some(Weights::new(*storage, bytes)?),
        None => None,
    };
    let mut bench = Bench {
        case,
        weights,
        candidates: candidates
            .iter()
            .filter(|c| c.format == case.format && c.implementation.defined_on(&storage).is_ok())
            .collect(),
        references: match theirs {
            Some(theirs) => references
                .iter()
                .filter(|r| r.implementation.defined_on(theirs.storage()).is_ok())
                .map(|reference| (reference, theirs))
                .collect(),
            None => Vec::new(),
        },
        trial: Trial::default(),
    };
    match &case.input {
        Input::Codes(codes) => bench.dots(codes),
        Input::Values(values) => bench.products(values),
    }
    Ok(bench.trial)
}

struct Bench<'a> {
    case: &'a Case,
    weights: Weights<'a>,
    candidates: Vec<&'a Candidate>,
    references: Vec<(&'a Reference, Weights<'a>)>,
    trial: Trial,
}

impl Bench<'_> {
    fn dots(&mut self, activations: &[i8]) {
        let n = self.case.rows * self.case.batch;
        let mut truth = vec![0; n];
        // The reference model supports every case, so it never fails.
        let _ = ReferenceModel.dots(&self.weights, activations, &mut truth);
        let mut served = 1;
        let compared = |(reference, _): &(&Reference, Weights<'_>)| reference.compared;
        for (reference, weights) in self.references.clone().into_iter().filter(compared) {
            let mut out = vec![0; n];
            match reference
                .implementation
                .dots(&weights, activations, &mut out)
            {
                Err(error) if error.is_omission() => continue,
                Err(error) => self.failed(reference.implementation.id(), &error),
                Ok(()) => {
                    served += 1;
                    self.oracle_dots(reference, activations, &truth, &out);
                }
            }
        }
        let shifted = Shifted::new(activations, self.case.shift[1]);
        for candidate in self.candidates.clone() {
            let mut out = vec![0; n];
            let run = || {
                candidate
                    .implementation
                    .dots(&self.weights, shifted.as_slice(), &mut out)
            };
            if let Err(error) = guarded(candidate, run) {
                self.failed(candidate.implementation.id(), &error);
                continue;
            }
            self.count(served);
            // Oracles that differ from the reference model are separate findings, so candidates need only be compared
            // with the model.
            if let Some(i) = (0..n).find(|&i| out[i] != truth[i]) {
                let attribution = ReferenceModel.judge_dot(truth[i], truth[i], out[i]);
                let implementation = candidate.implementation.id();
                self.differ(
                    implementation,
                    ReferenceModel.id(),
                    i,
                    truth[i],
                    out[i],
                    Some(truth[i] as f64),
                    attribution,
                );
            }
        }
    }

    /// Compares an oracle with the reference model. Differences that a known divergence predicts are counted and are no
    /// findings.
    fn oracle_dots(
        &mut self,
        reference: &Reference,
        activations: &[i8],
        truth: &[i64],
        out: &[i64],
    ) {
        let known = KnownDivergence::of(reference, self.case.format);
        let (rows, cols) = (self.case.rows, self.case.cols);
        for i in (0..out.len()).filter(|&i| out[i] != truth[i]) {
            let codes = &self.case.codes[i % rows * cols..][..cols];
            let activations = &activations[i / rows * cols..][..cols];
            if known
                .iter()
                .any(|known| known.dot(codes, activations) == out[i])
            {
                self.trial.known += 1;
                continue;
            }
            let truth = truth[i];
            let implementation = reference.implementation.id();
            let (reference_model, attribution) = (ReferenceModel.id(), Attribution::ReferenceWrong);
            self.differ(
                implementation,
                reference_model,
                i,
                truth,
                out[i],
                Some(truth as f64),
                attribution,
            );
            return;
        }
    }

    fn products(&mut self, activations: &[f32]) {
        let n = self.case.rows * self.case.batch;
        let mut expected = Vec::new();
        for (reference, weights) in self.references.clone() {
            let mut out = vec![0.0; n];
            // One thread, because idle threads of an oracle spin. Only the candidates' threads are tested.
            match reference
                .implementation
                .products(&weights, activations, 1, &mut out)
            {
                Err(error) if error.is_omission() => {}
                Err(error) => self.failed(reference.implementation.id(), &error),
                Ok(()) => expected.push((reference, out)),
            }
        }
        let shifted = Shifted::new(activations, self.case.shift[1]);
        let judged = self.is_judged(activations);
        for candidate in self.candidates.clone() {
            let mut out = vec![0.0; n];
            let threads = self.case.threads;
            let run = || {
                candidate.implementation.products(
                    &self.weights,
                    shifted.as_slice(),
                    threads,
                    &mut out,
                )
            };
            if let Err(error) = guarded(candidate, run) {
                self.failed(candidate.implementation.id(), &error);
                continue;
            }
            self.count(expected.len() as u64 + u64::from(judged));
            let first = expected.first().map(|(_, first)| first.as_slice());
            for (reference, expected) in expected.iter().filter(|(r, _)| r.compared) {
                let participants = (candidate, *reference);
                self.candidate_products(
                    participants,
                    first.unwrap_or(expected),
                    activations,
                    expected,
                    &out,
                );
            }
            if judged {
                self.judged_products(candidate, activations, &out);
            }
        }
    }

    /// Products must have the bits of the oracle or of the first oracle. In the latter case the difference is one
    /// between the oracles.
    fn candidate_products(
        &mut self,
        (candidate, reference): (&Candidate, &Reference),
        first: &[f32],
        activations: &[f32],
        expected: &[f32],
        actual: &[f32],
    ) {
        let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let (rows, cols) = (self.case.rows, self.case.cols);
        let agrees = |&i: &usize| same(expected[i], actual[i]) || same(first[i], actual[i]);
        for i in (0..actual.len()).filter(|i| !agrees(i)) {
            let row = &activations[i / rows * cols..][..cols];
            let weight_row = i % rows;
            if self.is_known_product(reference, weight_row, row, expected[i]) {
                self.trial.known += 1;
                continue;
            }
            let judged = ReferenceModel.judge_product(
                &self.weights,
                weight_row,
                row,
                expected[i],
                actual[i],
            );
            let truth = Some(judged.truth).filter(|truth| truth.is_finite());
            let (candidate, reference) =
                (candidate.implementation.id(), reference.implementation.id());
            let attribution = judged.attribution;
            self.differ(
                candidate,
                reference,
                i,
                expected[i],
                actual[i],
                truth,
                attribution,
            );
            return;
        }
    }

    /// Whether a product follows from a dot that a known divergence of the oracle predicts.
    fn is_known_product(&self, reference: &Reference, row: usize, x: &[f32], product: f32) -> bool {
        let known = KnownDivergence::of(reference, self.case.format);
        if known.is_empty() || self.case.format.activation != ActivationKind::I8S {
            return false;
        }
        let Ok(quantized) = Activations::quantize(ActivationKind::I8S, x.len(), x) else {
            return false;
        };
        let codes = &self.case.codes[row * x.len()..][..x.len()];
        let (sum, scale) = (quantized.sums()[0], quantized.scales()[0]);
        known.iter().any(|known| {
            let dot = known.dot(codes, quantized.codes());
            let predicted = (dot as f32 - sum as f32) / scale * self.weights.scale(0);
            predicted.to_bits() == product.to_bits()
        })
    }

    fn judged_products(&mut self, candidate: &Candidate, activations: &[f32], actual: &[f32]) {
        let (rows, cols) = (self.case.rows, self.case.cols);
        for (i, &actual) in actual.iter().enumerate() {
            let x = &activations[i / rows * cols..][..cols];
            let (truth, tolerance) = ReferenceModel.product(&self.weights, i % rows, x);
            if (f64::from(actual) - truth).abs() <= tolerance {
                continue;
            }
            let (implementation, attribution) =
                (candidate.implementation.id(), Attribution::CandidateWrong);
            self.differ(
                implementation,
                ReferenceModel.id(),
                i,
                truth as f32,
                actual,
                Some(truth),
                attribution,
            );
            return;
        }
    }

    /// Whether the reference model's rounding bound holds for every number of the case.
    fn is_judged(&self, activations: &[f32]) -> bool {
        let plain = |value: &f32| *value == 0.0 || JUDGED.contains(&value.abs());
        let scales = 0..self.weights.storage().scale_count();
        activations.iter().all(plain) && scales.map(|i| self.weights.scale(i)).all(|s| plain(&s))
    }

    fn count(&mut self, references: u64) {
        let blocks = self.case.cols.div_ceil(QK256) * self.case.rows * self.case.batch;
        self.trial.comparisons += references * blocks as u64;
    }

    /// Records a failure of an implementation on a supported case.
    fn failed(&mut self, implementation: &str, error: &ImplementationError) {
        let (expected, actual) = ("an answer".to_owned(), error.to_string());
        self.differ(
            implementation,
            ReferenceModel.id(),
            0,
            expected,
            actual,
            None,
            Attribution::CandidateWrong,
        );
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "two implementations, where, what, and who is wrong"
    )]
    fn differ(
        &mut self,
        candidate: &str,
        reference: &str,
        index: usize,
        expected: impl Into<Observed>,
        actual: impl Into<Observed>,
        truth: Option<f64>,
        attribution: Attribution,
    ) {
        let case = self.case;
        self.trial.differences.push(Difference {
            candidate: candidate.into(),
            reference: reference.into(),
            finding: Finding {
                truth,
                attribution,
                ..Finding::new(
                    format!(
                        "{} of {} as {}, {} x {}, batch {}, threads {}",
                        case.input.operation(),
                        case.format.id,
                        case.variant,
                        case.rows,
                        case.cols,
                        case.batch,
                        case.threads
                    ),
                    format!(
                        "row {}, activation row {}",
                        index % case.rows,
                        index / case.rows
                    ),
                    expected.into(),
                    actual.into(),
                    &Rerun::of_level(Level::Tensor),
                )
            },
        });
    }
}

/// Runs a candidate. A panic counts as a failure.
fn guarded(
    candidate: &Candidate,
    run: impl FnOnce() -> Result<(), ImplementationError>,
) -> Result<(), ImplementationError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(ImplementationError::failed(
            candidate.implementation.id(),
            "a case",
            "it panicked",
        ))
    })
}
