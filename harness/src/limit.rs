//! Limits of the system: what they are, and how errors and the last words of a process show which one it was.

use std::io;

/// What keeps processes and threads from starting. The shim of an oracle says it in the same words.
pub(crate) const TASKS: &str = "limit of processes or memory: ulimit -u, ulimit -v";

/// What keeps memory from being allocated.
pub(crate) const MEMORY: &str = "limit of memory: ulimit -v";

/// What keeps files from growing.
const FILES: &str = "limit of file sizes: ulimit -f";

/// Last words of Rust, glibc and C++ that a limit is behind.
const SIGNS: [(&str, &str); 6] = [
    (TASKS, TASKS),
    ("Resource temporarily unavailable", TASKS),
    ("WouldBlock", TASKS),
    ("memory allocation of", MEMORY),
    ("Cannot allocate memory", MEMORY),
    ("bad_alloc", MEMORY),
];

/// The limit that the last words of a process are about.
pub(crate) fn behind(words: &str) -> Option<&'static str> {
    let sign = SIGNS.iter().find(|(sign, _)| words.contains(sign));
    sign.map(|&(_, limit)| limit)
}

/// The limit that an error of the system is about.
pub(crate) fn of_error(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::FileTooLarge => FILES,
        io::ErrorKind::WouldBlock => TASKS,
        io::ErrorKind::OutOfMemory => MEMORY,
        _ => return None,
    })
}
