//! Dot products of several rows with one vector. The sums equal ggml's bit for bit. With AVX2 and FMA, two rows are
//! computed at a time.
//!
//! Source: `ggml_vec_dot_f32` and `ggml_vec_dot_f16` in `ggml.c` of `bitnet-cpp-sys` 0.0.5, `ggml_vec_dot_bf16` in
//! `ggml-cpu/vec.cpp` of `llama-cpp-sys-4` 0.11.0.

#[cfg(target_arch = "x86_64")]
use crate::isa::Avx2;

/// Elements in one step of a dot product: four vectors of eight lanes (`GGML_F32_STEP`, `GGML_F16_STEP`).
const STEP: usize = 32;

/// How a dot product adds the elements after the last whole step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Products are added in f32: `ggml_vec_dot_f32`.
    F32,
    /// Products are rounded to f32 and added in f64: `ggml_vec_dot_f16`.
    F64,
    /// As `F64`, and the whole steps are added without fused multiply-add and folded in halves: `ggml_vec_dot_bf16`.
    Bf16,
}

impl Rest {
    /// `sum` plus the products of the remaining elements of two rows.
    fn add(self, sum: f32, a: &[f32], b: &[f32]) -> f32 {
        let products = a.iter().zip(b).map(|(a, b)| a * b);
        match self {
            Rest::F32 => products.fold(sum, |sum, product| sum + product),
            Rest::F64 | Rest::Bf16 => {
                products.fold(f64::from(sum), |sum, product| sum + f64::from(product)) as f32
            }
        }
    }
}

/// `out[r]`: dot product of `x` with row `r` of `rows`, which is `out.len() x x.len()`, row-major.
///
/// Computes `ggml_vec_dot_f32`, or `ggml_vec_dot_f16` and `ggml_vec_dot_bf16` for values that are exact in these types.
pub(crate) fn dots(rows: &[f32], x: &[f32], rest: Rest, out: &mut [f32]) {
    debug_assert_eq!(rows.len(), out.len() * x.len());
    #[cfg(target_arch = "x86_64")]
    if rest != Rest::Bf16 && Avx2::detect().is_some() {
        // SAFETY: the token proves the features.
        return unsafe { avx2::dots(rows, x, rest, out) };
    }
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(x.len())) {
        *out = dot(row, x, rest);
    }
}

/// The definition. Lane `i % 32` accumulates the product of element `i` with a fused multiply-add. The lanes are then
/// folded in halves down to four, and the four are added in pairs.
fn dot(row: &[f32], x: &[f32], rest: Rest) -> f32 {
    let (row, row_rest) = row.as_chunks::<STEP>();
    let (x, x_rest) = x.as_chunks::<STEP>();
    let mut lanes = [0.0f32; STEP];
    for (row, x) in row.iter().zip(x) {
        for ((lane, row), x) in lanes.iter_mut().zip(row).zip(x) {
            *lane = match rest {
                Rest::Bf16 => row * x + *lane,
                Rest::F32 | Rest::F64 => row.mul_add(*x, *lane),
            };
        }
    }
    for half in [16, 8, 4] {
        let (low, high) = lanes.split_at_mut(half);
        low.iter_mut()
            .zip(high)
            .for_each(|(low, high)| *low += *high);
    }
    let [a, b, c, d] = [lanes[0], lanes[1], lanes[2], lanes[3]];
    let sum = match rest {
        Rest::Bf16 => (a + c) + (b + d),
        Rest::F32 | Rest::F64 => (a + b) + (c + d),
    };
    rest.add(sum, row_rest, x_rest)
}

