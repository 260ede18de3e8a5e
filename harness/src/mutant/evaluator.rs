//! A slow implementation in which every step is a hook.

use qk256::activation::ActivationKind;
use qk256::format::{Format, QK256, Storage, Weights, quantize};
use qk256::kernel::SumOrder;

use super::hooks::{Hooks, Product, QuantizedBatch};
use crate::implementation::{Implementation, ImplementationError};

/// Number of integer lanes of a row, as in the oracle's 256-bit kernel: 16 of int16, with a pair of bytes for each.
const DOT_LANES: usize = 16;

/// Number of lanes of a block in the oracle's kernels for formats with block scales.
const BLOCK_LANES: usize = 8;

/// Multiplies matrices of one format with the steps of its hooks.
pub struct Evaluator {
    id: String,
    format: &'static Format,
    hooks: Hooks,
}

impl Evaluator {
    /// Creates an evaluator for a ternary format. `name` becomes part of its id.
    pub fn new(name: &str, format: &'static Format, hooks: Hooks) -> Evaluator {
        let id = format!("{}.mutant.{name}", format.id);
        Evaluator { id, format, hooks }
    }

    fn failed(&self, operation: &'static str, error: impl ToString) -> ImplementationError {
        ImplementationError::failed(self.id.clone(), operation, error)
    }

    /// The raw numbers of the columns of a row that the hooks multiply.
    fn raw_row(&self, weights: &Weights<'_>, row: usize) -> Vec<i64> {
        let raw = |col| (self.hooks.raw)(self.format, (self.hooks.code)(weights, row, col));
        (0..(self.hooks.columns)(weights.storage()))
            .map(raw)
            .collect()
    }

    /// Fills `out` with `result(row, raw numbers of the row, activation row)` in the places that the hooks select.
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

    /// The dot of raw numbers with the activations from `start` on, which are zero past their end.
    fn dot(&self, raw: &[i64], activations: &[i8], start: usize) -> i64 {
        let mut lanes = [0; DOT_LANES];
        let activations = activations[start..].iter();
        for (col, (&raw, &a)) in raw.iter().zip(activations).enumerate() {
            let lane = &mut lanes[col % (2 * DOT_LANES) / 2];
            *lane = (self.hooks.lane)(*lane + (self.hooks.term)(raw, a));
        }
        lanes.iter().sum()
    }

    /// The product of a row with one scale: the difference of two integers, divided and multiplied.
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

    /// The product of a row with block scales.
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
            // A block past the end of the row reads the activations of the next row, if there is one.
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

    fn defined_on(&self, storage: &Storage) -> Result<(), ImplementationError> {
        if storage.format() == self.format {
            return Ok(());
        }
        Err(ImplementationError::Undefined {
            implementation: self.id.clone(),
            reason: format!("multiplies no {}", storage.format().id),
        })
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), ImplementationError> {
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
    ) -> Result<(), ImplementationError> {
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
            ActivationKind::Q8_0 | ActivationKind::Q8_1 => {
                unreachable!("activations of block formats")
            }
        });
        Ok(())
    }

    fn quantize(&self, storage: &Storage, values: &[f32]) -> Result<Vec<u8>, ImplementationError> {
        quantize(storage, values).map_err(|error| self.failed("quantize", error))
    }
}
