//! Prefetch hints. They do not affect results.

/// Size of a cache line in bytes on the CPUs for which the hints are written.
const LINE: usize = 64;

/// Prefetches the cache line at `address`. Any address is allowed; no memory is accessed.
#[inline(always)]
pub(crate) fn line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch has no observable memory access, whatever the address, and every x86-64 CPU supports it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    // Stable Rust has no prefetch for other architectures.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Prefetches `bytes`, one line after the other. If they do not start at a cache line, the last line may be missed.
#[inline(always)]
pub(crate) fn bytes(bytes: &[u8]) {
    for part in bytes.chunks(LINE) {
        line(part.as_ptr());
    }
}
