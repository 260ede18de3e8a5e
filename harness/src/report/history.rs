//! The data of a receipt that the trend shows.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::bench::statistics::Median;
use crate::bench::timing::Versus;
use crate::receipt::{Receipt, Section};
use crate::verdict::Verdict;

/// A point of the trend: one receipt.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// End of the last run (RFC 3339).
    pub timestamp: String,
    /// Commit of the sources.
    pub commit: String,
    /// Sections of the receipt.
    pub sections: Vec<Section>,
    /// Verdict of the receipt.
    pub verdict: Verdict,
    /// Fraction of identical values, if values were compared.
    pub exact_match_rate: Option<f64>,
    /// Speed against each oracle.
    pub speeds: Vec<Speed>,
}

/// Speed of the Rust implementation relative to an oracle.
#[derive(Debug, Clone, PartialEq)]
pub struct Speed {
    /// Id of the oracle.
    pub oracle: String,
    /// Name of the kind of rows: `kernels`, or a phase of a model.
    pub of: &'static str,
    /// Geometric means of the ratio, of the lower end and of the upper end of its interval, over the rows of the bench.
    pub ratio: [f64; 3],
}

impl Point {
    /// Extracts the data of a receipt. Rows with doubts are omitted.
    pub fn of(receipt: &Receipt) -> Point {
        let harness = &receipt.harness;
        let rows = harness.benches().flat_map(|bench| &bench.report.rows);
        let sound = rows.filter(|row| row.doubts.is_empty());
        let rows = sound.flat_map(|row| row.oracles.iter().map(|versus| (row.kind(), versus)));
        Point {
            timestamp: receipt.timestamp.clone(),
            commit: harness.commit.clone(),
            sections: harness.sections().map(|(section, _)| section).collect(),
            verdict: harness.verdict,
            exact_match_rate: receipt.parity.exact_match_rate,
            speeds: speeds(rows),
        }
    }

    /// The timestamp in seconds since 1970.
    pub fn seconds(&self) -> f64 {
        let time = humantime::parse_rfc3339(&self.timestamp).unwrap_or(SystemTime::UNIX_EPOCH);
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0.0, |since| since.as_secs_f64())
    }
}

/// The speed for each oracle and each kind of rows.
fn speeds<'r>(rows: impl Iterator<Item = (&'static str, &'r Versus)>) -> Vec<Speed> {
    let mut ratios: BTreeMap<(&str, &'static str), Vec<Median>> = BTreeMap::new();
    for (of, versus) in rows {
        ratios
            .entry((&versus.oracle, of))
            .or_default()
            .push(versus.ratio);
    }
    let speeds = ratios.into_iter().map(|((oracle, of), ratios)| {
        let mean = |end: fn(&Median) -> f64| geometric_mean(ratios.iter().map(end));
        let ratio = [
            mean(|ratio| ratio.value),
            mean(|ratio| ratio.low),
            mean(|ratio| ratio.high),
        ];
        let oracle = oracle.into();
        Speed { oracle, of, ratio }
    });
    speeds.collect()
}

fn geometric_mean(ratios: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = ratios.fold((0.0, 0u32), |(sum, n), ratio| (sum + ratio.ln(), n + 1));
    (sum / f64::from(n.max(1))).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometric_means_are_those_of_ratios() {
        assert_eq!(geometric_mean([2.0, 0.5].into_iter()), 1.0);
        assert!((geometric_mean([8.0, 2.0].into_iter()) - 4.0).abs() < 1e-12);
    }
}
