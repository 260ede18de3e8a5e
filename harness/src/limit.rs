//! System limits, and how to recognize them in errors and in the last output of a process.

use std::io;

/// The limit that keeps processes and threads from starting. The shim of an oracle uses the same words.
pub(crate) const TASKS: &str = "limit of processes or memory: ulimit -u, ulimit -v";

/// The limit that keeps memory from being allocated.
pub(crate) const MEMORY: &str = "limit of memory: ulimit -v";

/// The limit that keeps files from growing.
const FILES: &str = "limit of file sizes: ulimit -f";

/// Messages of Rust, glibc and C++ that a limit causes.
const SIGNS: [(&str, &str); 6] = [
    (TASKS, TASKS),
    ("Resource temporarily unavailable", TASKS),
    ("WouldBlock", TASKS),
    ("memory allocation of", MEMORY),
    ("Cannot allocate memory", MEMORY),
    ("bad_alloc", MEMORY),
];

/// The limit that explains the last output of a process.
pub(crate) fn behind(words: &str) -> Option<&'static str> {
    let sign = SIGNS.iter().find(|(sign, _)| words.contains(sign));
    sign.map(|&(_, limit)| limit)
}

/// The limit that explains an error of the system.
pub(crate) fn of_error(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::FileTooLarge => FILES,
        io::ErrorKind::WouldBlock => TASKS,
        io::ErrorKind::OutOfMemory => MEMORY,
        _ => return None,
    })
}
