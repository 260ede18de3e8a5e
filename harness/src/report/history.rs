//! What a trend keeps of a receipt.

use std::time::SystemTime;

use crate::bench::report::Versus;
use crate::receipt::{Receipt, Section};
use crate::verdict::Verdict;

/// A receipt as a point in time.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// When its last run ended, RFC 3339.
    pub timestamp: String,
    /// What was built.
    pub commit: String,
    /// What it holds.
    pub sections: Vec<Section>,
    /// Its verdict.
    pub verdict: Verdict,
    /// Identical pairs over all pairs of its rungs, if any was climbed.
    pub exact_match_rate: Option<f64>,
    /// How fast it was.
    pub speeds: Vec<Speed>,
}

/// How fast the Rust side was against an oracle.
#[derive(Debug, Clone, PartialEq)]
pub struct Speed {
    /// The oracle.
    pub oracle: String,
    /// Of what: a bench of kernels, or a phase of a model.
    pub of: &'static str,
    /// Geometric mean over the rows of the bench of the ratio, and of both ends of its interval.
    pub ratio: [f64; 3],
}

impl Point {
    /// What is kept of a receipt.
    pub fn of(receipt: &Receipt) -> Point {
        let harness = &receipt.harness;
        let mut rows: Vec<(&'static str, &Versus)> = Vec::new();
        if let Some(bench) = &harness.bench {
            let sound = bench.report.rows.iter().filter(|row| row.doubts.is_empty());
            let all = sound.flat_map(|row| &row.oracles);
            rows.extend(all.map(|versus| ("kernels", versus)));
        }
        if let Some(bench) = &harness.bench_model {
            for row in bench.report.rows.iter().filter(|row| row.doubts.is_empty()) {
                rows.extend(row.oracles.iter().map(|versus| (row.phase.name(), versus)));
            }
        }
        Point {
            timestamp: receipt.timestamp.clone(),
            commit: harness.commit.clone(),
            sections: harness
                .sections()
                .into_iter()
                .map(|(section, _)| section)
                .collect(),
            verdict: harness.verdict,
            exact_match_rate: receipt.parity.exact_match_rate,
            speeds: speeds(&rows),
        }
    }

    /// Seconds since 1970.
    pub fn seconds(&self) -> f64 {
        let time = humantime::parse_rfc3339(&self.timestamp).unwrap_or(SystemTime::UNIX_EPOCH);
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0.0, |since| since.as_secs_f64())
    }
}

/// One figure for each oracle and each kind of row.
fn speeds(rows: &[(&'static str, &Versus)]) -> Vec<Speed> {
    let mut keys: Vec<(&str, &'static str)> = rows
        .iter()
        .map(|(of, versus)| (versus.oracle.as_str(), *of))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let speed = |(oracle, of): (&str, &'static str)| {
        let mine = || {
            rows.iter()
                .filter(move |(row, versus)| *row == of && versus.oracle == oracle)
                .map(|(_, versus)| versus.ratio)
        };
        Speed {
            oracle: oracle.into(),
            of,
            ratio: [
                geometric_mean(mine().map(|ratio| ratio.value)),
                geometric_mean(mine().map(|ratio| ratio.low)),
                geometric_mean(mine().map(|ratio| ratio.high)),
            ],
        }
    };
    keys.into_iter().map(speed).collect()
}

fn geometric_mean(ratios: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = ratios.fold((0.0, 0u32), |(sum, n), ratio| (sum + ratio.ln(), n + 1));
    (sum / f64::from(n.max(1))).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_and_half_as_fast_is_as_fast() {
        assert_eq!(geometric_mean([2.0, 0.5].into_iter()), 1.0);
        assert!((geometric_mean([8.0, 2.0].into_iter()) - 4.0).abs() < 1e-12);
    }
}
