//! AVX-512: a step is one 64-byte register.

use std::arch::x86_64::*;

use super::avx2::{add_scaled_8, eight_lanes, fold_8, half, horizontal_sums_8, in_eight_floats};
use super::trits::trits_256;
use crate::isa::{Avx512Bw, Avx512Vnni};
use crate::kernel::arithmetic::INT_LANES;
use crate::kernel::trits::TRIT_BYTES;
use crate::kernel::vector::{STEP, Vector};

/// The operations that AVX-512 BW and VNNI share: all except products. It expands to items of an `impl Vector` block
/// for a token that proves AVX-512 F and BW.
macro_rules! in_64_byte_registers {
    () => {
        in_eight_floats!();

        type Step = __m512i;
        type Narrow = __m512i;
        type Wide = __m512i;

        #[inline(always)]
        fn load(self, bytes: &[u8; STEP]) -> __m512i {
            // SAFETY: the token proves AVX-512F; the read is the whole array.
            unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
        }

        #[inline(always)]
        fn load_signed(self, bytes: &[i8; STEP]) -> __m512i {
            // SAFETY: the token proves AVX-512F; the read is the whole array.
            unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
        }

        #[inline(always)]
        fn store(self, step: __m512i, bytes: &mut [u8; STEP]) {
            // SAFETY: the token proves AVX-512F; the write is the whole array.
            unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), step) }
        }

        #[inline(always)]
        fn and(self, step: __m512i, mask: u8) -> __m512i {
            // SAFETY: the token proves AVX-512F.
            unsafe { _mm512_and_si512(step, _mm512_set1_epi8(mask as i8)) }
        }

        #[inline(always)]
        fn shift_right<const SHIFT: i32>(self, step: __m512i) -> __m512i {
            // SAFETY: the token proves AVX-512BW. The constant parameter of the intrinsic is unsigned, hence the match.
            unsafe {
                match SHIFT {
                    2 => _mm512_srli_epi16::<2>(step),
                    4 => _mm512_srli_epi16::<4>(step),
                    6 => _mm512_srli_epi16::<6>(step),
                    _ => _mm512_srl_epi16(step, _mm_cvtsi32_si128(SHIFT)),
                }
            }
        }

        #[inline(always)]
        fn unpack_128<const ASCENDING: bool>(self, bytes: &[u8; 32]) -> [__m512i; 2] {
            // SAFETY: the token proves AVX-512F and BW; the read is the whole array.
            unsafe {
                let x = twice(bytes);
                let mask = _mm512_set1_epi8(3);
                let (first, second) = if ASCENDING {
                    (halves(0, 2), halves(4, 6))
                } else {
                    (halves(6, 4), halves(2, 0))
                };
                [
                    _mm512_and_si512(_mm512_srlv_epi32(x, first), mask),
                    _mm512_and_si512(_mm512_srlv_epi32(x, second), mask),
                ]
            }
        }

        #[inline(always)]
        fn unpack_128_scaled<const ASCENDING: bool>(self, bytes: &[u8; 32]) -> [__m512i; 2] {
            const ONES: i32 = 0x0303_0303;
            const FOURS: i32 = 0x0c0c_0c0c;
            // SAFETY: the token proves AVX-512F and BW; the read is the whole array.
            unsafe {
                let x = twice(bytes);
                let high = _mm512_srli_epi16::<4>(x);
                if ASCENDING {
                    let mask = halves(ONES, FOURS);
                    [_mm512_and_si512(x, mask), _mm512_and_si512(high, mask)]
                } else {
                    let mask = halves(FOURS, ONES);
                    [_mm512_and_si512(high, mask), _mm512_and_si512(x, mask)]
                }
            }
        }

        #[inline(always)]
        fn unpack_64(self, bytes: &[u8; 16]) -> __m512i {
            // SAFETY: the token proves AVX-512F; the read is the whole array.
            unsafe {
                let x = _mm512_broadcast_i32x4(_mm_loadu_si128(bytes.as_ptr().cast()));
                let shifts = _mm512_setr_epi32(6, 6, 6, 6, 4, 4, 4, 4, 2, 2, 2, 2, 0, 0, 0, 0);
                _mm512_and_si512(_mm512_srlv_epi32(x, shifts), _mm512_set1_epi8(3))
            }
        }

        #[inline(always)]
        fn unpack_64_sequential(self, bytes: &[u8; 16]) -> __m512i {
            // SAFETY: the token proves AVX-512F; the read is the whole array.
            unsafe {
                let x = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.as_ptr().cast()));
                // Digit k of the byte moves from bit 2 k to bit 8 k: a left shift by 6 k.
                let two = _mm512_or_si512(x, _mm512_slli_epi32::<6>(x));
                let four = _mm512_or_si512(two, _mm512_slli_epi32::<12>(two));
                _mm512_and_si512(four, _mm512_set1_epi8(3))
            }
        }

        #[inline(always)]
        fn trits(self, bytes: &[u8; TRIT_BYTES]) -> [__m512i; 4] {
            // SAFETY: the token proves AVX-512F, which includes AVX2.
            unsafe {
                let [a, b, c, d, e, f, g, h] = trits_256(bytes);
                [joined(a, b), joined(c, d), joined(e, f), joined(g, h)]
            }
        }

        #[inline(always)]
        fn narrow(self) -> __m512i {
            // SAFETY: the token proves AVX-512F.
            unsafe { _mm512_setzero_si512() }
        }

        #[inline(always)]
        fn wide(self) -> __m512i {
            self.narrow()
        }

        /// Each accumulator of the pair adds one step. The halves of the registers are the even and the odd runs.
        #[inline(always)]
        fn mul_add_group(
            self,
            [first, second]: [__m512i; 2],
            codes: [__m512i; 2],
            a: [__m512i; 2],
        ) -> [__m512i; 2] {
            [
                self.mul_add(first, codes[0], a[0]),
                self.mul_add(second, codes[1], a[1]),
            ]
        }

        #[inline(always)]
        fn join(self, [first, second]: [__m512i; 2], even: i32, odd: i32) -> __m512i {
            // SAFETY: the token proves AVX-512F.
            unsafe { _mm512_srav_epi32(_mm512_add_epi32(first, second), halves(even, odd)) }
        }

        #[inline(always)]
        fn horizontal_sum(self, wide: __m512i) -> i32 {
            // SAFETY: the token proves AVX-512F.
            unsafe { _mm512_reduce_add_epi32(wide) }
        }

        #[inline(always)]
        fn horizontal_sums(self, x: [__m512i; 8]) -> [i32; 8] {
            // SAFETY: the token proves AVX-512F, which includes AVX2.
            unsafe {
                eight_lanes(horizontal_sums_8([
                    halved(x[0]),
                    halved(x[1]),
                    halved(x[2]),
                    halved(x[3]),
                    halved(x[4]),
                    halved(x[5]),
                    halved(x[6]),
                    halved(x[7]),
                ]))
            }
        }

        #[inline(always)]
        fn add_scaled(
            self,
            sum: __m256,
            wide: __m512i,
            offsets: &[i32; INT_LANES],
            scale: f32,
        ) -> __m256 {
            // SAFETY: the token proves AVX-512F, which includes AVX2.
            unsafe { add_scaled_8(sum, halved(wide), offsets, scale) }
        }
    };
}

