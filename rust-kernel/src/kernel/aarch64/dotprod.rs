//! NEON with dotprod: products are added four at a time in int32, which cannot overflow.

use std::arch::aarch64::*;
use std::arch::asm;

use super::neon::{digits, in_16_byte_registers, interleave, runs, scaled_digits};
use crate::compiled_for;
use crate::isa::Dotprod;
use crate::kernel::arithmetic::INT_LANES;
use crate::kernel::vector::{STEP, Vector};

compiled_for! { Dotprod:
    /// Adds the products of 16 codes, four adjacent ones to each lane. The intrinsic `vdotq_s32` is not stable.
    #[inline]
    fn multiply(mut sum: int32x4_t, codes: uint8x16_t, a: uint8x16_t) -> int32x4_t {
        // SAFETY: the function is compiled for the feature of this instruction, which reads and writes only these
        // registers. Codes are below 128, so signed and unsigned codes are equal.
        unsafe {
            asm!(
                "sdot {sum:v}.4s, {codes:v}.16b, {a:v}.16b",
                sum = inout(vreg) sum,
                codes = in(vreg) codes,
                a = in(vreg) a,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        sum
    }
}

impl Vector for Dotprod {
    in_16_byte_registers!();

    /// Four int32 lanes each, as wide as those of `Wide`. Two accumulators shorten the dependency chain.
    type Narrow = [int32x4_t; 2];
    type Wide = int32x4_t;

    // In a row of 2^22 columns, a lane of `Wide` adds 2^20 products of magnitude up to 3 * 128, or half as many of
    // magnitude up to 12 * 128. The sum stays below 2^30.
    const BLOCKS: usize = usize::MAX;
    const SCALED_GROUPS: usize = usize::MAX;

    #[inline(always)]
    fn narrow(self) -> Self::Narrow {
        [self.wide(); 2]
    }

    #[inline(always)]
    fn mul_add(self, [x, y]: Self::Narrow, codes: Self::Step, a: Self::Step) -> Self::Narrow {
        // SAFETY: the token proves dotprod.
        unsafe {
            let (x, y) = (multiply(x, codes[0], a[0]), multiply(y, codes[1], a[1]));
            [multiply(x, codes[2], a[2]), multiply(y, codes[3], a[3])]
        }
    }

    #[inline(always)]
    fn widen(self, wide: int32x4_t, [x, y]: Self::Narrow) -> int32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vaddq_s32(wide, vaddq_s32(x, y)) }
    }
}
