//! Packs Q6_K: 16 consecutive weights share an int8 scale, and 256 weights share an f16 factor of these scales.
//!
//! The bytes of a block are those of `block_q6_K` in `ggml-quants.c` of `bitnet-cpp-sys` 0.0.5. The choice of scales is
//! up to the quantizer. Here the largest weight of each run becomes about the code -32, and the largest scale of the
//! block becomes -128, so that both ends of both ranges are used.

use half::f16;

const RUN: usize = 16;
const RUNS: usize = 16;
const BLOCK: usize = RUN * RUNS;

/// Rounds whole blocks of 256 values to Q6_K and appends their bytes, 210 for each block.
pub(super) fn pack(values: &[f32], bytes: &mut Vec<u8>) {
    for block in values.as_chunks::<BLOCK>().0 {
        pack_block(block, bytes);
    }
}

fn pack_block(values: &[f32; BLOCK], bytes: &mut Vec<u8>) {
    let (runs, _) = values.as_chunks::<RUN>();
    let steps: [f32; RUNS] = std::array::from_fn(|run| farthest(&runs[run]) / -32.0);
    let factor = f16::from_f32(farthest(&steps) / -128.0);

    let mut scales = [0i8; RUNS];
    let mut low = [0u8; BLOCK / 2];
    let mut high = [0u8; BLOCK / 4];
    for (run, (values, step)) in runs.iter().zip(steps).enumerate() {
        scales[run] = nearest(step, factor.to_f32()).clamp(-128.0, 127.0) as i8;
        let step = factor.to_f32() * f32::from(scales[run]);
        for (at, &value) in values.iter().enumerate() {
            let code = (nearest(value, step).clamp(-32.0, 31.0) as i8 + 32) as u8;
            // Each half of a block has four pieces of 32 weights.
            let weight = run * RUN + at;
            let (half, piece, at) = (weight / 128, weight / 32 % 4, weight % 32);
            low[64 * half + 32 * (piece % 2) + at] |= (code & 0xf) << (4 * (piece / 2));
            high[32 * half + at] |= (code >> 4) << (2 * piece);
        }
    }
    bytes.extend(low);
    bytes.extend(high);
    bytes.extend(scales.map(|scale| scale as u8));
    bytes.extend(factor.to_le_bytes());
}

/// The signed value farthest from zero.
fn farthest(values: &[f32]) -> f32 {
    let farther = |far: f32, &value: &f32| if value.abs() > far.abs() { value } else { far };
    values.iter().fold(0.0, farther)
}

/// The nearest integer number of steps; 0 if the step is 0.
fn nearest(value: f32, step: f32) -> f32 {
    if step == 0.0 {
        return 0.0;
    }
    (value / step).round_ties_even()
}
