//! Asking for memory before it is read: hints that change no result.

/// Bytes of a cache line on the CPUs that the hints are written for.
const LINE: usize = 64;

/// Asks for the cache line at `address`. Any address will do; nothing is read.
#[inline(always)]
pub(crate) fn line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch accesses no memory as far as the program can tell, whatever the address, and every
        // x86-64 CPU has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    // Stable Rust has no such hint elsewhere.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Asks for `bytes`, line by line from the first; where that does not begin a line, their end may be left out.
#[inline(always)]
pub(crate) fn bytes(bytes: &[u8]) {
    for part in bytes.chunks(LINE) {
        line(part.as_ptr());
    }
}
