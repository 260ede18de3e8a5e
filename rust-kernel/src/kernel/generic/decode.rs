//! How SIMD reads a layout, and rows as whole blocks.

use half::f16;

use crate::format::{QK256, Weights};
use crate::kernel::vector::Vector;

/// The codes of a block in column order, or a block of activations.
pub(super) type Codes<T = u8> = [T; QK256];

/// Decoded codes at the start of a cache line, so that no step of them lies in two.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(super) struct Decoded(pub(super) Codes);

/// The bytes that hold a block of weights of one panel.
pub(in super::super) trait Block: Sized {
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
pub(in super::super) trait Decode: Send + Sync + 'static {
    /// Bytes of 256 weights of a panel, an inline scale included.
    type Block: Block;

    /// Rows of a panel.
    const PANEL_ROWS: usize = 1;
    /// The powers of two by which [`scaled`](Decode::scaled) multiplies even and odd runs of 32 codes.
    const SHIFTS: [i32; 2] = [0, 0];

    /// The codes of a block in column order, of row `row` of the panel.
    fn codes<V: Vector>(v: V, block: &Self::Block, row: usize) -> [V::Step; 4];

    /// The first (`half` 0) or the last (1) 128 codes of a panel's first row, times the powers of two in
    /// [`SHIFTS`](Decode::SHIFTS), where that is faster.
    #[inline(always)]
    fn scaled<V: Vector>(v: V, block: &Self::Block, half: usize) -> [V::Step; 2] {
        let [a, b, c, d] = Self::codes(v, block, 0);
        if half == 0 { [a, b] } else { [c, d] }
    }

    /// The scale inside a block, where the format has one.
    fn scale(_block: &Self::Block) -> f32 {
        1.0
    }
}

/// A row's whole blocks, and its last, partial one filled up with zeros.
pub(super) struct Row<'a, D: Decode> {
    pub(super) blocks: &'a [D::Block],
    pub(super) tail: Option<D::Block>,
}

impl<'a, D: Decode> Row<'a, D> {
    #[inline(always)]
    pub(super) fn new(weights: &Weights<'a>, row: usize) -> Row<'a, D> {
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
pub(super) fn decode<V: Vector, D: Decode>(v: V, block: &D::Block, row: usize, codes: &mut Codes) {
    let steps = D::codes(v, block, row);
    for (step, codes) in steps.into_iter().zip(codes.as_chunks_mut().0) {
        v.store(step, codes);
    }
}

/// The f32 of a little-endian f16. The conversion of `half` asks the CPU for its features at every call.
#[inline(always)]
pub(super) fn f16_scale(bytes: [u8; 2]) -> f32 {
    const EXPONENT: u16 = 0x7c00;
    /// 2^112, the distance between the exponent biases of both types.
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    let half = u16::from_le_bytes(bytes);
    if half & EXPONENT == EXPONENT {
        return f16::from_bits(half).to_f32();
    }
    let sign = u32::from(half >> 15) << 31;
    let magnitude = f32::from_bits(u32::from(half & 0x7fff) << 13) * REBIAS;
    f32::from_bits(magnitude.to_bits() | sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_f16_converts_as_half_does() {
        for bits in 0..=u16::MAX {
            let wanted = f16::from_bits(bits).to_f32();
            assert_eq!(
                f16_scale(bits.to_le_bytes()).to_bits(),
                wanted.to_bits(),
                "{bits:#06x}"
            );
        }
    }
}
