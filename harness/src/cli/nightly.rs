//! `harness nightly`: runs all commands and writes a report. Each step is a command with its own receipt.

mod plan;
mod step;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use serde::Serialize;

use self::plan::{Extent, plan};
use self::step::{Ended, Step};
use super::report::report;
use super::terminal::bad;
use super::{CliError, Output, duration, style, watched};
use crate::exit::Exit;
use crate::interrupt;
use crate::printable;
use crate::receipt::{self, FINDINGS, ReceiptError};
use crate::shard::Shard;
use crate::verdict::Verdict;

/// Check every recipe on every level with every oracle, run the fuzzer, the mutants and the benches, then write a
/// report
///
/// Each step is a separate command, so a step that fails or dies does not stop the others. Each receipt is written as
/// soon as its step is done: check-RECIPE.json, fuzz.json, mutants.json, bench.json, bench-model.json. Outputs of the
/// steps are in logs/, and inputs of findings in findings/. The exit code is the worst of all steps: 1 if anything
/// differs, then 3 if a step failed, then 4 if nothing was compared. Ctrl-C keeps finished receipts and prints what was
/// not done.
///
/// The recipes 2b-4t and 2b-4t-small-vocab write models of 1.2 and 0.5 GB to the temporary folder. Each participant
/// takes about as much memory again, and they run for minutes. All other recipes take seconds. Name recipes to exclude
/// the large ones.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness nightly
  harness nightly --out reports/nightly/2026-01-31 --fuzz-time 30m
  harness nightly --recipe tiny-llama-tq2_0 --fuzz-cases 500 --no-mutants --no-bench
  harness nightly --shard 1/4 --out parts
  harness report parts -o report")]
pub(super) struct NightlyArgs {
    /// Folder for the receipts and the report [default: reports/nightly/DATE, with the date of today in UTC]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Run shard i of n: a part of the steps, and a part of the random cases; `harness report` makes the report from
    /// the receipts of all shards
    #[arg(long, value_name = "i/n", default_value_t)]
    shard: Shard,
    /// Check only this recipe (see `harness synth --list`); may be given several times
    #[arg(long = "recipe", value_name = "NAME")]
    recipes: Vec<String>,
    /// Time limit of the fuzzer: a number of seconds, or for example 30m
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "10m")]
    fuzz_time: Duration,
    /// Number of random cases instead of a time limit
    #[arg(long, value_name = "N", conflicts_with = "fuzz_time")]
    fuzz_cases: Option<u64>,
    /// Do not run the mutants
    #[arg(long)]
    no_mutants: bool,
    /// Do not run the benches
    #[arg(long)]
    no_bench: bool,
    /// Time only a few shapes and the smallest model, briefly
    #[arg(long, conflicts_with = "no_bench")]
    quick_bench: bool,
}

pub(super) fn run(args: &NightlyArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let extent = Extent {
        recipes: &args.recipes,
        fuzz_time: args.fuzz_time,
        fuzz_cases: args.fuzz_cases,
        mutants: !args.no_mutants,
        bench: !args.no_bench,
        quick_bench: args.quick_bench,
    };
    let folder = args.out.clone().unwrap_or_else(today);
    let steps = plan(&extent, args.shard, &folder.join(FINDINGS))?;
    receipt::built_from().ok_or(ReceiptError::CommitUnknown)?;
    watched(interrupt::watch_steps(interrupt::GRACE_OF_A_COMMAND))?;
    fs::create_dir_all(folder.join(step::LOGS)).map_err(|source| CliError::Write {
        path: folder.clone(),
        source,
    })?;

    let progress = style::bar();
    progress.set_length(steps.len() as u64);
    let mut ended: Vec<(&Step, Ended)> = Vec::new();
    let not_done = |ended: usize| {
        let steps = steps[ended..].iter().map(|step| step.name.as_str());
        let steps: Vec<&str> = steps.collect();
        let (steps, folder) = (steps.join(", "), folder.display());
        interrupt::not_done(format!(
            "{steps}; receipts of what was done are in {folder}"
        ));
    };
    for step in &steps {
        not_done(ended.len());
        progress.set_message(printable::line(&step.name).into_owned());
        let end = step.run(&folder)?;
        if interrupt::asked() {
            break;
        }
        progress.suspend(|| print(step, &end, out.text()))?;
        if let Ended::Failed { reason } = &end {
            out.annotate(format_args!("nightly: {} failed", step.name), reason);
        }
        progress.inc(1);
        ended.push((step, end));
    }
    progress.finish_and_clear();
    if interrupt::asked() {
        not_done(ended.len());
        return Err(CliError::Interrupted(interrupt::message()));
    }

    let receipts = ended.iter().filter(|(_, end)| end.verdict().is_some());
    let receipts: Vec<PathBuf> = receipts.map(|(step, _)| step.receipt(&folder)).collect();
    let mut report_page = None;
    if args.shard == Shard::WHOLE && !receipts.is_empty() {
        report(&receipts, &folder)?;
        let page = folder.join("index.html");
        writeln!(out.text(), "{}", page.display())?;
        report_page = Some(page);
    }
    let exit = exit(ended.iter().map(|(_, end)| end));
    let verdict = Verdict::overall(ended.iter().filter_map(|(_, end)| end.verdict()));
    writeln!(out.verdict(), "verdict: {}", style::verdict(verdict))?;
    out.document(|| NightlyResult {
        verdict,
        steps: ended.iter().map(StepResult::of).collect(),
        report: report_page,
    })?;
    out.nothing_compared("no step left a receipt that compared anything");
    Ok(exit)
}

