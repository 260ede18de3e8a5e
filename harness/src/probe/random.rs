//! Pseudo-random inputs that are the same on every machine for the same seed and name.

/// SplitMix64 (Steele, Lea, Flood 2014), which is sufficient for test inputs and small. Findings are reproduced with
/// it, so the stream must never change.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Creates the stream for `seed` and the name of its use.
    pub fn new(seed: u64, name: &str) -> Random {
        // FNV-1a, so that streams of different names do not overlap in practice.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Random(seed ^ hash)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is at most 2^32.
    pub fn below(&mut self, bound: usize) -> usize {
        (((self.bits() >> 32) * bound as u64) >> 32) as usize
    }

    /// An f32 in [-1, 1).
    pub fn unit(&mut self) -> f32 {
        ((self.bits() >> 40) as f32 - (1u64 << 23) as f32) / (1u64 << 23) as f32
    }

    /// An f32 around zero, approximately normal with deviation 1: the sum of three uniform numbers.
    pub fn bell(&mut self) -> f32 {
        self.unit() + self.unit() + self.unit()
    }

    /// An activation code.
    pub fn code(&mut self) -> i8 {
        self.bits() as i8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_never_changes() {
        let mut random = Random::new(7, "stream");
        let drawn: Vec<usize> = (0..6).map(|_| random.below(1000)).collect();
        assert_eq!(drawn, [403, 713, 494, 12, 349, 247]);
        let (low, high) = (0..10_000)
            .map(|_| random.unit())
            .fold((0f32, 0f32), |(low, high), x| (low.min(x), high.max(x)));
        assert!(
            (-1.0..-0.99).contains(&low) && (0.99..1.0).contains(&high),
            "{low} {high}"
        );
    }
}
