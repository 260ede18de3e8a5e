//! AVX-VNNI: AVX2's registers, with products added four at a time in int32, where nothing can wrap.

use std::arch::x86_64::*;

use super::avx2::{
    add_scaled_8, eight_lanes, expand_8, fold_8, half, in_32_byte_registers, in_eight_floats,
    sum_8, sums_8,
};
use super::trits::trits_256;
use crate::kernel::arithmetic::INT_LANES;
use crate::kernel::isa::AvxVnni;
use crate::kernel::trits::TRIT_BYTES;
use crate::kernel::vector::{STEP, Vector};

/// Adds the products of 32 codes, four neighbours to each lane of 32 bits.
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

    // A row of 2^22 columns gives a lane 2^19 products of at most 12 * 128, below 2^30.
    const BLOCKS: usize = usize::MAX;
    const SCALED_GROUPS: usize = usize::MAX;

    #[inline(always)]
    fn widen(self, wide: __m256i, narrow: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_add_epi32(wide, narrow) }
    }
}
