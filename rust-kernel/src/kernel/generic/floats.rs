//! f32 arithmetic as plain loops, which the compiler vectorizes. The order of operations is that of the definition.

use crate::kernel::arithmetic::{self, F32_LANES, TensorScaling};
use crate::kernel::vector::Vector;

/// `out[i] = (codes[i] - offset) * factor` for every element of `out`.
#[inline(always)]
pub(in super::super) fn values<V: Vector>(
    _v: V,
    codes: &[u8],
    offset: f32,
    factor: f32,
    out: &mut [f32],
) {
    for (out, &code) in out.iter_mut().zip(codes) {
        *out = (f32::from(code) - offset) * factor;
    }
}

/// Applies [`TensorScaling`] to each dot.
#[inline(always)]
pub(in super::super) fn scale_dots<V: Vector>(
    _v: V,
    dots: &[i32],
    scaling: TensorScaling,
    out: &mut [f32],
) {
    for (out, &dot) in out.iter_mut().zip(dots) {
        *out = scaling.product(dot);
    }
}

/// [`arithmetic::add_products`] with the signature of the other algorithms.
#[inline(always)]
pub(in super::super) fn add_products<V: Vector>(
    _v: V,
    lanes: &mut [f32; F32_LANES],
    values: &[f32],
    x: &[f32],
) {
    arithmetic::add_products(lanes, values, x);
}
