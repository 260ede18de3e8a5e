//! Criterion: no row of a bench is slower than in the baseline.
//!
//! The criterion compares ratios to an oracle, which was timed alternately with the Rust implementation in one process.
//! A row is slower if its ratio decreased and its time increased. If only the oracle became faster, a note reports it.
//! Rows with doubts are not judged.
//!
//! The logarithm of a median ratio is assumed to be normally distributed, with the standard deviation derived from its
//! confidence interval. The comparison is then Welch's t-test: two means, two deviations, two numbers of samples.

use std::collections::{BTreeMap, BTreeSet};

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::{Case, Point, Status};
use crate::baseline::{Speed, SpeedKey};
use crate::bench::doubt;
use crate::bench::statistics::{FEWEST_SAMPLES, Median};
use crate::receipt::Environment;
use crate::tolerance::{SLOWDOWN_FALSE_ALARM, SLOWDOWN_WORTH_REPORTING};
use crate::wording::seconds;

/// A row that was timed under the same conditions for the baseline and for the receipts.
struct Pair<'a> {
    arch: &'a str,
    was: &'a Speed,
    is: &'a Speed,
    /// Probability of a loss this large if the true one is at most [`SLOWDOWN_WORTH_REPORTING`].
    p: f64,
}

pub(super) fn judge(case: &Case<'_>) -> Vec<Point> {
    let mut points = Vec::new();
    let mut pairs = Vec::new();
    for (arch, target) in &case.baseline.targets {
        let of_arch = case.now.targets.get(arch);
        let now = of_arch.into_iter().flat_map(|target| &target.speed);
        let now: BTreeMap<&SpeedKey, &Speed> = now.map(|row| (&row.key, row)).collect();
        let doubtful = || of_arch.into_iter().flat_map(|target| &target.doubtful);
        let cpus: BTreeSet<String> = case.machines(arch).map(Environment::cpu_in_full).collect();
        for was in &target.speed {
            let key = &was.key;
            let reason = match now.get(key) {
                Some(_) if !case.is_same_build(arch, &key.oracle) => {
                    "the oracle is another build".into()
                }
                Some(is) => match slower(&was.ratio, &is.ratio) {
                    Some(_) if is.seconds <= was.seconds => {
                        points.push(Point::new(key.words(), Status::Passed, moved(was, is)));
                        continue;
                    }
                    Some(p) => {
                        pairs.push(Pair { arch, was, is, p });
                        continue;
                    }
                    None => format!("fewer than {FEWEST_SAMPLES} samples"),
                },
                None if !cpus.contains(&key.cpu) => format!("other CPU than {}", key.cpu),
                None => match doubtful().find(|row| row.key == *key) {
                    Some(row) => format!("timed in doubt: {}", doubt::words(&row.doubts)),
                    None => "not timed in these receipts; use `harness bench --receipt FILE`, or `--model` for a model"
                        .into(),
                },
            };
            points.push(Point::new(key.words(), Status::NotHere, reason));
        }
    }
    points.extend(judge_pairs(pairs));
    points
}

/// Judges the pairs by Holm's procedure: the probability of any false alarm among all rows is at most
/// [`SLOWDOWN_FALSE_ALARM`].
fn judge_pairs(mut pairs: Vec<Pair<'_>>) -> Vec<Point> {
    pairs.sort_by(|a, b| {
        a.p.total_cmp(&b.p)
            .then_with(|| (a.arch, &a.was.key).cmp(&(b.arch, &b.was.key)))
    });
    let all = pairs.len();
    let mut rejecting = true;
    let mut points = Vec::new();
    for (i, pair) in pairs.iter().enumerate() {
        rejecting &= pair.p <= SLOWDOWN_FALSE_ALARM / (all - i) as f64;
        let moved = moved(pair.was, pair.is);
        let (status, note) = if rejecting {
            let slower = 100.0 * (pair.was.ratio.value / pair.is.ratio.value - 1.0);
            let p = pair.p;
            let why = format!("{slower:.1} % slower: {moved}, p = {p:.1e} of {all} rows");
            (Status::Failed, why)
        } else {
            (Status::Passed, moved)
        };
        points.push(Point::new(pair.is.key.words(), status, note));
    }
    points
}

