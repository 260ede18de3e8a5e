//! The arbiter: what the bytes say, slowly, in integers and f64.
//!
//! It knows neither side. What `qk256` and the oracles define, it defines once more in its own words, from the
//! formats' description: where codes sit, what they mean, how activations are rounded. This is the one place where
//! a fact stands twice on purpose, since a judge who shares a definition with a party shares its mistakes.

use half::f16;
use qk256::activation::ActivationKind;
use qk256::format::{Codebook, Flavour, Layout, ScaleRule, Storage, Weights};

use crate::implementation::{Implementation, SideError};
use crate::tolerance::{BLOCK_SCALE_ROUNDINGS, F32_ROUNDING, TENSOR_SCALE_ROUNDINGS};
use crate::verdict::Blame;

/// Judges integers and products.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arbiter;

/// What the arbiter thinks of one f32 on which two sides differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The product in f64.
    pub truth: f64,
    /// How far a correctly computed f32 may be off it.
    pub tolerance: f64,
    /// Who is wrong.
    pub blame: Blame,
}

impl Arbiter {
    /// The integer dot of weight row `row` with one row of activations.
    pub fn dot(&self, weights: &Weights<'_>, row: usize, activations: &[i8]) -> i64 {
        let raw = |col| i64::from(raw(weights, row, col));
        activations
            .iter()
            .enumerate()
            .map(|(col, &a)| raw(col) * i64::from(a))
            .sum()
    }

    /// Who is wrong where two integer dots differ.
    pub fn judge_dot(&self, truth: i64, reference: i64, candidate: i64) -> Blame {
        Blame::from_truth(candidate == truth, reference == truth)
    }

    /// Who is wrong where two products of weight row `row` with one row of f32 activations differ.
    pub fn judge_product(
        &self,
        weights: &Weights<'_>,
        row: usize,
        activations: &[f32],
        reference: f32,
        candidate: f32,
    ) -> Judged {
        let (truth, tolerance) = self.product(weights, row, activations);
        let right = |value: f32| (f64::from(value) - truth).abs() <= tolerance;
        // Activations are finite here: only a scale of the file can spoil the product.
        let blame = if truth.is_finite() {
            Blame::from_truth(right(candidate), right(reference))
        } else {
            Blame::InputWrong
        };
        Judged {
            truth,
            tolerance,
            blame,
        }
    }

    /// A product in f64, and how far a correctly rounded f32 computation may be off.
    pub fn product(&self, weights: &Weights<'_>, row: usize, activations: &[f32]) -> (f64, f64) {
        match weights.format().activation {
            ActivationKind::I8S => i8_s_product(weights, row, activations),
            ActivationKind::Q8K => q8_k_product(weights, row, activations),
        }
    }
}

impl Implementation for Arbiter {
    fn id(&self) -> &str {
        "arbiter"
    }

    fn defined_on(&self, _storage: &Storage) -> Result<(), SideError> {
        Ok(())
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), SideError> {
        let batch = activations.chunks_exact(weights.cols());
        for (out, activations) in out.chunks_exact_mut(weights.rows()).zip(batch) {
            for (row, out) in out.iter_mut().enumerate() {
                *out = self.dot(weights, row, activations);
            }
        }
        Ok(())
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        _threads: usize,
        out: &mut [f32],
    ) -> Result<(), SideError> {
        let batch = activations.chunks_exact(weights.cols());
        for (out, activations) in out.chunks_exact_mut(weights.rows()).zip(batch) {
            for (row, out) in out.iter_mut().enumerate() {
                *out = self.product(weights, row, activations).0 as f32;
            }
        }
        Ok(())
    }

    fn quantize(&self, storage: &Storage, _values: &[f32]) -> Result<Vec<u8>, SideError> {
        let reason = format!("reads {} and writes nothing", storage.format().id);
        Err(SideError::Undefined {
            side: self.id().into(),
            reason,
        })
    }
}

/// `code = round(x * s)`, `s = f32(127 / max(1e-5, max|x|))`; the integers are exact.
fn i8_s_product(weights: &Weights<'_>, row: usize, activations: &[f32]) -> (f64, f64) {
    let max = activations
        .iter()
        .fold(1e-5, |max: f64, &x| max.max(f64::from(x).abs()));
    let activation_scale = (127.0 / max) as f32;
    let code = |x: &f32| {
        (x * activation_scale)
            .round_ties_even()
            .clamp(-128.0, 127.0) as i64
    };
    let block = match weights.format().scale {
        ScaleRule::Tensor => weights.cols(),
        ScaleRule::Block { weights } => weights,
    };
    let (mut truth, mut magnitude, mut integer) = (0.0, 0.0, 0u64);
    for (index, values) in activations.chunks(block).enumerate() {
        // Integers as long as scales allow: what cancels has to leave nothing.
        let (mut sum, mut terms) = (0, 0);
        for (col, code) in (index * block..).zip(values.iter().map(code)) {
            sum += value(weights, row, col) * code;
            terms += (i64::from(raw(weights, row, col)) * code).unsigned_abs();
        }
        let factor = f64::from(scale(weights, row, index)) / f64::from(activation_scale);
        truth += sum as f64 * factor;
        magnitude += terms as f64 * factor.abs();
        integer += terms;
    }
    let blocks = weights.cols().div_ceil(block) as f64;
    // Integers below 2^24 become f32 without rounding, and then one block's product rounds in proportion to itself.
    let rounded = if blocks == 1.0 && integer < 1 << 24 {
        truth.abs()
    } else {
        magnitude
    };
    (
        truth,
        (TENSOR_SCALE_ROUNDINGS + blocks - 1.0) * F32_ROUNDING * rounded + underflow(weights),
    )
}

