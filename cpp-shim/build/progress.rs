//! Progress messages of the build script.
//!
//! Cargo shows the output of a build script only if the script fails, so messages are written to the terminal if there
//! is one.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Mutex;

pub(crate) struct Progress {
    terminal: Option<Mutex<File>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            terminal: OpenOptions::new()
                .write(true)
                .open("/dev/tty")
                .ok()
                .map(Mutex::new),
        }
    }

    /// Prints a line. Errors are ignored: the build does not depend on progress messages.
    pub(crate) fn print(&self, line: &str) {
        match &self.terminal {
            Some(terminal) => {
                if let Ok(mut terminal) = terminal.lock() {
                    // The cursor is in cargo's status line, which is overwritten.
                    let _ = writeln!(terminal, "\r\x1b[K{line}");
                }
            }
            None => eprintln!("{line}"),
        }
    }
}
