//! TQ1_0.

use super::decode::{Decode, f16_scale, load_codes};
use crate::kernel::vector::Vector;

/// [`Layout::Tq1_0`](crate::format::Layout::Tq1_0), an f16 scale after the codes.
pub(in super::super) struct Tq1_0;

impl Decode for Tq1_0 {
    type Block = [u8; 54];

    /// Loops over arrays, which compilers turn into the instruction set's own bytes arithmetic.
    #[inline(always)]
    fn codes<V: Vector>(v: V, block: &[u8; 54], _row: usize) -> [V::Step; 4] {
        let mut codes = [0; 256];
        let (wide, rest) = codes.split_at_mut(160);
        let (narrow, last) = rest.split_at_mut(80);
        digits::<32>(&block[..32], wide);
        digits::<16>(&block[32..48], narrow);
        digits::<4>(&block[48..52], last);
        [
            load_codes(v, &codes, 0),
            load_codes(v, &codes, 1),
            load_codes(v, &codes, 2),
            load_codes(v, &codes, 3),
        ]
    }

    #[inline(always)]
    fn scale(&[.., low, high]: &[u8; 54]) -> f32 {
        f16_scale([low, high])
    }
}

/// The base-3 digits of `N` bytes, a plane for each digit, the most significant first.
#[inline(always)]
fn digits<const N: usize>(bytes: &[u8], codes: &mut [u8]) {
    let mut fraction = [0u8; N];
    fraction.copy_from_slice(bytes);
    for plane in codes.as_chunks_mut::<N>().0 {
        for (code, fraction) in plane.iter_mut().zip(&mut fraction) {
            // (3 * fraction) >> 8 without a wider number: 3 * 86 and 3 * 171 are the first beyond 256 and 512.
            *code = u8::from(*fraction >= 86) + u8::from(*fraction >= 171);
            *fraction = fraction.wrapping_mul(3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_byte() {
        for byte in 0..=255u8 {
            let mut codes = [9; 5];
            digits::<1>(&[byte], &mut codes);
            let wanted: [u8; 5] = std::array::from_fn(|power| {
                crate::format::Digit::Trit { power: power as u8 }.read(byte)
            });
            assert_eq!(codes, wanted, "byte {byte}");
        }
    }
}
