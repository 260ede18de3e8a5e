//! The roofs: what no kernel can beat on this machine in this run, measured on the same threads.
//!
//! - the **read roof**: bytes of weights that so many threads read in order, from wherever they lie;
//! - the **multiply-add roof**: int8 products that an instruction set adds up on registers alone.

mod multiply_add;
mod read;

pub(super) use multiply_add::MultiplyAdd;
use rayon::ThreadPool;

use crate::implementation::SideError;

/// Name of the roofs where something goes wrong.
const SIDE: &str = "roof";

/// Threads that all do the same.
pub(super) struct Crew {
    pool: Option<ThreadPool>,
    threads: usize,
}

impl Crew {
    /// `threads` threads, started now; 1 is the calling thread.
    ///
    /// # Errors
    ///
    /// [`SideError::Failed`] if they cannot be started.
    pub(super) fn new(threads: usize) -> Result<Crew, SideError> {
        let start = || rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = (threads > 1).then(start).transpose();
        Ok(Crew {
            pool: pool.map_err(|error| SideError::Failed {
                side: SIDE.into(),
                operation: "start",
                reason: error.to_string(),
            })?,
            threads,
        })
    }

    /// Runs `work` on every thread, with the thread's number, and waits for all.
    fn all(&self, work: impl Fn(usize) + Sync) {
        match &self.pool {
            None => work(0),
            Some(pool) => {
                pool.broadcast(|context| work(context.index()));
            }
        }
    }

    /// Reads each of the buffers once, every thread its own part.
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

    /// `bursts` bursts of multiply-adds on every thread.
    pub(super) fn multiply_add(&self, instruction: MultiplyAdd, bursts: usize) {
        self.all(|_| instruction.run(bursts));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_thread_of_the_crew_works_once() {
        for threads in 1..4 {
            let seen: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
            Crew::new(threads).unwrap().all(|thread| {
                seen[thread].fetch_add(1, Ordering::Relaxed);
            });
            assert!(seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 1));
        }
    }
}
