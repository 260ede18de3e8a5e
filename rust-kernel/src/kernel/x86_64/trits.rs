//! The base-3 digits of a TQ1_0 block in 32-byte registers.

use std::arch::x86_64::*;

use crate::kernel::trits::TRIT_BYTES;

/// The codes in column order; see [`trits`](crate::kernel::trits::trits).
///
/// A byte is a fraction of 256, and its digit is the fraction times 3, rounded down. Comparisons with 1/3 and 2/3
/// compute the digit without a multiplication. AVX2 compares signed bytes, so the sign bit of all fractions is flipped.
/// Tripling modulo 256 preserves the flip.
///
/// # Safety
///
/// The CPU must have AVX2.
#[inline(always)]
pub(super) unsafe fn trits_256(bytes: &[u8; TRIT_BYTES]) -> [__m256i; 8] {
    let at = bytes.as_ptr();
    // SAFETY: the caller proves AVX2; the reads of 32, 16 and 4 bytes make up the array.
    unsafe {
        let sign_bit = _mm256_set1_epi8(i8::MIN);
        let wide0 = _mm256_xor_si256(_mm256_loadu_si256(at.cast()), sign_bit);
        let wide1 = tripled(wide0);
        let wide2 = tripled(wide1);
        let wide3 = tripled(wide2);
        let wide4 = tripled(wide3);

        // Two planes of 16 codes in a register.
        let narrow = _mm256_broadcastsi128_si256(_mm_loadu_si128(at.add(32).cast()));
        let narrow0 = _mm256_xor_si256(narrow, sign_bit);
        let narrow01 = _mm256_blend_epi32::<0xf0>(narrow0, tripled(narrow0));
        let narrow23 = tripled(tripled(narrow01));
        let narrow4 = tripled(tripled(narrow23));

        // Four planes of 4 codes in the remaining half.
        let last0 = _mm256_set1_epi32(at.add(48).cast::<i32>().read_unaligned());
        let last0 = _mm256_xor_si256(last0, sign_bit);
        let last1 = tripled(last0);
        let last01 = _mm256_blend_epi32::<0b1010_1010>(last0, last1);
        let last23 = tripled(tripled(last01));
        let last = _mm256_blend_epi32::<0b1100_1100>(last01, last23);

        [
            digits(wide0),
            digits(wide1),
            digits(wide2),
            digits(wide3),
            digits(wide4),
            digits(narrow01),
            digits(narrow23),
            digits(_mm256_blend_epi32::<0xf0>(narrow4, last)),
        ]
    }
}

/// Each fraction times 3, modulo 1.
///
/// # Safety
///
/// The CPU must have AVX2.
#[inline(always)]
unsafe fn tripled(x: __m256i) -> __m256i {
    // SAFETY: the caller proves AVX2.
    unsafe { _mm256_add_epi8(x, _mm256_add_epi8(x, x)) }
}

/// The number of whole thirds in each fraction.
///
/// # Safety
///
/// The CPU must have AVX2.
#[inline(always)]
unsafe fn digits(x: __m256i) -> __m256i {
    // The smallest fractions of at least 1/3 and 2/3 are 86 and 171.
    const BELOW_ONE_THIRD: i8 = (85 - 128) as i8;
    const BELOW_TWO_THIRDS: i8 = (170 - 128) as i8;
    // SAFETY: the caller proves AVX2.
    unsafe {
        let one = _mm256_cmpgt_epi8(x, _mm256_set1_epi8(BELOW_ONE_THIRD));
        let two = _mm256_cmpgt_epi8(x, _mm256_set1_epi8(BELOW_TWO_THIRDS));
        // A true comparison is -1.
        _mm256_abs_epi8(_mm256_add_epi8(one, two))
    }
}
