//! One slow implementation, each step of which is a hook.

use qk256::activation::ActivationKind;
use qk256::format::{Format, QK256, Storage, Weights, quantize};
use qk256::kernel::SumOrder;

use super::hooks::{Hooks, Product, QuantizedBatch};
use crate::implementation::{Implementation, SideError};

/// Integer lanes of a row, as in the reference's 256-bit kernel: 16 of int16, a pair of bytes to each.
const DOT_LANES: usize = 16;

/// Lanes of a block in the reference's kernels of formats with block scales.
const BLOCK_LANES: usize = 8;

/// Multiplies one format as its hooks say.
pub struct Evaluator {
    id: String,
    format: &'static Format,
    hooks: Hooks,
}

impl Evaluator {
    /// An evaluator for a ternary format. `name` becomes part of its id.
    pub fn new(name: &str, format: &'static Format, hooks: Hooks) -> Evaluator {
        let id = format!("{}.mistaken.{name}", format.id);
        Evaluator { id, format, hooks }
    }

    fn failed(&self, operation: &'static str, error: impl ToString) -> SideError {
        SideError::Failed {
            side: self.id.clone(),
            operation,
            reason: error.to_string(),
        }
    }

    /// The raw numbers of a row, as many as the hooks want multiplied.
    fn raw_row(&self, weights: &Weights<'_>, row: usize) -> Vec<i64> {
        let raw = |col| (self.hooks.raw)(self.format, (self.hooks.code)(weights, row, col));
        (0..(self.hooks.columns)(weights.storage()))
            .map(raw)
            .collect()
    }

    /// Fills `out` with `result(row, raw numbers of the row, activation row)`, wherever the hooks put it.
    fn each<R: Copy + Default>(
        &self,
        weights: &Weights<'_>,
        product: &Product,
        out: &mut [R],
        result: impl Fn(usize, &[i64], usize) -> R,
    ) {
        out.fill(R::default());
        for row in 0..product.rows {
            let raw = self.raw_row(weights, row);
            for batch in 0..product.batch {
                let place = (self.hooks.place)(product, batch, row);
                if let Some(out) = place.and_then(|place| out.get_mut(place)) {
                    *out = result(row, &raw, batch);
                }
            }
        }
    }

    /// The dot of raw numbers with the activations from `start` on; past their end they are zero.
    fn dot(&self, raw: &[i64], activations: &[i8], start: usize) -> i64 {
        let mut lanes = [0; DOT_LANES];
        let activations = activations[start..].iter();
        for (col, (&raw, &a)) in raw.iter().zip(activations).enumerate() {
            let lane = &mut lanes[col % (2 * DOT_LANES) / 2];
            *lane = (self.hooks.lane)(*lane + (self.hooks.term)(raw, a));
        }
        lanes.iter().sum()
    }

    /// A row with one scale: the difference of two integers, divided and multiplied.
    fn tensor_scaled(
        &self,
        weights: &Weights<'_>,
        raw: &[i64],
        activations: &QuantizedBatch,
        batch: usize,
    ) -> f32 {
        let dot = self.dot(raw, &activations.codes, batch * weights.cols());
        let sum = self.subtracted() * i64::from(activations.sums[batch]);
        (dot as f32 - sum as f32) / activations.scales[batch] * (self.hooks.scale)(weights, 0)
    }

    /// A row whose blocks have scales of their own.
    fn block_scaled(
        &self,
        weights: &Weights<'_>,
        row: usize,
        raw: &[i64],
        activations: &QuantizedBatch,
        batch: usize,
    ) -> f32 {
        let blocks = weights.cols() / QK256;
        let mut total = [0f32; BLOCK_LANES];
        for (block, raw) in raw.chunks(QK256).enumerate() {
            // A block past the end of the row reads the next row's activations, while there is one.
            let block = batch * blocks + block;
            let Some(codes) = activations.codes.get(block * QK256..) else {
                break;
            };
            let mut lanes = [0; BLOCK_LANES];
            for (weight, (&raw, &a)) in raw.iter().zip(codes).enumerate() {
                let lane = &mut lanes[weight % 32 / 4];
                *lane = (self.hooks.lane)(*lane + (self.hooks.term)(raw, a));
            }
            let sums = activations.sums[block * QK256 / 16..].chunks(2);
            for (lane, sums) in lanes.iter_mut().zip(sums) {
                *lane -= self.subtracted() * i64::from(sums.iter().sum::<i32>());
            }
            let index = row * blocks + block % blocks;
            let scale = activations.scales[block] * (self.hooks.scale)(weights, index);
            match SumOrder::REFERENCE {
                SumOrder::Lanes8 => {
                    for (total, lane) in total.iter_mut().zip(lanes) {
                        *total += lane as f32 * scale;
                    }
                }
                SumOrder::Chain => total[0] += lanes.iter().sum::<i64>() as f32 * scale,
            }
        }
        let [a, b, c, d, e, f, g, h] = total;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }

    fn subtracted(&self) -> i64 {
        self.hooks.subtractions * i64::from(self.format.codebook.offset())
    }
}

impl Implementation for Evaluator {
    fn id(&self) -> &str {
        &self.id
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), SideError> {
        if storage.format() == self.format {
            return Ok(());
        }
        Err(SideError::Undefined {
            side: self.id.clone(),
            reason: format!("multiplies no {}", storage.format().id),
        })
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), SideError> {
        let (rows, cols) = (weights.rows(), weights.cols());
        let product = Product {
            rows,
            cols,
            batch: activations.len() / cols,
            threads: 1,
        };
        self.each(weights, &product, out, |_, raw, batch| {
            self.dot(raw, activations, batch * cols)
        });
        Ok(())
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), SideError> {
        let (rows, cols) = (weights.rows(), weights.cols());
        let kind = self.format.activation;
        let quantized = (self.hooks.quantize)(kind, cols, activations)
            .map_err(|error| self.failed("products", error))?;
        let product = Product {
            rows,
            cols,
            batch: activations.len() / cols,
            threads,
        };
        self.each(weights, &product, out, |row, raw, batch| match kind {
            ActivationKind::I8S => self.tensor_scaled(weights, raw, &quantized, batch),
            ActivationKind::Q8K => self.block_scaled(weights, row, raw, &quantized, batch),
        });
        Ok(())
    }

    fn quantize(&self, storage: &Storage, values: &[f32]) -> Result<Vec<u8>, SideError> {
        quantize(storage, values).map_err(|error| self.failed("quantize", error))
    }
}
