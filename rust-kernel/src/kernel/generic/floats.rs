//! f32 arithmetic: plain loops, which compilers turn into the instruction set's own, in the order that the definition
//! gives.

use crate::kernel::arithmetic::{self, F32_LANES, TensorScaling};
use crate::kernel::vector::Vector;

/// `(code - offset) * factor` for as many codes as `out` has room for.
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

/// What [`TensorScaling`] makes of each dot.
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

/// [`arithmetic::add_products`], as the other algorithms of an instruction set are called.
#[inline(always)]
pub(in super::super) fn add_products<V: Vector>(
    _v: V,
    lanes: &mut [f32; F32_LANES],
    values: &[f32],
    x: &[f32],
) {
    arithmetic::add_products(lanes, values, x);
}
