//! The process that is started does no work: it supervises a child that does.
//!
//! Oracles and candidates run in the process that compares them, and may end it: an assertion of llama.cpp, a crash of
//! a kernel, an allocation that fails under a limit. The child takes that risk. The supervisor turns its death into an
//! error of one line and [`Exit::Setup`], and is otherwise invisible: terminal, standard input and output, process
//! group, working directory and exit code are those of the child.
//!
//! - **diagnostics**: what is written to descriptor 2 of the child by code that is not the harness' own: assertions,
//!   panics, the C++ runtime. They go through a pipe to the supervisor, which passes them on, or quotes them if the
//!   child dies right after them.
//! - **terminal**: the standard error that the command was given. The harness writes its own messages and progress there,
//!   see [`terminal`].
//!
//! Signals from a terminal reach both processes. Those sent to the supervisor alone are forwarded as SIGUSR1, so that
//! the child can tell one signal that came on both ways from two: see [`interrupt`]. A child outlives its supervisor by
//! no more than it takes to end on SIGTERM.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use console::Term;
use indicatif::ProgressDrawTarget;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, getppid, kill_process,
    set_parent_process_death_signal, waitpid,
};
use rustix::stdio::{dup2_stderr, stderr};
use signal_hook::consts::SIGCHLD;
use signal_hook::low_level::pipe::register;
use signal_hook::low_level::signal_name;

use crate::exit::Exit;
use crate::interrupt;
use crate::limit;
use crate::printable;
use crate::side::worker::Excerpt;

/// How long diagnostics are held back, in case that the child dies of what they say.
const HOLD: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// More bytes of diagnostics than are held back.
const HELD: usize = 1 << 16;

/// How often bars of progress are drawn again in a second.
const PROGRESS_HZ: u8 = 20;

/// The exit code of a Rust program that panics.
const PANICKED: i32 = 101;

static TERMINAL: OnceLock<File> = OnceLock::new();
static CONTROL: OnceLock<File> = OnceLock::new();

/// The standard error that the command was given; nowhere if descriptors have run out.
pub fn terminal() -> Box<dyn Write> {
    match descriptor() {
        Ok(terminal) => Box::new(terminal),
        Err(_) => Box::new(io::sink()),
    }
}

/// The [`terminal`], dropping styles if it is none.
pub(crate) fn styled_terminal() -> Box<dyn Write> {
    match descriptor() {
        Ok(terminal) => Box::new(anstream::AutoStream::auto(terminal)),
        Err(_) => Box::new(io::sink()),
    }
}

/// The [`terminal`] as a file.
pub(crate) fn descriptor() -> io::Result<File> {
    match TERMINAL.get() {
        Some(file) => file.try_clone(),
        None => Ok(File::from(fcntl_dupfd_cloexec(stderr(), 3)?)),
    }
}

/// Where bars of progress are drawn: the [`terminal`], or nowhere if it is none.
pub(crate) fn progress() -> ProgressDrawTarget {
    match (descriptor(), descriptor()) {
        (Ok(read), Ok(write)) => {
            ProgressDrawTarget::term(Term::read_write_pair(read, write), PROGRESS_HZ)
        }
        _ => ProgressDrawTarget::hidden(),
    }
}

/// Writes an error of the supervisor's own.
fn report_error(error: &str) {
    // Nobody is left to hear that the terminal is gone.
    let _ = writeln!(styled_terminal(), "\x1b[1;31merror:\x1b[0m {error}");
}

/// From now on the supervisor forwards interruptions; before, they end it and its child at once.
pub(crate) fn forward_interruptions() {
    if let Some(mut control) = CONTROL.get() {
        // A supervisor that is gone forwards nothing.
        let _ = control.write_all(&[1]);
    }
}

/// Runs `work` in a child process and returns the exit code that it comes to. In a process that has other threads
/// already, which no child would have, `work` runs in this process.
pub fn supervised(work: impl FnOnce() -> Exit) -> Exit {
    match split() {
        Ok(Some(child)) => child.supervise().unwrap_or_else(|error| {
            report_error(&format!("cannot supervise the run: {error}"));
            Exit::Setup
        }),
        Ok(None) => work(),
        Err(error) => {
            report_error(&format!(
                "cannot start a process: {error} ({})",
                limit::TASKS
            ));
            Exit::Setup
        }
    }
}

/// The child, as its supervisor sees it.
struct Supervised {
    pid: Pid,
    /// None when every writer has closed it.
    diagnostics: Option<File>,
    /// Diagnostics that were read and not passed on.
    held: Vec<u8>,
    /// The child writes to it when it is ready for forwarded signals; none from then on.
    control: Option<File>,
}

/// Forks. None in the child, and where none can be.
fn split() -> io::Result<Option<Supervised>> {
    let alone = fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1);
    if !alone || TERMINAL.get().is_some() {
        return Ok(None);
    }
    let (diagnostics, diagnostics_of_child) = pipe_with(PipeFlags::CLOEXEC)?;
    let (control, control_of_child) = pipe_with(PipeFlags::CLOEXEC)?;
    let supervisor = getpid();
    // SAFETY: no other thread is there, as was just counted: the child finds all memory and every lock as they are.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(io::Error::last_os_error());
    }
    if let Some(pid) = Pid::from_raw(child) {
        return Ok(Some(Supervised {
            pid,
            diagnostics: Some(diagnostics.into()),
            held: Vec::new(),
            control: Some(control.into()),
        }));
    }
    set_parent_process_death_signal(Some(Signal::TERM))?;
    if getppid() != Some(supervisor) {
        // It died before its death was of any consequence.
        std::process::exit(Exit::Interrupted as i32);
    }
    let terminal = File::from(fcntl_dupfd_cloexec(stderr(), 3)?);
    dup2_stderr(&diagnostics_of_child)?;
    TERMINAL.get_or_init(|| terminal);
    CONTROL.get_or_init(|| control_of_child.into());
    Ok(None)
}

