//! Work spread over threads in pieces that are written independently, so that results never depend on their number.

use rayon::prelude::*;

use crate::matmul::MatmulError;

/// The threads that everything but a ternary matrix product runs on.
#[derive(Debug)]
pub(crate) struct Workers(Option<rayon::ThreadPool>);

impl Workers {
    /// `threads` threads, started now; the calling thread alone for one.
    pub(crate) fn new(threads: usize) -> Result<Workers, MatmulError> {
        if threads <= 1 {
            return Ok(Workers(None));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| MatmulError::Threads {
            threads,
            reason: error.to_string(),
        })?;
        Ok(Workers(Some(pool)))
    }

    /// Runs `task(index, chunk)` for each chunk of `len` elements, the last of which may be shorter.
    pub(crate) fn each_chunk<T: Send>(
        &self,
        data: &mut [T],
        len: usize,
        task: impl Fn(usize, &mut [T]) + Sync,
    ) {
        match &self.0 {
            None => data
                .chunks_mut(len)
                .enumerate()
                .for_each(|(index, chunk)| task(index, chunk)),
            Some(pool) => pool.install(|| {
                data.par_chunks_mut(len)
                    .enumerate()
                    .for_each(|(index, chunk)| task(index, chunk));
            }),
        }
    }
}
