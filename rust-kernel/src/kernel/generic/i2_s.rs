//! I2_S in its four layouts.

use super::decode::{Codes, Decode, load_codes};
use crate::kernel::vector::Vector;

/// [`Layout::Group128`](crate::format::Layout::Group128).
pub(in super::super) struct Group128;

impl Decode for Group128 {
    type Block = [u8; 64];
    const SHIFTS: [i32; 2] = [2, 0];

    #[inline(always)]
    fn codes<V: Vector>(v: V, block: &[u8; 64], _row: usize) -> [V::Step; 4] {
        let ([first, second], _) = block.as_chunks() else {
            unreachable!("two groups make a block")
        };
        let [a, b] = v.unpack_128::<false>(first);
        let [c, d] = v.unpack_128::<false>(second);
        [a, b, c, d]
    }

    #[inline(always)]
    fn scaled<V: Vector>(v: V, block: &[u8; 64], half: usize) -> [V::Step; 2] {
        v.unpack_128_scaled::<false>(&block.as_chunks().0[half])
    }
}

/// [`Layout::Group64`](crate::format::Layout::Group64).
pub(in super::super) struct Group64;

impl Decode for Group64 {
    type Block = [u8; 64];

    #[inline(always)]
    fn codes<V: Vector>(v: V, block: &[u8; 64], _row: usize) -> [V::Step; 4] {
        let ([a, b, c, d], _) = block.as_chunks() else {
            unreachable!("four groups make a block")
        };
        [
            v.unpack_64(a),
            v.unpack_64(b),
            v.unpack_64(c),
            v.unpack_64(d),
        ]
    }
}

/// [`Layout::Sequential`](crate::format::Layout::Sequential).
pub(in super::super) struct Sequential;

impl Decode for Sequential {
    type Block = [u8; 64];

    #[inline(always)]
    fn codes<V: Vector>(v: V, block: &[u8; 64], _row: usize) -> [V::Step; 4] {
        let ([a, b, c, d], _) = block.as_chunks() else {
            unreachable!("four times 16 bytes make a block")
        };
        [
            v.unpack_64_sequential(a),
            v.unpack_64_sequential(b),
            v.unpack_64_sequential(c),
            v.unpack_64_sequential(d),
        ]
    }
}

/// [`Layout::Rows4`](crate::format::Layout::Rows4).
pub(in super::super) struct Rows4;

impl Decode for Rows4 {
    type Block = Codes;
    const PANEL_ROWS: usize = 4;

    #[inline(always)]
    fn codes<V: Vector>(v: V, block: &Codes, row: usize) -> [V::Step; 4] {
        [
            digit(v, load_codes(v, block, 0), row),
            digit(v, load_codes(v, block, 1), row),
            digit(v, load_codes(v, block, 2), row),
            digit(v, load_codes(v, block, 3), row),
        ]
    }
}

/// The digit of each byte that belongs to row `row` of the panel.
#[inline(always)]
fn digit<V: Vector>(v: V, bytes: V::Step, row: usize) -> V::Step {
    let down = match row {
        0 => v.shift_right::<6>(bytes),
        1 => v.shift_right::<4>(bytes),
        2 => v.shift_right::<2>(bytes),
        _ => bytes,
    };
    v.and(down, 3)
}
