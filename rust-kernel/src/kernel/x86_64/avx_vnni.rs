//! AVX-VNNI: the registers of AVX2. Products are added four at a time in int32, which cannot overflow.

use std::arch::x86_64::*;

use super::avx2::{
    add_scaled_8, eight_lanes, expand_8, fold_8, half, horizontal_sum_8, horizontal_sums_8,
    in_32_byte_registers, in_eight_floats,
};
use super::trits::trits_256;
use crate::isa::AvxVnni;
use crate::kernel::arithmetic::INT_LANES;
use crate::kernel::trits::TRIT_BYTES;
use crate::kernel::vector::{STEP, Vector};

/// Adds the products of 32 codes, four adjacent ones to each int32 lane.
///
/// # Safety
///
/// The CPU must have AVX-VNNI.
#[inline(always)]
unsafe fn multiply(sum: __m256i, codes: __m256i, a: __m256i) -> __m256i {
    // SAFETY: the caller proves AVX-VNNI.
    unsafe { _mm256_dpbusd_avx_epi32(sum, codes, a) }
}

impl Vector for AvxVnni {
    in_32_byte_registers!();

    // In a row of 2^22 columns, a lane adds 2^19 products of magnitude up to 12 * 128: below 2^30.
    const BLOCKS: usize = usize::MAX;
    const SCALED_GROUPS: usize = usize::MAX;

    #[inline(always)]
    fn widen(self, wide: __m256i, narrow: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_add_epi32(wide, narrow) }
    }
}
