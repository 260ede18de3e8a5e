//! Fork and join: members that wait for work, at first without sleeping.
//!
//! A fork offers the same work to every member; who takes it and who comes too late is not fixed. The work must
//! therefore be complete when the calling thread alone has run it, as a loop over a shared queue is.

use std::any::Any;
use std::hint::spin_loop;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// For how long a member looks out for the next fork before it sleeps. Waking a sleeper takes tens of microseconds;
/// what a forward pass does between two products takes fewer.
const PATIENCE: Duration = Duration::from_micros(100);

/// Looks between two offers to let another thread have the core, which may be the one that is waited for.
const LOOKS: usize = 32;

/// What a fork offers. `'static` by [`Team::run`], which does not return while anybody can reach it.
type Work = &'static (dyn Fn() + Sync);

/// Members, each on a thread of its own, until it is dropped.
#[derive(Debug)]
pub(super) struct Team {
    shared: Arc<Shared>,
    members: Vec<JoinHandle<()>>,
    /// Held by who has forked.
    fork: Mutex<()>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes sleepers.
    wake: Condvar,
    /// Forks so far, or one more when the team ends. Changed under the lock of `state`, looked at without.
    forks: AtomicUsize,
    /// Members at work. Goes up under the lock of `state` only, and only while there is work.
    active: AtomicUsize,
}

#[derive(Default)]
struct State {
    work: Option<Work>,
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
    /// Starts so many members.
    pub(super) fn new(members: usize) -> io::Result<Team> {
        let mut team = Team {
            shared: Arc::default(),
            members: Vec::new(),
            fork: Mutex::new(()),
        };
        for member in 0..members {
            let shared = Arc::clone(&team.shared);
            let builder = thread::Builder::new().name(format!("qk256-{member}"));
            // An early return drops the team, which ends those that have started.
            team.members.push(builder.spawn(move || shared.serve())?);
        }
        Ok(team)
    }

    /// How many members there are.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Runs `work` on the calling thread and on each member that comes before the calling thread is through, and
    /// waits for those. If the team is busy with another fork, the calling thread is alone.
    ///
    /// # Panics
    ///
    /// If `work` does on any thread, after all of them are through.
    pub(super) fn run(&self, work: &(dyn Fn() + Sync)) {
        let Ok(fork) = self.fork.try_lock() else {
            return work();
        };
        // SAFETY: only the lifetime changes. Members reach the reference through `State::work` alone, where it stands
        // from `open` to `close`, and count themselves active before they let go of the lock that they read it under.
        // `close` takes it out under that lock and returns when nobody is active, and between the two nothing
        // unwinds: so the reference is not used after this function has returned.
        let lasting = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), Work>(work) };
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
            // Members catch what unwinds, so there is no panic to pass on.
            let _ = member.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and sees to it that every member notices.
    fn announce(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        self.forks.fetch_add(1, Ordering::Relaxed);
        if state.sleepers > 0 {
            drop(state);
            self.wake.notify_all();
        }
    }

    fn open(&self, work: Work) {
        self.announce(|state| state.work = Some(work));
    }

    /// Withdraws the work, waits for who has taken it, and gives the first panic among them.
    fn close(&self) -> Option<Box<dyn Any + Send>> {
        self.lock().work = None;
        // Short: members are at their last piece of the work.
        while !look(|| self.active.load(Ordering::Acquire) == 0) {
            thread::yield_now();
        }
        self.lock().panic.take()
    }

    /// The life of a member.
    fn serve(&self) {
        let mut seen = 0;
        while let Some(work) = self.next(&mut seen) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                self.lock().panic.get_or_insert(panic);
            }
            self.active.fetch_sub(1, Ordering::Release);
        }
    }

    /// The work of a fork after the first `seen`, counted as active; `None` when the team ends.
    fn next(&self, seen: &mut usize) -> Option<Work> {
        loop {
            self.look_out(*seen);
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

    /// Returns when there is another fork, or when patience is over.
    fn look_out(&self, seen: usize) {
        let start = Instant::now();
        while !look(|| self.forks.load(Ordering::Relaxed) != seen) && start.elapsed() < PATIENCE {
            thread::yield_now();
        }
    }
}

/// Whether `happened` becomes true within a few looks.
fn look(happened: impl Fn() -> bool) -> bool {
    (0..LOOKS).any(|_| {
        let happened = happened();
        if !happened {
            spin_loop();
        }
        happened
    })
}
