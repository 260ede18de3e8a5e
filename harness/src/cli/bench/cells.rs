//! What the cells of bench tables show.

use crate::bench::report::{Roof, Roofs, Versus};
use crate::bench::statistics::Median;

/// The columns that every bench table ends with: the oracles, the roofs and the gain of threads.
pub(super) struct Comparisons<'r>(Vec<&'r str>);

impl<'r> Comparisons<'r> {
    /// With these oracles.
    pub(super) fn with(oracles: &'r [String]) -> Comparisons<'r> {
        Comparisons(oracles.iter().map(String::as_str).collect())
    }

    /// The headings, after those of the table's own columns.
    pub(super) fn headings(&self, own: &[&'r str]) -> Vec<&'r str> {
        [own, &self.0, &["of the roof", "to 1 thread"]].concat()
    }

    /// The cells of a row, after its own.
    pub(super) fn cells(
        &self,
        mut own: Vec<String>,
        versus_all: &[Versus],
        roofs: &Roofs,
        gain: Option<(f64, f64)>,
    ) -> Vec<String> {
        own.extend(self.0.iter().map(|oracle| versus(versus_all, oracle)));
        own.extend([roof(roofs), scaling(gain)]);
        own
    }
}

/// The ratio to an oracle, with its interval.
fn versus(all: &[Versus], oracle: &str) -> String {
    let versus = all.iter().find(|versus| versus.oracle == oracle);
    versus.map_or("-".into(), |versus| {
        let Median {
            value, low, high, ..
        } = versus.ratio;
        format!("{value:.2}x [{low:.2}, {high:.2}]")
    })
}

/// The share of the lower roof.
fn roof(roofs: &Roofs) -> String {
    let (roof, share) = roofs.nearest();
    let name = match roof {
        Roof::Read => "read",
        Roof::MultiplyAdd => "multiply-add",
    };
    format!("{:.0} % {name}", 100.0 * share.value)
}

/// What more threads gain: the row, and reading alone.
fn scaling(scaling: Option<(f64, f64)>) -> String {
    scaling.map_or("-".into(), |(own, read)| {
        format!("{own:.2}x (read {read:.2}x)")
    })
}

/// A time in three digits.
pub(super) fn seconds(value: f64) -> String {
    let (scaled, unit) = match value {
        _ if value < 1e-6 => (value * 1e9, "ns"),
        _ if value < 1e-3 => (value * 1e6, "µs"),
        _ if value < 1.0 => (value * 1e3, "ms"),
        _ => (value, "s"),
    };
    let digits = match scaled {
        _ if scaled < 9.995 => 2,
        _ if scaled < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_easy_to_read() {
        let times = [2.5e-7, 4.2e-5, 1.234e-4, 0.00999, 0.0999, 1.5].map(seconds);
        assert_eq!(
            times,
            [
                "250 ns", "42.0 µs", "123 µs", "9.99 ms", "99.9 ms", "1.50 s"
            ]
        );
    }
}
