//! A side that is made to take its path for few activation rows, or that for many: what probes find in one says nothing
//! of the other.

use qk256::format::{Storage, Weights};

use crate::implementation::{Implementation, SideError};

/// Activation rows that every kernel takes for few.
pub(super) const FEW: usize = 2;

/// Activation rows that every kernel takes for many.
pub(super) const MANY: usize = 16;

/// A side that is given each activation row in a call of its own, `copies` times over; more rows than that as they are,
/// unless they are to be alone.
pub(super) struct EachRow<'a> {
    pub(super) side: &'a dyn Implementation,
    pub(super) copies: usize,
}

impl EachRow<'_> {
    /// Calls the side for each row, and keeps the results of the first copy.
    fn each<A: Copy, R: Copy + Default>(
        &self,
        weights: &Weights<'_>,
        activations: &[A],
        out: &mut [R],
        call: impl Fn(&[A], &mut [R]) -> Result<(), SideError>,
    ) -> Result<(), SideError> {
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
        self.side.id()
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), SideError> {
        self.side.defined_on(storage)
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), SideError> {
        self.each(weights, activations, out, |a, out| {
            self.side.dots(weights, a, out)
        })
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), SideError> {
        self.each(weights, activations, out, |a, out| {
            self.side.products(weights, a, threads, out)
        })
    }

    fn quantize(&self, storage: &Storage, values: &[f32]) -> Result<Vec<u8>, SideError> {
        self.side.quantize(storage, values)
    }
}
