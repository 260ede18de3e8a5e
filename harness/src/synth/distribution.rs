//! Converts random bits to codes, scales and weights with exact or correctly rounded operations only.

use super::recipe::{Bell, ScaleRange};
use super::stream::Stream;

/// Draws codes in given proportions from 16 random bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Codes {
    /// Thresholds of the 16 bits. A code is the number of thresholds that they reach.
    cuts: [u32; 3],
}

impl Codes {
    /// The greatest sum of shares for which a share of 1 still has one of the 16-bit numbers.
    pub(super) const MAX_SHARES: u32 = 1 << 16;

    /// Creates a distribution of codes 0 to 3 in proportion to `shares`, whose sum must be 1 to [`Codes::MAX_SHARES`].
    pub(super) fn new(shares: [u32; 4]) -> Codes {
        let total: u64 = shares.iter().map(|&share| u64::from(share)).sum();
        let mut sum = 0;
        let cuts = std::array::from_fn(|code| {
            sum += u64::from(shares[code]);
            // At most 2^16, so the cast is lossless. A total of zero was refused before.
            (sum * (1 << 16) / total.max(1)) as u32
        });
        Codes { cuts }
    }

    /// Appends `n` codes. `scratch` is a buffer that avoids allocations.
    pub(super) fn draw(
        &self,
        stream: &mut Stream,
        n: usize,
        scratch: &mut Vec<u8>,
        codes: &mut Vec<u8>,
    ) {
        scratch.resize(2 * n, 0);
        stream.bytes(scratch);
        let [a, b, c] = self.cuts;
        codes.extend(scratch.as_chunks().0.iter().map(|&pair| {
            let bits = u32::from(u16::from_le_bytes(pair));
            u8::from(bits >= a) + u8::from(bits >= b) + u8::from(bits >= c)
        }));
    }
}

/// Draws a scale. The logarithm is approximated linearly within each octave, with the same end points.
pub(super) fn scale(ScaleRange(least, most): ScaleRange, stream: &mut Stream) -> f32 {
    let (least, most) = (f64::from(least), f64::from(most));
    // Both are powers of two times `least`, which f64 represents exactly over the whole range of f32.
    let mut octaves = 0u32;
    let mut top = least;
    while 2.0 * top <= most {
        top *= 2.0;
        octaves += 1;
    }
    let at = stream.unit() * (f64::from(octaves) + (most / top - 1.0));
    let octave = at as u32;
    let start = (0..octave).fold(least, |start, _| 2.0 * start);
    (start * (1.0 + (at - f64::from(octave)))) as f32
}

/// Draws from a bell curve: the sum of four 16-bit numbers, normalized to deviation 1.
pub(super) fn bell(Bell { mean, spread }: Bell, stream: &mut Stream) -> f32 {
    /// Mean of the sum: 4 * (2^16 - 1) / 2.
    const MEAN: f64 = 131_070.0;
    /// Deviation of the sum: sqrt(4 * (2^32 - 1) / 12).
    const DEVIATION: f64 = 37_837.227_237_206_48;
    let bits = stream.bits();
    let sum: u32 = (0..4).map(|i| u32::from((bits >> (16 * i)) as u16)).sum();
    let deviations = (f64::from(sum) - MEAN) / DEVIATION;
    (f64::from(mean) + f64::from(spread) * deviations) as f32
}

#[cfg(test)]
mod tests {
    use super::super::stream::Key;
    use super::*;

    fn stream() -> Stream {
        Key::new(1, "distribution").row(0)
    }

    #[test]
    fn codes_have_the_requested_proportions() {
        let drawn = |shares| {
            let mut codes = Vec::new();
            Codes::new(shares).draw(&mut stream(), 100_000, &mut Vec::new(), &mut codes);
            let mut counts = [0u32; 4];
            codes.iter().for_each(|&code| counts[code as usize] += 1);
            counts
        };
        assert_eq!(drawn([0, 0, 1, 0]), [0, 0, 100_000, 0]);
        assert_eq!(drawn([0, 0, 0, 5]), [0, 0, 0, 100_000]);
        assert_eq!(drawn([9, 0, 0, 0]), [100_000, 0, 0, 0]);
        let [minus, zero, plus, three] = drawn([3, 4, 3, 0]);
        assert!(three == 0 && minus.abs_diff(30_000) < 600, "{minus}");
        assert!(
            zero.abs_diff(40_000) < 600 && plus.abs_diff(30_000) < 600,
            "{zero} {plus}"
        );
    }

    #[test]
    fn the_smallest_share_occurs() {
        let cuts = Codes::new([1, 0, Codes::MAX_SHARES - 2, 1]).cuts;
        assert_eq!(cuts, [1, 1, (1 << 16) - 1]);
        let cuts = Codes::new([u32::MAX; 4]).cuts;
        assert_eq!(cuts, [1 << 14, 2 << 14, 3 << 14]);
    }

    #[test]
    fn scales_fill_their_range_octave_by_octave() {
        let mut stream = stream();
        let mut counts = [0u32; 4];
        for _ in 0..10_000 {
            let scale = scale(ScaleRange(0.25, 3.0), &mut stream);
            assert!((0.25..=3.0).contains(&scale), "{scale}");
            counts[[0.5, 1.0, 2.0]
                .iter()
                .filter(|&&edge| scale >= edge)
                .count()] += 1;
        }
        // Three whole octaves and half of the fourth.
        for (count, expected) in counts.into_iter().zip([2857u32, 2857, 2857, 1429]) {
            assert!(count.abs_diff(expected) < 250, "{counts:?}");
        }
    }

    #[test]
    fn a_range_of_one_number_gives_that_number() {
        for value in [0.1, 1.0, f32::MIN_POSITIVE, f32::MAX] {
            assert_eq!(scale(ScaleRange(value, value), &mut stream()), value);
        }
        let widest = scale(ScaleRange(f32::MIN_POSITIVE, f32::MAX), &mut stream());
        assert!(widest.is_normal());
    }

    #[test]
    fn a_bell_has_its_mean_and_deviation() {
        let mut stream = stream();
        let bell_of = Bell {
            mean: 2.0,
            spread: 0.5,
        };
        let drawn: Vec<f64> = (0..20_000)
            .map(|_| bell(bell_of, &mut stream).into())
            .collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / drawn.len() as f64;
        assert!((mean - 2.0).abs() < 0.02, "{mean}");
        assert!((variance.sqrt() - 0.5).abs() < 0.02, "{variance}");
        assert!(drawn.iter().all(|x| (x - 2.0).abs() <= 0.5 * 3.47));
        assert_eq!(
            bell(
                Bell {
                    mean: 1.5,
                    spread: 0.0
                },
                &mut stream
            ),
            1.5
        );
    }
}
