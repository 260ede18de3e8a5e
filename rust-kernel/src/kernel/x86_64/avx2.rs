//! AVX2: a step is two 32-byte registers.

use std::arch::asm;
use std::arch::x86_64::*;

use super::trits::trits_256;
use crate::isa::Avx2;
use crate::kernel::arithmetic::{INT_LANES, fold};
use crate::kernel::trits::TRIT_BYTES;
use crate::kernel::vector::{STEP, Vector};

/// The f32 operations of all x86-64 instruction sets: scales, and sums of blocks in eight lanes. It expands to items of
/// an `impl Vector` block for a token that proves AVX2 and F16C.
macro_rules! in_eight_floats {
    () => {
        type Scaled = __m256;

        #[inline(always)]
        fn half(self, bytes: [u8; 2]) -> f32 {
            // SAFETY: the token proves F16C.
            unsafe { half(bytes) }
        }

        #[inline(always)]
        fn scaled(self) -> __m256 {
            // SAFETY: the token proves AVX2.
            unsafe { _mm256_setzero_ps() }
        }

        #[inline(always)]
        fn finish(self, sum: __m256) -> f32 {
            // SAFETY: the token proves AVX2.
            unsafe { fold_8(sum) }
        }
    };
}
pub(super) use in_eight_floats;

