//! NEON: a step is four 16-byte registers.

use std::arch::aarch64::*;

use crate::isa::Neon;
use crate::kernel::arithmetic::INT_LANES;
use crate::kernel::vector::{STEP, Vector};

/// The operations that NEON and dotprod share. It expands to items of an `impl Vector` block for a token that proves
/// NEON.
macro_rules! in_16_byte_registers {
    () => {
        type Scaled = f32;
        type Step = [uint8x16_t; 4];

        #[inline(always)]
        fn load(self, bytes: &[u8; STEP]) -> Self::Step {
            let at = bytes.as_ptr();
            // SAFETY: the token proves NEON; the four reads lie in the array.
            unsafe { std::array::from_fn(|i| vld1q_u8(at.add(16 * i))) }
        }

        #[inline(always)]
        fn load_signed(self, bytes: &[i8; STEP]) -> Self::Step {
            let at = bytes.as_ptr();
            // SAFETY: the token proves NEON; the four reads lie in the array.
            unsafe { std::array::from_fn(|i| vreinterpretq_u8_s8(vld1q_s8(at.add(16 * i)))) }
        }

        #[inline(always)]
        fn store(self, step: Self::Step, bytes: &mut [u8; STEP]) {
            let at = bytes.as_mut_ptr();
            for (i, register) in step.into_iter().enumerate() {
                // SAFETY: the token proves NEON; the four writes lie in the array.
                unsafe { vst1q_u8(at.add(16 * i), register) }
            }
        }

        #[inline(always)]
        fn and(self, step: Self::Step, mask: u8) -> Self::Step {
            // SAFETY: the token proves NEON.
            step.map(|x| unsafe { vandq_u8(x, vdupq_n_u8(mask)) })
        }

        #[inline(always)]
        fn shift_right<const SHIFT: i32>(self, step: Self::Step) -> Self::Step {
            // SAFETY: the token proves NEON.
            step.map(|x| unsafe { vshrq_n_u8::<SHIFT>(x) })
        }

        #[inline(always)]
        fn unpack_128<const ASCENDING: bool>(self, bytes: &[u8; 32]) -> [Self::Step; 2] {
            let at = bytes.as_ptr();
            // SAFETY: the token proves NEON; the two reads are the array.
            let halves = unsafe { [digits(vld1q_u8(at)), digits(vld1q_u8(at.add(16)))] };
            runs::<ASCENDING>(halves)
        }

        #[inline(always)]
        fn unpack_128_scaled<const ASCENDING: bool>(self, bytes: &[u8; 32]) -> [Self::Step; 2] {
            let at = bytes.as_ptr();
            // SAFETY: the token proves NEON; the two reads are the array.
            let halves = unsafe {
                [
                    scaled_digits(vld1q_u8(at)),
                    scaled_digits(vld1q_u8(at.add(16))),
                ]
            };
            runs::<ASCENDING>(halves)
        }

        #[inline(always)]
        fn unpack_64(self, bytes: &[u8; 16]) -> Self::Step {
            // SAFETY: the token proves NEON; the read is the whole array.
            let [q0, q2, q4, q6] = unsafe { digits(vld1q_u8(bytes.as_ptr())) };
            [q6, q4, q2, q0]
        }

        #[inline(always)]
        fn unpack_64_sequential(self, bytes: &[u8; 16]) -> Self::Step {
            // SAFETY: the token proves NEON; the read is the whole array.
            unsafe { interleave(digits(vld1q_u8(bytes.as_ptr()))) }
        }

        #[inline(always)]
        fn mul_add_group(
            self,
            sums: [Self::Narrow; 2],
            [c0, c1]: [Self::Step; 2],
            [a0, a1]: [Self::Step; 2],
        ) -> [Self::Narrow; 2] {
            // The first two registers of a step hold an even run, the other two an odd run.
            std::array::from_fn(|run| {
                let first = 2 * run;
                let regroup = |s0: Self::Step, s1: Self::Step| {
                    [s0[first], s0[first + 1], s1[first], s1[first + 1]]
                };
                self.mul_add(sums[run], regroup(c0, c1), regroup(a0, a1))
            })
        }

        #[inline(always)]
        fn wide(self) -> int32x4_t {
            // SAFETY: the token proves NEON.
            unsafe { vdupq_n_s32(0) }
        }

        #[inline(always)]
        fn join(self, [even, odd]: [int32x4_t; 2], even_shift: i32, odd_shift: i32) -> int32x4_t {
            // SAFETY: the token proves NEON.
            unsafe {
                vaddq_s32(
                    vshlq_s32(even, vdupq_n_s32(-even_shift)),
                    vshlq_s32(odd, vdupq_n_s32(-odd_shift)),
                )
            }
        }

        #[inline(always)]
        fn horizontal_sum(self, wide: int32x4_t) -> i32 {
            // SAFETY: the token proves NEON.
            unsafe { vaddvq_s32(wide) }
        }

        #[inline(always)]
        fn scaled(self) -> f32 {
            0.0
        }

        #[inline(always)]
        fn add_scaled(
            self,
            sum: f32,
            wide: int32x4_t,
            offsets: &[i32; INT_LANES],
            scale: f32,
        ) -> f32 {
            sum + (self.horizontal_sum(wide) - offsets.iter().sum::<i32>()) as f32 * scale
        }

        #[inline(always)]
        fn finish(self, sum: f32) -> f32 {
            sum
        }
    };
}
pub(super) use in_16_byte_registers;