/// JSON output of a nightly run.
#[derive(Serialize)]
struct NightlyResult<'a> {
    verdict: Verdict,
    steps: Vec<StepResult<'a>>,
    /// Path of the report, if one was made.
    report: Option<PathBuf>,
}

#[derive(Serialize)]
struct StepResult<'a> {
    name: &'a str,
    verdict: Option<Verdict>,
    seconds: Option<f64>,
    /// The reason why there is no receipt, if there is none.
    failure: Option<&'a str>,
}

impl<'a> StepResult<'a> {
    fn of((step, ended): &'a (&Step, Ended)) -> StepResult<'a> {
        let (seconds, failure) = match ended {
            Ended::Done { seconds, .. } => (Some(*seconds), None),
            Ended::Failed { reason } => (None, Some(reason.as_str())),
        };
        StepResult {
            name: &step.name,
            verdict: ended.verdict(),
            seconds,
            failure,
        }
    }
}

/// Prints the result of a step.
fn print(step: &Step, ended: &Ended, out: &mut dyn Write) -> io::Result<()> {
    let name = &step.name;
    match ended {
        Ended::Done { verdict, seconds } => {
            let verdict = style::verdict(*verdict);
            writeln!(out, "{name}: {verdict} ({seconds:.1} s)")?;
        }
        Ended::Failed { reason } => {
            writeln!(out, "{}: {reason}", bad(format_args!("{name}: failed")))?;
        }
    }
    // Flushed so that the line appears while the run continues.
    out.flush()
}

/// The worst exit code: a divergence is worse than a failed step, which is worse than nothing compared.
fn exit<'a>(ended: impl Iterator<Item = &'a Ended>) -> Exit {
    let (mut verdicts, mut failed) = (Vec::new(), false);
    for end in ended {
        failed |= end.verdict().is_none();
        verdicts.extend(end.verdict());
    }
    match Verdict::overall(verdicts) {
        Verdict::Divergent => Exit::Divergence,
        _ if failed => Exit::Setup,
        verdict => verdict.into(),
    }
}

fn today() -> PathBuf {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let date = now.split('T').next().unwrap_or(&now);
    PathBuf::from("reports/nightly").join(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_worst() {
        let done = |verdict| Ended::Done {
            verdict,
            seconds: 1.0,
        };
        let failed = || Ended::Failed { reason: "x".into() };
        let exit_of = |ended: &[Ended]| exit(ended.iter());
        assert_eq!(
            exit_of(&[done(Verdict::Exact), done(Verdict::Skipped)]),
            Exit::Agreement
        );
        assert_eq!(exit_of(&[done(Verdict::Exact), failed()]), Exit::Setup);
        assert_eq!(
            exit_of(&[failed(), done(Verdict::Divergent)]),
            Exit::Divergence
        );
        assert_eq!(exit_of(&[done(Verdict::Skipped)]), Exit::NothingCompared);
        assert_eq!(exit_of(&[]), Exit::NothingCompared);
    }
}