/// The ratio and both times, now and in the baseline.
fn moved(was: &Speed, is: &Speed) -> String {
    let words = |speed: &Speed| {
        let Median {
            value, low, high, ..
        } = speed.ratio;
        let (own, oracle) = (seconds(speed.seconds), seconds(speed.oracle_seconds));
        format!("{value:.3}x [{low:.3}, {high:.3}] ({own}, oracle {oracle})")
    };
    let is_of_oracle = is.seconds <= was.seconds
        && is.oracle_seconds < was.oracle_seconds
        && is.ratio.value < was.ratio.value;
    let whose = match is_of_oracle {
        true => "; the oracle became faster, the kernel did not become slower",
        false => "",
    };
    format!("{}, was {}{whose}", words(is), words(was))
}

/// Probability of a loss at least as large as measured if the true one is at most [`SLOWDOWN_WORTH_REPORTING`]; none if
/// there are too few samples.
fn slower(was: &Median, is: &Median) -> Option<f64> {
    let (was_variance, is_variance) = (variance(was)?, variance(is)?);
    let loss = (was.value / is.value).ln() - SLOWDOWN_WORTH_REPORTING.ln_1p();
    let both = was_variance + is_variance;
    if both == 0.0 {
        return Some(if loss > 0.0 { 0.0 } else { 1.0 });
    }
    let freedom =
        |variance: f64, ratio: &Median| variance * variance / (ratio.samples as f64 - 1.0);
    let freedom = both * both / (freedom(was_variance, was) + freedom(is_variance, is));
    let distribution = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some(distribution.sf(loss / both.sqrt()))
}

/// The variance of the logarithm of a median, from the wider half of its interval.
fn variance(ratio: &Median) -> Option<f64> {
    if ratio.samples < FEWEST_SAMPLES {
        return None;
    }
    let quantile = Normal::standard().inverse_cdf(0.5 + ratio.confidence / 2.0);
    let half = (ratio.high / ratio.value).max(ratio.value / ratio.low).ln();
    Some((half / quantile).powi(2)).filter(|variance| variance.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(value: f64, half: f64, samples: usize) -> Median {
        Median {
            value,
            low: value * (1.0 - half),
            high: value * (1.0 + half),
            confidence: 0.95,
            samples,
        }
    }

    #[test]
    fn a_loss_is_significant_beyond_noise_and_threshold() {
        let was = ratio(1.2, 0.01, 30);
        let p = |value, half| slower(&was, &ratio(value, half, 30)).unwrap();
        assert!(p(1.0, 0.01) < 1e-6, "17 % slower");
        assert!(p(1.2, 0.01) > 0.9, "the same");
        assert!(p(1.4, 0.01) > 0.999, "faster");
        assert!(
            p(1.18, 0.0001) > 0.5,
            "certainly slower, but below the threshold"
        );
        assert!(p(1.0, 0.5) > 0.2, "slower, but within noise");
        let exact = ratio(1.2, 0.0, 30);
        assert_eq!(slower(&exact, &exact), Some(1.0));
        assert_eq!(slower(&exact, &ratio(1.0, 0.0, 30)), Some(0.0));
        assert_eq!(slower(&was, &ratio(0.5, 0.01, FEWEST_SAMPLES - 1)), None);
    }

    #[test]
    fn probabilities_match_tables() {
        // t = 2.0 on 18 degrees of freedom: one-sided p = 0.0304.
        let deviation = 0.02;
        let quantile = Normal::standard().inverse_cdf(0.975);
        let of = |value: f64| Median {
            value,
            low: value * (-deviation * quantile).exp(),
            high: value * (deviation * quantile).exp(),
            confidence: 0.95,
            samples: 10,
        };
        let loss = 2.0 * deviation * 2f64.sqrt() + SLOWDOWN_WORTH_REPORTING.ln_1p();
        let p = slower(&of(1.0), &of((-loss).exp())).unwrap();
        assert!((p - 0.0304).abs() < 5e-5, "{p}");
    }
}
