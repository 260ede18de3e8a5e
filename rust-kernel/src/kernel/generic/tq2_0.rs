//! TQ2_0.

use super::decode::Decode;
use crate::kernel::vector::Vector;

/// [`Layout::Tq2_0`](crate::format::Layout::Tq2_0) with an f16 scale after the codes.
pub(in super::super) struct Tq2_0;

impl Decode for Tq2_0 {
    type Block = [u8; 66];
    const SHIFTS: [i32; 2] = [0, 2];

    #[inline(always)]
    fn codes<V: Vector>(v: V, block: &[u8; 66], _row: usize) -> [V::Step; 4] {
        let ([first, second], _) = block.as_chunks() else {
            unreachable!("a block has two halves")
        };
        let [a, b] = v.unpack_128::<true>(first);
        let [c, d] = v.unpack_128::<true>(second);
        [a, b, c, d]
    }

    #[inline(always)]
    fn scaled<V: Vector>(v: V, block: &[u8; 66], half: usize) -> [V::Step; 2] {
        v.unpack_128_scaled::<true>(&block.as_chunks().0[half])
    }

    #[inline(always)]
    fn scale<V: Vector>(v: V, &[.., low, high]: &[u8; 66]) -> f32 {
        v.half([low, high])
    }
}
