//! A case: everything that reproduces a product, in numbers rather than packed bytes.

use std::ops::Range;

use qk256::format::{Flavour, Format, ScaleRule, ShapeError, Storage, Weights, pack};
use thiserror::Error;

use crate::side::reference_format;

/// The bytes that a buffer may start beyond an alignment of 64.
pub(crate) const ALIGNMENT: usize = 64;

/// The operation that int8 activations ask for.
pub const DOTS: &str = "dots";

/// The operation that f32 activations ask for.
pub const PRODUCTS: &str = "products";

/// Why a case cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaseError {
    /// The format cannot hold it.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Activations that are no whole rows.
    #[error("{found} activations are not {batch} rows of {cols}")]
    Activations {
        /// Activations found.
        found: usize,
        /// Rows.
        batch: usize,
        /// Columns.
        cols: usize,
    },
}

/// `batch x cols` activations; their type says which operation runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// int8: integer dots.
    Codes(Vec<i8>),
    /// f32, to be quantized: products.
    Values(Vec<f32>),
}

impl Input {
    /// How many activations there are.
    pub fn len(&self) -> usize {
        match self {
            Input::Codes(codes) => codes.len(),
            Input::Values(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is computed of it.
    pub fn operation(&self) -> &'static str {
        match self {
            Input::Codes(_) => DOTS,
            Input::Values(_) => PRODUCTS,
        }
    }
}

/// A matrix, activations, and how they are run.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Format.
    pub format: &'static Format,
    /// Flavour, one of the format's.
    pub flavour: Flavour,
    /// Weight rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Activation rows.
    pub batch: usize,
    /// Threads for products.
    pub threads: usize,
    /// Bytes by which weights and activations lie beyond an alignment of 64.
    pub shift: [usize; 2],
    /// `rows x cols` codes.
    pub codes: Vec<u8>,
    /// Scales, as many as the storage has.
    pub scales: Vec<f32>,
    /// Activations.
    pub input: Input,
}

impl Case {
    /// Some rows of a matrix, aligned and on one thread. None if its format is not in the list of formats.
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
            flavour: storage.flavour(),
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

    /// The same numbers as references write them, in their own layout and flavour.
    pub fn for_references(&self) -> Case {
        let format = reference_format(self.format);
        Case {
            format,
            flavour: format.native_flavour(),
            ..self.clone()
        }
    }

    /// Whether every activation is a number.
    pub fn is_finite(&self) -> bool {
        match &self.input {
            Input::Codes(_) => true,
            Input::Values(values) => values.iter().all(|value| value.is_finite()),
        }
    }

    /// How the weights lie.
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
        Ok(Storage::new(*self.format, self.flavour, self.rows, cols)?)
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

    /// The same weights as references write them. Scales that the flavour keeps outside count as 1.
    ///
    /// # Errors
    ///
    /// [`CaseError::Shape`] if the references' format cannot hold them.
    pub fn pack_for_references(&self) -> Result<(Storage, Vec<u8>), CaseError> {
        let scaled = self.storage()?.scale_offset().is_some();
        let storage = Storage::native(*reference_format(self.format), self.rows, self.cols)?;
        let ones = vec![1.0; storage.scale_count()];
        let scales = if scaled { &self.scales } else { &ones };
        let bytes = pack(&storage, &self.codes, scales)?;
        Ok((storage, bytes))
    }
}

/// A copy that starts `shift` bytes beyond an alignment of [`ALIGNMENT`].
pub(crate) struct Shifted<T> {
    buffer: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Shifted<T> {
    /// Copies `values`; a shift that `T` cannot have is rounded down.
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
    fn shifted_copies_lie_where_they_should() {
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
