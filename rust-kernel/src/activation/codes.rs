//! The memory of quantized activations.

use std::ops::{Deref, DerefMut};

/// Size in bytes of a cache line and of the widest register. Register-sized reads from an aligned start do not cross
/// cache lines.
const ALIGNMENT: usize = 64;

/// int8 codes that start at a cache line.
#[derive(Debug)]
pub(super) struct Codes {
    memory: Vec<i8>,
    start: usize,
    len: usize,
}

impl Codes {
    /// `len` zeros.
    pub(super) fn zeros(len: usize) -> Codes {
        let memory = vec![0i8; len + ALIGNMENT - 1];
        // `align_offset` may fail according to its documentation. Misaligned codes are only slower.
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT - 1);
        Codes { memory, start, len }
    }
}

impl Deref for Codes {
    type Target = [i8];

    fn deref(&self) -> &[i8] {
        &self.memory[self.start..][..self.len]
    }
}

impl DerefMut for Codes {
    fn deref_mut(&mut self) -> &mut [i8] {
        &mut self.memory[self.start..][..self.len]
    }
}

impl Clone for Codes {
    fn clone(&self) -> Codes {
        let mut codes = Codes::zeros(self.len);
        codes.copy_from_slice(self);
        codes
    }
}

impl PartialEq for Codes {
    fn eq(&self, other: &Codes) -> bool {
        **self == **other
    }
}
