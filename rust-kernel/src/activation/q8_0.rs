//! llama.cpp's `Q8_0` and `Q8_1`: `quantize_row_q8_0` and `quantize_row_q8_1` in `ggml-cpu/arch/x86/quants.c` of
//! `llama-cpp-sys-4` 0.11.0, for AVX2.

use half::f16;

use super::largest_magnitude;

/// Activations that share a scale.
pub(super) const BLOCK: usize = 32;

/// Quantizes a row of whole blocks of finite values to `Q8_0`, with one scale a block.
#[inline(always)]
pub(super) fn quantize_row(values: &[f32], codes: &mut [i8], scales: &mut [f32]) {
    for ((values, codes), scale) in blocks(values, codes).zip(scales) {
        *scale = to_f16(quantize_block(values, codes));
    }
}

/// Quantizes a row to `Q8_1`. `scales` receives the scale of each block, followed by the sum of its codes times the
/// scale.
#[inline(always)]
pub(super) fn quantize_row_with_sums(values: &[f32], codes: &mut [i8], scales: &mut [f32]) {
    let pairs = scales.as_chunks_mut::<2>().0;
    for ((values, codes), [scale, sum]) in blocks(values, codes).zip(pairs) {
        let exact = quantize_block(values, codes);
        let total: i32 = codes.iter().map(|&code| i32::from(code)).sum();
        *scale = to_f16(exact);
        *sum = to_f16(exact * total as f32);
    }
}

#[inline(always)]
fn blocks<'a>(
    values: &'a [f32],
    codes: &'a mut [i8],
) -> impl Iterator<Item = (&'a [f32; BLOCK], &'a mut [i8; BLOCK])> {
    let (values, codes) = (values.as_chunks().0, codes.as_chunks_mut().0);
    values.iter().zip(codes)
}

/// The scale of a block, before it is rounded to f16.
#[inline(always)]
fn quantize_block(values: &[f32; BLOCK], codes: &mut [i8; BLOCK]) -> f32 {
    let largest = largest_magnitude(values);
    let inverse = if largest == 0.0 { 0.0 } else { 127.0 / largest };
    for (code, &value) in codes.iter_mut().zip(values) {
        let rounded = (value * inverse).round_ties_even();
        // If the maximum is subnormal, the inverse can be infinite. The reference's conversion to i32 then gives its
        // smallest number, which is cut to -128.
        *code = if rounded.abs() <= 128.0 {
            rounded as i8
        } else {
            i8::MIN
        };
    }
    largest / 127.0
}

fn to_f16(value: f32) -> f32 {
    f16::from_f32(value).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_f16_and_sums_are_of_the_exact_scale() {
        let mut values = [0.0f32; 2 * BLOCK];
        (values[0], values[1]) = (-0.3, 0.1);
        let (mut codes, mut scales) = ([9i8; 2 * BLOCK], [9.0f32; 4]);
        quantize_row_with_sums(&values, &mut codes, &mut scales);
        let exact = 0.3f32 / 127.0;
        assert_eq!((codes[0], codes[1], codes[2]), (-127, 42, 0));
        assert_eq!(scales[..2], [to_f16(exact), to_f16(exact * -85.0)]);
        assert_eq!((scales[2], scales[3]), (0.0, 0.0));
        assert_eq!(codes[BLOCK..], [0; BLOCK]);

        let mut without_sums = [9.0f32; 2];
        quantize_row(&values, &mut codes, &mut without_sums);
        assert_eq!(without_sums, [scales[0], scales[2]]);
    }

    #[test]
    fn an_infinite_inverse_gives_the_smallest_code() {
        let mut values = [0.0f32; BLOCK];
        (values[0], values[1]) = (1e-40, -1e-40);
        let (mut codes, mut scales) = ([9i8; BLOCK], [9.0f32; 1]);
        quantize_row(&values, &mut codes, &mut scales);
        assert_eq!(codes, [i8::MIN; BLOCK]);
        assert_eq!(scales, [0.0]);
    }
}
