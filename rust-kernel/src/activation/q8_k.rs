//! llama.cpp's `Q8_K`: `quantize_row_q8_K_ref` in `ggml-quants.c` of `bitnet-cpp-sys` 0.0.5.

use super::{largest_magnitude, nearest_int};
use crate::format::QK256;

/// Codes that share one partial sum.
pub(super) const SUM_RUN: usize = 16;

/// Quantizes a row of whole blocks of finite values.
///
/// The first value with the largest magnitude gets code -127. A block of zeros gets scale 0, codes 0 and sums 0; the
/// reference does not write its sums.
#[inline(always)]
pub(super) fn quantize_row(values: &[f32], codes: &mut [i8], scales: &mut [f32], sums: &mut [i32]) {
    let blocks = values
        .chunks_exact(QK256)
        .zip(codes.chunks_exact_mut(QK256));
    for ((values, codes), scale) in blocks.zip(scales) {
        let largest = largest_value(values);
        if largest == 0.0 {
            codes.fill(0);
            *scale = 0.0;
            continue;
        }
        let inverse = -127.0 / largest;
        for (code, &value) in codes.iter_mut().zip(values) {
            // If the maximum is subnormal, the inverse is infinite and the rounded number is huge. The reference keeps
            // its low 8 bits, and so does this cast.
            *code = nearest_int(inverse * value).min(127) as i8;
        }
        *scale = 1.0 / inverse;
    }
    for (codes, sum) in codes.chunks_exact(SUM_RUN).zip(sums) {
        *sum = codes.iter().map(|&code| i32::from(code)).sum();
    }
}

/// The first value with the largest magnitude.
#[inline(always)]
fn largest_value(values: &[f32]) -> f32 {
    let magnitude = largest_magnitude(values);
    // Without an early exit the compiler vectorizes this loop. Both signs at the same magnitude are rare.
    let any = |wanted: f32| {
        values
            .iter()
            .fold(false, |any, &value| any | (value == wanted))
    };
    match (any(magnitude), any(-magnitude)) {
        (true, false) => magnitude,
        (false, true) => -magnitude,
        _ => values
            .iter()
            .copied()
            .find(|value| value.abs() == magnitude)
            .unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_magnitude_becomes_minus_127() {
        let mut values = [0.0f32; 512];
        values[3] = -2.0;
        values[4] = 2.0;
        let (mut codes, mut scales, mut sums) = ([9i8; 512], [9.0f32; 2], [9i32; 32]);
        quantize_row(&values, &mut codes, &mut scales, &mut sums);
        assert_eq!((codes[3], codes[4]), (-127, 127));
        assert_eq!(scales, [1.0 / (-127.0 / -2.0), 0.0]);
        assert_eq!(codes[256..], [0; 256]);
        assert_eq!(sums, [0; 32]);
    }
}
