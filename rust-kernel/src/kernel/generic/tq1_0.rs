//! TQ1_0.

use super::decode::Decode;
use crate::kernel::vector::Vector;

/// [`Layout::Tq1_0`](crate::format::Layout::Tq1_0) with an f16 scale after the codes.
pub(in super::super) struct Tq1_0;

impl Decode for Tq1_0 {
    type Block = [u8; 54];

    #[inline(always)]
    fn codes<V: Vector>(v: V, block: &[u8; 54], _row: usize) -> [V::Step; 4] {
        let (trits, _) = block.split_first_chunk().expect("52 of 54 bytes");
        v.trits(trits)
    }

    #[inline(always)]
    fn scale<V: Vector>(v: V, &[.., low, high]: &[u8; 54]) -> f32 {
        v.half([low, high])
    }
}
