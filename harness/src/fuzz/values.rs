//! Distributions of codes, activations and scales, including extremes. Each has a number, so that a draft can hold it
//! and a property test can shrink it to kind 0, the plainest.

use crate::probe::Random;

/// Number of kinds in [`codes`].
pub(super) const CODE_KINDS: usize = 8;

/// `n` codes below `kinds`.
pub(super) fn codes(kind: usize, kinds: usize, n: usize, random: &mut Random) -> Vec<u8> {
    let constant = random.below(kinds) as u8;
    let other = random.below(kinds) as u8;
    let largest = kinds as u8 - 1;
    let period = 1 + random.below(40);
    let code = |i: usize, random: &mut Random| match kind {
        0 => random.below(kinds) as u8,
        1 => 2,
        2 => largest,
        3 => constant,
        4 => [constant, other][i % 2],
        5 => [constant, other][usize::from(i.is_multiple_of(period))],
        6 => [constant, other][i / period % 2],
        _ => random.below(3) as u8,
    };
    (0..n).map(|i| code(i, random)).collect()
}

/// Number of kinds in [`activation_codes`].
pub(super) const ACTIVATION_KINDS: usize = 8;

/// `n` int8 activations.
pub(super) fn activation_codes(kind: usize, n: usize, random: &mut Random) -> Vec<i8> {
    const EXTREMES: [i8; 6] = [127, -128, -127, 1, -1, 0];
    let constant = EXTREMES[random.below(EXTREMES.len())];
    let other = EXTREMES[random.below(EXTREMES.len())];
    let period = 1 + random.below(40);
    let code = |i: usize, random: &mut Random| match kind {
        0 => random.code(),
        1 => 127,
        2 => -128,
        3 => constant,
        4 => [constant, other][i % 2],
        5 => [constant, other][usize::from(i.is_multiple_of(period))],
        6 => EXTREMES[random.below(EXTREMES.len())],
        _ => random.code() / 16,
    };
    (0..n).map(|i| code(i, random)).collect()
}

/// f32 activations of the same kinds in rows of `cols`, with occasional rows of zeros.
pub(super) fn activation_values(
    kind: usize,
    n: usize,
    cols: usize,
    random: &mut Random,
) -> Vec<f32> {
    let magnitude = 10f32.powi(random.below(9) as i32 - 4);
    let extreme = [1e38, 1e-38, 1e-42, 3e-6, 1e20, f32::MAX][random.below(6)];
    let zero_row = random.below(8);
    let period = 1 + random.below(40);
    let value = |i: usize, random: &mut Random| match kind {
        _ if i / cols == zero_row => 0.0,
        0 => random.bell() * magnitude,
        1 => magnitude,
        2 => -magnitude,
        3 => random.unit() * extreme,
        4 => [magnitude, -magnitude][i % 2],
        5 if i.is_multiple_of(period) => 100.0 * magnitude,
        6 => (random.below(255) as f32 - 127.0) / 2.0,
        _ => random.bell() * magnitude,
    };
    (0..n).map(|i| value(i, random)).collect()
}

/// Number of kinds in [`scales`].
pub(super) const SCALE_KINDS: usize = 4;

/// `n` scales: ones, usual values, powers far apart, or values that no scale should have.
pub(super) fn scales(kind: usize, n: usize, random: &mut Random) -> Vec<f32> {
    const ODD: [f32; 8] = [
        0.0,
        -0.0,
        -1.5,
        6e-8,
        65504.0,
        f32::INFINITY,
        f32::NAN,
        1e-41,
    ];
    let scale = |random: &mut Random| match kind {
        0 => 1.0,
        1 => random.unit().abs() + 0.01,
        2 => 2f32.powi(random.below(24) as i32 - 12),
        _ => ODD[random.below(ODD.len())],
    };
    (0..n).map(|_| scale(random)).collect()
}