/// Per block of 256: `code = round(-127 / m * x)`, `m` the first value of the largest magnitude.
fn q8_k_product(weights: &Weights<'_>, row: usize, activations: &[f32]) -> (f64, f64) {
    let (mut truth, mut magnitude) = (0.0, 0.0);
    for (block, values) in activations.chunks(256).enumerate() {
        let mut largest = 0.0f32;
        for &value in values {
            if value.abs() > largest.abs() {
                largest = value;
            }
        }
        if largest == 0.0 {
            continue;
        }
        let inverse = -127.0f32 / largest;
        let factor = f64::from(1.0f32 / inverse) * f64::from(scale(weights, row, block));
        let (mut sum, mut terms) = (0, 0);
        for (col, &x) in (256 * block..).zip(values) {
            let code = (inverse * x).round_ties_even().min(127.0) as i64;
            sum += value(weights, row, col) * code;
            // Lanes hold raw products less sums of activations, which cancel between lanes, after rounding.
            terms += (i64::from(raw(weights, row, col)).abs() + 1) * code.abs();
        }
        truth += sum as f64 * factor;
        magnitude += terms as f64 * factor.abs();
    }
    let blocks = activations.len().div_ceil(256) as f64;
    (
        truth,
        (BLOCK_SCALE_ROUNDINGS + blocks) * F32_ROUNDING * magnitude + underflow(weights),
    )
}

/// Below this a product of scales is subnormal, and rounds absolutely.
fn underflow(weights: &Weights<'_>) -> f64 {
    f64::from(f32::MIN_POSITIVE) * F32_ROUNDING * 256.0 * weights.cols() as f64
}

/// The code of a weight, from the description of the layouts.
fn code(weights: &Weights<'_>, row: usize, col: usize) -> u8 {
    let storage = weights.storage();
    let bytes = weights.bytes();
    let two_bits = |byte: usize, shift: usize| (bytes[byte] >> shift) & 3;
    let start = row * row_bytes(storage); // of no use to rows4
    match storage.layout() {
        Layout::Group128 => two_bits(start + col / 128 * 32 + col % 32, 6 - 2 * (col % 128 / 32)),
        Layout::Group64 => two_bits(start + col / 64 * 16 + col % 16, 6 - 2 * (col % 64 / 16)),
        Layout::Rows4 => two_bits(row / 4 * row_bytes(storage) + col, 6 - 2 * (row % 4)),
        Layout::Sequential => match storage.flavour() {
            Flavour::Bitnet32Inline => two_bits(start + col / 32 * 10 + col % 32 / 4, col % 4 * 2),
            _ => two_bits(start + col / 4, col % 4 * 2),
        },
        Layout::Tq2_0 => {
            let (half, i) = (col % 256 / 128, col % 128);
            two_bits(start + col / 256 * 66 + half * 32 + i % 32, i / 32 * 2)
        }
        Layout::Tq1_0 => {
            let i = col % 256;
            let (byte, digit) = match i {
                0..160 => (i % 32, i / 32),
                160..240 => (32 + (i - 160) % 16, (i - 160) / 16),
                _ => (48 + (i - 240) % 4, (i - 240) / 4),
            };
            // The byte is a binary fraction of 1; the digit is what stands before the point after `digit` threefold
            // multiplications, fractions kept to 8 bits.
            let fraction = (0..digit).fold(bytes[start + col / 256 * 54 + byte], |q, _| {
                q.wrapping_mul(3)
            });
            (u16::from(fraction) * 3 / 256) as u8
        }
    }
}

/// Bytes from one row to the next, scales between them included; of `rows4`, from one four of rows to the next.
fn row_bytes(storage: &Storage) -> usize {
    let cols = storage.cols();
    match storage.flavour() {
        Flavour::Qk256 | Flavour::Bare if storage.layout() == Layout::Rows4 => cols,
        Flavour::Qk256 | Flavour::Bare => cols / 4,
        Flavour::PaddedRows if storage.layout() == Layout::Rows4 => cols.div_ceil(256) * 256,
        Flavour::PaddedRows => cols.div_ceil(256) * 64,
        Flavour::Bitnet32Inline => cols.div_ceil(32) * 10,
        Flavour::Bitnet32Split => cols.div_ceil(32) * 8,
        Flavour::Blocks if storage.layout() == Layout::Tq2_0 => cols / 256 * 66,
        Flavour::Blocks => cols / 256 * 54,
    }
}

