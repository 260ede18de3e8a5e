//! Keys and values of the positions decoded so far.

use std::ops::Range;

use super::error::ModelError;
use crate::dense::Element;
use crate::prefetch;

/// The number of positions in attention is a multiple of this: `llama_kv_cache_get_padding` in `llama.cpp` of
/// `bitnet-cpp-sys` 0.0.5. Positions that are not decoded are masked. The multiple affects the grouping of sums.
pub(super) const POSITIONS: usize = 32;

/// The cache of one layer.
#[derive(Debug)]
pub(super) struct Cache {
    element: Element,
    positions: usize,
    width: usize,
    /// `positions x width`.
    keys: Vec<u8>,
    /// `width x positions`. The positions of a value are contiguous, as its dot product with the scores requires.
    values: Vec<u8>,
    /// Whether all stored values are finite in the element type.
    finite: bool,
}

impl Cache {
    /// Allocates `positions` rows of `width` keys and values, initially zero.
    pub(super) fn new(
        element: Element,
        positions: usize,
        width: usize,
    ) -> Result<Cache, ModelError> {
        let bytes = positions
            .checked_mul(width)
            .and_then(|n| n.checked_mul(element.bytes()));
        let zeroed = || {
            let mut bytes_of = Vec::new();
            let bytes = bytes.filter(|&bytes| bytes_of.try_reserve_exact(bytes).is_ok())?;
            bytes_of.resize(bytes, 0);
            Some(bytes_of)
        };
        let memory = || ModelError::Memory { positions };
        Ok(Cache {
            element,
            positions,
            width,
            keys: zeroed().ok_or_else(memory)?,
            values: zeroed().ok_or_else(memory)?,
            finite: true,
        })
    }

    /// The element type.
    pub(super) fn element(&self) -> Element {
        self.element
    }

    /// Whether positions with a weight of zero can be skipped without changing any bit of the result.
    ///
    /// The product of zero and a value that is not finite is a NaN. In f32, a product can underflow to a zero of either
    /// sign, and adding another zero can change the sign of the sum.
    pub(super) fn can_skip_zero_weights(&self) -> bool {
        self.finite && self.element == Element::F16
    }

    /// Stores the rows of keys and values from position `first` on.
    pub(super) fn store(&mut self, first: usize, keys: &[f32], values: &[f32]) {
        let element = self.element;
        self.finite &= element.can_hold(keys) && element.can_hold(values);
        let size = element.bytes();
        let at = &mut self.keys[first * self.width * size..];
        element.write(keys, at, size);
        for (i, row) in values.chunks_exact(self.width).enumerate() {
            let at = &mut self.values[(first + i) * size..];
            element.write(row, at, self.positions * size);
        }
    }

    /// Reads the keys in `columns` of a row, those of one head, at `positions`: `positions x columns`.
    pub(super) fn read_keys(
        &self,
        columns: Range<usize>,
        positions: Range<usize>,
        out: &mut [f32],
    ) {
        let rows = self.keys(&columns, positions);
        for (out, row) in out.chunks_exact_mut(columns.len()).zip(rows) {
            self.element.read(row, out);
        }
    }

    /// Prefetches the memory that [`read_keys`](Cache::read_keys) reads.
    pub(super) fn prefetch_keys(&self, columns: &Range<usize>, positions: Range<usize>) {
        self.keys(columns, positions).for_each(prefetch::bytes);
    }

    /// Reads the values in `columns` of a row at the first `positions` positions: `columns x positions`.
    pub(super) fn read_values(&self, columns: Range<usize>, positions: usize, out: &mut [f32]) {
        let rows = self.values(columns, positions);
        for (out, row) in out.chunks_exact_mut(positions).zip(rows) {
            self.element.read(row, out);
        }
    }

    /// Prefetches the memory that [`read_values`](Cache::read_values) reads.
    pub(super) fn prefetch_values(&self, columns: Range<usize>, positions: usize) {
        self.values(columns, positions).for_each(prefetch::bytes);
    }

    /// The bytes of some columns at each of some positions.
    fn keys(&self, columns: &Range<usize>, positions: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let size = self.element.bytes();
        let columns = columns.start * size..columns.end * size;
        let rows = self.keys.chunks_exact(self.width * size);
        let rows = rows.skip(positions.start).take(positions.len());
        rows.map(move |row| &row[columns.clone()])
    }

    /// The bytes of the first positions in each of some columns.
    fn values(&self, columns: Range<usize>, positions: usize) -> impl Iterator<Item = &[u8]> {
        let size = self.element.bytes();
        let rows = self.values.chunks_exact(self.positions * size);
        let rows = rows.skip(columns.start).take(columns.len());
        rows.map(move |row| &row[..positions * size])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_by_head() {
        for element in [Element::F16, Element::F32] {
            let mut cache = Cache::new(element, 4, 6).unwrap();
            let rows: Vec<f32> = (0..12).map(|i| i as f32).collect();
            let negative: Vec<f32> = rows.iter().map(|v| -v).collect();
            cache.store(1, &rows, &negative);
            let mut out = [9.0; 6];
            cache.read_keys(2..4, 0..3, &mut out);
            assert_eq!(out, [0.0, 0.0, 2.0, 3.0, 8.0, 9.0]);
            cache.read_keys(2..5, 1..3, &mut out);
            assert_eq!(out, [2.0, 3.0, 4.0, 8.0, 9.0, 10.0]);
            cache.read_values(2..4, 3, &mut out);
            assert_eq!(out, [0.0, -2.0, -8.0, 0.0, -3.0, -9.0]);
        }
    }

    #[test]
    fn zero_weights_are_skipped_only_if_no_bit_changes() {
        for (value, f16, f32) in [
            (65_519.0, true, false),
            (65_520.0, false, false),
            (f32::NAN, false, false),
        ] {
            for (element, wanted) in [(Element::F16, f16), (Element::F32, f32)] {
                for (keys, values) in [([value, 0.0], [0.0; 2]), ([0.0; 2], [0.0, -value])] {
                    let mut cache = Cache::new(element, 4, 2).unwrap();
                    cache.store(0, &keys, &values);
                    cache.store(1, &[0.0; 2], &[0.0; 2]);
                    assert_eq!(cache.can_skip_zero_weights(), wanted, "{element:?} {value}");
                }
            }
        }
    }

    #[test]
    fn a_cache_beyond_memory_is_refused() {
        for positions in [usize::MAX, isize::MAX as usize / 4] {
            let error = Cache::new(Element::F16, positions, 2).unwrap_err();
            assert!(matches!(error, ModelError::Memory { .. }), "{error}");
        }
    }
}
