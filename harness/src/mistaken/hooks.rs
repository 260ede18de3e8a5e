//! The steps of a product that a mistake can change, and how each is done right.

use qk256::activation::{ActivationError, ActivationKind, Activations};
use qk256::format::{Format, Storage, Weights};

/// The shape of one call.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// Weight rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Activation rows.
    pub batch: usize,
    /// Threads that share the work.
    pub threads: usize,
}

/// A batch of quantized activations: per row one scale and one sum, or per block one scale and 16 sums.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedBatch {
    /// `batch x cols` codes.
    pub codes: Vec<i8>,
    /// Scales, as [`Activations::scales`].
    pub scales: Vec<f32>,
    /// Sums, as [`Activations::sums`].
    pub sums: Vec<i32>,
}

/// What the evaluator does at each step.
#[derive(Debug, Clone, Copy)]
pub struct Hooks {
    /// The code of the weight in a row and a column, which may lie past the end of the row.
    pub code: fn(&Weights<'_>, usize, usize) -> u8,
    /// The number that a dot multiplies for a code.
    pub raw: fn(&Format, u8) -> i64,
    /// How many columns are multiplied.
    pub columns: fn(&Storage) -> usize,
    /// Raw number times activation.
    pub term: fn(i64, i8) -> i64,
    /// What an integer lane holds of a sum.
    pub lane: fn(i64) -> i64,
    /// Scale of this index.
    pub scale: fn(&Weights<'_>, usize) -> f32,
    /// Activations, `batch x cols`, as integers.
    pub quantize: fn(ActivationKind, usize, &[f32]) -> Result<QuantizedBatch, ActivationError>,
    /// How many times the sum of the activations is subtracted.
    pub subtractions: i64,
    /// Where the result of an activation row and a weight row goes; nowhere leaves a zero.
    pub place: fn(&Product, usize, usize) -> Option<usize>,
}

impl Hooks {
    /// Every step as the formats define it.
    pub const RIGHT: Hooks = Hooks {
        code,
        raw: |format, code| i64::from(format.codebook.raw(code)),
        columns: Storage::cols,
        term: |raw, activation| raw * i64::from(activation),
        lane: |sum| sum,
        scale: |weights, index| weights.scale(index),
        quantize,
        subtractions: 1,
        place: |product, batch, row| Some(batch * product.rows + row),
    };
}

/// Past the end of a row follows what lies behind it in memory; past the end of the tensor, its beginning.
fn code(weights: &Weights<'_>, row: usize, col: usize) -> u8 {
    let storage = weights.storage();
    let panel_rows = storage.layout().panel_rows();
    let unit = col / storage.unit_weights() * storage.unit_bytes();
    let slot = storage
        .layout()
        .slot(row % panel_rows, col % storage.unit_weights());
    let byte = row / panel_rows * storage.panel_stride() + unit + slot.byte;
    slot.digit.read(weights.bytes()[byte % storage.bytes()])
}

fn quantize(
    kind: ActivationKind,
    cols: usize,
    values: &[f32],
) -> Result<QuantizedBatch, ActivationError> {
    let quantized = Activations::quantize(kind, cols, values)?;
    Ok(QuantizedBatch {
        codes: quantized.codes().to_vec(),
        scales: quantized.scales().to_vec(),
        sums: quantized.sums().to_vec(),
    })
}
