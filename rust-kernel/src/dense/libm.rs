//! The C library's functions of one f32, which ggml calls and whose last bit differs from library to library: the
//! same calls, so that the bits are those of a reference that runs on the same system.

// SAFETY: the signatures are those of <math.h>; the functions take and return plain numbers, and any is allowed.
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
