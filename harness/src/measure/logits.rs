//! How far two models' opinions of the next token are apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many of the likeliest tokens [`LogitMeasures::topk_overlap`] looks at.
pub const TOP_K: usize = 10;

/// Logits of reference and candidate, compared position by position.
///
/// A position where one side has a NaN or an infinity that the other does not share is counted in `non_finite`, agrees
/// in nothing and enters no average. Values that are not finite on both sides alike are left out of the distributions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogitMeasures {
    /// Positions that were compared.
    pub positions: u64,
    /// Positions where a value is not finite on one side only.
    pub non_finite: u64,
    /// Mean over positions of `sum p ln(p / q)`, `p` and `q` being the softmax of reference and candidate; nats.
    pub kl_divergence: f64,
    /// The largest of a position.
    pub kl_divergence_max: f64,
    /// Share of positions where both sides have the same likeliest token; of equal ones the first counts.
    pub top1_agree: f64,
    /// Mean share of the reference's [`TOP_K`] likeliest tokens that are among the candidate's.
    pub topk_overlap: f64,
    /// Where the likeliest token differs, how far the reference's own logits of both tokens are apart: the largest of
    /// all positions. A flip across a small gap is a tie that rounding decided.
    pub tie_margin: Option<f64>,
}

/// Adds up positions for [`LogitMeasures`].
#[derive(Debug, Clone, Default)]
pub struct LogitMeter {
    positions: u64,
    non_finite: u64,
    kl_sum: f64,
    kl_max: f64,
    same_top: u64,
    overlap_sum: f64,
    tie_margin: Option<f64>,
}

impl LogitMeter {
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

    /// What was measured.
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

/// `sum p ln(p / q)`, never negative by rounding.
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

/// The [`TOP_K`] likeliest, the likeliest first; of equal ones the first.
fn top(logits: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // The sort is stable. Zeros of both signs are equal, which `total_cmp` does not know.
    order.sort_by(|&a, &b| (logits[b] + 0.0).total_cmp(&(logits[a] + 0.0)));
    order.truncate(TOP_K);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(reference: &[f32], candidate: &[f32]) -> LogitMeasures {
        let mut meter = LogitMeter::default();
        meter.add(reference, candidate);
        meter.measures()
    }

    #[test]
    fn identical_logits_are_at_no_distance() {
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
        // A constant added to all logits changes no distribution.
        assert!(measure(&[1.0, 2.0], &[5.0, 6.0]).kl_divergence < 1e-12);
    }

    #[test]
    fn a_flip_is_told_with_the_gap_that_it_crossed() {
        let mut meter = LogitMeter::default();
        meter.add(&[1.0, 1.25, 0.0], &[1.5, 1.25, 0.0]);
        meter.add(&[3.0, 1.0, 0.0], &[3.0, 1.0, 0.0]);
        meter.add(&[1.0, 1.125, 0.0], &[1.5, 1.125, 0.0]);
        meter.add(&[0.0, 1.0, 0.0], &[0.0, 1.0, 0.5]);
        let m = meter.measures();
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
    fn what_is_not_finite_on_one_side_spoils_no_average() {
        let mut meter = LogitMeter::default();
        meter.add(&[1.0, 2.0], &[1.0, f32::NAN]);
        meter.add(
            &[1.0, f32::NEG_INFINITY, f32::NAN],
            &[1.0, f32::NEG_INFINITY, f32::NAN],
        );
        let m = meter.measures();
        assert_eq!((m.positions, m.non_finite, m.kl_divergence), (2, 1, 0.0));
        assert_eq!((m.top1_agree, m.topk_overlap), (0.5, 1.0));
    }
}
