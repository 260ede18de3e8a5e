//! How results look. Colours are always written; the stream drops them where it is no terminal.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table, TableComponent};

use crate::finding::{Finding, Observed};
use crate::verdict::Verdict;

/// A table with these headings; the columns of `numbers` are right-aligned.
pub(super) fn table(headings: &[&str], numbers: impl IntoIterator<Item = usize>) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(headings);
    for line in [
        TableComponent::HeaderLines,
        TableComponent::MiddleHeaderIntersections,
    ] {
        table.set_style(line, '─');
    }
    for index in numbers {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A verdict in its colour.
pub(super) fn verdict(verdict: Verdict) -> String {
    let colour = match verdict {
        Verdict::Exact => 32,
        Verdict::WithinNoiseFloor | Verdict::KnownDivergence | Verdict::Skipped => 33,
        Verdict::Divergent => 31,
    };
    format!("\x1b[1;{colour}m{verdict}\x1b[0m")
}

/// Thousands apart.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    groups.join(",")
}

/// A measure in a few digits; exactly 0 and 1 stand out.
pub(super) fn measure(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        1.0 => "1".into(),
        _ if (0.001..1000.0).contains(&value.abs()) => format!("{value:.6}"),
        _ => format!("{value:.2e}"),
    }
}

/// A difference in three lines: where, what, and the command that shows it again.
pub(super) fn finding(finding: &Finding, reproduce: &str, out: &mut dyn Write) -> io::Result<()> {
    let bits = |observed: &Observed| match &observed.bits {
        Some(bits) => format!("{} (0x{bits})", observed.value),
        None => observed.value.clone(),
    };
    let truth = finding.truth.map(|truth| format!(", arbiter {truth}"));
    let (expected, actual) = (bits(&finding.expected), bits(&finding.actual));
    writeln!(
        out,
        "  {}, {}: \x1b[1m{}\x1b[0m",
        finding.subject, finding.place, finding.blame
    )?;
    writeln!(
        out,
        "    expected {expected}, got {actual}{}",
        truth.unwrap_or_default()
    )?;
    writeln!(out, "    {reproduce}")
}

/// A run of work on standard error: a bar where that is a terminal, nothing elsewhere.
pub(super) fn progress() -> indicatif::ProgressBar {
    let style = "{msg:>8} [{bar:30}] {pos}/{len} {elapsed}";
    let style =
        indicatif::ProgressStyle::with_template(style).expect("the template is well-formed");
    indicatif::ProgressBar::new(0).with_style(style.progress_chars("=> "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(
            [0, 999, 1000, 1234567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([0.0, 1.0, 0.99987].map(measure), ["0", "1", "0.999870"]);
        assert_eq!(measure(3.25e-5), "3.25e-5");
    }
}
