//! All tolerances of the harness, each with its reason.

/// Distance in which two codes read by float arithmetic count as the same small integer. Probes divide results by
/// known scales; the two roundings of that lie near 1e-7, and codes are 1 apart.
pub const CODE_VALUE: f64 = 1e-3;

/// Half a unit in the last place of f32, relative: what one correctly rounded operation may be off.
pub const F32_ROUNDING: f64 = 1.0 / (1u64 << 24) as f64;

/// Roundings between exact integers and a product with one scale for the tensor: two conversions, one difference,
/// one division, one multiplication.
pub const TENSOR_SCALE_ROUNDINGS: f64 = 5.0;

/// Roundings of a product with block scales beside one for each block: conversion, product of scales,
/// multiplication, and the fold of eight lanes.
pub const BLOCK_SCALE_ROUNDINGS: f64 = 6.0;

/// The floor for cosine similarity that users know from other tools. Reported, never decisive.
pub const COSINE_FLOOR: f64 = 0.99;

/// The normalised mean square error that llama.cpp's own operator tests allow for matrix products
/// (`test-backend-ops.cpp`). Reported, never decisive.
pub const NMSE_CEILING: f64 = 5e-4;

/// By how much a distance may exceed the distance between two builds of the reference and still count as within its
/// noise: both are maxima over samples of the same size, and the larger of two such maxima exceeds the smaller by
/// about this factor.
pub const NOISE_FACTOR: f64 = 2.0;
