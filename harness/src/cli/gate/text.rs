//! Terminal output of the gate.

use std::io::{self, Write};

use super::{COLUMNS, by_reason, counts, first_few, machines};
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
    let mut headings = vec!["criterion"];
    headings.extend(COLUMNS.map(|(_, heading)| heading));
    let mut table = style::table(&headings, 1..headings.len());
    for answer in &judgement.answers {
        let counts = counts(answer).map(|n| style::count(n as u64));
        table.add_row([answer.criterion.name.to_owned()].into_iter().chain(counts));
    }
    writeln!(out, "{table}")?;
    for (criterion, point) in judgement.failures() {
        let (what, why) = (printable::line(&point.what), indented(&point.reason));
        writeln!(
            out,
            "\n{}: {}: {what}: {why}",
            bad("failed"),
            criterion.name
        )?;
        for finding in &point.findings {
            style::finding(finding, &command(&finding.reproduce), out)?;
        }
    }
    for answer in &judgement.answers {
        let name = answer.criterion.name;
        let passed = answer.of(Status::Passed);
        for point in passed.filter(|point| name == "coverage" && !point.reason.is_empty()) {
            let (what, note) = (printable::line(&point.what), printable::line(&point.reason));
            writeln!(out, "{name}: {what}: {note}")?;
        }
        for (status, heading) in [
            (Status::NotHere, format!("not here: {name}")),
            (Status::Skipped, "skipped".into()),
            (Status::Unsupported, "unsupported".into()),
        ] {
            for (reason, things) in by_reason([answer], status) {
                let (n, things) = (things.len(), first_few(&things, all));
                let (reason, things) = (printable::line(reason), printable::line(&things));
                writeln!(out, "{heading}: {reason} ({n}): {things}")?;
            }
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
