//! The steps of a product that a mutant can change, and their right versions.

use qk256::activation::{ActivationError, ActivationKind, Activations};
use qk256::format::{Format, Storage, Weights};

/// The shape of a call.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// Weight rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Activation rows.
    pub batch: usize,
    /// Number of threads.
    pub threads: usize,
}

/// A batch of quantized activations, with one scale and one sum for each row, or one scale and 16 sums for each block.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedBatch {
    /// Codes, `batch x cols`, row-major.
    pub codes: Vec<i8>,
    /// Scales, in the order of [`Activations::scales`].
    pub scales: Vec<f32>,
    /// Sums, in the order of [`Activations::sums`].
    pub sums: Vec<i32>,
}

/// The steps of the evaluator.
#[derive(Debug, Clone, Copy)]
pub struct Hooks {
    /// The code of the weight in a row and a column. The column may be past the end of the row.
    pub code: fn(&Weights<'_>, usize, usize) -> u8,
    /// The number multiplied for a code.
    pub raw: fn(&Format, u8) -> i64,
    /// Number of multiplied columns.
    pub columns: fn(&Storage) -> usize,
    /// The product of a raw number and an activation.
    pub term: fn(i64, i8) -> i64,
    /// The value that an integer lane holds for a sum.
    pub lane: fn(i64) -> i64,
    /// The scale with an index.
    pub scale: fn(&Weights<'_>, usize) -> f32,
    /// Quantizes activations, `batch x cols`, row-major.
    pub quantize: fn(ActivationKind, usize, &[f32]) -> Result<QuantizedBatch, ActivationError>,
    /// How many times the sum of the activations is subtracted.
    pub subtractions: i64,
    /// Index of the result of an activation row and a weight row. None leaves a zero.
    pub place: fn(&Product, usize, usize) -> Option<usize>,
}

impl Hooks {
    /// The steps that the formats define.
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

/// Reads the code of a weight. Past the end of a row this continues with the following bytes, and past the end of the
/// tensor at its beginning.
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
