//! Rows of F32, F16 and BF16 elements, as little-endian bytes at any alignment.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::dots::Rest;
use crate::gguf::GgmlType;
#[cfg(target_arch = "x86_64")]
use crate::isa::Avx2;

/// Elements converted at a time. `half` uses the CPU's conversion instructions for slices.
const RUN: usize = 64;

/// Element type of a row that needs no unpacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of an f32.
    BF16,
}

impl Element {
    /// Every element type.
    pub const ALL: [Element; 3] = [Element::F32, Element::F16, Element::BF16];

    /// The type of a tensor of such elements.
    pub const fn ggml_type(self) -> GgmlType {
        match self {
            Element::F32 => GgmlType::F32,
            Element::F16 => GgmlType::F16,
            Element::BF16 => GgmlType::BF16,
        }
    }

    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::F16 | Element::BF16 => 2,
        }
    }

    /// How a dot product with such a row adds the elements after the last whole step.
    pub(crate) fn rest(self) -> Rest {
        match self {
            Element::F32 => Rest::F32,
            Element::F16 => Rest::F64,
            Element::BF16 => Rest::Bf16,
        }
    }

    /// The values of a row. `row` holds `out.len()` elements.
    pub(crate) fn read(self, row: &[u8], out: &mut [f32]) {
        match self {
            Element::F32 => {
                for (out, &bytes) in out.iter_mut().zip(row.as_chunks().0) {
                    *out = f32::from_le_bytes(bytes);
                }
            }
            Element::F16 => {
                #[cfg(target_arch = "x86_64")]
                if Avx2::detect().is_some() {
                    // SAFETY: the token proves the features.
                    return unsafe { avx2::read_f16(row, out) };
                }
                read_f16(row, out);
            }
            Element::BF16 => {
                for (out, &bytes) in out.iter_mut().zip(row.as_chunks().0) {
                    *out = bf16::from_le_bytes(bytes).to_f32();
                }
            }
        }
    }

    /// Writes values as elements `stride` bytes apart, rounded to nearest, ties to even. `row` starts at the first
    /// element.
    pub(crate) fn write(self, values: &[f32], row: &mut [u8], stride: usize) {
        let mut run = [f16::ZERO; RUN];
        for (values, row) in values.chunks(RUN).zip(row.chunks_mut(RUN * stride)) {
            let places = row.chunks_mut(stride);
            match self {
                Element::F32 => {
                    for (value, place) in values.iter().zip(places) {
                        place[..4].copy_from_slice(&value.to_le_bytes());
                    }
                }
                Element::F16 => {
                    let run = &mut run[..values.len()];
                    run.convert_from_f32_slice(values);
                    for (element, place) in run.iter().zip(places) {
                        place[..2].copy_from_slice(&element.to_le_bytes());
                    }
                }
                Element::BF16 => {
                    for (&value, place) in values.iter().zip(places) {
                        place[..2].copy_from_slice(&bf16::from_f32(value).to_le_bytes());
                    }
                }
            }
        }
    }

    /// Whether all values are finite numbers in this element type.
    pub(crate) fn can_hold(self, values: &[f32]) -> bool {
        // The smallest magnitude that rounds to infinity: half a unit above the largest number.
        let beyond = match self {
            Element::F32 => f32::INFINITY,
            Element::F16 => 65_520.0,
            Element::BF16 => f32::from_bits(0x7f7f_8000),
        };
        values
            .iter()
            .fold(true, |all, value| all & (value.abs() < beyond))
    }

    /// Rounds values to this element type, as a dot product with such a row does.
    pub(crate) fn round(self, values: &mut [f32]) {
        match self {
            Element::F32 => {}
            Element::F16 => {
                let mut run = [f16::ZERO; RUN];
                for values in values.chunks_mut(RUN) {
                    let run = &mut run[..values.len()];
                    run.convert_from_f32_slice(values);
                    run.convert_to_f32_slice(values);
                }
            }
            Element::BF16 => {
                for value in values {
                    *value = bf16::from_f32(*value).to_f32();
                }
            }
        }
    }
}

/// Converts a row of f16 to f32.
fn read_f16(row: &[u8], out: &mut [f32]) {
    for (out, &bytes) in out.iter_mut().zip(row.as_chunks().0) {
        *out = f16::from_le_bytes(bytes).to_f32();
    }
}

/// The same, eight elements at a time, without a copy.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use crate::compiled_for;

    compiled_for! { Avx2:
        pub(super) fn read_f16(row: &[u8], out: &mut [f32]) {
            let (eights, rest) = out.as_chunks_mut::<8>();
            let (elements, _) = row.as_chunks::<16>();
            for (out, elements) in eights.iter_mut().zip(elements) {
                // SAFETY: the array has sixteen bytes, and the load has no alignment requirement.
                let halves = unsafe { _mm_loadu_si128(elements.as_ptr().cast()) };
                // SAFETY: the array has eight floats, and the store has no alignment requirement.
                unsafe { _mm256_storeu_ps(out.as_mut_ptr(), _mm256_cvtph_ps(halves)) };
            }
            super::read_f16(&row[16 * eights.len()..], rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_writing_and_reading_at_any_stride() {
        let values: Vec<f32> = (0..100).map(|i| (i as f32 - 50.0) / 8.0).collect();
        for element in Element::ALL {
            let width = element.bytes();
            let mut row = vec![0; 100 * width];
            element.write(&values, &mut row, width);
            let mut read = vec![0.0; 100];
            element.read(&row, &mut read);
            assert_eq!(read, values, "{element:?}");

            let mut spread = vec![0; 100 * 3 * width];
            element.write(&values, &mut spread, 3 * width);
            for (i, place) in spread.chunks(3 * width).enumerate() {
                assert_eq!(place[..width], row[i * width..][..width]);
            }
        }
    }

    #[test]
    fn every_f16_is_read_as_its_value_at_any_length() {
        let every: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let mut read = vec![0.0; 1 << 16];
        Element::F16.read(&every, &mut read);
        for (bits, read) in (0..=u16::MAX).zip(&read) {
            let value = f16::from_bits(bits).to_f32();
            assert_eq!(read.to_bits(), value.to_bits(), "{bits:#06x}");
        }
        for len in 0..20 {
            let mut short = [7.0; 20];
            Element::F16.read(&every[2 * 0x3c00..][..2 * len], &mut short[..len]);
            assert_eq!(short[..len], read[0x3c00..][..len]);
            assert_eq!(short[len..], [7.0; 20][len..]);
        }
    }

    #[test]
    fn can_hold_rejects_values_that_round_to_infinity() {
        let largest = f32::from(f16::MAX);
        for (value, by_f16) in [(largest, true), (65_519.996, true), (65_520.0, false)] {
            for value in [value, -value] {
                assert_eq!(Element::F16.can_hold(&[0.0, value]), by_f16, "{value}");
                assert_eq!(f16::from_f32(value).is_finite(), by_f16, "{value}");
                assert!(Element::F32.can_hold(&[0.0, value]), "{value}");
            }
        }
        for element in Element::ALL {
            assert!(!element.can_hold(&[0.0, f32::NAN]) && !element.can_hold(&[f32::INFINITY]));
        }
    }

    #[test]
    fn rounding_is_to_nearest_even_and_only_for_f16() {
        let tie = 1.0 + f32::EPSILON * 4096.0;
        let mut values = vec![tie; 70];
        Element::F32.round(&mut values);
        assert_eq!(values, [tie; 70]);
        Element::F16.round(&mut values);
        assert_eq!(values, [1.0; 70]);
    }
}
