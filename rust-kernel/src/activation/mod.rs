//! Activations quantized to 8 bits, the second operand of the formats' dot products.

mod codes;
mod i8_s;
mod q8_0;
mod q8_k;
mod view;

use thiserror::Error;

use self::codes::Codes;
pub use self::view::ActivationsRef;
use self::view::whole_rows;
#[cfg(target_arch = "x86_64")]
use crate::compiled_for;
pub use crate::format::ActivationKind;
use crate::format::{QK256, ShapeError};
#[cfg(target_arch = "x86_64")]
use crate::isa::Avx2;

/// The number of scales and the number of sums of a row of `cols` activations.
fn counts(kind: ActivationKind, cols: usize) -> (usize, usize) {
    match kind {
        ActivationKind::I8S => (1, 1),
        ActivationKind::Q8K => (cols / QK256, cols / q8_k::SUM_RUN),
        ActivationKind::Q8_0 => (cols / q8_0::BLOCK, 0),
        ActivationKind::Q8_1 => (2 * (cols / q8_0::BLOCK), 0),
    }
}

/// Why activations cannot be quantized.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ActivationError {
    /// The values are not a whole number of rows.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A row is not a whole number of blocks of activations.
    #[error("{cols} activations a row are no multiple of {multiple}, as {kind} needs")]
    Columns {
        /// Kind of activations.
        kind: &'static str,
        /// Columns requested.
        cols: usize,
        /// Activations in a block.
        multiple: usize,
    },
    /// A value is NaN or infinite. The reference converts such values to finite numbers without an error.
    #[error("activation {col} of row {row} is {value}: only finite activations can be quantized")]
    NotFinite {
        /// Row (position in the batch).
        row: usize,
        /// Column.
        col: usize,
        /// The value.
        value: f32,
    },
}

/// A batch of quantized activation rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Activations {
    kind: ActivationKind,
    cols: usize,
    codes: Codes,
    scales: Vec<f32>,
    sums: Vec<i32>,
}

impl Activations {
    /// Quantizes `values`, one or more rows of `cols` activations.
    ///
    /// # Errors
    ///
    /// [`ActivationError::Shape`] unless `values` is a whole number of rows, at least one;
    /// [`ActivationError::Columns`] for rows that are not whole blocks of activations; [`ActivationError::NotFinite`].
    pub fn quantize(
        kind: ActivationKind,
        cols: usize,
        values: &[f32],
    ) -> Result<Activations, ActivationError> {
        let rows = whole_rows(kind, cols, values.len())?;
        let (scales, sums) = counts(kind, cols);
        let mut out = Activations {
            kind,
            cols,
            codes: Codes::zeros(values.len()),
            scales: vec![0.0; rows * scales],
            sums: vec![0; rows * sums],
        };
        if !out.fill(values) {
            let index = values.iter().position(|value| !value.is_finite());
            let index = index.expect("a value that is not finite");
            let (row, col, value) = (index / cols, index % cols, values[index]);
            return Err(ActivationError::NotFinite { row, col, value });
        }
        Ok(out)
    }

    /// Quantizes all rows with the best instruction set. Returns `false` if a value is not finite.
    fn fill(&mut self, values: &[f32]) -> bool {
        #[cfg(target_arch = "x86_64")]
        if Avx2::detect().is_some() {
            // SAFETY: the token proves the features.
            return unsafe { fill_avx2(self, values) };
        }
        self.fill_portably(values)
    }

    /// Portable loops. The compiler vectorizes them for the instruction set of the function into which they are
    /// inlined.
    #[inline(always)]
    fn fill_portably(&mut self, values: &[f32]) -> bool {
        let (scales, sums) = counts(self.kind, self.cols);
        let rows = values
            .chunks_exact(self.cols)
            .zip(self.codes.chunks_exact_mut(self.cols));
        let scales = self.scales.chunks_exact_mut(scales);
        for (row, ((values, codes), scales)) in rows.zip(scales).enumerate() {
            let sums = &mut self.sums[row * sums..][..sums];
            let largest = largest_magnitude(values);
            if !largest.is_finite() {
                return false;
            }
            match self.kind {
                ActivationKind::I8S => {
                    (scales[0], sums[0]) = i8_s::quantize_row(values, largest, codes);
                }
                ActivationKind::Q8K => q8_k::quantize_row(values, codes, scales, sums),
                ActivationKind::Q8_0 => q8_0::quantize_row(values, codes, scales),
                ActivationKind::Q8_1 => q8_0::quantize_row_with_sums(values, codes, scales),
            }
        }
        true
    }

