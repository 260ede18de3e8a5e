//! Mapped files that can no longer be read: where a file became shorter, or its disk fails, the system answers with
//! SIGBUS.
//!
//! The thread that reads stops there for good, so that nothing is ever computed from bytes that are not the file's, and
//! [`interrupt`](crate::interrupt) ends the process with an error that names the file.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

/// Where the first fault was; 0 for none.
static ADDRESS: AtomicUsize = AtomicUsize::new(0);

/// Whom the handler wakes; negative for nobody.
static WAKER: AtomicI32 = AtomicI32::new(-1);

/// From now on a fault stops its thread and writes a byte to `waker`.
///
/// # Errors
///
/// What the operating system says.
pub(crate) fn watch(waker: UnixStream) -> io::Result<()> {
    // Never closed: a fault may come at any time.
    WAKER.store(waker.into_raw_fd(), Ordering::SeqCst);
    let handler: extern "C" fn(i32, *const libc::siginfo_t, *const libc::c_void) = on_fault;
    // SAFETY: all zeros is a valid `sigaction` (no handler, an empty mask, no flags); with SA_SIGINFO the handler has the
    // signature that the system calls, and it does nothing that a signal handler must not.
    let installed = unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGBUS, &action, ptr::null_mut())
    };
    match installed {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn on_fault(signal: i32, info: *const libc::siginfo_t, _context: *const libc::c_void) {
    // SAFETY: the system passes a valid `siginfo_t`, of which SIGBUS fills in the address; the calls are those that
    // POSIX allows in a signal handler, with valid arguments. Other causes of SIGBUS get the default action back, which
    // ends the process when the instruction is tried again.
    unsafe {
        if (*info).si_code != libc::BUS_ADRERR {
            libc::signal(signal, libc::SIG_DFL);
            return;
        }
        let address = (*info).si_addr() as usize;
        let first = ADDRESS.compare_exchange(0, address, Ordering::SeqCst, Ordering::SeqCst);
        if first.is_ok() {
            libc::write(WAKER.load(Ordering::SeqCst), [0u8].as_ptr().cast(), 1);
        }
        loop {
            libc::pause();
        }
    }
}

/// The address of the first fault, if there was one.
pub(crate) fn happened() -> Option<usize> {
    Some(ADDRESS.load(Ordering::SeqCst)).filter(|&address| address != 0)
}

/// What the fault at this address means.
pub(crate) fn describe(address: usize) -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    match maps.lines().find_map(|line| file_at(line, address)) {
        Some((path, at)) => format!(
            "{path}: byte {at} can no longer be read: the file became shorter while it was in use, or its disk fails; \
             nothing that was computed from it counts"
        ),
        None => format!("memory at {address:#x} can no longer be read"),
    }
}

/// The file of a line of `/proc/self/maps` and the position in it, if the address is in its range.
fn file_at(line: &str, address: usize) -> Option<(&str, usize)> {
    // start-end permissions offset device inode path; the last is set apart by any number of spaces.
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let hexadecimal = |digits: &str| usize::from_str_radix(digits, 16).ok();
    let (start, end) = (hexadecimal(start)?, hexadecimal(end)?);
    let offset = hexadecimal(fields.nth(1)?)?;
    let path = fields.nth(2)?.trim_start();
    let inside = (start..end).contains(&address) && path.starts_with('/');
    inside.then(|| (path, offset + (address - start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_its_file() {
        let line = "7f0000001000-7f0000003000 r--s 00002000 fe:01 1234                       /tmp/a model.gguf";
        let at = |address| file_at(line, address);
        assert_eq!(at(0x7f00_0000_1010), Some(("/tmp/a model.gguf", 0x2010)));
        assert_eq!(at(0x7f00_0000_0fff), None);
        assert_eq!(at(0x7f00_0000_3000), None);
        assert_eq!(file_at("7f00-7f01 rw-p 00000000 00:00 0 ", 0x7f00), None);
        assert_eq!(
            file_at("7f00-7f01 rw-p 00000000 00:00 0          [heap]", 0x7f00),
            None
        );
    }
}
