//! A borrowed view of quantized activations.

use super::{ActivationError, ActivationKind, counts};
use crate::format::ShapeError;

/// A borrowed batch of quantized activation rows, the input of the kernels. [`Activations`](super::Activations) is the
/// owned equivalent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActivationsRef<'a> {
    pub(super) kind: ActivationKind,
    pub(super) cols: usize,
    pub(super) codes: &'a [i8],
    pub(super) scales: &'a [f32],
    pub(super) sums: &'a [i32],
}

impl<'a> ActivationsRef<'a> {
    /// A view of rows of `cols` activations that are already quantized.
    ///
    /// `codes` is `rows x cols`, row-major. `scales` and `sums` have the order of [`ActivationsRef::scales`] and
    /// [`ActivationsRef::sums`]. Values are not checked: sums that do not match the codes give wrong products.
    ///
    /// # Errors
    ///
    /// [`ActivationError::Shape`] unless `codes` is a whole number of rows, at least one, with the matching number of
    /// scales and sums; [`ActivationError::Columns`] for rows that are not whole blocks of activations.
    pub fn new(
        kind: ActivationKind,
        cols: usize,
        codes: &'a [i8],
        scales: &'a [f32],
        sums: &'a [i32],
    ) -> Result<ActivationsRef<'a>, ActivationError> {
        let rows = whole_rows(kind, cols, codes.len())?;
        let (row_scales, row_sums) = counts(kind, cols);
        ShapeError::check("activation scales", scales.len(), rows * row_scales)?;
        ShapeError::check("activation sums", sums.len(), rows * row_sums)?;
        Ok(ActivationsRef {
            kind,
            cols,
            codes,
            scales,
            sums,
        })
    }

    /// The kind of quantization.
    pub fn kind(self) -> ActivationKind {
        self.kind
    }

    /// Activations in a row.
    pub fn cols(self) -> usize {
        self.cols
    }

    /// Number of rows: the batch size.
    pub fn rows(self) -> usize {
        self.codes.len() / self.cols
    }

    /// The codes of all rows, row-major.
    pub fn codes(self) -> &'a [i8] {
        self.codes
    }

    /// The scales of all rows: one a row (`i8_s`) or one a block (`Q8_K`, `Q8_0`). `Q8_1` has a scale and a sum of values
    /// for each block.
    pub fn scales(self) -> &'a [f32] {
        self.scales
    }

    /// The sums of all rows: one a row (`i8_s`), one for every 16 codes (`Q8_K`), or none.
    pub fn sums(self) -> &'a [i32] {
        self.sums
    }

    /// The scales of one row.
    pub(crate) fn row_scales(self, row: usize) -> &'a [f32] {
        let (scales, _) = counts(self.kind, self.cols);
        &self.scales[row * scales..][..scales]
    }

    /// The sums of one row.
    pub(crate) fn row_sums(self, row: usize) -> &'a [i32] {
        let (_, sums) = counts(self.kind, self.cols);
        &self.sums[row * sums..][..sums]
    }
}

/// The number of rows in `len` activations.
///
/// # Errors
///
/// As [`ActivationsRef::new`].
pub(super) fn whole_rows(
    kind: ActivationKind,
    cols: usize,
    len: usize,
) -> Result<usize, ActivationError> {
    if cols == 0 || len == 0 {
        return Err(ShapeError::Empty { rows: len, cols }.into());
    }
    let multiple = kind.multiple();
    if !cols.is_multiple_of(multiple) {
        let kind = kind.name();
        return Err(ActivationError::Columns {
            kind,
            cols,
            multiple,
        });
    }
    let rows = len / cols;
    ShapeError::check("activations of whole rows", len, rows * cols)?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::super::Activations;
    use super::*;

    #[test]
    fn parts_that_do_not_fit_together_are_refused() {
        use ActivationKind::{I8S, Q8K};
        let values = [1.0; 512];
        for (kind, cols) in [(I8S, 128), (Q8K, 256)] {
            let owned = Activations::quantize(kind, cols, &values).unwrap();
            let (codes, scales, sums) = (owned.codes(), owned.scales(), owned.sums());
            let whole = ActivationsRef::new(kind, cols, codes, scales, sums).unwrap();
            assert_eq!(whole, owned.view());
            let refused = |codes, scales, sums| {
                ActivationsRef::new(kind, cols, codes, scales, sums).unwrap_err();
            };
            refused(&codes[1..], scales, sums);
            refused(&codes[cols..], scales, sums);
            refused(&codes[..0], scales, sums);
            refused(codes, &scales[1..], sums);
            refused(codes, scales, &sums[1..]);
        }
        let error = ActivationsRef::new(Q8K, 100, &[0; 100], &[], &[]).unwrap_err();
        assert!(matches!(
            error,
            ActivationError::Columns { multiple: 256, .. }
        ));
    }
}
