//! The judgement for people at a terminal.

use std::io::{self, Write};

use super::{by_reason, counts, first_few, machines};
use crate::cli::style;
use crate::gate::{Case, Judgement, Status};

/// Prints everything but the verdict; of things that share a reason all, or the first few.
pub(super) fn write(
    case: &Case<'_>,
    judgement: &Judgement,
    all: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = style::table(
        &["criterion", "passed", "failed", "not here", "skipped"],
        1..5,
    );
    for (name, _, counts) in counts(judgement) {
        let counts = counts.map(|n| style::count(n as u64));
        table.add_row(std::iter::once(name.to_owned()).chain(counts));
    }
    writeln!(out, "{table}")?;
    for (criterion, point) in judgement.failures() {
        let Status::Failed(why) = &point.status else {
            continue;
        };
        writeln!(
            out,
            "\n\x1b[1;31mfailed\x1b[0m: {}: {}: {why}",
            criterion.name, point.what
        )?;
        for finding in &point.findings {
            style::finding(finding, &finding.reproduce, out)?;
        }
    }
    for (criterion, points) in &judgement.answers {
        let passed = points.iter().filter_map(|point| match &point.status {
            Status::Passed(note) if criterion.name == "coverage" && !note.is_empty() => {
                Some((point, note))
            }
            _ => None,
        });
        for (point, note) in passed {
            writeln!(out, "{}: {}: {note}", criterion.name, point.what)?;
        }
        let not_here = points.iter().filter_map(|point| match &point.status {
            Status::NotHere(reason) => Some((point.what.as_str(), reason.as_str())),
            _ => None,
        });
        for (reason, things) in by_reason(not_here) {
            let (n, things) = (things.len(), first_few(&things, all));
            writeln!(
                out,
                "not here: {}: {reason} ({n}): {things}",
                criterion.name
            )?;
        }
        let skipped = points.iter().filter_map(|point| match &point.status {
            Status::Skipped(reason) => Some((point.what.as_str(), reason.as_str())),
            _ => None,
        });
        for (reason, things) in by_reason(skipped) {
            let (n, things) = (things.len(), first_few(&things, all));
            writeln!(out, "skipped: {reason} ({n}): {things}")?;
        }
    }
    let receipts = case.receipts.len();
    let plural = if receipts == 1 { "" } else { "s" };
    writeln!(
        out,
        "{receipts} receipt{plural} of commit {} on {}",
        case.commit(),
        machines(case)
    )
}

pub(super) fn verdict(judgement: &Judgement, out: &mut dyn Write) -> io::Result<()> {
    let failed = judgement.failures().count();
    match failed {
        0 => writeln!(out, "gate: \x1b[1;32mpassed\x1b[0m"),
        n => writeln!(out, "gate: \x1b[1;31mfailed\x1b[0m, {n} of its points"),
    }
}
