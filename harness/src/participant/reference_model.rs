//! The reference model: a slow definition of dots and products, computed from the bytes in integers and f64.
//!
//! The slots of codes, their values and the rounding of activations are defined here a second time, from the
//! description of the formats, instead of using the definitions of `qk256` or of the oracles. A shared definition would
//! share its bugs. `qk256` is used only for types, for the storage of a tensor, and for scales in companion tensors.

use half::f16;
use qk256::activation::ActivationKind;
use qk256::format::{Codebook, Layout, ScaleRule, Storage, StorageVariant, Weights};

use crate::implementation::{Implementation, ImplementationError};
use crate::tolerance::{BLOCK_SCALE_ROUNDINGS, F32_ROUNDING, TENSOR_SCALE_ROUNDINGS};
use crate::verdict::Attribution;

/// Computes dots and products and judges those of other implementations.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReferenceModel;

/// The judgement of one f32 in which two implementations differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The product in f64.
    pub truth: f64,
    /// Largest error of a correctly computed f32.
    pub tolerance: f64,
    /// Which implementation is wrong.
    pub attribution: Attribution,
}

impl ReferenceModel {
    /// The integer dot of weight row `row` with one row of activations.
    pub fn dot(&self, weights: &Weights<'_>, row: usize, activations: &[i8]) -> i64 {
        let raw = |col| i64::from(raw(weights, row, col));
        activations
            .iter()
            .enumerate()
            .map(|(col, &a)| raw(col) * i64::from(a))
            .sum()
    }

    /// Which implementation is wrong if two integer dots differ.
    pub fn judge_dot(&self, truth: i64, reference: i64, candidate: i64) -> Attribution {
        Attribution::from_truth(candidate == truth, reference == truth)
    }

    /// Which implementation is wrong if two products of weight row `row` with one row of f32 activations differ.
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
        // Activations are finite here, so only a scale of the file can make the product not finite.
        let attribution = if truth.is_finite() {
            Attribution::from_truth(right(candidate), right(reference))
        } else {
            Attribution::InputWrong
        };
        Judged {
            truth,
            tolerance,
            attribution,
        }
    }

    /// A product in f64 and the largest error of a correctly rounded f32 computation.
    pub fn product(&self, weights: &Weights<'_>, row: usize, activations: &[f32]) -> (f64, f64) {
        match weights.format().activation {
            ActivationKind::I8S => i8_s_product(weights, row, activations),
            ActivationKind::Q8K => q8_k_product(weights, row, activations),
            ActivationKind::Q8_0 | ActivationKind::Q8_1 => {
                unreachable!("activations of block formats")
            }
        }
    }
}

impl Implementation for ReferenceModel {
    fn id(&self) -> &str {
        "reference-model"
    }

    fn defined_on(&self, _storage: &Storage) -> Result<(), ImplementationError> {
        Ok(())
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), ImplementationError> {
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
    ) -> Result<(), ImplementationError> {
        let batch = activations.chunks_exact(weights.cols());
        for (out, activations) in out.chunks_exact_mut(weights.rows()).zip(batch) {
            for (row, out) in out.iter_mut().enumerate() {
                *out = self.product(weights, row, activations).0 as f32;
            }
        }
        Ok(())
    }

    fn quantize(&self, storage: &Storage, _values: &[f32]) -> Result<Vec<u8>, ImplementationError> {
        let reason = format!("reads {} and writes nothing", storage.format().id);
        Err(ImplementationError::Undefined {
            implementation: self.id().into(),
            reason,
        })
    }
}

/// The product for `i8_s` activations: `code = round(x * s)`, `s = f32(127 / max(1e-5, max|x|))`. The integers are
/// exact.
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
        // Integers are summed as long as scales are equal, so that cancelling terms leave nothing.
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
    // Integers below 2^24 become f32 without rounding. The product of a single block then has an error relative to
    // itself.
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

/// The product for `q8_k` activations. For each block of 256: `code = round(-127 / m * x)`, where `m` is the first
/// value of the largest magnitude.
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
            // Lanes hold raw products minus sums of activations, which cancel between lanes only after rounding.
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

/// The absolute rounding error of products of scales that are subnormal.
fn underflow(weights: &Weights<'_>) -> f64 {
    f64::from(f32::MIN_POSITIVE) * F32_ROUNDING * 256.0 * weights.cols() as f64
}

/// The code of a weight, from the description of the layouts.
fn code(weights: &Weights<'_>, row: usize, col: usize) -> u8 {
    let storage = weights.storage();
    let bytes = weights.bytes();
    let two_bits = |byte: usize, shift: usize| (bytes[byte] >> shift) & 3;
    let start = row * row_bytes(storage); // not used for rows4
    match storage.layout() {
        Layout::Group128 => two_bits(start + col / 128 * 32 + col % 32, 6 - 2 * (col % 128 / 32)),
        Layout::Group64 => two_bits(start + col / 64 * 16 + col % 16, 6 - 2 * (col % 64 / 16)),
        Layout::Rows4 => two_bits(row / 4 * row_bytes(storage) + col, 6 - 2 * (row % 4)),
        Layout::Sequential => match storage.variant() {
            StorageVariant::Bitnet32Inline => {
                two_bits(start + col / 32 * 10 + col % 32 / 4, col % 4 * 2)
            }
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
            // The byte is a binary fraction of 1. The digit is the integer part after `digit` multiplications by three,
            // with fractions kept to 8 bits.
            let fraction = (0..digit).fold(bytes[start + col / 256 * 54 + byte], |q, _| {
                q.wrapping_mul(3)
            });
            (u16::from(fraction) * 3 / 256) as u8
        }
    }
}

