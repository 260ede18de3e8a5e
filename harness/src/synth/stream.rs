//! Random number streams that are the same on every machine, one for each row of each tensor.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// The streams of one tensor.
///
/// The key of ChaCha8 is the SHA-256 of the recipe's seed (8 bytes, little-endian) and the tensor's name. The index of
/// a row is ChaCha's stream number.
#[derive(Debug, Clone)]
pub(super) struct Key([u8; 32]);

/// A stream of random numbers.
pub(super) struct Stream(ChaCha8Rng);

impl Key {
    /// Number of the stream for the whole tensor. No tensor has so many rows.
    const WHOLE_TENSOR: u64 = u64::MAX;

    /// The key of a tensor.
    pub(super) fn new(seed: u64, tensor: &str) -> Key {
        let hash = Sha256::new()
            .chain_update(seed.to_le_bytes())
            .chain_update(tensor);
        Key(hash.finalize().into())
    }

    /// The stream of a row.
    pub(super) fn row(&self, row: usize) -> Stream {
        self.stream(row as u64)
    }

    /// The stream for the whole tensor.
    pub(super) fn whole_tensor(&self) -> Stream {
        self.stream(Self::WHOLE_TENSOR)
    }

    fn stream(&self, number: u64) -> Stream {
        let mut generator = ChaCha8Rng::from_seed(self.0);
        generator.set_stream(number);
        Stream(generator)
    }
}

impl Stream {
    /// Fills a slice with random bytes.
    pub(super) fn bytes(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in [0, 1), a multiple of 2^-53.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_name_and_row_each_change_the_stream() {
        let first = |seed, tensor, row| Key::new(seed, tensor).row(row).bits();
        let base = first(1, "blk.0.attn_q.weight", 0);
        assert_eq!(base, first(1, "blk.0.attn_q.weight", 0));
        assert_ne!(base, first(2, "blk.0.attn_q.weight", 0));
        assert_ne!(base, first(1, "blk.0.attn_k.weight", 0));
        assert_ne!(base, first(1, "blk.0.attn_q.weight", 1));
        assert_ne!(
            base,
            Key::new(1, "blk.0.attn_q.weight").whole_tensor().bits()
        );
    }

    /// The expected numbers are those of ChaCha8 in its paper, computed by another implementation.
    #[test]
    fn a_stream_never_changes() {
        let mut stream = Key::new(7, "stream").row(3);
        assert_eq!(
            [stream.bits(), stream.bits()],
            [5_545_164_489_640_672_400, 13_831_179_493_907_137_147]
        );
        assert_eq!(stream.unit(), 0.002_597_395_733_439_200_6);
    }
}
