//! The algorithms of SIMD kernels, written once over [`Vector`] and [`Decode`].
//!
//! Rows are worked through in *blocks* of 256 weights; a last, partial block is copied and filled up with zeros, so
//! that nothing is read past a slice and no step is special. Functions are `#[inline(always)]`, because only what is
//! inlined into a `#[target_feature]` function of `compiled!` is compiled for its instruction set.

mod batch;
pub(super) mod block_scaled;
mod facade;
pub(super) mod gemm;
pub(super) mod gemv;
mod i2_s;
mod panel;
mod tq1_0;
mod tq2_0;

use std::ops::Range;

pub(super) use batch::Batch;
pub(super) use block_scaled::Quantized;
pub(super) use facade::{Compiled, Sink, candidate, compiled};
use i2_s::{Group64, Group128, Rows4, Sequential};
pub(super) use panel::Panel;
use tq1_0::Tq1_0;
use tq2_0::Tq2_0;

use super::arithmetic::{self, F32_LANES};
use super::vector::{STEP, Vector};
use crate::activation::Activations;
use crate::format::{QK256, Weights};

/// The codes of a block in column order, or a block of activations.
type Codes<T = u8> = [T; QK256];

/// The bytes that hold a block of weights of one panel.
pub(super) trait Block: Sized {
    /// The whole blocks of `bytes`.
    fn blocks(bytes: &[u8]) -> &[Self];
    /// A block that starts with `bytes` and goes on with zeros.
    fn padded(bytes: &[u8]) -> Self;
}

impl<const N: usize> Block for [u8; N] {
    #[inline(always)]
    fn blocks(bytes: &[u8]) -> &[Self] {
        bytes.as_chunks().0
    }

    #[inline(always)]
    fn padded(bytes: &[u8]) -> Self {
        let mut block = [0; N];
        let len = bytes.len().min(N);
        block[..len].copy_from_slice(&bytes[..len]);
        block
    }
}

/// A layout, as SIMD reads it.
pub(super) trait Decode: Sized + Send + Sync + 'static {
    /// Bytes of 256 weights of a panel, an inline scale included.
    type Block: Block;

    /// Rows of a panel.
    const PANEL_ROWS: usize = 1;
    /// The powers of two by which [`scaled`](Decode::scaled) multiplies even and odd runs of 32 codes.
    const SHIFTS: [i32; 2] = [0, 0];

    /// The codes of a block in column order, of row `row` of the panel.
    fn codes<V: Vector>(v: V, block: &Self::Block, row: usize) -> [V::Step; 4];

    /// The codes of a panel's first row, times the powers of two in [`SHIFTS`](Decode::SHIFTS), where that is faster.
    #[inline(always)]
    fn scaled<V: Vector>(v: V, block: &Self::Block) -> [V::Step; 4] {
        Self::codes(v, block, 0)
    }

    /// The scale inside a block, where the format has one.
    fn scale(_block: &Self::Block) -> f32 {
        1.0
    }

    /// Products with quantized activations: those of one scale for the tensor, unless the format has others.
    fn products<V: Compiled>(
        v: V,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: &Activations,
        out: &mut [f32],
    ) {
        facade::tensor_products::<V, Self>(v, weights, rows, activations, out);
    }
}

/// A row's whole blocks, and its last, partial one filled up with zeros.
struct Row<'a, D: Decode> {
    blocks: &'a [D::Block],
    tail: Option<D::Block>,
}

impl<'a, D: Decode> Row<'a, D> {
    #[inline(always)]
    fn new(weights: &Weights<'a>, row: usize) -> Row<'a, D> {
        let panel = weights.panel(row);
        let (whole, rest) = (weights.cols() / QK256, weights.cols() % QK256);
        // Rows padded to whole blocks have bytes beyond their columns; those meet activations of zero.
        let tail = (rest > 0).then(|| D::Block::padded(&panel[whole * size_of::<D::Block>()..]));
        Row {
            blocks: &D::Block::blocks(panel)[..whole],
            tail,
        }
    }
}

/// Reads a block's activations.
#[inline(always)]
fn load_activations<V: Vector>(v: V, a: &Codes<i8>) -> [V::Step; 4] {
    let ([a0, a1, a2, a3], _) = a.as_chunks::<STEP>() else {
        unreachable!("four steps make a block")
    };
    [
        v.load_signed(a0),
        v.load_signed(a1),
        v.load_signed(a2),
        v.load_signed(a3),
    ]
}

/// Reads a block's codes.
#[inline(always)]
fn load_codes<V: Vector>(v: V, codes: &Codes) -> [V::Step; 4] {
    let ([c0, c1, c2, c3], _) = codes.as_chunks::<STEP>() else {
        unreachable!("four steps make a block")
    };
    [v.load(c0), v.load(c1), v.load(c2), v.load(c3)]
}

/// Decodes a block.
#[inline(always)]
fn decode<V: Vector, D: Decode>(v: V, block: &D::Block, row: usize, codes: &mut Codes) {
    let steps = D::codes(v, block, row);
    for (step, codes) in steps.into_iter().zip(codes.as_chunks_mut().0) {
        v.store(step, codes);
    }
}

/// `(code - offset) * factor` for as many codes as `out` has room for.
#[inline(always)]
pub(super) fn values<V: Vector>(_v: V, codes: &[u8], offset: f32, factor: f32, out: &mut [f32]) {
    for (out, &code) in out.iter_mut().zip(codes) {
        *out = (f32::from(code) - offset) * factor;
    }
}

/// [`arithmetic::add_products`].
#[inline(always)]
pub(super) fn add_products<V: Vector>(
    _v: V,
    lanes: &mut [f32; F32_LANES],
    values: &[f32],
    x: &[f32],
) {
    arithmetic::add_products(lanes, values, x);
}
