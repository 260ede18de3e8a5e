//! Markdown output of the gate, for the summary of a CI run.

use std::fmt::Write;

use super::{by_reason, counts, first_few, machines, plain};
use crate::gate::{Case, Judgement, Point, Status};
use crate::markdown::{self, text as escaped};

/// Maximal number of failures shown in full. The log and JUnit show all.
const SHOWN: usize = 25;

pub(super) fn of(case: &Case<'_>, judgement: &Judgement) -> String {
    let mut text = String::new();
    write_to(&mut text, case, judgement).expect("a string can be written");
    text
}

fn write_to(out: &mut String, case: &Case<'_>, judgement: &Judgement) -> std::fmt::Result {
    let failed = judgement.failures().count();
    let verdict = match failed {
        0 => "passed ✅".to_owned(),
        n => format!("failed ❌ ({n})"),
    };
    writeln!(out, "## Parity gate: {verdict}\n")?;
    writeln!(
        out,
        "{} receipts of commit `{}` on {}\n",
        case.receipts.len(),
        case.commit(),
        escaped(&machines(case))
    )?;
    writeln!(
        out,
        "| criterion | question | passed | failed | not here | skipped |"
    )?;
    writeln!(out, "|---|---|--:|--:|--:|--:|")?;
    for (name, asks, [passed, failed, not_here, skipped]) in counts(judgement) {
        writeln!(
            out,
            "| {name} | {asks} | {passed} | {failed} | {not_here} | {skipped} |"
        )?;
    }
    writeln!(out)?;
    for (criterion, point) in judgement.failures().take(SHOWN) {
        failure(out, criterion.name, point)?;
    }
    if failed > SHOWN {
        writeln!(out, "... and {} more, all in the log.\n", failed - SHOWN)?;
    }
    told(
        out,
        "Not here: these machines cannot tell",
        judgement,
        |status| match status {
            Status::NotHere(reason) => Some(reason),
            _ => None,
        },
    )?;
    told(out, "Skipped", judgement, |status| match status {
        Status::Skipped(reason) => Some(reason),
        _ => None,
    })
}

fn failure(out: &mut String, criterion: &str, point: &Point) -> std::fmt::Result {
    let Status::Failed(why) = &point.status else {
        return Ok(());
    };
    writeln!(
        out,
        "### ❌ {criterion}: {}\n\n{}\n",
        escaped(&point.what),
        escaped(why)
    )?;
    for finding in &point.findings {
        let lines = plain(finding).map_err(|_| std::fmt::Error)?;
        writeln!(out, "{}", markdown::block("text", &lines))?;
    }
    Ok(())
}

fn told(
    out: &mut String,
    heading: &str,
    judgement: &Judgement,
    reason: fn(&Status) -> Option<&String>,
) -> std::fmt::Result {
    let points = judgement.answers.iter().flat_map(|(_, points)| points);
    let printed =
        points.filter_map(|point| Some((point.what.as_str(), reason(&point.status)?.as_str())));
    let reasons = by_reason(printed);
    if reasons.is_empty() {
        return Ok(());
    }
    let all: usize = reasons.iter().map(|(_, things)| things.len()).sum();
    writeln!(out, "<details><summary>{heading} ({all})</summary>\n")?;
    for (reason, things) in reasons {
        let (n, things) = (things.len(), first_few(&things, false));
        writeln!(out, "- {} ({n}): {}", escaped(reason), escaped(&things))?;
    }
    writeln!(out, "\n</details>\n")
}
