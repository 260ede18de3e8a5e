//! The roofs: limits of this machine for every kernel, measured in the same run with the same threads.
//!
//! - the **read roof**: the rate at which the threads read the weights in order, from cache or memory;
//! - the **multiply-add roof**: the rate at which an instruction set accumulates int8 products in registers.

mod multiply_add;
mod read;

pub(super) use multiply_add::MultiplyAdd;
use rayon::ThreadPool;

use crate::implementation::ImplementationError;

/// Id of the roofs in errors.
const ROOF_ID: &str = "roof";

/// A pool of threads that run the same function.
pub(super) struct Pool {
    pool: Option<ThreadPool>,
    threads: usize,
}

impl Pool {
    /// Starts `threads` threads. With 1, the calling thread is used.
    ///
    /// # Errors
    ///
    /// [`ImplementationError::Failed`] if they cannot be started.
    pub(super) fn new(threads: usize) -> Result<Pool, ImplementationError> {
        let start = || rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = (threads > 1).then(start).transpose();
        Ok(Pool {
            pool: pool.map_err(|error| ImplementationError::failed(ROOF_ID, "start", error))?,
            threads,
        })
    }

    /// Runs `work` on every thread, with the index of the thread, and waits for all.
    fn all(&self, work: impl Fn(usize) + Sync) {
        match &self.pool {
            None => work(0),
            Some(pool) => {
                pool.broadcast(|context| work(context.index()));
            }
        }
    }

    /// Reads each buffer once. Every thread reads its own part.
    pub(super) fn read<'a>(
        &self,
        buffers: impl Fn(usize) -> &'a [u8] + Sync,
        calls: std::ops::Range<usize>,
    ) {
        self.all(|thread| {
            for call in calls.clone() {
                let bytes = buffers(call);
                let part = bytes.len().div_ceil(self.threads);
                let part = bytes.chunks(part).nth(thread).unwrap_or_default();
                std::hint::black_box(read::fold(part));
            }
        });
    }

    /// Executes `bursts` multiply-add bursts on every thread.
    pub(super) fn multiply_add(&self, instruction: MultiplyAdd, bursts: usize) {
        self.all(|_| instruction.run(bursts));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_thread_of_the_pool_works_once() {
        for threads in 1..4 {
            let seen: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
            Pool::new(threads).unwrap().all(|thread| {
                seen[thread].fetch_add(1, Ordering::Relaxed);
            });
            assert!(seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 1));
        }
    }
}
