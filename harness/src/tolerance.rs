//! All tolerances of the harness, with their reasons.

/// Largest distance at which two codes derived by float arithmetic count as the same small integer. Probes divide
/// results by known scales. The two roundings are near 1e-7, and codes are 1 apart.
pub const CODE_VALUE: f64 = 1e-3;

/// Relative error bound of one correctly rounded f32 operation: half a unit in the last place.
pub const F32_ROUNDING: f64 = 1.0 / (1u64 << 24) as f64;

/// Number of roundings between exact integers and a product with one scale for the tensor: two conversions, one
/// difference, one division and one multiplication.
pub const TENSOR_SCALE_ROUNDINGS: f64 = 5.0;

/// Number of roundings of a product with block scales, in addition to one for each block: conversion, product of
/// scales, multiplication, and the reduction of eight lanes.
pub const BLOCK_SCALE_ROUNDINGS: f64 = 6.0;

/// Lower limit of the cosine similarity, which users know from other tools. Reported only; it decides no verdict.
pub const COSINE_FLOOR: f64 = 0.99;

/// Upper limit of the normalised mean square error that llama.cpp's operator tests allow for matrix products
/// (`test-backend-ops.cpp`). Reported only; it decides no verdict.
pub const NMSE_CEILING: f64 = 5e-4;

/// Factor by which a distance may exceed the distance between two builds of the oracle and still lie within the noise
/// floor. Both are maxima over samples of the same size, and the larger of two such maxima exceeds the smaller by about
/// this factor.
pub const NOISE_FACTOR: f64 = 2.0;

/// Largest difference between a product and the prediction of a fault, relative to the sum of the magnitudes of its
/// terms. It covers a few roundings for each of some dozens of blocks. The predictions of different faults are hundreds
/// of times farther apart.
pub const PREDICTION: f64 = 64.0 * F32_ROUNDING;

/// Largest distance from 1 of the cosine of two results that differ only by a factor. Roundings of f32 results take off
/// less than 1e-9. A part of relative size `d` that is wrong takes off `d^2 / 2`.
pub const PROPORTIONAL: f64 = 1e-7;

/// Smallest reported slowdown against the baseline, as a fraction of the ratio to the oracle. Whole runs on the same
/// machine differ by this much because of the placement of their memory, which no interval within a run can show.
pub const SLOWDOWN_WORTH_REPORTING: f64 = 0.03;

/// Probability with which a gate may report any row as slower although none is.
pub const SLOWDOWN_FALSE_ALARM: f64 = 0.01;
