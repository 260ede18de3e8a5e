//! Rows of F32 and F16 elements, as little-endian bytes at any alignment.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::dots::Rest;

/// Elements converted at a time, so that the conversion can use the CPU's own.
const RUN: usize = 64;

/// Element type of a row that needs no unpacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
}

impl Element {
    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::F16 => 2,
        }
    }

    /// How a dot product with such a row adds what fills no whole step.
    pub(crate) fn rest(self) -> Rest {
        match self {
            Element::F32 => Rest::F32,
            Element::F16 => Rest::F64,
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
                let mut run = [f16::ZERO; RUN];
                for (out, row) in out.chunks_mut(RUN).zip(row.chunks(2 * RUN)) {
                    let run = &mut run[..out.len()];
                    for (element, &bytes) in run.iter_mut().zip(row.as_chunks().0) {
                        *element = f16::from_le_bytes(bytes);
                    }
                    run.convert_to_f32_slice(out);
                }
            }
        }
    }

    /// Writes values as elements `stride` bytes apart, rounded to nearest even; `row` starts at the first.
    pub(crate) fn write(self, values: impl Iterator<Item = f32>, row: &mut [u8], stride: usize) {
        for (value, place) in values.zip(row.chunks_mut(stride)) {
            match self {
                Element::F32 => place[..4].copy_from_slice(&value.to_le_bytes()),
                Element::F16 => place[..2].copy_from_slice(&f16::from_f32(value).to_le_bytes()),
            }
        }
    }

    /// Values as this element type holds them: what a dot product with such a row multiplies.
    pub(crate) fn round(self, values: &mut [f32]) {
        if self == Element::F16 {
            let mut run = [f16::ZERO; RUN];
            for values in values.chunks_mut(RUN) {
                let run = &mut run[..values.len()];
                run.convert_from_f32_slice(values);
                run.convert_to_f32_slice(values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_writing_and_reading_at_any_stride() {
        let values: Vec<f32> = (0..100).map(|i| (i as f32 - 50.0) / 8.0).collect();
        for element in [Element::F32, Element::F16] {
            let width = element.bytes();
            let mut row = vec![0; 100 * width];
            element.write(values.iter().copied(), &mut row, width);
            let mut read = vec![0.0; 100];
            element.read(&row, &mut read);
            assert_eq!(read, values, "{element:?}");

            let mut spread = vec![0; 100 * 3 * width];
            element.write(values.iter().copied(), &mut spread, 3 * width);
            for (i, place) in spread.chunks(3 * width).enumerate() {
                assert_eq!(place[..width], row[i * width..][..width]);
            }
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