/// A register with these two halves.
///
/// # Safety
///
/// The CPU must have AVX-512F.
#[inline(always)]
unsafe fn joined(low: __m256i, high: __m256i) -> __m512i {
    // SAFETY: the caller proves AVX-512F.
    unsafe { _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high) }
}

/// The sum of both halves.
///
/// # Safety
///
/// The CPU must have AVX-512F.
#[inline(always)]
unsafe fn halved(x: __m512i) -> __m256i {
    // SAFETY: the caller proves AVX-512F, which includes AVX2.
    unsafe { _mm256_add_epi32(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64::<1>(x)) }
}

/// Broadcasts the bytes to both halves of a register.
///
/// # Safety
///
/// The CPU must have AVX-512F.
#[inline(always)]
unsafe fn twice(bytes: &[u8; 32]) -> __m512i {
    // SAFETY: the caller proves AVX-512F, which includes AVX; the read is the whole array.
    unsafe { _mm512_broadcast_i64x4(_mm256_loadu_si256(bytes.as_ptr().cast())) }
}

/// A register with `low` in all lanes of its low half and `high` in those of its high half.
///
/// # Safety
///
/// The CPU must have AVX-512F.
#[inline(always)]
unsafe fn halves(low: i32, high: i32) -> __m512i {
    // SAFETY: the caller proves AVX-512F.
    unsafe { _mm512_inserti64x4::<1>(_mm512_set1_epi32(low), _mm256_set1_epi32(high)) }
}

impl Vector for Avx512Bw {
    in_64_byte_registers!();

    // Each register adds two products to an int16 lane, at most 2 * 3 * 128 = 768 in magnitude. A lane holds 42 of
    // these: 42 * 768 = 32,256. A block has four registers, hence ten blocks.
    const BLOCKS: usize = 10;
    // With codes times 4 a register adds at most 3,072, and a lane holds ten of these: 30,720. One of the two registers
    // of a group goes to each accumulator of the pair.
    const SCALED_GROUPS: usize = 10;

    #[inline(always)]
    fn mul_add(self, sum: __m512i, codes: __m512i, a: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512BW.
        unsafe { _mm512_add_epi16(sum, _mm512_maddubs_epi16(codes, a)) }
    }

    #[inline(always)]
    fn widen(self, wide: __m512i, narrow: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512F and BW.
        unsafe { _mm512_add_epi32(wide, _mm512_madd_epi16(narrow, _mm512_set1_epi16(1))) }
    }
}

impl Vector for Avx512Vnni {
    in_64_byte_registers!();

    // In a row of 2^22 columns, a lane adds 2^18 products of magnitude up to 12 * 128: below 2^29.
    const BLOCKS: usize = usize::MAX;
    const SCALED_GROUPS: usize = usize::MAX;

    #[inline(always)]
    fn mul_add(self, sum: __m512i, codes: __m512i, a: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512 VNNI.
        unsafe { _mm512_dpbusd_epi32(sum, codes, a) }
    }

    #[inline(always)]
    fn widen(self, wide: __m512i, narrow: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_add_epi32(wide, narrow) }
    }
}
