//! What ends a run early: Ctrl-C, SIGTERM, SIGHUP, or a model file that can no longer be read.
//!
//! A thread of its own waits for them. The work is asked to end between two steps; if a step takes too long
//! ([`GRACE`]), if a second signal comes, or if the work never asks, that thread ends the process. Either way temporary
//! files and workers go with the run, and it says what was not done.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::{flag, low_level};

use crate::exit::Exit;
use crate::fault;
use crate::printable;
use crate::scratch;
use crate::supervisor;

/// How long a step may go on after the first signal. With what is to be tidied up, a run ends within a second.
pub const GRACE: Duration = Duration::from_millis(600);

/// How long a step may go on that is a command of its own, which ends as these do.
pub const GRACE_OF_A_COMMAND: Duration = Duration::from_millis(850);

/// How long the last words wait for a reader.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What asks the work to end.
pub(crate) const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Milliseconds that the work has to ask if it is to end; 0 if it never asks.
static PATIENCE: AtomicU64 = AtomicU64::new(0);

/// Id of a command that ends with this one; 0 for none.
static COMMAND: AtomicI32 = AtomicI32::new(0);

static UNDONE: Mutex<Undone> = Mutex::new(Undone {
    work: String::new(),
    outputs: Vec::new(),
});

/// What an interruption leaves undone.
struct Undone {
    work: String,
    outputs: Vec<String>,
}

/// From now on a signal ends the process at once, with all that it has to tidy up.
///
/// # Errors
///
/// What the operating system says.
pub fn watch() -> io::Result<()> {
    static WATCHED: Mutex<bool> = Mutex::new(false);
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if *watched {
        return Ok(());
    }
    let asked = ASKED.get_or_init(Arc::default);
    let (direct, by_signal) = UnixStream::pair()?;
    let (forwarded, by_supervisor) = UnixStream::pair()?;
    thread::Builder::new()
        .name("interrupt".into())
        .spawn(move || wait([direct, forwarded]))?;
    fault::watch(by_signal.try_clone()?)?;
    let signals = heeded().into_iter().map(|signal| (signal, &by_signal));
    for (signal, wake) in signals.chain([(SIGUSR1, &by_supervisor)]) {
        // In this order: when the thread wakes, the flag is up.
        flag::register(signal, Arc::clone(asked))?;
        low_level::pipe::register(signal, wake.try_clone()?)?;
    }
    supervisor::forward_interruptions();
    *watched = true;
    Ok(())
}

/// From now on the first signal is a question, which the work answers with [`asked`] between two steps, and within this
/// time.
///
/// # Errors
///
/// As [`watch`].
pub fn watch_steps(patience: Duration) -> io::Result<()> {
    let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    PATIENCE.store(patience, Ordering::Relaxed);
    watch()
}

/// Says which other command a signal that ends this process ends too, in place of what was said before.
pub fn ends_with(command: Option<Pid>) {
    let id = command.map_or(0, |id| id.as_raw_nonzero().get());
    COMMAND.store(id, Ordering::Relaxed);
}

/// Whether the work is asked to end.
pub fn asked() -> bool {
    ASKED
        .get()
        .is_some_and(|asked| asked.load(Ordering::Relaxed))
}

/// Says which work is not done as long as nothing else is said.
pub fn not_done(work: impl Into<String>) {
    undone().work = work.into();
}

/// Says that a file is written only when the work is done.
pub fn not_written(output: impl Into<String>) {
    undone().outputs.push(output.into());
}

/// Takes back what was said of files: they are written.
pub fn written() {
    undone().outputs.clear();
}

/// What is told of an interruption: what was said of it last.
pub fn message() -> String {
    let Undone { work, outputs } = &*undone();
    let mut text = String::from("interrupted");
    if !work.is_empty() {
        text = format!("{text}; not done: {work}");
    }
    for output in outputs {
        text = format!("{text}; {output} was not written");
    }
    text
}

fn undone() -> MutexGuard<'static, Undone> {
    // Each change is a whole one.
    UNDONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Those of [`SIGNALS`] that this process was not started to ignore, as `nohup` and a shell's `&` do.
pub(crate) fn heeded() -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let is_heeded = |signal: &i32| ignored.unwrap_or(0) >> (signal - 1) & 1 == 0;
    SIGNALS.into_iter().filter(is_heeded).collect()
}

/// The thread's work. Every signal is a byte on one of the streams, a fault on the first.
fn wait(mut ways: [UnixStream; 2]) {
    let mut signals = [0; 2];
    let mut deadline: Option<Instant> = None;
    let address = loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        receive(&mut ways, &mut signals, left);
        if let Some(address) = fault::happened() {
            break Some(address);
        }
        let patience = Duration::from_millis(PATIENCE.load(Ordering::Relaxed));
        match signals.into_iter().max() {
            None | Some(0) => continue,
            Some(1) if !patience.is_zero() => {}
            // A signal to the process group comes twice, directly and from the supervisor, and counts once.
            Some(_) => break None,
        }
        let now = Instant::now();
        if now >= *deadline.get_or_insert(now + patience) {
            break None;
        }
    };
    match address {
        Some(address) => end(Exit::Setup, &fault::describe(address)),
        None => end(Exit::Interrupted, &message()),
    }
}

/// Waits for a byte on any of the streams, and counts it.
fn receive(ways: &mut [UnixStream; 2], received: &mut [u32; 2], limit: Option<Duration>) {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let mut waiting = ways.each_ref().map(|way| PollFd::new(way, PollFlags::IN));
    // An interruption of the waiting itself is looked at as if nothing had come.
    poll(&mut waiting, limit.as_ref()).ok();
    let ready = waiting.map(|way| way.revents().contains(PollFlags::IN));
    for ((way, received), ready) in ways.iter_mut().zip(received).zip(ready) {
        if ready && way.read(&mut [0]).is_ok_and(|read| read > 0) {
            *received += 1;
        }
    }
}

/// Ends the process from beside its work, which may hold any lock but those of this module and of [`scratch`]. Workers
/// die with the thread that started them.
fn end(exit: Exit, why: &str) -> ! {
    if let Some(command) = Pid::from_raw(COMMAND.load(Ordering::Relaxed)) {
        // It may have ended just now, which is as well.
        kill_process(command, Signal::TERM).ok();
    }
    scratch::remove_all();
    let text = printable::line(why).into_owned();
    let (told, telling) = channel();
    // Whoever reads no longer need not be told; the exit code stands. A bar of progress may stand on the line.
    let write = move || {
        let mut terminal = supervisor::styled_terminal();
        writeln!(terminal, "\x1b[G\x1b[2K\x1b[1;31merror:\x1b[0m {text}").ok();
        told.send(()).ok();
    };
    if thread::Builder::new().spawn(write).is_ok() {
        telling.recv_timeout(LAST_WORDS).ok();
    }
    // Without destructors: other threads are still in the code that these would take away.
    low_level::exit(exit as i32)
}
