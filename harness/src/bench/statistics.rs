//! Medians and their confidence intervals.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

/// Confidence of an interval if there are enough samples.
pub const CONFIDENCE: f64 = 0.95;

/// The smallest number of samples whose minimum and maximum enclose the median with [`CONFIDENCE`].
pub const FEWEST_SAMPLES: usize = 6;

/// The median of samples and a confidence interval for the median of their distribution.
///
/// The interval assumes only that samples are independent: see [`Ranks`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Median {
    /// The median of the samples. For an even number, the mean of the middle two.
    pub value: f64,
    /// The lower end of the interval, which is a sample.
    pub low: f64,
    /// The upper end of the interval, which is a sample.
    pub high: f64,
    /// Confidence of the interval: at least [`CONFIDENCE`] for [`FEWEST_SAMPLES`] samples or more.
    pub confidence: f64,
    /// Number of samples.
    pub samples: usize,
}

impl Median {
    /// Whether the values are consistent: at least one sample, and a median inside the interval.
    pub fn is_possible(&self) -> bool {
        let Median {
            value,
            low,
            high,
            confidence,
            samples,
        } = self;
        *samples > 0 && low <= value && value <= high && (0.0..=1.0).contains(confidence)
    }

    /// The median of `samples`, which need not be sorted. `None` if there are none.
    pub fn of(samples: &[f64]) -> Option<Median> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let ranks = Ranks::of(sorted.len())?;
        let middle = sorted.len() / 2;
        Some(Median {
            value: if sorted.len().is_multiple_of(2) {
                f64::midpoint(sorted[middle - 1], sorted[middle])
            } else {
                sorted[middle]
            },
            low: sorted[ranks.low],
            high: sorted[ranks.high],
            confidence: ranks.confidence,
            samples: sorted.len(),
        })
    }

    /// The median of `numerators[i] / denominators[i]`, for samples that were taken in pairs.
    pub fn of_ratios(numerators: &[f64], denominators: &[f64]) -> Option<Median> {
        let pairs = numerators.iter().zip(denominators);
        Median::of(&pairs.map(|(n, d)| n / d).collect::<Vec<_>>())
    }
}

/// The ranks of the sorted samples, from 0, that enclose the median.
///
/// The number of samples, of `n`, below the median is binomial with probability 1/2 (the sign test). The median lies
/// below the sample of rank `low` if at most `low` samples are below it, and likewise above `n - 1 - low`. The interval
/// therefore contains it with probability `1 - 2 * P(X <= low)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranks {
    /// Rank of the lower end.
    pub low: usize,
    /// Rank of the upper end.
    pub high: usize,
    /// Probability that the interval contains the median.
    pub confidence: f64,
}

impl Ranks {
    /// The narrowest symmetric ranks with [`CONFIDENCE`], or the outermost ranks if `n` samples do not reach it. `None`
    /// if `n` is 0.
    pub fn of(n: usize) -> Option<Ranks> {
        let last = n.checked_sub(1)?;
        let below = Binomial::new(0.5, n as u64).expect("1/2 is a probability");
        let confidence = |low: usize| (1.0 - 2.0 * below.cdf(low as u64)).max(0.0);
        let low = (1..=last / 2)
            .take_while(|&low| confidence(low) >= CONFIDENCE)
            .last()
            .unwrap_or(0);
        Some(Ranks {
            low,
            high: last - low,
            confidence: confidence(low),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranks from tables of the sign test: n, lower rank from 0, confidence.
    const TABLE: [(usize, usize, f64); 7] = [
        (1, 0, 0.0),
        (5, 0, 0.9375),
        (6, 0, 0.96875),
        (9, 1, 0.9609375),
        (10, 1, 0.978515625),
        (20, 5, 0.958610535),
        (100, 39, 0.964799800),
    ];

    #[test]
    fn ranks_are_those_of_the_sign_test() {
        assert_eq!(Ranks::of(0), None);
        for (n, low, confidence) in TABLE {
            let ranks = Ranks::of(n).unwrap();
            assert_eq!((ranks.low, ranks.high), (low, n - 1 - low), "{n} samples");
            assert!(
                (ranks.confidence - confidence).abs() < 1e-8,
                "{n}: {ranks:?}"
            );
        }
    }

    #[test]
    fn fewer_samples_do_not_reach_the_confidence() {
        let confidence = |n| Ranks::of(n).unwrap().confidence;
        assert!(confidence(FEWEST_SAMPLES - 1) < CONFIDENCE);
        for n in FEWEST_SAMPLES..300 {
            assert!(confidence(n) >= CONFIDENCE, "{n} samples");
            let ranks = Ranks::of(n).unwrap();
            let below = Binomial::new(0.5, n as u64).unwrap();
            let narrower = 1.0 - 2.0 * below.cdf(ranks.low as u64 + 1);
            assert!(
                narrower < CONFIDENCE,
                "{n} samples have a narrower interval"
            );
        }
    }

    #[test]
    fn the_order_of_samples_does_not_matter() {
        let samples = [9.0, 1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0, 10.0];
        let median = Median::of(&samples).unwrap();
        assert_eq!((median.value, median.low, median.high), (5.5, 2.0, 9.0));
        assert_eq!(median.samples, 10);
        assert_eq!(Median::of(&[3.0, 1.0, 2.0]).unwrap().value, 2.0);
        assert_eq!(Median::of(&[]), None);
    }

    #[test]
    fn ratios_are_of_pairs() {
        // The machine slows down tenfold half-way. This changes the ratio of medians but not the median of ratios.
        let ours: Vec<f64> = (0..12).map(|i| if i < 6 { 1.0 } else { 10.0 }).collect();
        let theirs: Vec<f64> = ours.iter().map(|seconds| 1.5 * seconds).collect();
        let ratio = Median::of_ratios(&theirs, &ours).unwrap();
        assert_eq!((ratio.value, ratio.low, ratio.high), (1.5, 1.5, 1.5));
    }
}
