//! Work spread over threads in pieces that are written independently, so that results never depend on their number.

mod team;

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;

use thiserror::Error;

use team::Team;

/// Pieces for each thread: enough that a thread which starts late or is held up does not hold up the others.
pub(crate) const PIECES_PER_THREAD: usize = 8;

/// Threads for each core that [`Threads::new`] starts at most. More gain nothing, and a system that is out of threads may
/// end the process.
pub const MOST_PER_CORE: usize = 64;

/// The most threads that [`Threads::new`] starts on this machine: [`MOST_PER_CORE`] times as many as it runs at once.
pub fn most() -> usize {
    MOST_PER_CORE * thread::available_parallelism().map_or(1, usize::from)
}

/// Why threads cannot be started.
#[derive(Debug, Error)]
pub enum ThreadsError {
    /// More than [`most`].
    #[error("{threads} threads are more than {most}, {MOST_PER_CORE} for each core")]
    TooMany {
        /// Threads requested.
        threads: usize,
        /// The limit.
        most: usize,
    },
    /// The operating system gave none.
    #[error("cannot start {threads} threads: {source}; request fewer")]
    NotStarted {
        /// Threads requested.
        threads: usize,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The threads that matrix products and a forward pass run on: the calling one, and others that wait for work. They
/// look out for it for a short time before they sleep, so that products in quick succession cost little to spread.
/// Results never depend on how many there are.
#[derive(Debug)]
pub struct Threads(Option<Team>);

impl Threads {
    /// The calling thread alone.
    pub const ONE: Threads = Threads(None);

    /// `threads` threads: the calling one, and the others started now.
    ///
    /// # Errors
    ///
    /// [`ThreadsError`] if they are too many, or cannot be started.
    pub fn new(threads: usize) -> Result<Threads, ThreadsError> {
        if threads <= 1 {
            return Ok(Threads::ONE);
        }
        let most = most();
        if threads > most {
            return Err(ThreadsError::TooMany { threads, most });
        }
        match Team::new(threads - 1) {
            Ok(team) => Ok(Threads(Some(team))),
            Err(source) => Err(ThreadsError::NotStarted { threads, source }),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        1 + self.0.as_ref().map_or(0, Team::len)
    }

    /// Runs `task(scratch, item)` for each item, on whichever thread is free. `scratch` is memory that a thread uses
    /// again, empty at first.
    ///
    /// # Panics
    ///
    /// If `task` does, after all threads are through.
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

    /// Runs `task(index, chunk)` for each chunk of `len` elements, the last of which may be shorter.
    ///
    /// # Panics
    ///
    /// If `task` does, or if `len` is zero.
    pub(crate) fn each_chunk<T: Send>(
        &self,
        data: &mut [T],
        len: usize,
        task: impl Fn(usize, &mut [T]) + Sync,
    ) {
        self.each_chunk_with(data, len, |(): &mut (), index, chunk| task(index, chunk));
    }

    /// As [`Threads::each_chunk`], with memory that a thread uses again, empty at first.
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
            // Nobody passes alone: each of the three must hold an item.
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
    fn a_fork_within_a_fork_and_beside_another_is_complete() {
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
        for threads in [most() + 1, 100_000_000, usize::MAX] {
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
