//! Ends a run early on Ctrl-C, SIGTERM, SIGHUP, or when a model file can no longer be read.
//!
//! A dedicated thread waits for these events. It requests that the work end between two steps. It ends the process
//! itself if a step takes longer than [`GRACE`], if a second signal arrives, or if the work never checks for requests.
//! In each case temporary files and workers are removed, and the run reports what was not done.

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
use crate::inherited;
use crate::printable;
use crate::scratch;

/// Time limit of a step after the first signal. With the clean-up, a run ends within a second.
pub const GRACE: Duration = Duration::from_millis(600);

/// Time limit of a step that runs another command of the harness, which itself ends within [`GRACE`].
pub const GRACE_OF_A_COMMAND: Duration = Duration::from_millis(850);

/// Time limit for writing the last message.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Signals that request the end of the work.
pub(crate) const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Milliseconds in which the work must check for a request; 0 if it never checks.
static PATIENCE: AtomicU64 = AtomicU64::new(0);

/// Process id of a command that ends with this one; 0 if none.
static COMMAND: AtomicI32 = AtomicI32::new(0);

static UNDONE: Mutex<Undone> = Mutex::new(Undone {
    work: String::new(),
    outputs: Vec::new(),
});

/// The work and output files that an interruption leaves incomplete.
struct Undone {
    work: String,
    outputs: Vec<String>,
}

/// Installs the signal handling. From then on a signal ends the process at once, after its clean-up.
///
/// # Errors
///
/// The operating system's error.
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
        // Registered before the pipe, so that the flag is set when the thread wakes.
        flag::register(signal, Arc::clone(asked))?;
        low_level::pipe::register(signal, wake.try_clone()?)?;
    }
    inherited::forward_interruptions();
    *watched = true;
    Ok(())
}

/// From now on the first signal is a request. The work checks for it with [`asked`] between two steps, at least once in
/// `patience`.
///
/// # Errors
///
/// As [`watch`].
pub fn watch_steps(patience: Duration) -> io::Result<()> {
    let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    PATIENCE.store(patience, Ordering::Relaxed);
    watch()
}

/// Sets the command that ends together with this process, and replaces the previous one.
pub fn ends_with(command: Option<Pid>) {
    let id = command.map_or(0, |id| id.as_raw_nonzero().get());
    COMMAND.store(id, Ordering::Relaxed);
}

/// Whether a signal has requested the end of the work.
pub fn asked() -> bool {
    ASKED
        .get()
        .is_some_and(|asked| asked.load(Ordering::Relaxed))
}

/// Sets the description of the work that an interruption leaves undone.
pub fn not_done(work: impl Into<String>) {
    undone().work = work.into();
}

/// Records an output file that is written only when the work is done.
pub fn not_written(output: impl Into<String>) {
    undone().outputs.push(output.into());
}

/// Clears the recorded output files after they were written.
pub fn written() {
    undone().outputs.clear();
}

/// The message for an interruption, from the last recorded work and files.
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
    // Every change is a single assignment, so a poisoned lock holds a valid value.
    UNDONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The [`SIGNALS`] that this process does not ignore. `nohup` and a shell's `&` start processes that ignore some.
pub(crate) fn heeded() -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let is_heeded = |signal: &i32| ignored.unwrap_or(0) >> (signal - 1) & 1 == 0;
    SIGNALS.into_iter().filter(is_heeded).collect()
}

/// Main function of the thread. A signal is a byte on one of the streams. A fault is a byte on the first.
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
            // A signal to the process group arrives twice, directly and through the supervisor. It counts once.
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

/// Waits for a byte on any of the streams and counts it.
fn receive(ways: &mut [UnixStream; 2], received: &mut [u32; 2], limit: Option<Duration>) {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let mut waiting = ways.each_ref().map(|way| PollFd::new(way, PollFlags::IN));
    // An interrupted `poll` is handled like one without events.
    poll(&mut waiting, limit.as_ref()).ok();
    let ready = waiting.map(|way| way.revents().contains(PollFlags::IN));
    for ((way, received), ready) in ways.iter_mut().zip(received).zip(ready) {
        if ready && way.read(&mut [0]).is_ok_and(|read| read > 0) {
            *received += 1;
        }
    }
}

/// Ends the process while its work still runs. The work may hold any lock except those of this module and of
/// [`scratch`]. Workers die with the thread that started them.
fn end(exit: Exit, why: &str) -> ! {
    if let Some(command) = Pid::from_raw(COMMAND.load(Ordering::Relaxed)) {
        // An error means that the command has just ended.
        kill_process(command, Signal::TERM).ok();
    }
    scratch::remove_all();
    let text = printable::line(why).into_owned();
    let (printed, telling) = channel();
    // A write error is ignored, because the exit code reports the result. The escape sequence clears a progress bar on
    // the line.
    let write = move || {
        let mut terminal = inherited::styled_terminal();
        writeln!(terminal, "\x1b[G\x1b[2K\x1b[1;31merror:\x1b[0m {text}").ok();
        printed.send(()).ok();
    };
    if thread::Builder::new().spawn(write).is_ok() {
        telling.recv_timeout(LAST_WORDS).ok();
    }
    // Destructors are not run, because other threads still use their values.
    low_level::exit(exit as i32)
}
