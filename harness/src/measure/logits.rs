//! Measures of the difference between two models' predictions of the next token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Number of likeliest tokens in [`LogitMeasures::topk_overlap`].
pub const TOP_K: usize = 10;

/// The logits of oracle and candidate, compared position by position.
///
/// A position with a NaN or infinity in one implementation only is counted in `non_finite`, agrees in nothing and
/// enters no average. Values that are not finite in both implementations alike are left out of the distributions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogitMeasures {
    /// Number of compared positions.
    pub positions: u64,
    /// Number of positions in which a value is not finite in only one implementation.
    pub non_finite: u64,
    /// Mean over positions of `sum p ln(p / q)` in nats, where `p` and `q` are the softmax of oracle and candidate.
    pub kl_divergence: f64,
    /// Largest divergence of a position.
    pub kl_divergence_max: f64,
    /// Fraction of positions in which both have the same likeliest token. Of equally likely tokens, the first counts.
    pub top1_agree: f64,
    /// Mean fraction of the oracle's [`TOP_K`] likeliest tokens that are among the candidate's.
    pub topk_overlap: f64,
    /// The largest difference, over positions in which the likeliest token differs, between the oracle's logits of the
    /// two tokens. If it is small, the flip is a tie that rounding decided.
    pub tie_margin: Option<f64>,
}

/// Accumulates positions for [`LogitMeasures`].
#[derive(Debug, Clone, Default)]
pub struct LogitCounter {
    positions: u64,
    non_finite: u64,
    kl_sum: f64,
    kl_max: f64,
    same_top: u64,
    overlap_sum: f64,
    tie_margin: Option<f64>,
}

impl LogitCounter {
    /// Adds the logits of one position.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn add(&mut self, reference: &[f32], candidate: &[f32]) {
        assert_eq!(
            reference.len(),
            candidate.len(),
            "vocabularies of different sizes"
        );
        self.positions += 1;
        let alike = |a: f32, b: f32| a == b || (a.is_nan() && b.is_nan());
        let pairs = || reference.iter().copied().zip(candidate.iter().copied());
        let finite = |&(a, b): &(f32, f32)| a.is_finite() && b.is_finite();
        if pairs().any(|pair| !finite(&pair) && !alike(pair.0, pair.1)) {
            self.non_finite += 1;
            return;
        }
        let (a, b): (Vec<f32>, Vec<f32>) = pairs().filter(finite).unzip();
        let kl = kl_divergence(&a, &b);
        self.kl_sum += kl;
        self.kl_max = self.kl_max.max(kl);
        let (top_a, top_b) = (top(&a), top(&b));
        if top_a.first() == top_b.first() {
            self.same_top += 1;
        } else {
            let margin = f64::from(a[top_a[0]]) - f64::from(a[top_b[0]]);
            self.tie_margin = Some(self.tie_margin.map_or(margin, |known| known.max(margin)));
        }
        let shared = top_a.iter().filter(|token| top_b.contains(token)).count();
        self.overlap_sum += if top_a.is_empty() {
            1.0
        } else {
            shared as f64 / top_a.len() as f64
        };
    }

    /// The measures of all positions so far.
    pub fn measures(&self) -> LogitMeasures {
        let averaged = (self.positions - self.non_finite).max(1) as f64;
        LogitMeasures {
            positions: self.positions,
            non_finite: self.non_finite,
            kl_divergence: self.kl_sum / averaged,
            kl_divergence_max: self.kl_max,
            top1_agree: self.same_top as f64 / self.positions.max(1) as f64,
            topk_overlap: self.overlap_sum / averaged,
            tie_margin: self.tie_margin,
        }
    }
}

/// `sum p ln(p / q)`, clamped so that rounding does not make it negative.
fn kl_divergence(reference: &[f32], candidate: &[f32]) -> f64 {
    let (p, q) = (log_softmax(reference), log_softmax(candidate));
    let terms = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q));
    terms.sum::<f64>().max(0.0)
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits
        .iter()
        .fold(f64::NEG_INFINITY, |max, &x| max.max(x.into()));
    let sum: f64 = logits.iter().map(|&x| (f64::from(x) - max).exp()).sum();
    let norm = max + sum.ln();
    logits.iter().map(|&x| f64::from(x) - norm).collect()
}

/// The [`TOP_K`] likeliest tokens, the likeliest first. Of equally likely tokens, the first comes first.
fn top(logits: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // The sort is stable. Adding 0 makes -0 equal to +0, which `total_cmp` distinguishes.
    order.sort_by(|&a, &b| (logits[b] + 0.0).total_cmp(&(logits[a] + 0.0)));
    order.truncate(TOP_K);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(reference: &[f32], candidate: &[f32]) -> LogitMeasures {
        let mut counter = LogitCounter::default();
        counter.add(reference, candidate);
        counter.measures()
    }

    #[test]
    fn identical_logits_have_distance_zero() {
        let m = measure(&[1.0, -2.0, 0.0], &[1.0, -2.0, -0.0]);
        assert_eq!(
            (m.kl_divergence, m.top1_agree, m.topk_overlap),
            (0.0, 1.0, 1.0)
        );
        assert_eq!(m.tie_margin, None);
    }

    #[test]
    fn divergence_is_that_of_the_distributions() {
        // p = (1/2, 1/2), q = (1/4, 3/4): KL = ln 2 - ln 3 / 2.
        let m = measure(&[0.0, 0.0], &[0.0, 3f32.ln()]);
        let wanted = 2f64.ln() - 3f64.ln() / 2.0;
        assert!((m.kl_divergence - wanted).abs() < 1e-7, "{m:?}");
        assert_eq!(m.kl_divergence, m.kl_divergence_max);
        // Adding a constant to all logits does not change the distribution.
        assert!(measure(&[1.0, 2.0], &[5.0, 6.0]).kl_divergence < 1e-12);
    }

    #[test]
    fn a_flip_has_its_tie_margin() {
        let mut counter = LogitCounter::default();
        counter.add(&[1.0, 1.25, 0.0], &[1.5, 1.25, 0.0]);
        counter.add(&[3.0, 1.0, 0.0], &[3.0, 1.0, 0.0]);
        counter.add(&[1.0, 1.125, 0.0], &[1.5, 1.125, 0.0]);
        counter.add(&[0.0, 1.0, 0.0], &[0.0, 1.0, 0.5]);
        let m = counter.measures();
        assert_eq!((m.top1_agree, m.tie_margin), (0.5, Some(0.25)));
    }

    #[test]
    fn overlap_counts_the_likeliest_tokens_only() {
        let reference: Vec<f32> = (0..40).map(|i| i as f32).collect();
        let mut candidate = reference.clone();
        candidate[0] = 100.0;
        let m = measure(&reference, &candidate);
        assert_eq!(m.topk_overlap, (TOP_K - 1) as f64 / TOP_K as f64);
    }

    #[test]
    fn non_finite_values_in_one_implementation_enter_no_average() {
        let mut counter = LogitCounter::default();
        counter.add(&[1.0, 2.0], &[1.0, f32::NAN]);
        counter.add(
            &[1.0, f32::NEG_INFINITY, f32::NAN],
            &[1.0, f32::NEG_INFINITY, f32::NAN],
        );
        let m = counter.measures();
        assert_eq!((m.positions, m.non_finite, m.kl_divergence), (2, 1, 0.0));
        assert_eq!((m.top1_agree, m.topk_overlap), (0.5, 1.0));
    }
}
