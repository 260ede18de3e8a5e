//! Measures of the difference between two sequences of numbers.
//!
//! Everything is computed in f64. NaN and infinities are handled first: if both values are the same one, they count as
//! equal. If only one value is not finite, it is a mismatch of its own kind and never enters an average.

mod logits;
mod ulp;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use logits::{LogitCounter, LogitMeasures, TOP_K};
pub use ulp::{UlpHistogram, ulp_distance};

/// The values of reference and candidate, compared element by element.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// Number of compared pairs.
    pub comparisons: u64,
    /// Number of pairs that are not identical: their bits differ, except that any NaN equals any NaN.
    pub mismatches: u64,
    /// Index of the first mismatch.
    pub first_mismatch: Option<u64>,
    /// Number of pairs in which one value is NaN or infinite and the other is not the same.
    pub non_finite: u64,
    /// Number of mismatches without a distance: no result, a node that one implementation lacks, or another shape.
    /// Never within the noise floor.
    pub unmeasured: u64,
    /// `sum(a b) / sqrt(sum(a^2) sum(b^2))`. 1 if both are zero, 0 if only one is. It does not detect a wrong scale, a
    /// zeroed row or a dropped short tail, so it is reported and decides no verdict. None if no pair of finite numbers
    /// was compared, as for the other distances.
    pub cosine_similarity: Option<f64>,
    /// `sum((a - b)^2) / sum(a^2)`, where `a` is the reference. Also none if the reference is zero and the candidate is
    /// not.
    pub nmse: Option<f64>,
    /// `sqrt(sum((a - b)^2) / n)`, where `n` is the number of pairs of finite numbers.
    pub rmse: Option<f64>,
    /// `max |a - b|`.
    pub max_abs: Option<f64>,
    /// Largest distance in units in the last place: the number of f32 steps between the values, with -0 equal to +0.
    /// For integers, the largest difference.
    pub max_ulp: Option<u64>,
    /// Least squares slope of the candidate over the reference, `sum(a b) / sum(a^2)`. None if the reference is zero.
    pub scale_ratio: Option<f64>,
    /// Histogram of the distances of finite f32 pairs in units in the last place. Empty if integers or text were
    /// compared.
    #[serde(default, skip_serializing_if = "UlpHistogram::is_empty")]
    pub ulp_histogram: UlpHistogram,
    /// The sums from which the averages are computed.
    pub sums: Sums,
}

/// Sums over all finite pairs of a reference `a` and a candidate `b`. [`Measures`] are computed from them, so that
/// parts can be combined and the numbers can be checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// Number of pairs.
    pub pairs: u64,
    /// `sum(a b)`.
    pub products: f64,
    /// `sum(a^2)`.
    pub reference_squares: f64,
    /// `sum(b^2)`.
    pub candidate_squares: f64,
    /// `sum((a - b)^2)`.
    pub difference_squares: f64,
}

impl Sums {
    fn plus(self, other: Sums) -> Sums {
        Sums {
            pairs: self.pairs.saturating_add(other.pairs),
            products: self.products + other.products,
            reference_squares: self.reference_squares + other.reference_squares,
            candidate_squares: self.candidate_squares + other.candidate_squares,
            difference_squares: self.difference_squares + other.difference_squares,
        }
    }
}

impl Measures {
    /// The worst value of each measure. Counts are summed.
    pub fn worst(self, other: Measures) -> Measures {
        // A missing `nmse` is not finite, unless there was nothing to measure.
        let nmse = match (self.has_distances(), other.has_distances()) {
            (true, true) => self.nmse.zip(other.nmse).map(|(a, b)| a.max(b)),
            (true, false) => self.nmse,
            (false, _) => other.nmse,
        };
        let larger = |a: Option<f64>, b: Option<f64>| either(a, b, f64::max);
        let farther_from_one = |a: f64, b: f64| {
            if (a - 1.0).abs() > (b - 1.0).abs() {
                a
            } else {
                b
            }
        };
        Measures {
            comparisons: self.comparisons.saturating_add(other.comparisons),
            mismatches: self.mismatches.saturating_add(other.mismatches),
            first_mismatch: self.first_mismatch.or(other
                .first_mismatch
                .map(|i| i.saturating_add(self.comparisons))),
            non_finite: self.non_finite.saturating_add(other.non_finite),
            unmeasured: self.unmeasured.saturating_add(other.unmeasured),
            cosine_similarity: either(self.cosine_similarity, other.cosine_similarity, f64::min),
            nmse,
            rmse: larger(self.rmse, other.rmse),
            max_abs: larger(self.max_abs, other.max_abs),
            max_ulp: self.max_ulp.max(other.max_ulp),
            scale_ratio: either(self.scale_ratio, other.scale_ratio, farther_from_one),
            ulp_histogram: self.ulp_histogram.plus(&other.ulp_histogram),
            sums: self.sums.plus(other.sums),
        }
    }