    /// A borrowed view of the same activations.
    pub fn view(&self) -> ActivationsRef<'_> {
        ActivationsRef {
            kind: self.kind,
            cols: self.cols,
            codes: &self.codes,
            scales: &self.scales,
            sums: &self.sums,
        }
    }

    /// The kind of quantization.
    pub fn kind(&self) -> ActivationKind {
        self.kind
    }

    /// Activations in a row.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// As [`ActivationsRef::rows`].
    pub fn rows(&self) -> usize {
        self.view().rows()
    }

    /// As [`ActivationsRef::codes`].
    pub fn codes(&self) -> &[i8] {
        &self.codes
    }

    /// As [`ActivationsRef::scales`].
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// As [`ActivationsRef::sums`].
    pub fn sums(&self) -> &[i32] {
        &self.sums
    }
}

impl<'a> From<&'a Activations> for ActivationsRef<'a> {
    fn from(activations: &'a Activations) -> ActivationsRef<'a> {
        activations.view()
    }
}

#[cfg(target_arch = "x86_64")]
compiled_for! { Avx2:
    /// [`Activations::fill_portably`] compiled for AVX2. The operations are the same, so the bits are equal.
    fn fill_avx2(activations: &mut Activations, values: &[f32]) -> bool {
        activations.fill_portably(values)
    }
}

/// The largest magnitude. A NaN compares larger than all numbers.
#[inline(always)]
fn largest_magnitude(values: &[f32]) -> f32 {
    // Non-negative floats have the same order as their bit patterns.
    let magnitude = |value: &f32| value.to_bits() & 0x7fff_ffff;
    f32::from_bits(values.iter().map(magnitude).fold(0, u32::max))
}

/// Rounds to the nearest integer, ties to even, by adding 1.5 * 2^23 and reading the mantissa.
///
/// This is ggml's `nearest_int`. The bits are equal also for magnitudes above 2^22.
#[inline(always)]
fn nearest_int(value: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    ((value + SHIFT).to_bits() & 0x007f_ffff) as i32 - 0x0040_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_nearest_even() {
        let rounded = [0.5, 1.5, 2.5, -0.5, -1.5, 126.5, 127.49].map(nearest_int);
        assert_eq!(rounded, [0, 2, 2, 0, -2, 126, 127]);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_and_portable_code_give_the_same_bits() {
        use ActivationKind::{I8S, Q8_0, Q8_1, Q8K};
        testing::require!(Avx2::demand());
        let mut state = 1u32;
        let mut random = |exponents: std::ops::Range<u32>| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let exponent = exponents.start + (state >> 8) % exponents.len() as u32;
            f32::from_bits((state & 0x807f_ffff) | exponent << 23)
        };
        // Ordinary rows, subnormals, the whole range, zeros, ties, and equal magnitudes of both signs.
        let mut rows: Vec<Vec<f32>> = [120..130, 0..1, 0..255, 126..127]
            .into_iter()
            .map(|exponents| (0..512).map(|_| random(exponents.clone())).collect())
            .collect();
        rows.push(vec![0.0; 512]);
        rows.push((0..512).map(|i| (i as f32 - 254.0) / 2.0).collect());
        rows.push(
            (0..512)
                .map(|i| if i % 3 == 1 { -2.0 } else { 2.0 })
                .collect(),
        );
        for values in rows {
            for (kind, cols) in [
                (I8S, 512),
                (I8S, 509),
                (I8S, 7),
                (I8S, 1),
                (Q8K, 512),
                (Q8_0, 512),
                (Q8_1, 512),
            ] {
                let mut by_avx2 = Activations::quantize(kind, cols, &values[..cols]).unwrap();
                let mut portable = by_avx2.clone();
                by_avx2.codes.fill(1);
                portable.codes.fill(2);
                // SAFETY: `require!` above ends the test if the CPU lacks AVX2.
                assert!(unsafe { fill_avx2(&mut by_avx2, &values[..cols]) });
                assert!(portable.fill_portably(&values[..cols]));
                assert_eq!(by_avx2, portable, "{kind:?} {values:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_quantized_is_refused_by_place() {
        use ActivationKind::{I8S, Q8K};
        let mut values = vec![0.0; 512];
        values[300] = f32::NAN;
        let error = Activations::quantize(I8S, 256, &values).unwrap_err();
        assert!(
            matches!(
                error,
                ActivationError::NotFinite {
                    row: 1,
                    col: 44,
                    ..
                }
            ),
            "{error}"
        );
        let error = Activations::quantize(Q8K, 100, &[0.0; 100]).unwrap_err();
        let multiple = |error| match error {
            ActivationError::Columns { multiple, .. } => multiple,
            other => panic!("{other}"),
        };
        assert_eq!(multiple(error), 256);
        let error = Activations::quantize(ActivationKind::Q8_1, 100, &[0.0; 100]).unwrap_err();
        assert_eq!(multiple(error), 32);
        assert!(Activations::quantize(I8S, 100, &[0.0; 150]).is_err());
        assert!(Activations::quantize(I8S, 0, &[]).is_err());
    }
}
