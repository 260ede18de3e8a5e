//! Arithmetic whose result depends on fused multiply-adds and on the order of additions. It reproduces ggml's AVX2 and
//! FMA code lane by lane.
//!
//! Each function is written once, over plain arrays and `f32::mul_add`, which rounds once on every machine. The same
//! source is also compiled for AVX2 and FMA and used if the CPU has them. Other CPUs are slower and give the same bits.
//!
//! Source: `ggml.c` of `bitnet-cpp-sys` 0.0.5.

use super::libm::expf;

/// Compiles a function a second time for AVX2 and FMA and selects by the features of the CPU.
macro_rules! fused {
    ($($(#[$attribute:meta])* pub(crate) fn $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)? $body:block)*) => {$(
        $(#[$attribute])*
        pub(crate) fn $name($($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn portable($($arg: $type),*) $(-> $out)? $body

            #[cfg(target_arch = "x86_64")]
            {
                $crate::compiled_for! { Avx2:
                    fn avx2($($arg: $type),*) $(-> $out)? {
                        portable($($arg),*)
                    }
                }
                if $crate::kernel::Avx2::detect().is_some() {
                    // SAFETY: the token proves the features.
                    return unsafe { avx2($($arg),*) };
                }
            }
            portable($($arg),*)
        }
    )*};
}

fused! {
    /// Replaces `values` by `e^(values - max)` and returns their sum: groups of eight are added in f32, the groups in
    /// f64. This is `ggml_vec_soft_max_f32`.
    pub(crate) fn exp_and_sum(values: &mut [f32], max: f32) -> f64 {
        let mut sum = 0.0;
        let (eights, rest) = values.as_chunks_mut::<8>();
        each_exp(eights.as_flattened_mut(), |value| value - max, |_, power| power);
        for lanes in eights {
            let [a, b, c, d, e, f, g, h] = *lanes;
            let [a, b, c, d] = [e + a, f + b, g + c, h + d];
            sum += f64::from((a + c) + (b + d));
        }
        for value in rest {
            *value = expf(*value - max);
            sum += f64::from(*value);
        }
        sum
    }

    /// `x / (1 + e^-x)` for each value of a row: `ggml_vec_silu_f32`.
    pub(crate) fn silu(values: &mut [f32]) {
        let (eights, rest) = values.as_chunks_mut::<8>();
        each_exp(eights.as_flattened_mut(), |x| 0.0 - x, |x, power| x / (1.0 + power));
        for x in rest {
            *x /= 1.0 + expf(-*x);
        }
    }

    /// Rotates the pairs of adjacent elements of a row by their cosines and sines: the inner loop of
    /// `ggml_compute_forward_rope_f32` for "NORM".
    ///
    /// Products with the second element are rounded, those with the first are not: GCC 12 fuses them when it vectorizes
    /// the loop (`vfmaddsub`), even with `-ffp-contract=off`. The vectorized loop processes two or more pairs at a
    /// time, so an odd last pair is not fused.
    pub(crate) fn rotate_adjacent(row: &mut [f32], rotations: &[(f32, f32)]) {
        let (twos, last) = rotations.as_chunks::<2>();
        let (fours, rest) = row.as_chunks_mut::<4>();
        for (values, rotations) in fours.iter_mut().zip(twos) {
            for (pair, (cos, sin)) in rotations.iter().enumerate() {
                let (x, y) = (values[2 * pair], values[2 * pair + 1]);
                values[2 * pair] = x.mul_add(*cos, -(y * sin));
                values[2 * pair + 1] = x.mul_add(*sin, y * cos);
            }
        }
        if let ([(cos, sin)], [x, y, ..]) = (last, rest) {
            (*x, *y) = (*x * cos - *y * sin, *x * sin + *y * cos);
        }
    }
}

/// Values in a run. A run is checked as a whole for arguments of `exp` that are not [`NEAR`] zero.
const RUN: usize = 64;

/// Largest magnitude of an argument for which `exp` cannot leave the range of exponents: 2^126 is e^87.3.
const NEAR: f32 = 87.0;

/// Replaces each value by `result(value, exp(argument(value)))`.
#[inline(always)]
fn each_exp(values: &mut [f32], argument: impl Fn(f32) -> f32, result: impl Fn(f32, f32) -> f32) {
    for run in values.chunks_mut(RUN) {
        // Compilers vectorize loops without an early exit. The comparison is false for a NaN.
        let near = run
            .iter()
            .fold(true, |all, &value| all & (argument(value).abs() <= NEAR));
        if near {
            for value in run {
                *value = result(*value, exp::<true>(argument(*value)));
            }
        } else {
            for value in run {
                *value = result(*value, exp::<false>(argument(*value)));
            }
        }
    }
}

/// One lane of `ggml_v_expf`: e^x by a polynomial, within 1.5 + 0.5 ULP; infinite above 88.38, zero below -103.97.
/// `IS_NEAR` requires that x is [`NEAR`] zero.
#[inline(always)]
fn exp<const IS_NEAR: bool>(x: f32) -> f32 {
    // 1.5 * 2^23: adding it rounds to the nearest integer, in the low bits of the mantissa.
    const SHIFT: f32 = 12_582_912.0;
    const LOG2_E: f32 = f32::from_bits(0x3fb8_aa3b);
    const LN2_HIGH: f32 = f32::from_bits(0x3f31_7200);
    const LN2_LOW: f32 = f32::from_bits(0x35bf_be8e);
    const C1: f32 = f32::from_bits(0x3f7f_fff6);
    const C2: f32 = f32::from_bits(0x3eff_fedb);
    const C3: f32 = f32::from_bits(0x3e2a_af33);
    const C4: f32 = f32::from_bits(0x3d2b_9f17);
    const C5: f32 = f32::from_bits(0x3c07_2010);

    let shifted = x.mul_add(LOG2_E, SHIFT);
    let n = shifted - SHIFT;
    let b = (-n).mul_add(LN2_LOW, (-n).mul_add(LN2_HIGH, x));
    let exponent = shifted.to_bits() << 23;
    let power = f32::from_bits(exponent.wrapping_add(1f32.to_bits()));
    let u = b * b;
    let high = C5.mul_add(b, C4);
    let low = C3.mul_add(b, C2);
    let j = high.mul_add(u, low).mul_add(u, C1 * b);

    let near = power.mul_add(j, power);
    if IS_NEAR {
        return near;
    }

    // Beyond 2^126 the power exceeds the range of the exponent and is applied as two factors.
    let down = if n <= 0.0 { 0x8200_0000 } else { 0 };
    let first = f32::from_bits(0x7f00_0000u32.wrapping_add(down));
    let second = f32::from_bits(exponent.wrapping_sub(down));
    let far = second.mul_add(j, second) * first;
    let extreme = first * first;
    if n.abs() > 192.0 {
        extreme
    } else if n.abs() > 126.0 {
        far
    } else {
        near
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::values;
    use super::*;

    #[test]
    fn exponentials_are_within_two_ulp_and_saturate() {
        for step in -10_000..=8_800 {
            let x = step as f32 / 100.0;
            let (found, exact) = (exp::<false>(x), f64::from(x).exp());
            let ulp = f64::from((exact as f32).next_up()) - f64::from(exact as f32);
            let error = (f64::from(found) - exact).abs() / ulp;
            assert!(error <= 2.0, "e^{x} is {found}, off by {error} ULP");
            if x.abs() <= NEAR {
                assert_eq!(exp::<true>(x), found, "{x}");
            }
        }
        assert_eq!(exp::<false>(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp::<false>(-104.0), 0.0);
        assert_eq!(exp::<false>(89.0), f32::INFINITY);
        assert_eq!(exp::<false>(0.0), 1.0);
        assert!(exp::<false>(f32::NAN).is_nan());
    }

    #[test]
    fn softmax_of_masked_scores_sums_what_is_left() {
        let mut scores = [f32::NEG_INFINITY; 32];
        (scores[0], scores[9]) = (1.0, 1.0);
        assert_eq!(exp_and_sum(&mut scores, 1.0), 2.0);
        assert_eq!((scores[0], scores[9], scores[1]), (1.0, 1.0, 0.0));
    }

    #[test]
    fn one_value_far_from_zero_changes_no_other() {
        let row = values(3 * RUN, 5);
        let mut alone = row.clone();
        silu(&mut alone);
        for far in [88.0, -100.0, f32::NEG_INFINITY, f32::NAN] {
            for at in [0, RUN - 1, RUN, 3 * RUN - 1] {
                let mut with_far = row.clone();
                with_far[at] = far;
                silu(&mut with_far);
                for (i, (alone, with_far)) in alone.iter().zip(&with_far).enumerate() {
                    assert_eq!(alone.to_bits() == with_far.to_bits(), i != at, "{far} {i}");
                }
            }
        }
    }

    #[test]
    fn silu_of_a_rest_agrees_with_its_lanes() {
        let mut whole = values(16, 3);
        let mut rest = whole[..7].to_vec();
        silu(&mut whole);
        silu(&mut rest);
        for (whole, rest) in whole.iter().zip(&rest) {
            assert!((whole - rest).abs() <= 1e-7, "{whole} and {rest}");
        }
    }
}
