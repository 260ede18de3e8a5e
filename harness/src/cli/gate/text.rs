//! Terminal output of the gate.

use std::io::{self, Write};

use super::{by_reason, counts, first_few, machines};
use crate::cli::style;
use crate::cli::terminal::{bad, good, indented};
use crate::gate::{Case, Judgement, Status};
use crate::printable;
use crate::wording::command;

/// Prints everything except the verdict. Names that share a reason are shown all or in part.
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
            "\n{}: {}: {}: {}",
            bad("failed"),
            criterion.name,
            printable::line(&point.what),
            indented(why)
        )?;
        for finding in &point.findings {
            style::finding(finding, &command(&finding.reproduce), out)?;
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
            let what = printable::line(&point.what);
            writeln!(out, "{}: {what}: {}", criterion.name, printable::line(note))?;
        }
        let not_here = points.iter().filter_map(|point| match &point.status {
            Status::NotHere(reason) => Some((point.what.as_str(), reason.as_str())),
            _ => None,
        });
        for (reason, things) in by_reason(not_here) {
            let (n, things) = (things.len(), first_few(&things, all));
            writeln!(
                out,
                "not here: {}: {} ({n}): {}",
                criterion.name,
                printable::line(reason),
                printable::line(&things)
            )?;
        }
        let skipped = points.iter().filter_map(|point| match &point.status {
            Status::Skipped(reason) => Some((point.what.as_str(), reason.as_str())),
            _ => None,
        });
        for (reason, things) in by_reason(skipped) {
            let (n, things) = (things.len(), first_few(&things, all));
            let (reason, things) = (printable::line(reason), printable::line(&things));
            writeln!(out, "skipped: {reason} ({n}): {things}")?;
        }
    }
    let receipts = case.receipts.len();
    let plural = if receipts == 1 { "" } else { "s" };
    writeln!(
        out,
        "{receipts} receipt{plural} of commit {} on {}",
        case.commit(),
        printable::line(&machines(case))
    )
}

pub(super) fn verdict(judgement: &Judgement, out: &mut dyn Write) -> io::Result<()> {
    let failed = judgement.failures().count();
    match failed {
        0 => writeln!(out, "gate: {}", good("passed")),
        n => writeln!(out, "gate: {}, {n} of its points", bad("failed")),
    }
}
