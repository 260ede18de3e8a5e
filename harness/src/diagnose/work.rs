//! A case with the results of an implementation and the right results.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use qk256::activation::{ActivationKind, Activations};
use qk256::format::{Storage, Weights};

use crate::case::{Case, Input};
use crate::implementation::{Implementation, ImplementationError};
use crate::participant::ReferenceModel;

/// A packed case, shared by all implementations.
pub(super) struct Question {
    pub(super) case: Case,
    storage: Storage,
    bytes: Vec<u8>,
    /// None if activations are not finite.
    integers: Option<Integers>,
    /// Results of the reference model with the tolerance for rounded results, batch-major, NaN if the case must be
    /// refused. Computed on first use, because some probes only need the implementation's results.
    truth: OnceLock<Vec<(f64, f64)>>,
}

/// A case with the results of an implementation.
pub(super) struct Work {
    question: Arc<Question>,
    /// Results of the implementation, batch-major. NaN if it refused activations that are not finite.
    actual: Vec<f64>,
}

impl Deref for Work {
    type Target = Question;

    fn deref(&self) -> &Question {
        &self.question
    }
}

/// The quantized activations.
struct Integers {
    codes: Vec<i8>,
    /// The factor of the integers in each run of columns.
    factors: Vec<f64>,
    /// Number of columns that share a factor.
    run: usize,
}

impl Question {
    /// Packs a case. None if it cannot be packed.
    pub(super) fn new(case: Case) -> Option<Question> {
        let (storage, bytes) = case.pack().ok()?;
        Weights::new(storage, &bytes).ok()?;
        Some(Question {
            integers: Integers::of(&case),
            case,
            storage,
            bytes,
            truth: OnceLock::new(),
        })
    }

    pub(super) fn weights(&self) -> Weights<'_> {
        Weights::new(self.storage, &self.bytes).expect("the case was packed for this storage")
    }

    pub(super) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Number of results.
    pub(super) fn len(&self) -> usize {
        self.case.rows * self.case.batch
    }

    fn truths(&self) -> &[(f64, f64)] {
        self.truth.get_or_init(|| {
            let weights = self.weights();
            (0..self.len())
                .map(|i| truth(&weights, &self.case, i, self.is_finite()))
                .collect()
        })
    }

    /// The index of a result.
    pub(super) fn index(&self, batch: usize, row: usize) -> usize {
        batch * self.case.rows + row
    }

    pub(super) fn truth(&self, batch: usize, row: usize) -> f64 {
        self.truths()[self.index(batch, row)].0
    }

    pub(super) fn tolerance(&self, batch: usize, row: usize) -> f64 {
        self.truths()[self.index(batch, row)].1
    }

    /// All positions of results, as `(batch, row)`.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let rows = self.case.rows;
        (0..self.case.batch).flat_map(move |batch| (0..rows).map(move |row| (batch, row)))
    }

    /// Whether the case is one of integer dots, not of products.
    pub(super) fn is_dots(&self) -> bool {
        matches!(self.case.input, Input::Codes(_))
    }

    /// Whether the case can be computed: its activations are finite.
    pub(super) fn is_finite(&self) -> bool {
        self.integers.is_some()
    }

    /// The code of an activation; 0 if there is none.
    pub(super) fn activation(&self, batch: usize, col: usize) -> i8 {
        let at = batch * self.case.cols + col;
        let codes = self.integers.as_ref().map(|integers| &integers.codes);
        codes.and_then(|codes| codes.get(at)).copied().unwrap_or(0)
    }

    /// The factor of the integers of a column, without the scale of the weights; 1 for dots.
    pub(super) fn factor(&self, batch: usize, col: usize) -> f64 {
        self.integers.as_ref().map_or(1.0, |integers| {
            let runs = self.case.cols.div_ceil(integers.run);
            integers.factors[batch * runs + col / integers.run]
        })
    }
}

impl Work {
    /// Runs a case on an implementation. None if it does not support the case or fails.
    pub(super) fn of(implementation: &dyn Implementation, question: Arc<Question>) -> Option<Work> {
        implementation.defined_on(&question.storage).ok()?;
        let actual = match ask(implementation, &question.weights(), &question.case) {
            Ok(actual) => actual,
            Err(_) if !question.is_finite() => vec![f64::NAN; question.len()],
            Err(_) => return None,
        };
        Some(Work { question, actual })
    }

    pub(super) fn actual(&self, batch: usize, row: usize) -> f64 {
        self.actual[self.index(batch, row)]
    }

    /// Whether a result differs from the reference model's by more than rounding.
    pub(super) fn is_wrong(&self, batch: usize, row: usize) -> bool {
        let (truth, actual) = (self.truth(batch, row), self.actual(batch, row));
        let off = (actual - truth).abs();
        match (truth.is_nan(), actual.is_nan()) {
            (true, true) => false,
            (false, false) => actual != truth && off > self.tolerance(batch, row),
            _ => true,
        }
    }
}

impl Integers {
    fn of(case: &Case) -> Option<Integers> {
        let values = match &case.input {
            Input::Codes(codes) => {
                return Some(Integers {
                    codes: codes.clone(),
                    factors: vec![1.0; case.batch],
                    run: case.cols,
                });
            }
            Input::Values(values) => values,
        };
        let kind = case.format.activation;
        let quantized = Activations::quantize(kind, case.cols, values).ok()?;
        let scales = quantized.scales().iter().map(|&scale| f64::from(scale));
        let factors = match kind {
            ActivationKind::I8S => scales.map(f64::recip).collect(),
            _ => scales.collect(),
        };
        let run = kind.run(case.cols);
        Some(Integers {
            codes: quantized.codes().to_vec(),
            factors,
            run,
        })
    }
}

/// Runs an implementation. A panic counts as a failure.
fn ask(
    implementation: &dyn Implementation,
    weights: &Weights<'_>,
    case: &Case,
) -> Result<Vec<f64>, ImplementationError> {
    let n = case.rows * case.batch;
    let run = || match &case.input {
        Input::Codes(codes) => {
            let mut out = vec![0; n];
            implementation.dots(weights, codes, &mut out)?;
            Ok(out.into_iter().map(|dot| dot as f64).collect())
        }
        Input::Values(values) => {
            let mut out = vec![0.0; n];
            implementation.products(weights, values, case.threads, &mut out)?;
            Ok(out.into_iter().map(f64::from).collect())
        }
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(ImplementationError::failed(
            implementation.id(),
            "a case",
            "it panicked",
        ))
    })
}

/// A result of the reference model and the tolerance for a rounded one.
fn truth(weights: &Weights<'_>, case: &Case, index: usize, finite: bool) -> (f64, f64) {
    let (batch, row) = (index / case.rows, index % case.rows);
    let columns = batch * case.cols..(batch + 1) * case.cols;
    match &case.input {
        _ if !finite => (f64::NAN, 0.0),
        Input::Codes(codes) => (
            ReferenceModel.dot(weights, row, &codes[columns]) as f64,
            0.0,
        ),
        Input::Values(values) => ReferenceModel.product(weights, row, &values[columns]),
    }
}
