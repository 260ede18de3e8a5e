//! The base-3 digits of a TQ1_0 block, in plain Rust.

/// Bytes of a block that hold digits: 32 and 16 bytes of five digits, 4 bytes of four.
pub(super) const TRIT_BYTES: usize = 52;

/// The 256 codes of a block in column order: one plane for each digit of the first 32 bytes, the most significant
/// first, then the same for the next 16 bytes, then for the last 4.
#[inline(always)]
pub(super) fn trits(bytes: &[u8; TRIT_BYTES]) -> [u8; 256] {
    let mut codes = [0; 256];
    let (wide, rest) = codes.split_at_mut(160);
    let (narrow, last) = rest.split_at_mut(80);
    digits::<32>(&bytes[..32], wide);
    digits::<16>(&bytes[32..48], narrow);
    digits::<4>(&bytes[48..], last);
    codes
}

/// The base-3 digits of `N` bytes, in as many planes as fit in `codes`.
#[inline(always)]
fn digits<const N: usize>(bytes: &[u8], codes: &mut [u8]) {
    let mut fraction = [0u8; N];
    fraction.copy_from_slice(bytes);
    for plane in codes.as_chunks_mut::<N>().0 {
        for (code, fraction) in plane.iter_mut().zip(&mut fraction) {
            // (3 * fraction) >> 8 in 8 bits: 86 and 171 are the smallest fractions with 3 * fraction >= 256 and >= 512.
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