/// The operations that AVX2 and AVX-VNNI share: all except `widen`. It expands to items of an `impl Vector` block for a
/// token that proves AVX2. The module must have a function `multiply` that adds the products of a register.
macro_rules! in_32_byte_registers {
    () => {
        in_eight_floats!();

        type Step = [__m256i; 2];
        type Narrow = __m256i;
        type Wide = __m256i;

        #[inline(always)]
        fn load(self, bytes: &[u8; STEP]) -> Self::Step {
            let at = bytes.as_ptr().cast::<__m256i>();
            // SAFETY: the token proves AVX2; both reads lie in the array.
            unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] }
        }

        #[inline(always)]
        fn load_signed(self, bytes: &[i8; STEP]) -> Self::Step {
            let at = bytes.as_ptr().cast::<__m256i>();
            // SAFETY: the token proves AVX2; both reads lie in the array.
            unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] }
        }

        #[inline(always)]
        fn store(self, [low, high]: Self::Step, bytes: &mut [u8; STEP]) {
            let at = bytes.as_mut_ptr().cast::<__m256i>();
            // SAFETY: the token proves AVX2; both writes lie in the array.
            unsafe {
                _mm256_storeu_si256(at, low);
                _mm256_storeu_si256(at.add(1), high);
            }
        }

        #[inline(always)]
        fn and(self, [low, high]: Self::Step, mask: u8) -> Self::Step {
            // SAFETY: the token proves AVX2.
            unsafe {
                let mask = _mm256_set1_epi8(mask as i8);
                [_mm256_and_si256(low, mask), _mm256_and_si256(high, mask)]
            }
        }

        #[inline(always)]
        fn shift_right<const SHIFT: i32>(self, [low, high]: Self::Step) -> Self::Step {
            // SAFETY: the token proves AVX2.
            unsafe {
                [
                    _mm256_srli_epi16::<SHIFT>(low),
                    _mm256_srli_epi16::<SHIFT>(high),
                ]
            }
        }

        #[inline(always)]
        fn unpack_128<const ASCENDING: bool>(self, bytes: &[u8; 32]) -> [Self::Step; 2] {
            // SAFETY: the token proves AVX2; the read is the whole array.
            unsafe {
                let x = _mm256_loadu_si256(bytes.as_ptr().cast());
                let mask = _mm256_set1_epi8(3);
                let q6 = _mm256_and_si256(_mm256_srli_epi16::<6>(x), mask);
                let q4 = _mm256_and_si256(_mm256_srli_epi16::<4>(x), mask);
                let q2 = _mm256_and_si256(_mm256_srli_epi16::<2>(x), mask);
                let q0 = _mm256_and_si256(x, mask);
                if ASCENDING {
                    [[q0, q2], [q4, q6]]
                } else {
                    [[q6, q4], [q2, q0]]
                }
            }
        }

        #[inline(always)]
        fn unpack_128_scaled<const ASCENDING: bool>(self, bytes: &[u8; 32]) -> [Self::Step; 2] {
            // SAFETY: the token proves AVX2; the read is the whole array.
            unsafe {
                let x = _mm256_loadu_si256(bytes.as_ptr().cast());
                let (ones, fours) = (_mm256_set1_epi8(0x03), _mm256_set1_epi8(0x0c));
                let high = _mm256_srli_epi16::<4>(x);
                let (q0, q2) = (_mm256_and_si256(x, ones), _mm256_and_si256(x, fours));
                let (q4, q6) = (_mm256_and_si256(high, ones), _mm256_and_si256(high, fours));
                if ASCENDING {
                    [[q0, q2], [q4, q6]]
                } else {
                    [[q6, q4], [q2, q0]]
                }
            }
        }

        #[inline(always)]
        fn unpack_64(self, bytes: &[u8; 16]) -> Self::Step {
            // SAFETY: the token proves AVX2; the read is the whole array.
            unsafe {
                let x = _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes.as_ptr().cast()));
                let mask = _mm256_set1_epi8(3);
                let low = _mm256_srlv_epi32(x, _mm256_setr_epi32(6, 6, 6, 6, 4, 4, 4, 4));
                let high = _mm256_srlv_epi32(x, _mm256_setr_epi32(2, 2, 2, 2, 0, 0, 0, 0));
                [_mm256_and_si256(low, mask), _mm256_and_si256(high, mask)]
            }
        }

        #[inline(always)]
        fn unpack_64_sequential(self, bytes: &[u8; 16]) -> Self::Step {
            // SAFETY: the token proves AVX2; the read is the whole array.
            unsafe {
                let x = _mm_loadu_si128(bytes.as_ptr().cast());
                [
                    expand_8(_mm256_cvtepu8_epi32(x)),
                    expand_8(_mm256_cvtepu8_epi32(_mm_srli_si128::<8>(x))),
                ]
            }
        }

        #[inline(always)]
        fn trits(self, bytes: &[u8; TRIT_BYTES]) -> [Self::Step; 4] {
            // SAFETY: the token proves AVX2.
            let [a, b, c, d, e, f, g, h] = unsafe { trits_256(bytes) };
            [[a, b], [c, d], [e, f], [g, h]]
        }

        #[inline(always)]
        fn narrow(self) -> __m256i {
            // SAFETY: the token proves AVX2.
            unsafe { _mm256_setzero_si256() }
        }

        #[inline(always)]
        fn wide(self) -> __m256i {
            self.narrow()
        }

        #[inline(always)]
        fn mul_add(self, sum: __m256i, codes: Self::Step, a: Self::Step) -> __m256i {
            // SAFETY: the token proves what the products need.
            unsafe { multiply(multiply(sum, codes[0], a[0]), codes[1], a[1]) }
        }

        #[inline(always)]
        fn mul_add_group(
            self,
            [even, odd]: [__m256i; 2],
            [c0, c1]: [Self::Step; 2],
            [a0, a1]: [Self::Step; 2],
        ) -> [__m256i; 2] {
            // SAFETY: the token proves what the products need.
            unsafe {
                [
                    multiply(multiply(even, c0[0], a0[0]), c1[0], a1[0]),
                    multiply(multiply(odd, c0[1], a0[1]), c1[1], a1[1]),
                ]
            }
        }

        #[inline(always)]
        fn join(self, [even, odd]: [__m256i; 2], even_shift: i32, odd_shift: i32) -> __m256i {
            // SAFETY: the token proves AVX2.
            unsafe {
                _mm256_add_epi32(
                    _mm256_sra_epi32(even, _mm_cvtsi32_si128(even_shift)),
                    _mm256_sra_epi32(odd, _mm_cvtsi32_si128(odd_shift)),
                )
            }
        }

        #[inline(always)]
        fn horizontal_sum(self, wide: __m256i) -> i32 {
            // SAFETY: the token proves AVX2.
            unsafe { horizontal_sum_8(wide) }
        }

        #[inline(always)]
        fn horizontal_sums(self, wide: [__m256i; 8]) -> [i32; 8] {
            // SAFETY: the token proves AVX2.
            unsafe { eight_lanes(horizontal_sums_8(wide)) }
        }

        #[inline(always)]
        fn add_scaled(
            self,
            sum: __m256,
            wide: __m256i,
            offsets: &[i32; INT_LANES],
            scale: f32,
        ) -> __m256 {
            // SAFETY: the token proves AVX2.
            unsafe { add_scaled_8(sum, wide, offsets, scale) }
        }
    };
}
pub(super) use in_32_byte_registers;

/// Converts a little-endian f16 to f32.
///
/// # Safety
///
/// The CPU must have F16C.
#[inline(always)]
pub(super) unsafe fn half(bytes: [u8; 2]) -> f32 {
    let float: __m128;
    // With intrinsics, the compiler inserts the lowest lane into a register instead of moving to it. That depends on
    // the old value of the register: the sum of all previous blocks.
    // SAFETY: the caller proves F16C. The instructions read and write only these registers.
    unsafe {
        asm!(
            "vmovd {float}, {half:e}",
            "vcvtph2ps {float}, {float}",
            half = in(reg) u32::from(u16::from_le_bytes(bytes)),
            float = lateout(xmm_reg) float,
            options(pure, nomem, nostack, preserves_flags),
        );
        _mm_cvtss_f32(float)
    }
}

