//! The cells of bench tables.

use crate::bench::doubt::{self, Doubt};
use crate::bench::report::{Roofs, Versus};
use crate::wording::{percent, ratio};

/// The last columns of every bench table: oracles, roofs and speed-up by threads.
pub(super) struct Comparisons<'r>(Vec<&'r str>);

impl<'r> Comparisons<'r> {
    /// Columns for these oracles.
    pub(super) fn with(oracles: &'r [String]) -> Comparisons<'r> {
        Comparisons(oracles.iter().map(String::as_str).collect())
    }

    /// The table's own headings followed by these columns' headings.
    pub(super) fn headings(&self, own: &[&'r str]) -> Vec<&'r str> {
        [own, &self.0, &["of the roof", "to 1 thread", "in doubt"]].concat()
    }

    /// The row's own cells followed by the cells of these columns.
    pub(super) fn cells(
        &self,
        mut own: Vec<String>,
        versus_all: &[Versus],
        roofs: &Roofs,
        gain: Option<(f64, f64)>,
        doubts: &[Doubt],
    ) -> Vec<String> {
        own.extend(self.0.iter().map(|oracle| versus(versus_all, oracle)));
        own.extend([roof(roofs), scaling(gain), doubt::words(doubts)]);
        own
    }
}

/// The ratio to an oracle with its confidence interval.
fn versus(all: &[Versus], oracle: &str) -> String {
    let versus = all.iter().find(|versus| versus.oracle == oracle);
    versus.map_or("-".into(), |versus| ratio(&versus.ratio))
}

/// The fraction of the tighter roof.
fn roof(roofs: &Roofs) -> String {
    let (roof, share) = roofs.nearest();
    format!("{} {}", percent(share.value), roof.name())
}

/// The speed-up by threads: of the row, and of reading alone.
fn scaling(scaling: Option<(f64, f64)>) -> String {
    scaling.map_or("-".into(), |(own, read)| {
        format!("{own:.2}x (read {read:.2}x)")
    })
}
