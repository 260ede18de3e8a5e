//! AVX-VNNI: AVX2's registers, with products added four at a time in int32, where nothing can wrap.

use std::arch::x86_64::*;

use super::avx2::{expand_8, in_32_byte_registers, sum_8};
use crate::kernel::isa::AvxVnni;
use crate::kernel::vector::{STEP, Vector};

impl Vector for AvxVnni {
    in_32_byte_registers!();

    // A row of 2^22 columns gives a lane 2^19 products of at most 12 * 128, below 2^30.
    const BLOCKS: usize = usize::MAX;
    const SCALED_BLOCKS: usize = usize::MAX;

    #[inline(always)]
    fn mul_add(self, sum: __m256i, codes: Self::Step, a: Self::Step) -> __m256i {
        // SAFETY: the token proves AVX-VNNI.
        unsafe {
            let sum = _mm256_dpbusd_avx_epi32(sum, codes[0], a[0]);
            _mm256_dpbusd_avx_epi32(sum, codes[1], a[1])
        }
    }

    #[inline(always)]
    fn mul_add_group(
        self,
        [even, odd]: [__m256i; 2],
        [c0, c1]: [Self::Step; 2],
        [a0, a1]: [Self::Step; 2],
    ) -> [__m256i; 2] {
        // SAFETY: the token proves AVX-VNNI.
        unsafe {
            let even = _mm256_dpbusd_avx_epi32(even, c0[0], a0[0]);
            let odd = _mm256_dpbusd_avx_epi32(odd, c0[1], a0[1]);
            [
                _mm256_dpbusd_avx_epi32(even, c1[0], a1[0]),
                _mm256_dpbusd_avx_epi32(odd, c1[1], a1[1]),
            ]
        }
    }

    #[inline(always)]
    fn widen(self, wide: __m256i, narrow: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_add_epi32(wide, narrow) }
    }
}