    /// Whether pairs of finite numbers were compared, which the distances require.
    pub fn has_distances(&self) -> bool {
        self.sums.pairs > 0
    }

    /// Whether the normalised mean square error exceeds the limit or is not finite.
    pub fn nmse_exceeds(&self, limit: f64) -> bool {
        self.has_distances() && self.nmse.is_none_or(|nmse| nmse > limit)
    }

    /// Whether pairs were compared and all are identical.
    pub fn identical(&self) -> bool {
        self.comparisons > 0 && self.mismatches == 0
    }
}

/// Both values combined, or the one that exists.
fn either(a: Option<f64>, b: Option<f64>, both: impl Fn(f64, f64) -> f64) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
        (a, b) => a.or(b),
    }
}

/// Accumulates pairs for [`Measures`].
#[derive(Debug, Clone, Default)]
pub struct Counter {
    comparisons: u64,
    mismatches: u64,
    first_mismatch: Option<u64>,
    non_finite: u64,
    unmeasured: u64,
    sums: Sums,
    max_abs: f64,
    max_ulp: u64,
    histogram: UlpHistogram,
}

impl From<&Measures> for Counter {
    /// A counter with these measures, which can continue counting.
    fn from(measures: &Measures) -> Counter {
        Counter {
            comparisons: measures.comparisons,
            mismatches: measures.mismatches,
            first_mismatch: measures.first_mismatch,
            non_finite: measures.non_finite,
            unmeasured: measures.unmeasured,
            sums: measures.sums,
            max_abs: measures.max_abs.unwrap_or_default(),
            max_ulp: measures.max_ulp.unwrap_or_default(),
            histogram: measures.ulp_histogram,
        }
    }
}

