//! The started process only supervises a child process, which does the work.
//!
//! Oracles and candidates run in the process that compares them and can end it: by an assertion of llama.cpp, a crash
//! of a kernel, or an allocation that fails under a limit. The supervisor turns the death of the child into a one-line
//! error and [`Exit::Setup`]. Terminal, standard input and output, process group, working directory and exit code are
//! those of the child.
//!
//! - **diagnostics**: output of foreign code on descriptor 2 of the child, such as assertions, panics and messages of
//!   the C++ runtime. It goes through a pipe to the supervisor, which prints it, or quotes it if the child dies right
//!   afterwards.
//! - **terminal**: the original standard error of the command. The harness writes its own messages and progress there,
//!   see `inherited::terminal`.
//!
//! Signals from a terminal reach both processes. A signal sent to the supervisor alone is forwarded as SIGUSR1, so that
//! the child can distinguish one signal that arrives twice from two signals, see [`interrupt`]. When the supervisor
//! dies, the child receives SIGTERM.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

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
use crate::inherited;
use crate::interrupt;
use crate::limit;
use crate::participant::worker::Excerpt;
use crate::printable;

/// How long diagnostics are held back in case they explain the death of the child.
const HOLD: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// Size in bytes at which diagnostics are no longer held back.
const HELD: usize = 1 << 16;

/// The exit code of a Rust program that panics.
const PANICKED: i32 = 101;

/// Prints an error of the supervisor.
fn report_error(error: &str) {
    // A failed write to the terminal cannot be reported.
    let _ = writeln!(
        inherited::styled_terminal(),
        "\x1b[1;31merror:\x1b[0m {error}"
    );
}

/// Runs `work` in a child process and returns its exit code. If this process already has other threads, which a fork
/// would lose, `work` runs in this process.
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

/// The supervisor's state of the child.
struct Supervised {
    pid: Pid,
    /// None after all writers have closed it.
    diagnostics: Option<File>,
    /// Diagnostics that were read and not printed yet.
    held: Vec<u8>,
    /// The child writes a byte to it when it handles forwarded signals. None afterwards.
    control: Option<File>,
}

/// Forks. Returns none in the child, and in a process that cannot fork.
fn split() -> io::Result<Option<Supervised>> {
    let alone = fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1);
    if !alone || inherited::is_inherited() {
        return Ok(None);
    }
    let (diagnostics, diagnostics_of_child) = pipe_with(PipeFlags::CLOEXEC)?;
    let (control, control_of_child) = pipe_with(PipeFlags::CLOEXEC)?;
    let supervisor = getpid();
    // SAFETY: this process has no other thread, as was just counted, so the child sees consistent memory and no lock
    // that a lost thread holds.
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
        // The supervisor died before its death signal was requested.
        std::process::exit(Exit::Interrupted as i32);
    }
    let terminal = File::from(fcntl_dupfd_cloexec(stderr(), 3)?);
    dup2_stderr(&diagnostics_of_child)?;
    inherited::inherit(terminal, control_of_child.into());
    Ok(None)
}

impl Supervised {
    /// Waits for the child and returns the exit code.
    fn supervise(mut self) -> io::Result<Exit> {
        let (ended, of_child) = UnixStream::pair()?;
        register(SIGCHLD, of_child)?;
        let (mut asked, of_signals) = UnixStream::pair()?;
        loop {
            // Checked after the handler was installed, so that a child that ends later leaves a byte in `ended`.
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
                // The signal has left a byte in `ended` or `asked`.
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if is_ready(Some(&asked)) {
                asked.read_exact(&mut [0])?;
                // An error means that the child has just ended.
                let _ = kill_process(self.pid, Signal::USR1);
            }
            if is_ready(self.control.as_ref()) {
                let output_text = self.control.take().map(|mut file| file.read(&mut [0]));
                if matches!(output_text, Some(Ok(1))) {
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

    /// Reads available diagnostics.
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

    /// Writes the held diagnostics to the terminal unchanged.
    fn pass_on(&mut self) -> io::Result<()> {
        inherited::terminal().write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }

    /// The exit code of this process for the status of the child.
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
            inherited::terminal().write_all(&self.held)?;
        }
        report_error(&(how + &last_words(&self.held)));
        Ok(Exit::Setup)
    }
}

/// The last diagnostics as the end of a one-line error. Empty if there are none.
fn last_words(diagnostics: &[u8]) -> String {
    let mut excerpt = Excerpt::default();
    // Reading from memory cannot fail.
    let _ = Excerpt::each_line(diagnostics, |line| excerpt.add(line));
    let text = excerpt.text();
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("note: ") && *line != "stack backtrace:");
    let lines: Vec<_> = lines.map(printable::line).collect();
    let text_printed = lines.join("; ");
    match limit::behind(&text_printed) {
        _ if text_printed.is_empty() => String::new(),
        Some(limit) if !text_printed.contains(limit) => format!(": {text_printed} ({limit})"),
        _ => format!(": {text_printed}"),
    }
}

/// Whether a read would not block.
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
