//! Functions of the C library that ggml calls. Their last bit differs between libraries, so the kernels call the same
//! functions to reproduce a reference on the same system bit for bit.

// SAFETY: the signatures are those of <math.h>. The functions take and return plain numbers and accept any value.
unsafe extern "C" {
    /// Cosine of an angle in radians.
    pub(crate) safe fn cosf(x: f32) -> f32;
    /// Sine of an angle in radians.
    pub(crate) safe fn sinf(x: f32) -> f32;
    /// e to the power of `x`.
    pub(crate) safe fn expf(x: f32) -> f32;
    /// `base` to the power of `exponent`.
    pub(crate) safe fn powf(base: f32, exponent: f32) -> f32;
}
