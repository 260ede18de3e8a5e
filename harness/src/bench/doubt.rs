//! Why the times of a row cannot be relied on.
//!
//! Doubts follow from figures, in this one place. A row in doubt is shown with them, and kept in the receipt, but it is no
//! part of a baseline, the gate does not judge it, and no trend has its ratio.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::report::ModelRow;
use super::report::{CallCost, OPTIMIZED, Roofs, Row, Timing, Versus};
use super::statistics::Median;

/// The widest interval that says something: its upper end over its lower one.
pub const WIDEST_INTERVAL: f64 = 1.5;

/// The largest share of a call's time that its fixed cost may be.
pub const LARGEST_CALL_SHARE: f64 = 0.5;

/// A reason not to rely on the times of a row.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Overflow checks and debug assertions slow the Rust side down.
    CheckedBuild,
    /// Measured with `--quick`.
    Quick,
    /// More threads than the machine can run at once: they wait for each other.
    ThreadsBeyondCores,
    /// Faster than reading the weights, or than multiplying, alone: something disturbed the measurement of either.
    AboveRoof,
    /// The upper end of an interval is more than [`WIDEST_INTERVAL`] times the lower one.
    WideInterval,
    /// Starting and joining threads takes [`LARGEST_CALL_SHARE`] of the time of a side, or more.
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

/// Doubts in words, separated by commas.
pub fn words(doubts: &[Doubt]) -> String {
    let words: Vec<String> = doubts.iter().map(ToString::to_string).collect();
    words.join(", ")
}

/// What holds for all rows of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// Whether it was a run with `--quick`.
    pub quick: bool,
    /// Threads that the machine can run at once.
    pub cores: usize,
}

/// The doubts about a row of a bench of kernels.
pub(super) fn of_kernel(
    row: &Row,
    build: &str,
    costs: &[CallCost],
    conditions: Conditions,
) -> Vec<Doubt> {
    let oracle = |cost: &&CallCost| row.oracles.iter().find(|v| v.oracle == cost.side);
    let here = costs.iter().filter(|cost| cost.threads == row.threads);
    let overhead = here.into_iter().any(|cost| {
        // The Rust side has the only cost that no oracle has.
        let is_rust = costs.first().is_some_and(|rust| rust.side == cost.side);
        let time = match oracle(&cost) {
            Some(versus) => &versus.time,
            None if is_rust => &row.time,
            None => return false,
        };
        cost.seconds.value >= LARGEST_CALL_SHARE * time.seconds.value
    });
    let mut doubts = of_row(
        build,
        row.threads,
        &row.time,
        &row.oracles,
        &row.roofs,
        conditions,
    );
    doubts.extend(overhead.then_some(Doubt::CallOverhead));
    doubts
}

/// The doubts about a row of a bench of a model. A call runs a whole model, beside which its fixed cost is nothing.
pub(super) fn of_model(row: &ModelRow, build: &str, conditions: Conditions) -> Vec<Doubt> {
    of_row(
        build,
        row.threads,
        &row.time,
        &row.oracles,
        &row.roofs,
        conditions,
    )
}

fn of_row(
    build: &str,
    threads: usize,
    time: &Timing,
    oracles: &[Versus],
    roofs: &Roofs,
    conditions: Conditions,
) -> Vec<Doubt> {
    let is_wide = |median: &Median| median.high > WIDEST_INTERVAL * median.low;
    let wide = is_wide(&time.seconds)
        || oracles
            .iter()
            .any(|versus| is_wide(&versus.ratio) || is_wide(&versus.time.seconds));
    let (_, share) = roofs.nearest();
    let all = [
        (Doubt::CheckedBuild, build != OPTIMIZED),
        (Doubt::Quick, conditions.quick),
        (Doubt::ThreadsBeyondCores, threads > conditions.cores),
        (Doubt::AboveRoof, share.value > 1.0),
        (Doubt::WideInterval, wide),
    ];
    all.into_iter()
        .filter_map(|(doubt, holds)| holds.then_some(doubt))
        .collect()
}
