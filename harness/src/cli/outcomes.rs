//! Prints the outcomes of a run: a table, omissions, findings and verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use super::{CliError, Output, style};
use crate::check::{CheckReport, LevelReport};
use crate::levels::Level;
use crate::measure::Measures;
use crate::outcome::{Omission, OmissionKind, Outcome};
use crate::verdict::Verdict;
use crate::wording::command;

/// Prints the table of outcomes, omissions, findings and verdicts. Unless the output is verbose, kernels of one type
/// that agree share a row, and omissions with the same reason share a line.
///
/// # Errors
///
/// [`CliError::Output`].
pub(super) fn print(
    check: &CheckReport,
    omitted: &[Omission],
    out: &mut Output<'_>,
) -> Result<(), CliError> {
    let verbose = out.is_verbose();
    print_text(check, omitted, verbose, out.text())?;
    let verdict = style::verdict(check.verdict);
    writeln!(out.verdict(), "{:>8}: {verdict}", "verdict")?;
    for outcome in check.outcomes().filter(|o| o.verdict == Verdict::Divergent) {
        annotate(outcome, out);
    }
    Ok(())
}

/// Prints a line for each omission.
///
/// # Errors
///
/// [`CliError::Output`].
pub(super) fn print_omitted<'o>(
    omitted: impl IntoIterator<Item = &'o Omission>,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    for omission in omitted {
        writeln!(out, "{}: {omission}", omission.kind)?;
    }
    Ok(())
}

/// Records why a check ends without agreement although nothing differs: each level that compared nothing or was not
/// completed, with its distinct reasons.
pub(super) fn record_omissions(check: &CheckReport, out: &mut Output<'_>) {
    let omitted = check
        .outcomes()
        .filter(|outcome| outcome.verdict.is_omission());
    let reasons: BTreeSet<String> = omitted
        .filter_map(|outcome| outcome.omitted.as_ref())
        .map(ToString::to_string)
        .collect();
    for reason in reasons {
        out.nothing_compared(reason);
    }
    if let Some(fault) = &check.input_fault {
        out.nothing_compared(fault);
    }
}

fn annotate(outcome: &Outcome, out: &mut Output<'_>) {
    let Outcome {
        level,
        candidate,
        reference,
        findings,
        ..
    } = outcome;
    let first = findings.first().map(|finding| {
        let cause = finding.cause.as_ref();
        let cause = cause.map(|cause| format!("; cause: {cause}"));
        let cause = cause.unwrap_or_default();
        format!(
            "{}, {}{cause}\n{}",
            finding.subject,
            finding.place,
            command(&finding.reproduce)
        )
    });
    out.annotate(
        format_args!("{level}: {candidate} against {reference} differs"),
        first.unwrap_or_default(),
    );
}

fn print_text(
    check: &CheckReport,
    omitted: &[Omission],
    verbose: bool,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let outcomes: Vec<&Outcome> = check.outcomes().collect();
    print_table(&outcomes, verbose, out)?;
    print_omitted(omitted, out)?;
    print_omissions(&outcomes, verbose, out)?;
    if let Some(fault) = &check.input_fault {
        writeln!(
            out,
            "input: {fault}; no result that is computed from it can be right"
        )?;
    }
    for outcome in &outcomes {
        print_findings(outcome, out)?;
    }
    for outcome in outcomes
        .iter()
        .filter(|o| o.verdict == Verdict::KnownDivergence)
    {
        let seen = style::count(outcome.measures.mismatches);
        writeln!(
            out,
            "known divergence: {} is wrong in {seen} dots, as {} says, which still reproduces",
            outcome.reference, outcome.candidate
        )?;
    }
    for outcome in &outcomes {
        if let Some(logits) = &outcome.logits {
            style::logits(outcome, logits, out)?;
        }
    }
    for report in &check.levels {
        let verdict = style::verdict(report.verdict);
        let compared = style::count(report.measures.comparisons);
        let exact = exact_with(report);
        writeln!(
            out,
            "{:>8}: {verdict} ({compared} comparisons{exact})",
            report.level
        )?;
    }
    Ok(())
}

/// The oracles to which the candidates of a level are identical, if the verdict of the level does not imply it.
fn exact_with(report: &LevelReport) -> String {
    let held = || {
        report
            .outcomes
            .iter()
            .filter(|outcome| outcome.held_to_identity())
    };
    let exact = |reference: &&str| {
        held()
            .filter(|o| o.reference == **reference && !o.verdict.is_omission())
            .all(|o| o.verdict == Verdict::Exact)
    };
    let references: BTreeSet<&str> = held()
        .filter(|outcome| outcome.verdict == Verdict::Exact)
        .map(|outcome| outcome.reference.as_str())
        .collect();
    let references: Vec<&str> = references.into_iter().filter(exact).collect();
    match report.verdict {
        Verdict::WithinNoiseFloor if !references.is_empty() => {
            format!("; exact with {}", references.join(", "))
        }
        _ => String::new(),
    }
}