/// What a kernel multiplies for the code.
fn raw(weights: &Weights<'_>, row: usize, col: usize) -> i8 {
    let code = code(weights, row, col);
    if weights.format().codebook == Codebook::TERNARY {
        code as i8
    } else {
        symmetric(code)
    }
}

/// What the code means.
fn value(weights: &Weights<'_>, row: usize, col: usize) -> i64 {
    let code = code(weights, row, col);
    let ternary = weights.format().codebook == Codebook::TERNARY;
    i64::from(if ternary {
        code as i8 - 1
    } else {
        symmetric(code)
    })
}

fn symmetric(code: u8) -> i8 {
    [-2, -1, 1, 2][usize::from(code)]
}

/// The scale of a block of a row; block 0 is the whole row where the tensor has one scale.
fn scale(weights: &Weights<'_>, row: usize, block: usize) -> f32 {
    let storage = weights.storage();
    let bytes = weights.bytes();
    let f16_at = |at: usize| f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32();
    let start = row * row_bytes(storage);
    match storage.flavour() {
        Flavour::Qk256 => {
            let at = storage.rows() * storage.cols() / 4;
            f32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
        }
        Flavour::Blocks if storage.layout() == Layout::Tq2_0 => f16_at(start + block * 66 + 64),
        Flavour::Blocks => f16_at(start + block * 54 + 52),
        Flavour::Bitnet32Inline => f16_at(start + block * 10 + 8),
        // Scales in a tensor beside this one are part of no layout: the view reads them.
        Flavour::Bare | Flavour::PaddedRows => weights.scale(0),
        Flavour::Bitnet32Split => weights.scale(row * storage.cols().div_ceil(32) + block),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use qk256::activation::Activations;
    use qk256::format::{FORMATS, codes, pack};

    use super::*;

    #[test]
    fn arbiter_and_format_agree_on_every_code() {
        for format in FORMATS {
            for &flavour in format.flavours {
                for (rows, cols) in [(4, 256), (4, 384), (4, 300), (1, 45), (8, 512)] {
                    let Ok(storage) = Storage::new(*format, flavour, rows, cols) else {
                        continue;
                    };
                    let max = if storage.layout() == Layout::Tq1_0 {
                        3
                    } else {
                        4
                    };
                    let wanted: Vec<u8> = (0..rows * cols)
                        .map(|i| ((i * i + i / 3) % max) as u8)
                        .collect();
                    let scales = vec![0.5; storage.scale_count()];
                    let bytes = pack(&storage, &wanted, &scales).unwrap();
                    let weights = Weights::new(storage, &bytes).unwrap();
                    let read: Vec<u8> = (0..rows * cols)
                        .map(|i| code(&weights, i / cols, i % cols))
                        .collect();
                    assert_eq!(read, codes(&weights), "{storage:?}");
                    if storage.scale_offset().is_some() {
                        assert_eq!(scale(&weights, rows - 1, 0), 0.5, "{storage:?}");
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn arbiter_and_quantizers_agree_on_codes(values in prop::collection::vec(-9.0..9.0f32, 512)) {
            // A one-hot weight row reads one activation code back: value = code / scale.
            for format in [qk256::format::I2_S_GROUP128, qk256::format::TQ2_0] {
                let storage = Storage::native(format, 1, 512).unwrap();
                let quantized = Activations::quantize(format.activation, 512, &values).unwrap();
                for col in [0, 255, 300, 511] {
                    let mut weights = vec![1u8; 512];
                    weights[col] = 2;
                    let bytes = pack(&storage, &weights, &vec![1.0; storage.scale_count()]).unwrap();
                    let weights = Weights::new(storage, &bytes).unwrap();
                    let (truth, tolerance) = Arbiter.product(&weights, 0, &values);
                    let code = f64::from(quantized.codes()[col]);
                    let expected = match format.activation {
                        ActivationKind::I8S => code / f64::from(quantized.scales()[0]),
                        ActivationKind::Q8K => code * f64::from(quantized.scales()[col / 256]),
                    };
                    prop_assert!((truth - expected).abs() <= 1e-12 * expected.abs() + tolerance * 1e-3);
                }
            }
        }
    }

    #[test]
    fn blame_follows_the_bytes() {
        let storage = Storage::native(qk256::format::I2_S_GROUP128, 1, 128).unwrap();
        let bytes = pack(&storage, &[2; 128], &[1.0]).unwrap();
        let weights = Weights::new(storage, &bytes).unwrap();
        let judge = |reference, candidate| {
            Arbiter
                .judge_product(&weights, 0, &[1.0; 128], reference, candidate)
                .blame
        };
        assert_eq!(judge(128.0, 127.0), Blame::CandidateWrong);
        assert_eq!(judge(127.0, 128.0), Blame::ReferenceWrong);
        assert_eq!(judge(127.0, f32::NAN), Blame::BothWrong);
        assert_eq!(judge(128.0, 128.0f32.next_up()), Blame::BothDiffer);
        assert_eq!(Arbiter.dot(&weights, 0, &[-128; 128]), -2 * 128 * 128);
    }
}
