//! Handles SIGBUS, which the system sends when a mapped file became shorter or its disk fails.
//!
//! The reading thread stops at the fault, so that no result is computed from bytes that are not in the file.
//! [`interrupt`](crate::interrupt) then ends the process with an error that names the file.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

/// Address of the first fault; 0 if there was none.
static ADDRESS: AtomicUsize = AtomicUsize::new(0);

/// Descriptor that the handler writes to; negative if none.
static WAKER: AtomicI32 = AtomicI32::new(-1);

/// Installs the handler. From then on a fault stops its thread and writes a byte to `waker`.
///
/// # Errors
///
/// The operating system's error.
pub(crate) fn watch(waker: UnixStream) -> io::Result<()> {
    // Never closed, because a fault can occur at any time.
    WAKER.store(waker.into_raw_fd(), Ordering::SeqCst);
    let handler: extern "C" fn(i32, *const libc::siginfo_t, *const libc::c_void) = on_fault;
    // SAFETY: all zeros is a valid `sigaction` (no handler, an empty mask, no flags). With SA_SIGINFO the handler has
    // the signature that the system calls, and it makes only async-signal-safe calls.
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
    // SAFETY: the system passes a valid `siginfo_t`, whose address field is set for SIGBUS. The calls are
    // async-signal-safe and have valid arguments. Other causes of SIGBUS get the default action back, which ends the
    // process when the instruction is repeated.
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

/// The address of the first fault, if any.
pub(crate) fn happened() -> Option<usize> {
    Some(ADDRESS.load(Ordering::SeqCst)).filter(|&address| address != 0)
}

/// Describes the fault at this address.
pub(crate) fn describe(address: usize) -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    match maps.lines().find_map(|line| file_at(line, address)) {
        Some((path, at)) => format!(
            "{path}: byte {at} can no longer be read: the file became shorter while it was in use, or its disk fails; \
             results computed from it are void"
        ),
        None => format!("memory at {address:#x} can no longer be read"),
    }
}

/// The file of a line of `/proc/self/maps` and the offset of the address in it, if the line's range contains the
/// address.
fn file_at(line: &str, address: usize) -> Option<(&str, usize)> {
    // Fields: start-end permissions offset device inode path. Any number of spaces precede the path.
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
