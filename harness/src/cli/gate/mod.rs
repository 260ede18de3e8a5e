//! `harness gate`: judges receipts for CI.

mod junit;
mod markdown;
mod text;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::terminal::plain as plain_text;
use super::{CliError, Output, receipts, style};
use crate::baseline::Baseline;
use crate::destination::Destinations;
use crate::existing::Existing;
use crate::exit::Exit;
use crate::finding::Finding;
use crate::gate::{Answer, Case, Point, Status, judge};
use crate::wording::command;

/// Judge receipts: verdicts, kernels that did not run, coverage lost and slowdowns against a baseline
///
/// Every receipt is verified first. An invalid receipt or baseline is an error (exit code 3). Several receipts are
/// combined: they may be of different commands, models and machines, but must be of one commit. The gate fails (exit
/// code 1) on a divergence, a mutant that survives, a known divergence that no longer reproduces, a run that compared
/// nothing, a missing shard, and an entry of the baseline that the receipts lack. Entries that their machines cannot
/// run are reported and do not fail. A row counts as slower if its ratio to the oracle, measured in the same run and on
/// the same CPU as in the baseline, got worse by more than chance and by more than 3 %.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness gate check.json fuzz.json mutants.json
  harness gate receipts/ --markdown \"$GITHUB_STEP_SUMMARY\" --junit gate.xml
  unzip -p artifact.zip check.json | harness gate - --baseline reports/baseline.json")]
pub(super) struct GateArgs {
    /// Receipts, folders of receipts, or `-` for standard input
    #[arg(required = true, value_name = "RECEIPT")]
    receipts: Vec<PathBuf>,
    /// Baseline that the receipts must cover
    #[arg(long, value_name = "FILE", default_value = "reports/baseline.json")]
    baseline: PathBuf,
    /// Append the judgement as Markdown to this file
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write the judgement as JUnit XML to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(super) fn run(args: &GateArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let inputs = receipts::files(&args.receipts)?.into_iter();
    let mut destinations = Destinations::of_reading(inputs.chain([args.baseline.clone()]));
    let mut claim = |path: &Option<PathBuf>, existing| {
        let path = path.as_ref();
        path.map(|path| destinations.claim(path, existing))
            .transpose()
    };
    let junit = claim(&args.junit, Existing::Replace)?;
    // The steps of a CI run append to a common summary file.
    let markdown = claim(&args.markdown, Existing::Append)?;
    out.share(&destinations)?;
    let baseline = Baseline::read(&args.baseline)?;
    let receipts = receipts::read_all(&args.receipts)?;
    let case =
        Case::new(&baseline, &receipts).map_err(|error| CliError::Setup(error.to_string()))?;
    let judgement = judge(&case);
    if let Some(destination) = junit {
        let mut xml = Vec::new();
        junit::write(&judgement, &mut xml)?;
        destination.write_text(&String::from_utf8_lossy(&xml))?;
    }
    if let Some(destination) = markdown {
        destination.write_text(&markdown::of(&case, &judgement))?;
    }
    let detail = out.is_verbose();
    text::write(&case, &judgement, detail, out.text())?;
    text::verdict(&judgement, out.verdict())?;
    out.document(|| GateResult {
        passed: judgement.is_passed(),
        receipts: case.receipts.len(),
        commit: case.commit(),
        machines: machines(&case),
        criteria: &judgement.answers,
    })?;
    for (criterion, Point { what, reason, .. }) in judgement.failures() {
        out.annotate(format_args!("gate: {}: {what}", criterion.name), reason);
    }
    Ok(Exit::from(&judgement))
}

/// A short description of the machines.
fn machines(case: &Case<'_>) -> String {
    let archs = case.now.targets.keys();
    let machines = archs.flat_map(|arch| {
        let machines = case.machines(arch);
        machines.map(move |machine| format!("{} ({arch})", machine.cpu_in_full()))
    });
    let machines: Vec<String> = machines.collect::<BTreeSet<_>>().into_iter().collect();
    machines.join(", ")
}

/// Groups the points with a status by reason: the reason and the names of its points.
fn by_reason<'a>(
    answers: impl IntoIterator<Item = &'a Answer>,
    status: Status,
) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for Point { what, reason, .. } in answers.into_iter().flat_map(|answer| answer.of(status)) {
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, things)) => things.push(what),
            None => reasons.push((reason, vec![what])),
        }
    }
    reasons
}

/// Number of names shown before the rest is counted.
const SHOWN: usize = 4;

/// The first names, or all of them.
fn first_few(things: &[&str], all: bool) -> String {
    let most = if all { things.len() } else { SHOWN };
    let shown = things[..things.len().min(most)].join("; ");
    match things.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// A finding as plain text.
fn plain(finding: &Finding) -> io::Result<String> {
    let mut lines = Vec::new();
    style::finding(finding, &command(&finding.reproduce), &mut lines)?;
    let lines = String::from_utf8_lossy(&lines);
    Ok(plain_text(&lines))
}

/// The statuses, in the order of the columns of tables, with their headings.
const COLUMNS: [(Status, &str); 5] = [
    (Status::Passed, "passed"),
    (Status::Failed, "failed"),
    (Status::NotHere, "not here"),
    (Status::Skipped, "skipped"),
    (Status::Unsupported, "unsupported"),
];

/// Number of points with each status, in the order of [`COLUMNS`].
fn counts(answer: &Answer) -> [usize; COLUMNS.len()] {
    COLUMNS.map(|(status, _)| answer.of(status).count())
}

/// JSON output of the gate.
#[derive(Serialize)]
struct GateResult<'a> {
    passed: bool,
    receipts: usize,
    commit: &'a str,
    machines: String,
    criteria: &'a [Answer],
}
