//! The kinds of activation quantization.

use super::QK256;

/// How a row of activations is quantized to 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActivationKind {
    /// bitnet.cpp's `i8_s`: one scale and one sum a row. `code = value * scale`.
    I8S,
    /// llama.cpp's `Q8_K`: one scale a block of 256 and a sum for every 16. `value = code * scale`.
    Q8K,
    /// llama.cpp's `Q8_0`: one f16 scale for every 32. `value = code * scale`.
    Q8_0,
    /// llama.cpp's `Q8_1`: as `Q8_0`, with the sum of the values of every 32 as another f16.
    Q8_1,
}

impl ActivationKind {
    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            ActivationKind::I8S => "i8_s",
            ActivationKind::Q8K => "q8_k",
            ActivationKind::Q8_0 => "q8_0",
            ActivationKind::Q8_1 => "q8_1",
        }
    }

    /// The number of activations of a row of `cols` that share a scale.
    pub const fn run(self, cols: usize) -> usize {
        match self {
            ActivationKind::I8S => cols,
            ActivationKind::Q8K => QK256,
            ActivationKind::Q8_0 | ActivationKind::Q8_1 => 32,
        }
    }

    /// A row must be a multiple of this number of activations.
    pub const fn multiple(self) -> usize {
        self.run(1)
    }
}
