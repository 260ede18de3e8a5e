//! Q6_K: 256 weights in 210 bytes. 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 int8 scales, one f16 scale.
//!
//! Source: `block_q6_K`, `dequantize_row_q6_K` and the AVX2 path of `ggml_vec_dot_q6_K_q8_K` in `ggml-quants.c` of
//! `bitnet-cpp-sys` 0.0.5, and in `ggml-cpu/arch/x86/quants.c` of `llama-cpp-sys-4` 0.11.0.

use half::f16;

use crate::format::QK256;

/// Bytes of a block.
const BYTES: usize = 210;
/// Weights that share a scale.
const RUN: usize = 16;

/// The offset of the codes.
const OFFSET: i32 = 32;

/// How a dot product of Q6_K subtracts the offset of the codes. The integer sum of a block is the same, but its parts in
/// the eight lanes are not, and each lane is rounded to f32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Q6KOffset {
    /// From each code, as in bitnet.cpp and in llama.cpp of 2024.
    #[default]
    Codes,
    /// From the sums of 16 activations, as in llama.cpp of today: lane `l` has those of runs `2l` and `2l + 1`.
    Sums,
}

/// A block of a row.
struct Block<'a>(&'a [u8; BYTES]);

impl Block<'_> {
    /// The weights before scaling, -32 to 31, in column order.
    fn codes(&self) -> [i8; QK256] {
        let (low, high) = (&self.0[..128], &self.0[128..192]);
        std::array::from_fn(|i| {
            let (half, piece, at) = (i / 128, i / 32 % 4, i % 32);
            let low = low[64 * half + 32 * (piece % 2) + at] >> (4 * (piece / 2)) & 0xf;
            let high = high[32 * half + at] >> (2 * piece) & 3;
            (low | high << 4) as i8 - OFFSET as i8
        })
    }

    fn scale(&self, run: usize) -> i8 {
        self.0[192 + run] as i8
    }

    fn factor(&self) -> f32 {
        f16::from_le_bytes([self.0[208], self.0[209]]).to_f32()
    }
}

fn blocks(row: &[u8]) -> impl Iterator<Item = Block<'_>> {
    row.as_chunks().0.iter().map(Block)
}

/// The values of a row of whole blocks.
pub(super) fn read(row: &[u8], out: &mut [f32]) {
    for (block, out) in blocks(row).zip(out.chunks_exact_mut(QK256)) {
        let codes = block.codes();
        for (i, (out, code)) in out.iter_mut().zip(codes).enumerate() {
            *out = block.factor() * f32::from(block.scale(i / RUN)) * f32::from(code);
        }
    }
}

/// Dot product with a row of Q8_K activations: codes and a scale for each block.
pub(super) fn dot(row: &[u8], codes: &[i8], scales: &[f32], offset: Q6KOffset) -> f32 {
    let mut lanes = [0.0f32; 8];
    for ((block, activations), scale) in blocks(row).zip(codes.chunks_exact(QK256)).zip(scales) {
        let mut sums = integer_lanes(&block, activations);
        if offset == Q6KOffset::Sums {
            move_offset(&block, activations, &mut sums);
        }
        let factor = scale * block.factor();
        for (lane, sum) in lanes.iter_mut().zip(sums) {
            *lane = factor.mul_add(sum as f32, *lane);
        }
    }
    let [a, b, c, d] = std::array::from_fn(|lane| lanes[lane + 4] + lanes[lane]);
    (a + c) + (b + d)
}

/// Scaled integer products of a block. Lane `l` adds the elements whose position modulo 32 is in `4l..4l + 4`.
fn integer_lanes(block: &Block<'_>, activations: &[i8]) -> [i32; 8] {
    let mut lanes = [0; 8];
    let fours = block.codes();
    let fours = fours
        .as_chunks::<4>()
        .0
        .iter()
        .zip(activations.as_chunks::<4>().0);
    for (four, (weights, activations)) in fours.enumerate() {
        let products = weights.iter().zip(activations);
        let sum: i32 = products.map(|(&w, &a)| i32::from(w) * i32::from(a)).sum();
        lanes[four % 8] += sum * i32::from(block.scale(4 * four / RUN));
    }
    lanes
}

/// Moves what the offset contributes to the lanes from those of the elements to those of the runs.
fn move_offset(block: &Block<'_>, activations: &[i8], lanes: &mut [i32; 8]) {
    for (run, activations) in activations.as_chunks::<RUN>().0.iter().enumerate() {
        let scaled = OFFSET * i32::from(block.scale(run));
        for (four, activations) in activations.as_chunks::<4>().0.iter().enumerate() {
            let sum: i32 = activations.iter().map(|&a| i32::from(a)).sum();
            lanes[(run * RUN / 4 + four) % 8] += scaled * sum;
            lanes[run / 2] -= scaled * sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of pseudo-random bytes with factor 0.5.
    fn block() -> [u8; BYTES] {
        let mut bytes: [u8; BYTES] = std::array::from_fn(|i| (i * 89 + 13) as u8);
        bytes[208..].copy_from_slice(&f16::from_f32(0.5).to_le_bytes());
        bytes
    }

    #[test]
    fn integer_dots_are_the_dots_of_the_values() {
        let row = [block(), block()].concat();
        let mut values = [0.0; 512];
        read(&row, &mut values);
        let codes: Vec<i8> = (0..512).map(|i| (i * 37 % 255 - 127) as i8).collect();
        let exact: f64 = values
            .iter()
            .zip(&codes)
            .enumerate()
            .map(|(i, (&v, &c))| f64::from(v) * f64::from(c) * if i < 256 { 0.25 } else { 2.0 })
            .sum();
        let of = |offset| f64::from(dot(&row, &codes, &[0.25, 2.0], offset));
        for found in [of(Q6KOffset::Codes), of(Q6KOffset::Sums)] {
            assert!(
                (found - exact).abs() <= 1e-6 * exact.abs(),
                "{found} and {exact}"
            );
        }
    }

    #[test]
    fn a_moved_offset_changes_lanes_and_no_sum() {
        let bytes = block();
        let block = Block(&bytes);
        let activations: Vec<i8> = (0..256).map(|i| (i * 37 % 255 - 127) as i8).collect();
        let of_codes = integer_lanes(&block, &activations);
        let mut of_sums = of_codes;
        move_offset(&block, &activations, &mut of_sums);
        assert_ne!(of_codes, of_sums);
        assert_eq!(of_codes.iter().sum::<i32>(), of_sums.iter().sum::<i32>());
    }

    #[test]
    fn codes_are_where_the_layout_says() {
        let mut bytes = [0; BYTES];
        // Element 33 of the second half: low bits in the second 32 bytes, high bits at shift 2.
        (bytes[64 + 32 + 1], bytes[128 + 32 + 1]) = (0x05, 0x0c);
        let codes = Block(&bytes).codes();
        assert_eq!(codes[128 + 33], (3 << 4 | 5) - 32);
        assert_eq!(codes.iter().filter(|&&code| code != -32).count(), 1);
    }
}
