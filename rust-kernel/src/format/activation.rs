//! The kinds of activation quantization.

/// How a row of activations is quantized to 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActivationKind {
    /// bitnet.cpp's `i8_s`: one scale and one sum a row. `code = value * scale`.
    I8S,
    /// llama.cpp's `Q8_K`: one scale a block of 256 and a sum for every 16. `value = code * scale`.
    Q8K,
}

impl ActivationKind {
    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            ActivationKind::I8S => "i8_s",
            ActivationKind::Q8K => "q8_k",
        }
    }
}
