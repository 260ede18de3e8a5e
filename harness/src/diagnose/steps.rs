//! The steps of a product, which faults can change. Computed in integers and f64.

use qk256::format::{Format, ScaleRule, Weights};

use super::number::Number;
use super::work::Work;
use crate::tolerance::PREDICTION;

/// The code of the weight in a row and a column. None if none is read there.
pub(super) type CodeStep = Box<dyn Fn(&Weights<'_>, usize, usize) -> Option<u8> + Send + Sync>;

/// The scale with an index.
pub(super) type ScaleStep = Box<dyn Fn(&Weights<'_>, usize) -> f64 + Send + Sync>;

/// The steps of a product under a hypothesis.
pub(super) struct Steps {
    /// Reads the code of a weight.
    pub(super) code: CodeStep,
    /// The number multiplied for a code.
    pub(super) raw: Box<dyn Fn(u8) -> i64 + Send + Sync>,
    /// The number multiplied for an activation code.
    pub(super) activation: Box<dyn Fn(i8) -> i64 + Send + Sync>,
    /// Number of multiplied columns in a row.
    pub(super) columns: Box<dyn Fn(usize) -> usize + Send + Sync>,
    /// Whether the activation sum includes columns that are not multiplied.
    pub(super) sums_whole_rows: bool,
    /// How many times the activation sum is subtracted.
    pub(super) subtracted: i64,
    /// The factor of the result, in addition to the scale of the activations.
    pub(super) scale: ScaleStep,
}

impl Steps {
    /// The steps that the format defines.
    pub(super) fn right(format: &'static Format) -> Steps {
        Steps {
            code: Box::new(|weights, row, col| Some(weights.code(row, col))),
            raw: Box::new(|code| i64::from(format.codebook.raw(code))),
            activation: Box::new(i64::from),
            columns: Box::new(|cols| cols),
            sums_whole_rows: true,
            subtracted: 1,
            scale: Box::new(|weights, index| f64::from(weights.scale(index))),
        }
    }

    /// The result of an activation row and a weight row.
    pub(super) fn result(&self, work: &Work, batch: usize, row: usize) -> Number {
        let weights = work.weights();
        let (storage, cols) = (work.storage(), work.case.cols);
        let columns = (self.columns)(cols);
        let offset = self.subtracted * i64::from(work.case.format.codebook.offset());
        // Columns that share a scale are summed together, so that cancelling terms leave nothing.
        let run = match work.case.format.scale {
            ScaleRule::Tensor => cols,
            ScaleRule::Block { weights } => weights,
        };
        let (mut value, mut magnitude) = (0.0, 0.0);
        for start in (0..cols).step_by(run) {
            let (mut dot, mut sum, mut terms) = (0i64, 0i64, 0u64);
            for col in start..(start + run).min(cols) {
                let activation = (self.activation)(work.activation(batch, col));
                let multiplied = col < columns;
                if multiplied && let Some(code) = (self.code)(&weights, row, col) {
                    let term = (self.raw)(code) * activation;
                    dot += term;
                    terms += term.unsigned_abs();
                }
                if multiplied || self.sums_whole_rows {
                    sum += activation;
                }
            }
            if work.is_dots() {
                value += dot as f64;
                continue;
            }
            let integer = (dot - offset * sum) as f64;
            let scale = (self.scale)(&weights, storage.scale_index(row, start));
            let factor = scale * work.factor(batch, start);
            value += integer * factor;
            magnitude += (terms + (offset * sum).unsigned_abs()) as f64 * factor.abs();
        }
        Number {
            value,
            tolerance: magnitude * PREDICTION,
        }
    }
}