impl Counter {
    /// Adds two sequences of f32 of equal length.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn add(&mut self, reference: &[f32], candidate: &[f32]) {
        assert_eq!(
            reference.len(),
            candidate.len(),
            "sequences of different lengths"
        );
        for (&a, &b) in reference.iter().zip(candidate) {
            let same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            if a.is_finite() && b.is_finite() {
                let ulp = ulp_distance(a, b);
                self.add_pair(f64::from(a), f64::from(b), ulp, same);
                self.histogram.count(ulp);
            } else {
                self.count(same);
                self.non_finite += u64::from(!same);
            }
        }
    }

    /// Adds two sequences of integers of equal length.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn add_integers(&mut self, reference: &[i64], candidate: &[i64]) {
        assert_eq!(
            reference.len(),
            candidate.len(),
            "sequences of different lengths"
        );
        for (&a, &b) in reference.iter().zip(candidate) {
            self.add_pair(a as f64, b as f64, a.abs_diff(b), a == b);
        }
    }

    /// Adds a comparison of items without a distance, such as slots.
    pub fn add_same(&mut self, same: bool) {
        self.count(same);
        self.unmeasured += u64::from(!same);
    }

    fn add_pair(&mut self, a: f64, b: f64, ulp: u64, same: bool) {
        self.count(same);
        self.sums.pairs += 1;
        self.sums.products += a * b;
        self.sums.reference_squares += a * a;
        self.sums.candidate_squares += b * b;
        self.sums.difference_squares += (a - b) * (a - b);
        self.max_abs = self.max_abs.max((a - b).abs());
        self.max_ulp = self.max_ulp.max(ulp);
    }

    fn count(&mut self, same: bool) {
        if !same {
            self.mismatches += 1;
            self.first_mismatch.get_or_insert(self.comparisons);
        }
        self.comparisons += 1;
    }

    /// Appends everything that `other` has counted.
    pub fn merge(&mut self, other: &Counter) {
        let shifted = other
            .first_mismatch
            .map(|index| index.saturating_add(self.comparisons));
        self.first_mismatch = self.first_mismatch.or(shifted);
        self.comparisons = self.comparisons.saturating_add(other.comparisons);
        self.mismatches = self.mismatches.saturating_add(other.mismatches);
        self.non_finite = self.non_finite.saturating_add(other.non_finite);
        self.unmeasured = self.unmeasured.saturating_add(other.unmeasured);
        self.sums = self.sums.plus(other.sums);
        self.histogram = self.histogram.plus(&other.histogram);
        self.max_abs = self.max_abs.max(other.max_abs);
        self.max_ulp = self.max_ulp.max(other.max_ulp);
    }

    /// The measures of all pairs so far.
    pub fn measures(&self) -> Measures {
        let Sums {
            pairs,
            products,
            reference_squares,
            candidate_squares,
            difference_squares,
        } = self.sums;
        let zero = reference_squares == 0.0 || candidate_squares == 0.0;
        let ratio =
            |numerator: f64| (reference_squares > 0.0).then(|| numerator / reference_squares);
        let measured = pairs > 0;
        let cosine = match (difference_squares == 0.0, zero) {
            (true, _) => 1.0,
            (false, true) => 0.0,
            // Two square roots, because the product of both sums may overflow.
            (false, false) => products / reference_squares.sqrt() / candidate_squares.sqrt(),
        };
        let nmse = match difference_squares {
            0.0 => Some(0.0),
            difference => ratio(difference),
        };
        Measures {
            comparisons: self.comparisons,
            mismatches: self.mismatches,
            first_mismatch: self.first_mismatch,
            non_finite: self.non_finite,
            unmeasured: self.unmeasured,
            cosine_similarity: measured.then_some(cosine),
            nmse: nmse.filter(|_| measured),
            rmse: measured.then(|| (difference_squares / pairs as f64).sqrt()),
            max_abs: measured.then_some(self.max_abs),
            max_ulp: measured.then_some(self.max_ulp),
            scale_ratio: ratio(products),
            ulp_histogram: self.histogram,
            sums: self.sums,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(reference: &[f32], candidate: &[f32]) -> Measures {
        let mut counter = Counter::default();
        counter.add(reference, candidate);
        counter.measures()
    }

    #[test]
    fn identical_means_bits_except_for_nan() {
        assert!(
            measure(
                &[1.0, f32::NAN, f32::INFINITY],
                &[1.0, -f32::NAN, f32::INFINITY]
            )
            .identical()
        );
        assert!(!measure(&[0.0], &[-0.0]).identical());
        assert!(
            !measure(&[], &[]).identical(),
            "nothing compared is not agreement"
        );
    }

    #[test]
    fn a_nan_in_one_implementation_is_a_mismatch_and_enters_no_average() {
        let m = measure(&[1.0, 2.0, 3.0], &[1.0, f32::NAN, 3.0]);
        assert_eq!(
            (m.mismatches, m.non_finite, m.first_mismatch),
            (1, 1, Some(1))
        );
        assert_eq!((m.cosine_similarity, m.nmse), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn where_no_numbers_were_compared_there_is_no_distance() {
        let mut counter = Counter::default();
        counter.add_same(false);
        counter.add(&[f32::NAN], &[f32::NAN]);
        let m = counter.measures();
        assert_eq!((m.comparisons, m.mismatches, m.unmeasured), (2, 1, 1));
        assert_eq!((m.cosine_similarity, m.nmse, m.rmse), (None, None, None));
        assert_eq!((m.max_abs, m.max_ulp), (None, None));
        assert!(!m.nmse_exceeds(0.0));
        // It does not change the distances of the compared pairs.
        let measured = measure(&[2.0], &[3.0]);
        assert_eq!(measured.worst(m).nmse, measured.nmse);
        assert_eq!(
            m.worst(measured).cosine_similarity,
            measured.cosine_similarity
        );
    }

    #[test]
    fn cosine_misses_faults_that_other_measures_detect() {
        let reference: Vec<f32> = (1..=100).map(|i| i as f32).collect();
        let tenfold: Vec<f32> = reference.iter().map(|x| 10.0 * x).collect();
        let m = measure(&reference, &tenfold);
        assert!(m.cosine_similarity.unwrap() > 0.999_999);
        assert!((m.scale_ratio.unwrap() - 10.0).abs() < 1e-12);
        assert!((m.nmse.unwrap() - 81.0).abs() < 1e-9);
    }

    #[test]
    fn rmse_divides_before_the_root() {
        let n = 4096;
        let m = measure(&vec![0.0; n], &vec![0.5; n]);
        assert_eq!(m.rmse, Some(0.5));
        assert_eq!(
            (m.nmse, m.scale_ratio, m.cosine_similarity),
            (None, None, Some(0.0))
        );
        assert!(m.nmse_exceeds(1.0));
    }

    #[test]
    fn merging_equals_measuring_at_once() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.5, 4.0]);
        let (mut whole, mut front, mut back) = <(Counter, Counter, Counter)>::default();
        whole.add(&a, &b);
        front.add(&a[..2], &b[..2]);
        back.add(&a[2..], &b[2..]);
        let mut resumed = Counter::from(&front.measures());
        resumed.merge(&back);
        front.merge(&back);
        assert_eq!(front.measures(), whole.measures());
        assert_eq!(resumed.measures(), whole.measures());
        assert_eq!(whole.measures().first_mismatch, Some(2));
    }
}
