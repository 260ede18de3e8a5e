//! Reasons why the times of a row are unreliable.
//!
//! Doubts are derived from the figures here and nowhere else. A row with doubts is shown with them and stays in the
//! receipt. It is left out of baselines, of the gate and of trends.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::report::{OPTIMIZED, Row};
use super::statistics::Median;
use super::timing::{CallCost, Versus};

/// Largest ratio of the upper to the lower end of a useful interval.
pub const WIDEST_INTERVAL: f64 = 1.5;

/// Largest fraction of a call's time that its fixed cost may take.
pub const LARGEST_CALL_SHARE: f64 = 0.5;

/// A reason why the times of a row are unreliable.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Overflow checks and debug assertions slow the Rust implementation down.
    CheckedBuild,
    /// Measured with `--quick`.
    Quick,
    /// More threads than the machine can run at once, so they wait for each other.
    ThreadsBeyondCores,
    /// Faster than a roof. Something disturbed the measurement of one of both.
    AboveRoof,
    /// The upper end of an interval is more than [`WIDEST_INTERVAL`] times the lower one.
    WideInterval,
    /// Starting and joining threads takes at least [`LARGEST_CALL_SHARE`] of an implementation's time.
    CallOverhead,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::CheckedBuild => f.write_str("checked build"),
            Doubt::Quick => f.write_str("quick"),
            Doubt::ThreadsBeyondCores => f.write_str("more threads than cores"),
            Doubt::AboveRoof => f.write_str("above a roof"),
            Doubt::WideInterval => write!(f, "interval wider than {WIDEST_INTERVAL}x"),
            Doubt::CallOverhead => f.write_str("mostly overhead of calls"),
        }
    }
}

/// Conditions that apply to all rows of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// Whether the run used `--quick`.
    pub quick: bool,
    /// Number of threads that the machine can run at once.
    pub cores: usize,
}

/// Descriptions of the doubts, separated by commas.
pub fn words(doubts: &[Doubt]) -> String {
    let words: Vec<String> = doubts.iter().map(ToString::to_string).collect();
    words.join(", ")
}

/// The doubts about a row of a report with these costs of calls.
pub(super) fn of_row(
    row: &Row,
    build: &str,
    costs: &[CallCost],
    conditions: Conditions,
) -> Vec<Doubt> {
    let is_wide = |median: &Median| median.high > WIDEST_INTERVAL * median.low;
    let is_wide_against = |versus: &Versus| is_wide(&versus.ratio) || is_wide(&versus.time.seconds);
    let wide = is_wide(&row.time.seconds) || row.oracles.iter().any(is_wide_against);
    let (_, share) = row.roofs.nearest();
    let all = [
        (Doubt::CheckedBuild, build != OPTIMIZED),
        (Doubt::Quick, conditions.quick),
        (Doubt::ThreadsBeyondCores, row.threads > conditions.cores),
        (Doubt::AboveRoof, share.value > 1.0),
        (Doubt::WideInterval, wide),
        (Doubt::CallOverhead, is_overhead(row, costs)),
    ];
    all.into_iter()
        .filter_map(|(doubt, holds)| holds.then_some(doubt))
        .collect()
}

/// Whether the fixed cost of a call is a large part of an implementation's time.
fn is_overhead(row: &Row, costs: &[CallCost]) -> bool {
    let mut here = costs.iter().filter(|cost| cost.threads == row.threads);
    here.any(|cost| {
        // The cost of the Rust implementation is the one whose id is no oracle's.
        let is_rust = costs
            .first()
            .is_some_and(|rust| rust.implementation == cost.implementation);
        let time = match row.against(&cost.implementation) {
            Some(versus) => &versus.time,
            None if is_rust => &row.time,
            None => return false,
        };
        cost.seconds.value >= LARGEST_CALL_SHARE * time.seconds.value
    })
}