/// The same with intrinsics. For plain arrays of 32 lanes, compilers use registers of four lanes and spill most of
/// them.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Rest, STEP};
    use crate::compiled_for;

    /// Rows per iteration. Two rows have eight accumulators, which hide the latency of a fused multiply-add.
    const ROWS: usize = 2;

    compiled_for! { Avx2:
        pub(super) fn dots(rows: &[f32], x: &[f32], rest: Rest, out: &mut [f32]) {
            let (x_steps, x_rest) = x.as_chunks::<STEP>();
            let (pairs, last) = out.as_chunks_mut::<ROWS>();
            let (of_pairs, of_last) = rows.split_at(pairs.len() * ROWS * x.len());
            for (out, rows) in pairs.iter_mut().zip(of_pairs.chunks_exact(ROWS * x.len())) {
                let (first, second) = rows.split_at(x.len());
                let (first, first_rest) = first.as_chunks();
                let (second, second_rest) = second.as_chunks();
                let [a, b] = lanes([first, second], x_steps);
                let [a, b] = horizontal_sums(a, b);
                *out = [
                    rest.add(a, first_rest, x_rest),
                    rest.add(b, second_rest, x_rest),
                ];
            }
            if let [out] = last {
                let (row, row_rest) = of_last.as_chunks();
                let [only] = lanes([row], x_steps);
                let [sum, _] = horizontal_sums(only, only);
                *out = rest.add(sum, row_rest, x_rest);
            }
        }

        /// Four lanes of partial sums for each row, over the whole steps.
        #[inline]
        fn lanes<const R: usize>(mut rows: [&[[f32; STEP]]; R], x: &[[f32; STEP]]) -> [__m128; R] {
            for row in &mut rows {
                *row = &row[..x.len()];
            }
            let mut lanes = [[_mm256_setzero_ps(); STEP / 8]; R];
            for (step, x) in x.iter().enumerate() {
                let x = vectors(x);
                for (lanes, row) in lanes.iter_mut().zip(rows) {
                    for ((lanes, row), x) in lanes.iter_mut().zip(vectors(&row[step])).zip(x) {
                        *lanes = _mm256_fmadd_ps(row, x, *lanes);
                    }
                }
            }
            let mut out = [_mm_setzero_ps(); R];
            for (out, [a, b, c, d]) in out.iter_mut().zip(lanes) {
                let eight = _mm256_add_ps(_mm256_add_ps(a, c), _mm256_add_ps(b, d));
                *out = _mm_add_ps(
                    _mm256_castps256_ps128(eight),
                    _mm256_extractf128_ps(eight, 1),
                );
            }
            out
        }

        /// The sum of the lanes of `a` and of `b`, added in pairs.
        #[inline]
        fn horizontal_sums(a: __m128, b: __m128) -> [f32; 2] {
            let pairs = _mm_hadd_ps(a, b);
            let sums = _mm_hadd_ps(pairs, pairs);
            [_mm_cvtss_f32(sums), _mm_cvtss_f32(_mm_movehdup_ps(sums))]
        }

        #[inline]
        fn vectors(step: &[f32; STEP]) -> [__m256; STEP / 8] {
            let (eights, _) = step.as_chunks::<8>();
            std::array::from_fn(|i| {
                // SAFETY: the array has eight floats, and the load has no alignment requirement.
                unsafe { _mm256_loadu_ps(eights[i].as_ptr()) }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::values;
    use super::*;

    #[test]
    fn dots_are_near_the_exact_sum_at_every_length() {
        for n in (1..100).chain([1023, 1024]) {
            let (a, b) = (values(n, 1), values(n, 2));
            let exact: f64 = a
                .iter()
                .zip(&b)
                .map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum();
            for rest in [Rest::F32, Rest::F64, Rest::Bf16] {
                let error = (f64::from(dot(&a, &b, rest)) - exact).abs();
                assert!(error < 1e-5, "{n} elements are off by {error}");
            }
        }
    }

    #[test]
    fn lanes_are_added_in_the_reference_order() {
        // 2^24 + 1 rounds to 2^24, so the result depends on the order of additions.
        let mut a = [0.0; STEP];
        let ones = [1.0; STEP];
        (a[0], a[16], a[1]) = (16_777_216.0, 1.0, 1.0);
        assert_eq!(dot(&a, &ones, Rest::F32), 16_777_216.0);
        (a[0], a[1], a[17]) = (16_777_216.0, 1.0, 1.0);
        a[16] = 0.0;
        assert_eq!(dot(&a, &ones, Rest::F32), 16_777_218.0);
    }

    #[test]
    fn several_rows_give_the_bits_of_the_definition() {
        for n in (1..100).chain([128, 160, 1000]) {
            for count in 0..6 {
                let (rows, x) = (values(count * n, 1), values(n, 2));
                for rest in [Rest::F32, Rest::F64, Rest::Bf16] {
                    let mut out = vec![0.0; count];
                    dots(&rows, &x, rest, &mut out);
                    let wanted = rows.chunks_exact(n).map(|row| dot(row, &x, rest));
                    assert!(out.iter().copied().eq(wanted), "{count} rows of {n}");
                }
            }
        }
    }
}
