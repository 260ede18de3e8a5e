//! A thread pool. Work is divided into pieces with independent results, so results do not depend on the number of
//! threads.

mod team;

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;

use thiserror::Error;

use team::Team;

/// Pieces of work per thread. There are several, so that the other threads compensate for a late or slow one.
pub(crate) const PIECES_PER_THREAD: usize = 8;

/// Maximum number of threads per core that [`Threads::new`] starts. More are not faster, and a system that runs out of
/// threads may end the process.
pub const MOST_PER_CORE: usize = 64;

/// Maximum number of threads that [`Threads::new`] starts on this machine: [`MOST_PER_CORE`] times its parallelism.
pub fn limit() -> usize {
    MOST_PER_CORE * thread::available_parallelism().map_or(1, usize::from)
}

/// Why threads cannot be started.
#[derive(Debug, Error)]
pub enum ThreadsError {
    /// More threads than [`limit`] were requested.
    #[error("{threads} threads are more than {limit}, {MOST_PER_CORE} for each core")]
    TooMany {
        /// Threads requested.
        threads: usize,
        /// The limit.
        limit: usize,
    },
    /// The operating system did not start the threads.
    #[error("cannot start {threads} threads: {source}; request fewer")]
    NotStarted {
        /// Threads requested.
        threads: usize,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// The threads for matrix products and forward passes: the calling thread and a pool.
///
/// Idle threads of the pool spin for a short time before they sleep, so that consecutive products have little overhead.
/// Results do not depend on the number of threads.
#[derive(Debug)]
pub struct Threads(Option<Team>);

impl Threads {
    /// Only the calling thread.
    pub const ONE: Threads = Threads(None);

    /// `threads` threads: the calling thread, and new threads for the rest.
    ///
    /// # Errors
    ///
    /// [`ThreadsError`] if there are too many threads, or if they cannot be started.
    pub fn new(threads: usize) -> Result<Threads, ThreadsError> {
        if threads <= 1 {
            return Ok(Threads::ONE);
        }
        if threads > limit() {
            let limit = limit();
            return Err(ThreadsError::TooMany { threads, limit });
        }
        match Team::new(threads - 1) {
            Ok(team) => Ok(Threads(Some(team))),
            Err(source) => Err(ThreadsError::NotStarted { threads, source }),
        }
    }

    /// Number of threads, including the calling one.
    pub fn count(&self) -> usize {
        1 + self.0.as_ref().map_or(0, Team::len)
    }

    /// Runs `task(scratch, item)` for each item, on any free thread. Each thread has its own `scratch`, initially
    /// empty, which it reuses.
    ///
    /// # Panics
    ///
    /// If `task` panics, after all threads have finished.
    pub(crate) fn for_each<I: Iterator + Send, S: Default>(
        &self,
        items: I,
        task: impl Fn(&mut S, I::Item) + Sync,
    ) {
        let few = items.size_hint().1.is_some_and(|most| most <= 1);
        let team = match &self.0 {
            Some(team) if !few => team,
            _ => {
                let mut scratch = S::default();
                return items.for_each(|item| task(&mut scratch, item));
            }
        };
        let queue = Mutex::new(items);
        team.run(&|| {
            let mut scratch = S::default();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(item) = next else { break };
                task(&mut scratch, item);
            }
        });
    }

    /// Runs `task(index, chunk)` for each chunk of `len` elements. The last chunk may be shorter.
    ///
    /// # Panics
    ///
    /// If `task` panics, or if `len` is zero.
    pub(crate) fn each_chunk<T: Send>(
        &self,
        data: &mut [T],
        len: usize,
        task: impl Fn(usize, &mut [T]) + Sync,
    ) {
        self.each_chunk_with(data, len, |(): &mut (), index, chunk| task(index, chunk));
    }

    /// As [`Threads::each_chunk`], with scratch memory as in [`Threads::for_each`].
    pub(crate) fn each_chunk_with<T: Send, S: Default>(
        &self,
        data: &mut [T],
        len: usize,
        task: impl Fn(&mut S, usize, &mut [T]) + Sync,
    ) {
        let run = match self.count() {
            1 => usize::MAX,
            threads => data
                .len()
                .div_ceil(len)
                .div_ceil(threads * PIECES_PER_THREAD),
        };
        let run = run.max(1);
        let runs = data.chunks_mut(run.saturating_mul(len)).enumerate();
        self.for_each(runs, |scratch, (index, chunks)| {
            for (at, chunk) in chunks.chunks_mut(len).enumerate() {
                task(scratch, index * run + at, chunk);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_chunk_is_worked_on_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 3, 16] {
            let threads = Threads::new(threads).unwrap();
            for len in [1, 7, 100, 1000] {
                let mut data = vec![0; 100];
                threads.each_chunk(&mut data, len, |index, chunk| {
                    for (at, value) in chunk.iter_mut().enumerate() {
                        *value += 1 + index * len + at;
                    }
                });
                assert!(data.into_iter().eq(1..=100), "{} {len}", threads.count());
            }
            threads.each_chunk(&mut [0; 0], 5, |_, _| panic!("a chunk of nothing"));
        }
    }

    #[test]
    fn all_threads_take_part_awake_or_asleep() {
        let threads = Threads::new(3).unwrap();
        for pause in [0, 0, 1, 5] {
            sleep(Duration::from_millis(pause));
            // The barrier blocks until each of the three threads has an item.
            let all = Barrier::new(3);
            threads.for_each(0..3, |(): &mut (), _| {
                all.wait();
            });
        }
    }

    #[test]
    fn forks_in_quick_succession_lose_nothing() {
        let threads = Threads::new(4).unwrap();
        let mut data = [0usize; 8];
        for round in 0..20_000 {
            threads.each_chunk(&mut data, 1, |_, value| value[0] += 1);
            assert_eq!(data, [round + 1; 8]);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_threads_go_on() {
        let threads = Threads::new(2).unwrap();
        let both = Barrier::new(2);
        for bad in 0..2 {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                threads.for_each(0..2, |(): &mut (), item| {
                    both.wait();
                    assert_ne!(item, bad, "planted");
                });
            }));
            let message = *caught.unwrap_err().downcast::<String>().unwrap();
            assert!(message.contains("planted"), "{message}");
        }
        threads.for_each(0..2, |(): &mut (), _| {
            both.wait();
        });
    }

    #[test]
    fn nested_and_concurrent_forks_are_complete() {
        let threads = Threads::new(2).unwrap();
        let done = AtomicUsize::new(0);
        let nested = || {
            threads.for_each(0..10, |(): &mut (), _| {
                threads.for_each(0..10, |(): &mut (), _| {
                    done.fetch_add(1, Ordering::Relaxed);
                });
            });
        };
        thread::scope(|scope| {
            scope.spawn(nested);
            scope.spawn(nested);
        });
        assert_eq!(done.into_inner(), 200);
    }

    #[test]
    fn more_threads_than_the_limit_are_an_error_and_not_started() {
        for threads in [limit() + 1, 100_000_000, usize::MAX] {
            let error = Threads::new(threads).unwrap_err();
            assert!(matches!(error, ThreadsError::TooMany { .. }), "{error}");
        }
    }

    #[test]
    fn threads_end_with_their_owner() {
        for pause in [0, 2] {
            let threads = Threads::new(3).unwrap();
            sleep(Duration::from_millis(pause));
            drop(threads);
        }
    }
}