/// Bytes from one row to the next, including scales in between. For `rows4`, from one group of four rows to the next.
fn row_bytes(storage: &Storage) -> usize {
    let cols = storage.cols();
    match storage.variant() {
        StorageVariant::Qk256 | StorageVariant::Bare if storage.layout() == Layout::Rows4 => cols,
        StorageVariant::Qk256 | StorageVariant::Bare => cols / 4,
        StorageVariant::PaddedRows if storage.layout() == Layout::Rows4 => cols.div_ceil(256) * 256,
        StorageVariant::PaddedRows => cols.div_ceil(256) * 64,
        StorageVariant::Bitnet32Inline => cols.div_ceil(32) * 10,
        StorageVariant::Bitnet32Split => cols.div_ceil(32) * 8,
        StorageVariant::Blocks if storage.layout() == Layout::Tq2_0 => cols / 256 * 66,
        StorageVariant::Blocks => cols / 256 * 54,
    }
}

/// The number that a kernel multiplies for the code.
fn raw(weights: &Weights<'_>, row: usize, col: usize) -> i8 {
    let code = code(weights, row, col);
    if weights.format().codebook == Codebook::TERNARY {
        code as i8
    } else {
        symmetric(code)
    }
}

/// The value of the code.
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

/// The scale of a block of a row. With one scale for the tensor, block 0 is the whole row.
fn scale(weights: &Weights<'_>, row: usize, block: usize) -> f32 {
    let storage = weights.storage();
    let bytes = weights.bytes();
    let f16_at = |at: usize| f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32();
    let start = row * row_bytes(storage);
    match storage.variant() {
        StorageVariant::Qk256 => {
            let at = storage.rows() * storage.cols() / 4;
            f32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
        }
        StorageVariant::Blocks if storage.layout() == Layout::Tq2_0 => {
            f16_at(start + block * 66 + 64)
        }
        StorageVariant::Blocks => f16_at(start + block * 54 + 52),
        StorageVariant::Bitnet32Inline => f16_at(start + block * 10 + 8),
        // Scales in a companion tensor are in no layout, so the view reads them.
        StorageVariant::Bare | StorageVariant::PaddedRows => weights.scale(0),
        StorageVariant::Bitnet32Split => weights.scale(row * storage.cols().div_ceil(32) + block),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use qk256::activation::Activations;
    use qk256::format::{FORMATS, codes, pack};

    use super::*;

    #[test]
    fn reference_model_and_format_agree_on_every_code() {
        for format in FORMATS {
            for &variant in format.variants {
                for (rows, cols) in [(4, 256), (4, 384), (4, 300), (1, 45), (8, 512)] {
                    let Ok(storage) = Storage::new(*format, variant, rows, cols) else {
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
        fn reference_model_and_quantizers_agree_on_codes(values in prop::collection::vec(-9.0..9.0f32, 512)) {
            // A one-hot weight row returns one activation code: value = code / scale.
            for format in [qk256::format::I2_S_GROUP128, qk256::format::TQ2_0] {
                let storage = Storage::native(format, 1, 512).unwrap();
                let quantized = Activations::quantize(format.activation, 512, &values).unwrap();
                for col in [0, 255, 300, 511] {
                    let mut weights = vec![1u8; 512];
                    weights[col] = 2;
                    let bytes = pack(&storage, &weights, &vec![1.0; storage.scale_count()]).unwrap();
                    let weights = Weights::new(storage, &bytes).unwrap();
                    let (truth, tolerance) = ReferenceModel.product(&weights, 0, &values);
                    let code = f64::from(quantized.codes()[col]);
                    let expected = match format.activation {
                        ActivationKind::I8S => code / f64::from(quantized.scales()[0]),
                        _ => code * f64::from(quantized.scales()[col / 256]),
                    };
                    prop_assert!((truth - expected).abs() <= 1e-12 * expected.abs() + tolerance * 1e-3);
                }
            }
        }
    }

    #[test]
    fn attribution_follows_the_bytes() {
        let storage = Storage::native(qk256::format::I2_S_GROUP128, 1, 128).unwrap();
        let bytes = pack(&storage, &[2; 128], &[1.0]).unwrap();
        let weights = Weights::new(storage, &bytes).unwrap();
        let judge = |reference, candidate| {
            ReferenceModel
                .judge_product(&weights, 0, &[1.0; 128], reference, candidate)
                .attribution
        };
        assert_eq!(judge(128.0, 127.0), Attribution::CandidateWrong);
        assert_eq!(judge(127.0, 128.0), Attribution::ReferenceWrong);
        assert_eq!(judge(127.0, f32::NAN), Attribution::BothWrong);
        assert_eq!(judge(128.0, 128.0f32.next_up()), Attribution::BothDiffer);
        assert_eq!(
            ReferenceModel.dot(&weights, 0, &[-128; 128]),
            -2 * 128 * 128
        );
    }
}
