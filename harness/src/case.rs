//! A case: weights, activations and settings that reproduce a product, as numbers instead of packed bytes.

use std::ops::Range;

use qk256::format::{Format, ScaleRule, ShapeError, Storage, StorageVariant, Weights, pack};
use thiserror::Error;

use crate::participant::reference_format;

/// Alignment in bytes that the shifts of a case are relative to.
pub(crate) const ALIGNMENT: usize = 64;

/// Operation of a case with int8 activations.
pub const DOTS: &str = "dots";

/// Operation of a case with f32 activations.
pub const PRODUCTS: &str = "products";

/// Why a case cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaseError {
    /// The format cannot hold this shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The number of activations is not `batch x cols`.
    #[error("{found} activations are not {batch} rows of {cols}")]
    Activations {
        /// Number of activations found.
        found: usize,
        /// Activation rows.
        batch: usize,
        /// Columns.
        cols: usize,
    },
}

/// Activations, `batch x cols`, row-major. Their type selects the operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// int8, for integer dots.
    Codes(Vec<i8>),
    /// f32, for products that quantize them first.
    Values(Vec<f32>),
}

impl Input {
    /// Number of activations.
    pub fn len(&self) -> usize {
        match self {
            Input::Codes(codes) => codes.len(),
            Input::Values(values) => values.len(),
        }
    }

    /// Whether there are no activations.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of the operation: [`DOTS`] or [`PRODUCTS`].
    pub fn operation(&self) -> &'static str {
        match self {
            Input::Codes(_) => DOTS,
            Input::Values(_) => PRODUCTS,
        }
    }
}

/// A matrix, activations, and the settings of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Format.
    pub format: &'static Format,
    /// Storage variant of the format.
    pub variant: StorageVariant,
    /// Weight rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Activation rows.
    pub batch: usize,
    /// Number of threads for products.
    pub threads: usize,
    /// Offsets in bytes of weights and activations from an alignment of 64.
    pub shift: [usize; 2],
    /// Codes, `rows x cols`, row-major.
    pub codes: Vec<u8>,
    /// Scales, in the number that the storage takes.
    pub scales: Vec<f32>,
    /// Activations.
    pub input: Input,
}

impl Case {
    /// A case of some rows of a matrix, aligned and on one thread. None if the format is not in the list of formats.
    ///
    /// # Panics
    ///
    /// If the rows lie outside the matrix.
    pub fn of_rows(weights: &Weights<'_>, rows: Range<usize>, input: Input) -> Option<Case> {
        let (storage, cols) = (weights.storage(), weights.cols());
        let code = |row| (0..cols).map(move |col| weights.code(row, col));
        let scales = match storage.format().scale {
            ScaleRule::Tensor => 0..1,
            ScaleRule::Block { weights } => {
                let blocks = cols.div_ceil(weights);
                rows.start * blocks..rows.end * blocks
            }
        };
        Some(Case {
            format: Format::by_id(storage.format().id)?,
            variant: storage.variant(),
            rows: rows.len(),
            cols,
            batch: input.len() / cols,
            threads: 1,
            shift: [0, 0],
            codes: rows.flat_map(code).collect(),
            scales: scales.map(|index| weights.scale(index)).collect(),
            input,
        })
    }

    /// The same numbers in the layout and storage variant of the oracles.
    pub fn for_references(&self) -> Case {
        let format = reference_format(self.format);
        Case {
            format,
            variant: format.native_variant(),
            ..self.clone()
        }
    }

    /// Whether every activation is finite.
    pub fn is_finite(&self) -> bool {
        match &self.input {
            Input::Codes(_) => true,
            Input::Values(values) => values.iter().all(|value| value.is_finite()),
        }
    }

    /// Storage of the weights: format, variant and shape.
    ///
    /// # Errors
    ///
    /// [`CaseError`] if the format cannot hold the shape, or if activations do not fit it.
    pub fn storage(&self) -> Result<Storage, CaseError> {
        let found = self.input.len();
        let (batch, cols) = (self.batch, self.cols);
        if batch == 0 || batch.checked_mul(cols) != Some(found) {
            return Err(CaseError::Activations { found, batch, cols });
        }
        Ok(Storage::new(*self.format, self.variant, self.rows, cols)?)
    }

    /// The packed weights.
    ///
    /// # Errors
    ///
    /// [`CaseError`].
    pub fn pack(&self) -> Result<(Storage, Vec<u8>), CaseError> {
        let storage = self.storage()?;
        Ok((storage, pack(&storage, &self.codes, &self.scales)?))
    }

    /// The weights packed as the oracles store them. Scales that the storage variant keeps outside the block count as
    /// 1.
    ///
    /// # Errors
    ///
    /// [`CaseError::Shape`] if the oracle's format cannot hold them.
    pub fn pack_for_references(&self) -> Result<(Storage, Vec<u8>), CaseError> {
        let scaled = self.storage()?.scale_offset().is_some();
        let storage = Storage::native(*reference_format(self.format), self.rows, self.cols)?;
        let ones = vec![1.0; storage.scale_count()];
        let scales = if scaled { &self.scales } else { &ones };
        let bytes = pack(&storage, &self.codes, scales)?;
        Ok((storage, bytes))
    }
}

/// A copy of a buffer that starts `shift` bytes after an address aligned to [`ALIGNMENT`].
pub(crate) struct Shifted<T> {
    buffer: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Shifted<T> {
    /// Copies `values`. The shift is rounded down to a multiple of the alignment of `T`.
    pub(crate) fn new(values: &[T], shift: usize) -> Shifted<T> {
        let size = size_of::<T>();
        let mut buffer = vec![T::default(); values.len() + 2 * ALIGNMENT / size];
        let aligned = buffer
            .as_ptr()
            .align_offset(ALIGNMENT)
            .min(ALIGNMENT / size);
        let start = aligned + shift % ALIGNMENT / size;
        buffer[start..][..values.len()].copy_from_slice(values);
        Shifted {
            buffer,
            start,
            len: values.len(),
        }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        &self.buffer[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifted_copies_have_the_requested_alignment() {
        for shift in 0..ALIGNMENT {
            let bytes = Shifted::new(&[1u8, 2, 3], shift);
            assert_eq!(bytes.as_slice(), [1, 2, 3]);
            assert_eq!(bytes.as_slice().as_ptr() as usize % ALIGNMENT, shift);
            let floats = Shifted::new(&[1.0f32, 2.0], shift);
            assert_eq!(
                floats.as_slice().as_ptr() as usize % ALIGNMENT,
                shift / 4 * 4
            );
        }
    }
}
