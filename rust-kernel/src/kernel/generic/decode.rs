//! Decoding of layouts with SIMD, and rows as whole blocks.

use crate::format::{QK256, Weights};
use crate::kernel::vector::{STEP, Vector};

/// The codes of a block in column order, or a block of activations.
pub(super) type Codes<T = u8> = [T; QK256];

/// Steps in a block.
pub(super) const STEPS: usize = QK256 / STEP;

/// A step of decoded codes, aligned to a cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(super) struct Decoded(pub(super) [u8; STEP]);

/// The bytes of a block of weights of one panel.
pub(in super::super) trait Block: Sized {
    /// The whole blocks of `bytes`.
    fn blocks(bytes: &[u8]) -> &[Self];
    /// A block of `bytes`, padded with zeros.
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

/// SIMD decoding of a layout.
pub(in super::super) trait Decode: Send + Sync + 'static {
    /// Bytes of 256 columns of a panel, including an inline scale.
    type Block: Block;

    /// Rows of a panel.
    const PANEL_ROWS: usize = 1;
    /// Exponents of the powers of two by which [`scaled`](Decode::scaled) multiplies even and odd runs of 32 codes.
    const SHIFTS: [i32; 2] = [0, 0];

    /// The codes of a block in column order, of row `row` of the panel.
    fn codes<V: Vector>(v: V, block: &Self::Block, row: usize) -> [V::Step; 4];

    /// The first (`half` 0) or last (`half` 1) 128 codes of a panel's first row, multiplied as in
    /// [`SHIFTS`](Decode::SHIFTS). Scaled codes need fewer shifts.
    #[inline(always)]
    fn scaled<V: Vector>(v: V, block: &Self::Block, half: usize) -> [V::Step; 2] {
        let [a, b, c, d] = Self::codes(v, block, 0);
        if half == 0 { [a, b] } else { [c, d] }
    }

    /// The inline scale of a block, 1 if the format has none.
    fn scale<V: Vector>(_v: V, _block: &Self::Block) -> f32 {
        1.0
    }
}

/// The whole blocks of a row, and its partial last block, padded with zeros.
pub(super) struct Row<'a, D: Decode> {
    pub(super) blocks: &'a [D::Block],
    pub(super) tail: Option<D::Block>,
}

impl<'a, D: Decode> Row<'a, D> {
    #[inline(always)]
    pub(super) fn new(weights: &Weights<'a>, row: usize) -> Row<'a, D> {
        let panel = weights.panel(row);
        let (whole, rest) = (weights.cols() / QK256, weights.cols() % QK256);
        // Padded rows have bytes after their last column. They are multiplied with activations of zero.
        let tail = (rest > 0).then(|| D::Block::padded(&panel[whole * size_of::<D::Block>()..]));
        Row {
            blocks: &D::Block::blocks(panel)[..whole],
            tail,
        }
    }
}

/// The steps of blocks of activations.
#[inline(always)]
pub(super) fn steps(blocks: &[Codes<i8>]) -> &[[i8; STEP]] {
    blocks.as_flattened().as_chunks().0
}

/// Reads step `step` of a block's activations.
#[inline(always)]
pub(super) fn load_activations<V: Vector>(v: V, a: &Codes<i8>, step: usize) -> V::Step {
    v.load_signed(&a.as_chunks().0[step])
}

/// Reads step `step` of a block's codes.
#[inline(always)]
pub(super) fn load_codes<V: Vector>(v: V, codes: &Codes, step: usize) -> V::Step {
    v.load(&codes.as_chunks().0[step])
}

/// Decodes a block.
#[inline(always)]
pub(super) fn decode<V: Vector, D: Decode>(
    v: V,
    block: &D::Block,
    row: usize,
    codes: &mut [Decoded; STEPS],
) {
    for (step, codes) in D::codes(v, block, row).into_iter().zip(codes) {
        v.store(step, &mut codes.0);
    }
}