/// Spreads the four digits of the byte in each 32-bit lane over the lane's bytes, the lowest first.
///
/// # Safety
///
/// The CPU must have AVX2.
#[inline(always)]
pub(super) unsafe fn expand_8(x: __m256i) -> __m256i {
    // SAFETY: the caller proves AVX2.
    unsafe {
        // Digit k of the byte moves from bit 2 k to bit 8 k: a left shift by 6 k.
        let two = _mm256_or_si256(x, _mm256_slli_epi32::<6>(x));
        let four = _mm256_or_si256(two, _mm256_slli_epi32::<12>(two));
        _mm256_and_si256(four, _mm256_set1_epi8(3))
    }
}

/// The lanes of a register.
///
/// # Safety
///
/// The CPU must have AVX2.
#[inline(always)]
pub(super) unsafe fn eight_lanes(x: __m256i) -> [i32; 8] {
    let mut lanes = [0; 8];
    // SAFETY: the caller proves AVX2; the write is the whole array.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), x) };
    lanes
}

/// The sum of eight lanes.
///
/// # Safety
///
/// The CPU must have AVX2.
#[inline(always)]
pub(super) unsafe fn horizontal_sum_8(x: __m256i) -> i32 {
    // SAFETY: the caller proves AVX2.
    unsafe {
        let four = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
        let two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
        let one = _mm_add_epi32(two, _mm_shuffle_epi32::<1>(two));
        _mm_cvtsi128_si32(one)
    }
}

/// Adds the integers minus their offsets, times `scale`. The product is rounded before it is added.
///
/// # Safety
///
/// The CPU must have AVX2.
#[inline(always)]
pub(super) unsafe fn add_scaled_8(
    sum: __m256,
    integers: __m256i,
    offsets: &[i32; INT_LANES],
    scale: f32,
) -> __m256 {
    // SAFETY: the caller proves AVX2; the read is the whole array.
    unsafe {
        let offsets = _mm256_loadu_si256(offsets.as_ptr().cast());
        let integers = _mm256_cvtepi32_ps(_mm256_sub_epi32(integers, offsets));
        _mm256_add_ps(sum, _mm256_mul_ps(integers, _mm256_set1_ps(scale)))
    }
}

/// [`fold`] of eight lanes.
///
/// # Safety
///
/// The CPU must have AVX2.
#[inline(always)]
pub(super) unsafe fn fold_8(x: __m256) -> f32 {
    let mut lanes = [0.0; INT_LANES];
    // SAFETY: the caller proves AVX2; the write is the whole array.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), x) };
    fold(lanes)
}

/// The sum of eight lanes of each of eight vectors.
///
/// # Safety
///
/// The CPU must have AVX2.
#[inline(always)]
pub(super) unsafe fn horizontal_sums_8(x: [__m256i; 8]) -> __m256i {
    // SAFETY: the caller proves AVX2.
    unsafe {
        let pairs = [
            _mm256_hadd_epi32(x[0], x[1]),
            _mm256_hadd_epi32(x[2], x[3]),
            _mm256_hadd_epi32(x[4], x[5]),
            _mm256_hadd_epi32(x[6], x[7]),
        ];
        // Each half of these registers holds the partial sums of four lanes, for four of the vectors.
        let first = _mm256_hadd_epi32(pairs[0], pairs[1]);
        let last = _mm256_hadd_epi32(pairs[2], pairs[3]);
        _mm256_add_epi32(
            _mm256_permute2x128_si256::<0x20>(first, last),
            _mm256_permute2x128_si256::<0x31>(first, last),
        )
    }
}

/// Adds the products of 32 codes, two adjacent ones to each int16 lane.
///
/// # Safety
///
/// The CPU must have AVX2.
#[inline(always)]
unsafe fn multiply(sum: __m256i, codes: __m256i, a: __m256i) -> __m256i {
    // SAFETY: the caller proves AVX2.
    unsafe { _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes, a)) }
}

impl Vector for Avx2 {
    in_32_byte_registers!();

    // Each register adds two products to an int16 lane, at most 2 * 3 * 128 = 768 in magnitude. A lane holds 42 of
    // these: 42 * 768 = 32,256. A block has eight registers, hence five blocks.
    const BLOCKS: usize = 5;
    // With codes times 4 a register adds at most 3,072, and a lane holds ten of these: 30,720. Two of the four
    // registers of a group go to each accumulator of the pair.
    const SCALED_GROUPS: usize = 5;

    #[inline(always)]
    fn widen(self, wide: __m256i, narrow: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_add_epi32(wide, _mm256_madd_epi16(narrow, _mm256_set1_epi16(1))) }
    }
}
