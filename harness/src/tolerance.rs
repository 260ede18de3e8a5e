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

/// How far a product may be off what a suspected fault predicts, relative to the sum of the magnitudes of its terms: a
/// few roundings for each of some dozens of blocks. Faults that are told apart are hundreds of times farther apart.
pub const PREDICTION: f64 = 64.0 * F32_ROUNDING;

/// How far below 1 the cosine of two results may lie that differ by a factor alone: roundings in f32 of results of some
/// operations leave less than 1e-9. A part that is off by a share `d` takes off `d^2 / 2`.
pub const PROPORTIONAL: f64 = 1e-7;

/// By how much slower than the baseline a kernel has to be, as a ratio to the oracle, before anyone is told. Whole runs
/// on the same machine are that far apart by where the operating system puts their memory, which no interval within a
/// run can show.
pub const SLOWDOWN_WORTH_TELLING: f64 = 0.03;

/// How likely a gate may be to call any row slower, of all that it looks at, although none is.
pub const SLOWDOWN_FALSE_ALARM: f64 = 0.01;
