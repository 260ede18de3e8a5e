//! Quantizers: they convert f32 weights to the same bytes as the reference.
//!
//! Sources: `quantize_i2_s` in `ggml-bitnet-mad.cpp`, `quantize_row_tq2_0_ref` and `quantize_row_tq1_0_ref` in
//! `ggml-quants.c` of `bitnet-cpp-sys` 0.0.5. They are intended for weights that are already ternary.

use thiserror::Error;

use super::{Codebook, ScaleRule, ShapeError, Storage, pack};

/// Why weights cannot be quantized.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum QuantizeError {
    /// The values do not match the shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A weight is NaN or infinite. No scale can represent it.
    #[error("weight {index} is {value}: only finite weights can be quantized")]
    NotFinite {
        /// Position in the flat, row-major matrix.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The codebook of the format is not ternary, and its project does not define a quantizer for it.
    #[error("{format} has no reference quantizer")]
    NoQuantizer {
        /// Format id.
        format: &'static str,
    },
}

/// Quantizes `rows x cols` weights, row-major, into the bytes of `storage`.
///
/// - I2_S: the scale is the largest magnitude of the tensor. Magnitudes below 1e-6 get code 1; other weights get 0 or 2
///   by their sign.
/// - TQ2_0 and TQ1_0: the scale of a block is its largest magnitude `d`, stored as f16. Codes are `round(w / d) + 1`,
///   with ties away from zero.
///
/// # Errors
///
/// [`QuantizeError::Shape`] unless there are `rows * cols` weights, [`QuantizeError::NotFinite`] for NaN and
/// infinities, [`QuantizeError::NoQuantizer`] for BitNet32.
pub fn quantize(storage: &Storage, weights: &[f32]) -> Result<Vec<u8>, QuantizeError> {
    ShapeError::check(
        "weights to quantize",
        weights.len(),
        storage.rows() * storage.cols(),
    )?;
    if let Some(index) = weights.iter().position(|w| !w.is_finite()) {
        return Err(QuantizeError::NotFinite {
            index,
            value: weights[index],
        });
    }
    if storage.format().codebook != Codebook::TERNARY {
        return Err(QuantizeError::NoQuantizer {
            format: storage.format().id,
        });
    }
    let (codes, scales) = match storage.format().scale {
        ScaleRule::Tensor => (
            weights.iter().map(|&w| sign_code(w)).collect(),
            vec![amax(weights)],
        ),
        ScaleRule::Block { weights: block } => {
            let blocks = weights.chunks_exact(block);
            (
                blocks.clone().flat_map(block_codes).collect::<Vec<u8>>(),
                blocks.map(amax).collect(),
            )
        }
    };
    Ok(pack(storage, &codes, &scales)?)
}

/// The largest magnitude.
fn amax(weights: &[f32]) -> f32 {
    weights.iter().fold(0.0, |max, w| w.abs().max(max))
}

/// I2_S: code 1 near zero, otherwise by sign. The bound is compared in f64, as in the reference.
fn sign_code(weight: f32) -> u8 {
    if f64::from(weight).abs() < 1e-6 {
        1
    } else if weight > 0.0 {
        2
    } else {
        0
    }
}

/// TQ2_0, TQ1_0: `round(w / d) + 1`, computed with the f32 reciprocal of `d`.
fn block_codes(block: &[f32]) -> impl Iterator<Item = u8> + '_ {
    let d = amax(block);
    let reciprocal = if d == 0.0 { 0.0 } else { d.recip() };
    block.iter().map(move |&w| rounded_code(w * reciprocal))
}

/// C's `lroundf(scaled) + 1`. The digit keeps the low bits.
///
/// The reciprocal of a subnormal can be infinite. The result then depends on the conversion of out-of-range floats: the
/// instruction of x86-64 returns the smallest integer for all of them, that of aarch64 saturates, as Rust's cast does.
/// The f16 scale of such a block is zero in any case.
fn rounded_code(scaled: f32) -> u8 {
    let rounded = match scaled.is_finite() {
        false if cfg!(target_arch = "x86_64") => i64::MIN,
        _ => scaled.round() as i64,
    };
    (rounded.wrapping_add(1) & 3) as u8
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    #[test]
    fn i2_s_takes_the_sign_and_the_largest_magnitude() {
        let storage = Storage::native(I2_S_GROUP128, 1, 128).unwrap();
        let mut weights = vec![0.0; 128];
        weights[..5].copy_from_slice(&[-3.0, 0.5, 9e-7, -1.1e-6, 0.0]);
        let bytes = quantize(&storage, &weights).unwrap();
        let view = Weights::new(storage, &bytes).unwrap();
        assert_eq!(codes(&view)[..5], [0, 2, 1, 0, 1]);
        assert_eq!(view.scale(0), 3.0);
    }

    #[test]
    fn tq_rounds_within_a_block() {
        for format in [TQ2_0, TQ1_0] {
            let storage = Storage::native(format, 1, 512).unwrap();
            let mut weights = vec![0.0; 512];
            weights[..4].copy_from_slice(&[2.0, -2.0, 0.99, -1.0]);
            weights[256..260].copy_from_slice(&[1e-42, -1e-42, 0.0, 0.0]);
            let bytes = quantize(&storage, &weights).unwrap();
            let view = Weights::new(storage, &bytes).unwrap();
            assert_eq!(codes(&view)[..4], [2, 0, 1, 0]);
            assert_eq!(view.scale(0), 2.0);
            let infinite = if cfg!(target_arch = "x86_64") { 1 } else { 0 };
            assert_eq!(codes(&view)[256..260], [infinite, 1, 1, 1]);
            assert_eq!(view.scale(1), 0.0);
        }
    }

    #[test]
    fn what_has_no_quantizer_or_no_finite_value_is_refused() {
        let bitnet32 = Storage::native(BITNET32, 1, 32).unwrap();
        let error = quantize(&bitnet32, &[0.0; 32]).unwrap_err();
        assert_eq!(error, QuantizeError::NoQuantizer { format: "bitnet32" });
        let storage = Storage::native(TQ2_0, 1, 256).unwrap();
        let mut weights = [0.0; 256];
        weights[7] = f32::NEG_INFINITY;
        let error = quantize(&storage, &weights).unwrap_err();
        assert!(matches!(error, QuantizeError::NotFinite { index: 7, .. }));
    }
}