/// The digits of each byte at shifts 0, 2, 4 and 6.
///
/// # Safety
///
/// The CPU must have NEON.
#[inline(always)]
pub(super) unsafe fn digits(x: uint8x16_t) -> [uint8x16_t; 4] {
    // SAFETY: the caller proves NEON.
    unsafe {
        let mask = vdupq_n_u8(3);
        [
            vandq_u8(x, mask),
            vandq_u8(vshrq_n_u8::<2>(x), mask),
            vandq_u8(vshrq_n_u8::<4>(x), mask),
            vshrq_n_u8::<6>(x),
        ]
    }
}

/// Like [`digits`], with the digits at shifts 2 and 6 multiplied by 4, which saves two shifts.
///
/// # Safety
///
/// The CPU must have NEON.
#[inline(always)]
pub(super) unsafe fn scaled_digits(x: uint8x16_t) -> [uint8x16_t; 4] {
    // SAFETY: the caller proves NEON.
    unsafe {
        let (ones, fours) = (vdupq_n_u8(0x03), vdupq_n_u8(0x0c));
        let high = vshrq_n_u8::<4>(x);
        [
            vandq_u8(x, ones),
            vandq_u8(x, fours),
            vandq_u8(high, ones),
            vandq_u8(high, fours),
        ]
    }
}

/// Arranges the digits of both halves of 32 bytes as runs of 32 codes, the lowest or the highest digit first.
#[inline(always)]
pub(super) fn runs<const ASCENDING: bool>(
    [[a0, a2, a4, a6], [b0, b2, b4, b6]]: [[uint8x16_t; 4]; 2],
) -> [[uint8x16_t; 4]; 2] {
    if ASCENDING {
        [[a0, b0, a2, b2], [a4, b4, a6, b6]]
    } else {
        [[a6, b6, a4, b4], [a2, b2, a0, b0]]
    }
}

/// Byte 0 of each register, then byte 1 of each, and so on.
///
/// # Safety
///
/// The CPU must have NEON.
#[inline(always)]
pub(super) unsafe fn interleave([a, b, c, d]: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
    // SAFETY: the caller proves NEON.
    unsafe {
        let pairs = |x, y| {
            let (low, high) = (vzip1q_u8(x, y), vzip2q_u8(x, y));
            (vreinterpretq_u16_u8(low), vreinterpretq_u16_u8(high))
        };
        let ((ab_low, ab_high), (cd_low, cd_high)) = (pairs(a, b), pairs(c, d));
        [
            vzip1q_u16(ab_low, cd_low),
            vzip2q_u16(ab_low, cd_low),
            vzip1q_u16(ab_high, cd_high),
            vzip2q_u16(ab_high, cd_high),
        ]
        .map(|x| vreinterpretq_u8_u16(x))
    }
}

/// Adds the products of 16 codes, two to each int16 lane.
///
/// # Safety
///
/// The CPU must have NEON.
#[inline(always)]
unsafe fn multiply(sum: int16x8_t, codes: uint8x16_t, a: uint8x16_t) -> int16x8_t {
    // SAFETY: the caller proves NEON.
    unsafe {
        // Codes are below 128, so signed and unsigned codes are equal.
        let (codes, a) = (vreinterpretq_s8_u8(codes), vreinterpretq_s8_u8(a));
        let sum = vmlal_s8(sum, vget_low_s8(codes), vget_low_s8(a));
        vmlal_high_s8(sum, codes, a)
    }
}

impl Vector for Neon {
    in_16_byte_registers!();

    /// Eight int16 lanes each. Two accumulators shorten the dependency chain.
    type Narrow = [int16x8_t; 2];
    type Wide = int32x4_t;

    // Each register adds two products to a lane, at most 2 * 3 * 128 = 768 in magnitude. A lane holds 42 of these:
    // 42 * 768 = 32,256. Eight of the 16 registers of a block go to each accumulator, hence five blocks.
    const BLOCKS: usize = 5;
    // With codes times 4 a register adds at most 3,072, and a lane holds ten of these: 30,720. Two of the eight
    // registers of a group go to each accumulator of the pair.
    const SCALED_GROUPS: usize = 5;

    #[inline(always)]
    fn narrow(self) -> Self::Narrow {
        // SAFETY: the token proves NEON.
        unsafe { [vdupq_n_s16(0); 2] }
    }

    #[inline(always)]
    fn mul_add(self, [x, y]: Self::Narrow, codes: Self::Step, a: Self::Step) -> Self::Narrow {
        // SAFETY: the token proves NEON.
        unsafe {
            let (x, y) = (multiply(x, codes[0], a[0]), multiply(y, codes[1], a[1]));
            [multiply(x, codes[2], a[2]), multiply(y, codes[3], a[3])]
        }
    }

    #[inline(always)]
    fn widen(self, wide: int32x4_t, [x, y]: Self::Narrow) -> int32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vpadalq_s16(vpadalq_s16(wide, x), y) }
    }
}
