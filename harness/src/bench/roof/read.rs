//! Reads bytes at the full rate of loads.

/// Bytes per step: eight registers of AVX2 or sixteen of the baseline.
const STRIDE: usize = 256;

const WORD: usize = size_of::<u64>();

/// The wrapping sum of all bytes as 64-bit words. It depends on every byte, so no load can be removed.
pub(super) fn fold(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if qk256::kernel::Avx2::detect().is_some() {
        // SAFETY: the token proves that this CPU has the features.
        return unsafe { fold_avx2(bytes) };
    }
    fold_baseline(bytes)
}

#[cfg(target_arch = "x86_64")]
qk256::compiled_for! { Avx2:
    /// The same loop compiled for registers of 32 bytes, the most that a core's caches deliver at once.
    fn fold_avx2(bytes: &[u8]) -> u64 {
        fold_baseline(bytes)
    }
}

#[inline(always)]
fn fold_baseline(bytes: &[u8]) -> u64 {
    let mut sums = [0u64; STRIDE / WORD];
    let strides = bytes.chunks_exact(STRIDE);
    let rest: u64 = strides
        .remainder()
        .iter()
        .map(|&byte| u64::from(byte))
        .sum();
    for stride in strides {
        for (sum, word) in sums.iter_mut().zip(stride.chunks_exact(WORD)) {
            let word = word.try_into().expect("chunks are as long as a word");
            *sum = sum.wrapping_add(u64::from_le_bytes(word));
        }
    }
    sums.into_iter().fold(rest, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_read() {
        for len in [0, 1, STRIDE - 1, STRIDE, 3 * STRIDE + 17] {
            let mut bytes = vec![7; len];
            let before = fold(&bytes);
            assert_eq!(before, fold_baseline(&bytes));
            for index in 0..len {
                bytes[index] = 8;
                assert_ne!(fold(&bytes), before, "byte {index} of {len}");
                bytes[index] = 7;
            }
        }
    }
}