/// Outcomes that share a row.
struct Row<'a> {
    outcome: &'a Outcome,
    candidates: BTreeSet<&'a str>,
    measures: Measures,
}

fn print_table(outcomes: &[&Outcome], verbose: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let headings = [
        "level",
        "candidate",
        "reference",
        "verdict",
        "compared",
        "differ",
        "cosine",
        "nmse",
        "max ulp",
    ];
    let mut rows: Vec<Row<'_>> = Vec::new();
    for &outcome in outcomes {
        let is_printed =
            verbose || !outcome.verdict.is_omission() || Level::OF_MODELS.contains(&outcome.level);
        if !is_printed {
            continue;
        }
        let joined = rows
            .iter_mut()
            .find(|row| !verbose && share_a_row(row.outcome, outcome));
        match joined {
            Some(row) => {
                row.candidates.insert(&outcome.candidate);
                row.measures = row.measures.worst(outcome.measures);
            }
            None => rows.push(Row {
                outcome,
                candidates: [outcome.candidate.as_str()].into(),
                measures: outcome.measures,
            }),
        }
    }
    let mut table = style::table(&headings, 4..9);
    for row in rows {
        let Row {
            outcome,
            candidates,
            measures,
        } = row;
        let candidate = match (candidates.len(), family(outcome)) {
            (2.., Some(family)) => format!("{family}: {} kernels", candidates.len()),
            _ => outcome.candidate.clone(),
        };
        let mut cells = vec![
            outcome.level.name().to_owned(),
            candidate,
            outcome.reference.clone(),
            outcome.verdict.name().to_owned(),
        ];
        cells.extend(match measures.comparisons {
            0 => ["-"; 5].map(String::from),
            n => [
                style::count(n),
                style::count(measures.mismatches),
                style::or_dash(measures.cosine_similarity, style::measure),
                style::or_dash(measures.nmse, style::measure),
                style::or_dash(measures.max_ulp, style::count),
            ],
        });
        table.add_row(cells);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

/// Whether both are kernels of one type that agree with the same oracle on the same level with the same verdict.
fn share_a_row(a: &Outcome, b: &Outcome) -> bool {
    let key = |outcome: &Outcome| {
        let Outcome {
            level,
            verdict,
            reference,
            ..
        } = outcome;
        (
            *level,
            *verdict,
            reference.clone(),
            family(outcome).map(String::from),
        )
    };
    let agrees = matches!(a.verdict, Verdict::Exact | Verdict::WithinNoiseFloor);
    agrees && family(a).is_some() && key(a) == key(b)
}

/// The type of a kernel: the id of its format without the layout.
fn family(outcome: &Outcome) -> Option<&str> {
    let format = outcome.format.as_deref()?;
    Some(format.split_once('.').map_or(format, |(family, _)| family))
}

/// Prints a line for each reason with the number of candidates that it concerns.
fn print_omissions(
    outcomes: &[&Outcome],
    verbose: bool,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    // Whom a reason concerns, on which levels, and whether all of them did a part.
    type Concerned<'a> = (BTreeSet<&'a str>, BTreeSet<Level>, bool);
    let mut reasons: BTreeMap<(OmissionKind, &str), Concerned<'_>> = BTreeMap::new();
    for outcome in outcomes {
        if let Some(Omission { kind, who, reason }) = &outcome.omitted {
            let nobody = || (BTreeSet::new(), BTreeSet::new(), true);
            let (concerned, levels, in_part) =
                reasons.entry((*kind, reason)).or_insert_with(nobody);
            concerned.extend(who.as_deref());
            levels.insert(outcome.level);
            *in_part &= !outcome.verdict.is_omission();
        }
    }
    for ((kind, reason), (concerned, levels, in_part)) in reasons {
        let levels: Vec<&str> = levels.into_iter().map(Level::name).collect();
        let concerned: Vec<&str> = concerned.into_iter().collect();
        let of = match concerned.as_slice() {
            [] => String::new(),
            [one] => format!("{one}: "),
            several => format!("{} kernels: ", several.len()),
        };
        let in_part = if in_part { ", in part" } else { "" };
        writeln!(out, "{kind}: {of}{reason} ({}{in_part})", levels.join(", "))?;
        if verbose && concerned.len() > 1 {
            writeln!(out, "  {}", concerned.join(", "))?;
        }
    }
    Ok(())
}

fn print_findings(outcome: &Outcome, out: &mut dyn Write) -> Result<(), CliError> {
    if outcome.verdict != Verdict::Divergent {
        return Ok(());
    }
    let Outcome {
        level,
        candidate,
        reference,
        measures,
        findings,
        lost,
        ..
    } = outcome;
    let lost = match lost.as_slice() {
        [] => String::new(),
        ids => format!("; lost: {}", ids.join(", ")),
    };
    writeln!(
        out,
        "\n{level}: {candidate} against {reference}: {} of {} differ{lost}",
        style::count(measures.mismatches),
        style::count(measures.comparisons)
    )?;
    for finding in findings {
        style::finding(finding, &command(&finding.reproduce), out)?;
    }
    Ok(())
}
