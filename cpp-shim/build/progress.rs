//! Lines that say what is going on while it goes on.
//!
//! Cargo keeps a build script's output to itself unless the script fails, so the lines go to the
//! terminal when there is one. Nothing is said when there is nothing to do.

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

    /// Progress is a courtesy: where it cannot be written, the build goes on without.
    pub(crate) fn say(&self, line: &str) {
        match &self.terminal {
            Some(terminal) => {
                if let Ok(mut terminal) = terminal.lock() {
                    // Cargo's own status line stands where the cursor is: write over it.
                    let _ = writeln!(terminal, "\r\x1b[K{line}");
                }
            }
            None => eprintln!("{line}"),
        }
    }
}
