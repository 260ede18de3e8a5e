//! bitnet.cpp's `i8_s`: `quantize_row_i8_s` in `ggml-quants.c` of `bitnet-cpp-sys` 0.0.5.

use super::nearest_int;

/// Lower bound of the largest magnitude of a row. It keeps the scale of a row of zeros finite.
const MIN_MAX: f64 = 0.00001;

/// Quantizes a row of finite values and returns its scale (codes per unit) and the sum of its codes. `largest` is the
/// largest magnitude of the row.
///
/// As in the reference, the maximum and the division are computed in f64 and rounded to f32 once.
#[inline(always)]
pub(super) fn quantize_row(values: &[f32], largest: f32, codes: &mut [i8]) -> (f32, i32) {
    let scale = (127.0 / f64::from(largest).max(MIN_MAX)) as f32;
    for (code, &value) in codes.iter_mut().zip(values) {
        *code = nearest_int(value * scale).clamp(-128, 127) as i8;
    }
    (scale, codes.iter().map(|&code| i32::from(code)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_codes_and_sum() {
        let mut codes = [0; 4];
        let (scale, sum) = quantize_row(&[2.0, -2.0, 0.0, 1.0], 2.0, &mut codes);
        assert_eq!((scale, sum), (63.5, 64));
        assert_eq!(codes, [127, -127, 0, 64]);
    }

    #[test]
    fn a_zero_row_has_a_finite_scale() {
        let mut codes = [1; 3];
        let (scale, sum) = quantize_row(&[0.0; 3], 0.0, &mut codes);
        assert_eq!(
            (scale, sum, codes),
            ((127.0 / 0.00001f64) as f32, 0, [0; 3])
        );
    }
}
