//! The memory of quantized activations.

use std::ops::{Deref, DerefMut};

/// A cache line, and the widest register: reads of whole registers from its start never touch two lines.
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
        // The offset may be out of reach as far as the standard library promises; then only speed is lost.
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
