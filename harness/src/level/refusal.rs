//! Checks that candidates refuse activations that are not finite. Oracles convert them to finite numbers without an
//! error, so there is no comparison with oracles.

use qk256::format::{Format, QK256, ShapeError, Storage, Weights, pack};

use crate::case::{Case, Input};
use crate::finding::{Finding, Observed};
use crate::implementation::{Implementation, ImplementationError};
use crate::levels::Level;
use crate::outcome::{Omission, PairAccumulator};
use crate::task::Task;
use crate::verdict::Attribution;

/// Each value with the column that holds it: the first, a middle one, the last.
const NOT_FINITE: [(f32, usize); 3] = [
    (f32::NAN, 0),
    (f32::INFINITY, QK256 / 2),
    (f32::NEG_INFINITY, QK256 - 1),
];

/// Requests products that a candidate must refuse, and records the results in every accumulator. Candidates that cannot
/// run here are left out.
pub(super) fn check(
    implementation: &dyn Implementation,
    format: &Format,
    accumulators: &mut [&mut PairAccumulator],
    task: &Task<'_>,
) {
    for (value, col) in NOT_FINITE {
        let (product, case) = match product(implementation, format, value, col) {
            Ok(answered) => answered,
            Err(error) => {
                accumulators.iter_mut().for_each(|t| t.omit(error.clone()));
                return;
            }
        };
        // A refusal counts as NaN, so any number in its place is a mismatch.
        let actual = *product.as_ref().unwrap_or(&f32::NAN);
        for accumulator in accumulators.iter_mut() {
            accumulator.counter.add(&[f32::NAN], &[actual]);
            if let (Ok(product), true) = (&product, accumulator.wants_finding()) {
                accumulator.find(Finding {
                    attribution: Attribution::CandidateWrong,
                    case: case.clone(),
                    ..Finding::new(
                        format!("activations with {value} in column {col} of {QK256}"),
                        "row 0, activation row 0",
                        Observed::from("refused".to_owned()),
                        Observed::from(*product),
                        &task.rerun(Level::Tensor),
                    )
                });
            }
        }
    }
}

/// The first product of a matrix of codes 2 with ones, one of which is `value`, and its case. The inner error is a
/// refusal.
fn product(
    implementation: &dyn Implementation,
    format: &Format,
    value: f32,
    col: usize,
) -> Result<(Result<f32, ImplementationError>, Option<Case>), Omission> {
    let unsupported = |error: ShapeError| Omission::unsupported(error.to_string());
    let storage =
        Storage::native(*format, format.layout.panel_rows(), QK256).map_err(unsupported)?;
    implementation
        .defined_on(&storage)
        .map_err(|error| Omission::from(&error))?;
    let codes = vec![2; storage.rows() * QK256];
    let bytes = pack(&storage, &codes, &vec![1.0; storage.scale_count()]).map_err(unsupported)?;
    let weights = Weights::new(storage, &bytes).map_err(unsupported)?;
    let mut activations = vec![1.0; QK256];
    activations[col] = value;
    let mut out = vec![0.0; storage.rows()];
    let result = implementation.products(&weights, &activations, 1, &mut out);
    let case = Case::of_rows(&weights, 0..storage.rows(), Input::Values(activations));
    Ok((result.map(|()| out[0]), case))
}