impl Supervised {
    /// Waits for the child, and says what it came to.
    fn supervise(mut self) -> io::Result<Exit> {
        let (ended, of_child) = UnixStream::pair()?;
        register(SIGCHLD, of_child)?;
        let (mut asked, of_signals) = UnixStream::pair()?;
        loop {
            // Asked after the handler is there: a child that ends from here on leaves a byte in `ended`.
            if let Some((_, status)) = waitpid(Some(self.pid), WaitOptions::NOHANG)? {
                while is_ready(self.diagnostics.as_ref()) {
                    self.read_diagnostics()?;
                }
                return self.conclude(status);
            }
            let mut waiting = vec![
                PollFd::new(&ended, PollFlags::IN),
                PollFd::new(&asked, PollFlags::IN),
            ];
            let others = self.diagnostics.iter().chain(&self.control);
            waiting.extend(others.map(|file| PollFd::new(file, PollFlags::IN)));
            let hold = (!self.held.is_empty()).then_some(&HOLD);
            match poll(&mut waiting, hold) {
                Ok(0) => self.pass_on()?,
                // By a signal that has left a byte in `ended` or `asked`.
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if is_ready(Some(&asked)) {
                asked.read_exact(&mut [0])?;
                // It may have ended just now, which is as well.
                let _ = kill_process(self.pid, Signal::USR1);
            }
            if is_ready(self.control.as_ref()) {
                let told = self.control.take().map(|mut file| file.read(&mut [0]));
                if matches!(told, Some(Ok(1))) {
                    for signal in interrupt::heeded() {
                        register(signal, of_signals.try_clone()?)?;
                    }
                }
            }
            if is_ready(self.diagnostics.as_ref()) {
                self.read_diagnostics()?;
            }
        }
    }

    /// Reads some of the diagnostics, which are there.
    fn read_diagnostics(&mut self) -> io::Result<()> {
        let mut bytes = [0; 4096];
        let read = match &mut self.diagnostics {
            Some(file) => file.read(&mut bytes)?,
            None => 0,
        };
        self.held.extend_from_slice(&bytes[..read]);
        if read == 0 {
            self.diagnostics = None;
        }
        if self.held.len() > HELD {
            self.pass_on()?;
        }
        Ok(())
    }

    /// Writes what was held back to the terminal, as it is.
    fn pass_on(&mut self) -> io::Result<()> {
        terminal().write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }

    /// From how the child ended to how this process does.
    fn conclude(mut self, status: WaitStatus) -> io::Result<Exit> {
        let how = match (status.exit_status(), status.terminating_signal()) {
            (Some(PANICKED), _) => "the run panicked".to_owned(),
            (Some(code), _) => {
                self.pass_on()?;
                return Ok(Exit::of_code(code).unwrap_or(Exit::Setup));
            }
            (None, Some(signal)) if interrupt::SIGNALS.contains(&signal) => {
                return Ok(Exit::Interrupted);
            }
            (None, signal) => {
                let signal = signal.and_then(signal_name).unwrap_or("a signal");
                format!("the run was ended by {signal}")
            }
        };
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            terminal().write_all(&self.held)?;
        }
        report_error(&(how + &last_words(&self.held)));
        Ok(Exit::Setup)
    }
}

/// Diagnostics in a line, after what they explain: nothing if there are none.
fn last_words(diagnostics: &[u8]) -> String {
    let mut excerpt = Excerpt::default();
    // Reading memory does not fail.
    let _ = Excerpt::each_line(diagnostics, |line| excerpt.add(line));
    let text = excerpt.text();
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("note: ") && *line != "stack backtrace:");
    let lines: Vec<_> = lines.map(printable::line).collect();
    let said = lines.join("; ");
    match limit::behind(&said) {
        _ if said.is_empty() => String::new(),
        Some(limit) if !said.contains(limit) => format!(": {said} ({limit})"),
        _ => format!(": {said}"),
    }
}

/// Whether reading would not wait.
fn is_ready(file: Option<&impl AsFd>) -> bool {
    let now = Timespec::default();
    let ready = |file| poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&now));
    file.is_some_and(|file| ready(file).is_ok_and(|ready| ready > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagnostics_become_one_line_that_names_the_limit() {
        assert_eq!(last_words(b""), "");
        assert_eq!(last_words(b"one\ntwo\x1b[31m\n"), ": one; two\\u001b[31m");
        assert_eq!(
            last_words(b"memory allocation of 8 bytes failed\n"),
            ": memory allocation of 8 bytes failed (limit of memory: ulimit -v)"
        );
        let panic = b"\nthread 'main' panicked at a.rs:1:2:\nfailed to spawn thread: Os { code: 11, kind: WouldBlock }\n\
            note: run with `RUST_BACKTRACE=1`\nstack backtrace:\n   0: main\n";
        assert_eq!(
            last_words(panic),
            ": thread 'main' panicked at a.rs:1:2:; failed to spawn thread: Os { code: 11, kind: WouldBlock } \
             (limit of processes or memory: ulimit -u, ulimit -v)"
        );
    }
}
