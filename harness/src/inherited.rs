//! What a supervised process has from its supervisor: the terminal of the command, and the way to control signals.

use std::fs::File;
use std::io::{self, Write};
use std::sync::OnceLock;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::stderr;

static TERMINAL: OnceLock<File> = OnceLock::new();
static CONTROL: OnceLock<File> = OnceLock::new();

/// A writer to the original standard error of the command. Output is discarded if no descriptor is available.
pub(crate) fn terminal() -> Box<dyn Write> {
    match descriptor() {
        Ok(terminal) => Box::new(terminal),
        Err(_) => Box::new(io::sink()),
    }
}

/// The [`terminal`], without styles if it is not a terminal.
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

/// Sets the terminal of this process, and the pipe through which it controls its supervisor. Later calls have no effect.
pub(crate) fn inherit(terminal: File, control: File) {
    TERMINAL.get_or_init(|| terminal);
    CONTROL.get_or_init(|| control);
}

/// Whether this process is supervised.
pub(crate) fn is_inherited() -> bool {
    TERMINAL.get().is_some()
}

/// Makes the supervisor forward interruptions. Before that, they end it and its child at once.
pub(crate) fn forward_interruptions() {
    if let Some(mut control) = CONTROL.get() {
        // A write error means that the supervisor is gone, which then forwards nothing.
        let _ = control.write_all(&[1]);
    }
}
