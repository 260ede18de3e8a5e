//! What no product may be made of: activations that are not finite. The references turn them into finite numbers
//! without a word, so that nothing is compared with them here: a candidate has to refuse.

use qk256::format::{Format, QK256, ShapeError, Storage, Weights, pack};

use crate::case::{Case, Input};
use crate::finding::{Finding, Observed};
use crate::implementation::{Implementation, SideError};
use crate::outcome::{Omission, Tally};
use crate::task::Task;
use crate::verdict::Blame;

/// Each value, and the column that holds it: the first, one in the middle, the last.
const NOT_FINITE: [(f32, usize); 3] = [
    (f32::NAN, 0),
    (f32::INFINITY, QK256 / 2),
    (f32::NEG_INFINITY, QK256 - 1),
];

/// Asks a candidate for products that it has to refuse, and notes in every tally whether it does. What cannot run here
/// refuses nothing.
pub(super) fn climb(
    side: &dyn Implementation,
    format: &Format,
    tallies: &mut [Tally],
    task: &Task<'_>,
) {
    for (value, col) in NOT_FINITE {
        let (product, case) = match product(side, format, value, col) {
            Ok(answered) => answered,
            Err(error) => {
                tallies.iter_mut().for_each(|t| t.omit(error.clone()));
                return;
            }
        };
        // A refusal counts as NaN: whatever number is given in its place has a mismatch that no average swallows.
        let actual = *product.as_ref().unwrap_or(&f32::NAN);
        for tally in tallies.iter_mut() {
            tally.meter.add(&[f32::NAN], &[actual]);
            if let (Ok(product), true) = (&product, tally.wants_finding()) {
                tally.find(Finding {
                    subject: format!("activations with {value} in column {col} of {QK256}"),
                    place: "row 0, activation row 0".into(),
                    expected: Observed::from("refused".to_owned()),
                    actual: Observed::from(*product),
                    truth: None,
                    blame: Blame::CandidateWrong,
                    node: None,
                    cause: None,
                    input: None,
                    case: case.clone(),
                    reproduce: task.command("--rung tensor"),
                });
            }
        }
    }
}

/// The first product of a matrix of codes 2 with ones, one of which is `value`, and the case of it; inside, an error is a
/// refusal.
fn product(
    side: &dyn Implementation,
    format: &Format,
    value: f32,
    col: usize,
) -> Result<(Result<f32, SideError>, Option<Case>), Omission> {
    let unsupported = |error: ShapeError| Omission::unsupported(error.to_string());
    let storage =
        Storage::native(*format, format.layout.panel_rows(), QK256).map_err(unsupported)?;
    side.defined_on(&storage)
        .map_err(|error| Omission::from(&error))?;
    let codes = vec![2; storage.rows() * QK256];
    let bytes = pack(&storage, &codes, &vec![1.0; storage.scale_count()]).map_err(unsupported)?;
    let weights = Weights::new(storage, &bytes).map_err(unsupported)?;
    let mut activations = vec![1.0; QK256];
    activations[col] = value;
    let mut out = vec![0.0; storage.rows()];
    let result = side.products(&weights, &activations, 1, &mut out);
    let case = Case::of_rows(&weights, 0..storage.rows(), Input::Values(activations));
    Ok((result.map(|()| out[0]), case))
}
