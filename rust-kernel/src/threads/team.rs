//! A fork-join thread pool. Idle members spin before they sleep.
//!
//! A fork offers the same work to every member. It is not fixed which members run it, because some may be too late. The
//! work must therefore be complete when only the calling thread has run it, like a loop over a shared queue.

use std::any::Any;
use std::hint::spin_loop;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Time for which an idle member spins before it sleeps. Waking a thread takes tens of microseconds. A forward pass
/// needs less between two products.
const SPIN_TIME: Duration = Duration::from_micros(100);

/// Spins between two calls of `yield_now`. The thread that is waited for may need the core.
const SPINS_PER_YIELD: usize = 32;

/// The work of a fork. [`Team::run`] extends its lifetime to `'static`, and does not return while it can be accessed.
type Job = &'static (dyn Fn() + Sync);

/// A pool of members, one thread each. Dropping it ends the threads.
#[derive(Debug)]
pub(super) struct Team {
    shared: Arc<Shared>,
    members: Vec<JoinHandle<()>>,
    /// Held during a fork.
    fork: Mutex<()>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes sleeping members.
    wake: Condvar,
    /// Number of forks so far, plus one after the team has ended. Modified under the lock of `state`, read without it.
    forks: AtomicUsize,
    /// Number of members that run work. Incremented only under the lock of `state`, and only while there is work.
    active: AtomicUsize,
}

#[derive(Default)]
struct State {
    work: Option<Job>,
    sleepers: usize,
    panic: Option<Box<dyn Any + Send>>,
    ended: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("forks", &self.forks)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

impl Team {
    /// Starts `members` threads.
    pub(super) fn new(members: usize) -> io::Result<Team> {
        let mut team = Team {
            shared: Arc::default(),
            members: Vec::new(),
            fork: Mutex::new(()),
        };
        for member in 0..members {
            let shared = Arc::clone(&team.shared);
            let builder = thread::Builder::new().name(format!("qk256-{member}"));
            // An early return drops the team, which ends the threads that were started.
            team.members.push(builder.spawn(move || shared.serve())?);
        }
        Ok(team)
    }

    /// Number of members.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Runs `work` on the calling thread and on each member that is ready before the calling thread has finished, and
    /// waits for these members. If the team is busy with another fork, only the calling thread runs `work`.
    ///
    /// # Panics
    ///
    /// If `work` panics on any thread, after all of them have finished.
    pub(super) fn run(&self, work: &(dyn Fn() + Sync)) {
        let Ok(fork) = self.fork.try_lock() else {
            return work();
        };
        // SAFETY: only the lifetime changes. Members access the reference only through `State::work`, which holds it
        // from `open` to `close`, and increment `active` before they release the lock under which they read it. `close`
        // removes it under that lock and returns when `active` is zero. Nothing unwinds between `open` and `close`. The
        // reference is therefore not used after this function has returned.
        let lasting = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), Job>(work) };
        self.shared.open(lasting);
        let own = catch_unwind(AssertUnwindSafe(work));
        let others = self.shared.close();
        drop(fork);
        if let Some(panic) = own.err().or(others) {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.announce(|state| state.ended = true);
        for member in self.members.drain(..) {
            // Members catch panics, so there is none to propagate.
            let _ = member.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and notifies all members.
    fn announce(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        self.forks.fetch_add(1, Ordering::Relaxed);
        if state.sleepers > 0 {
            drop(state);
            self.wake.notify_all();
        }
    }

    fn open(&self, work: Job) {
        self.announce(|state| state.work = Some(work));
    }

    /// Removes the work, waits for the members that run it, and returns the first of their panics.
    fn close(&self) -> Option<Box<dyn Any + Send>> {
        self.lock().work = None;
        // The wait is short: members are at their last piece of the work.
        while !spin_until(|| self.active.load(Ordering::Acquire) == 0) {
            thread::yield_now();
        }
        self.lock().panic.take()
    }

    /// The loop of a member.
    fn serve(&self) {
        let mut seen = 0;
        while let Some(work) = self.next(&mut seen) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                self.lock().panic.get_or_insert(panic);
            }
            self.active.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for a fork after the first `seen` and returns its work, with `active` incremented; `None` if the team has
    /// ended.
    fn next(&self, seen: &mut usize) -> Option<Job> {
        loop {
            self.spin_until_fork(*seen);
            let mut state = self.lock();
            while self.forks.load(Ordering::Relaxed) == *seen {
                state.sleepers += 1;
                state = self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.sleepers -= 1;
            }
            *seen = self.forks.load(Ordering::Relaxed);
            if state.ended {
                return None;
            }
            if let Some(work) = state.work {
                self.active.fetch_add(1, Ordering::Relaxed);
                return Some(work);
            }
        }
    }

    /// Spins until there is another fork, or for at most [`SPIN_TIME`].
    fn spin_until_fork(&self, seen: usize) {
        let start = Instant::now();
        while !spin_until(|| self.forks.load(Ordering::Relaxed) != seen)
            && start.elapsed() < SPIN_TIME
        {
            thread::yield_now();
        }
    }
}

/// Whether `happened` becomes true within [`SPINS_PER_YIELD`] spins.
fn spin_until(happened: impl Fn() -> bool) -> bool {
    (0..SPINS_PER_YIELD).any(|_| {
        let happened = happened();
        if !happened {
            spin_loop();
        }
        happened
    })
}
