//! Forces an implementation to take its code path for small or for large batches. Faults of one path do not show in the
//! other.

use qk256::format::{Storage, Weights};

use crate::implementation::{Implementation, ImplementationError};

/// Number of activation rows that every kernel treats as a small batch.
pub(super) const FEW: usize = 2;

/// Number of activation rows that every kernel treats as a large batch.
pub(super) const MANY: usize = 16;

/// Calls an implementation with one activation row at a time, repeated `copies` times. With more than one copy, batches
/// of at least `copies` rows are passed unchanged.
pub(super) struct EachRow<'a> {
    pub(super) implementation: &'a dyn Implementation,
    pub(super) copies: usize,
}

impl EachRow<'_> {
    /// Calls the implementation for each row and keeps the results of the first copy.
    fn each<A: Copy, R: Copy + Default>(
        &self,
        weights: &Weights<'_>,
        activations: &[A],
        out: &mut [R],
        call: impl Fn(&[A], &mut [R]) -> Result<(), ImplementationError>,
    ) -> Result<(), ImplementationError> {
        let (rows, batch) = (weights.rows(), activations.len() / weights.cols());
        if batch == 1 && self.copies == 1 || batch >= self.copies && self.copies > 1 {
            return call(activations, out);
        }
        let mut results = vec![R::default(); self.copies * rows];
        for (row, out) in activations
            .chunks_exact(weights.cols())
            .zip(out.chunks_exact_mut(rows))
        {
            call(&row.repeat(self.copies), &mut results)?;
            out.copy_from_slice(&results[..rows]);
        }
        Ok(())
    }
}

impl Implementation for EachRow<'_> {
    fn id(&self) -> &str {
        self.implementation.id()
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), ImplementationError> {
        self.implementation.defined_on(storage)
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), ImplementationError> {
        self.each(weights, activations, out, |a, out| {
            self.implementation.dots(weights, a, out)
        })
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), ImplementationError> {
        self.each(weights, activations, out, |a, out| {
            self.implementation.products(weights, a, threads, out)
        })
    }

    fn quantize(&self, storage: &Storage, values: &[f32]) -> Result<Vec<u8>, ImplementationError> {
        self.implementation.quantize(storage, values)
    }
}
