//! Test inputs.

/// `n` pseudo-random numbers in -1..1.
pub(crate) fn values(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(step).collect()
}
