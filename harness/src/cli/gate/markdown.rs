//! Markdown output of the gate, for the summary of a CI run.

use std::fmt::Write;

use super::{COLUMNS, by_reason, counts, first_few, machines, plain};
use crate::gate::{Case, Judgement, Status};
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
    let (receipts, machines) = (case.receipts.len(), machines(case));
    let (commit, machines) = (case.commit(), escaped(&machines));
    writeln!(
        out,
        "{receipts} receipts of commit `{commit}` on {machines}\n"
    )?;
    let headings = COLUMNS.map(|(_, heading)| heading).join(" | ");
    writeln!(out, "| criterion | question | {headings} |")?;
    writeln!(out, "|---|---|{}", "--:|".repeat(COLUMNS.len()))?;
    for answer in &judgement.answers {
        let counts = counts(answer).map(|n| n.to_string()).join(" | ");
        let (name, asks) = (answer.criterion.name, answer.criterion.question);
        writeln!(out, "| {name} | {asks} | {counts} |")?;
    }
    writeln!(out)?;
    for (criterion, point) in judgement.failures().take(SHOWN) {
        let (what, why) = (escaped(&point.what), escaped(&point.reason));
        writeln!(out, "### ❌ {}: {what}\n\n{why}\n", criterion.name)?;
        for finding in &point.findings {
            let lines = plain(finding).map_err(|_| std::fmt::Error)?;
            writeln!(out, "{}", markdown::block("text", &lines))?;
        }
    }
    if failed > SHOWN {
        writeln!(out, "... and {} more, all in the log.\n", failed - SHOWN)?;
    }
    for (heading, status) in [
        ("Not here: these machines cannot tell", Status::NotHere),
        ("Skipped", Status::Skipped),
        ("Unsupported", Status::Unsupported),
    ] {
        let reasons = by_reason(&judgement.answers, status);
        if reasons.is_empty() {
            continue;
        }
        let all: usize = reasons.iter().map(|(_, things)| things.len()).sum();
        writeln!(out, "<details><summary>{heading} ({all})</summary>\n")?;
        for (reason, things) in reasons {
            let (n, things) = (things.len(), first_few(&things, false));
            writeln!(out, "- {} ({n}): {}", escaped(reason), escaped(&things))?;
        }
        writeln!(out, "\n</details>\n")?;
    }
    Ok(())
}
