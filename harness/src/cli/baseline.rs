//! `harness baseline`: creates and updates the baseline that receipts must cover.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::terminal::{bad, coloured};
use super::{CliError, Output, receipts};
use crate::baseline::{Baseline, DoubtfulSpeed, Group, Speed, SpeedKey};
use crate::bench::doubt;
use crate::destination::{Destination, Destinations};
use crate::exit::Exit;
use crate::gate::{Accepted, Refusal, Status, accept};
use crate::printable;
use crate::wording::seconds;

/// Manage the baseline of `harness gate`
#[derive(Debug, Args)]
pub(super) struct BaselineArgs {
    #[command(subcommand)]
    command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
enum BaselineCommand {
    Accept(AcceptArgs),
}

/// Make a baseline from receipts and print the changes
///
/// The receipts must pass the gate without a baseline, belong to one commit, and contain everything to be covered:
/// checks of several models, a fuzz campaign with a number of cases, the mutants, and benches. Entries that their
/// machines cannot produce (another architecture, kernels of an instruction set that they lack, times on another CPU)
/// are kept from the old baseline. A baseline that covers less than the old one requires --allow-loss and receipts of
/// committed sources.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness baseline accept check.json fuzz.json mutants.json
  harness baseline accept receipts/ --dry-run
  harness baseline accept receipts/ --allow-loss -o reports/baseline.json")]
struct AcceptArgs {
    /// Receipts, folders of receipts, or `-` for standard input
    #[arg(required = true, value_name = "RECEIPT")]
    receipts: Vec<PathBuf>,
    /// Path of the baseline
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "reports/baseline.json"
    )]
    output: PathBuf,
    /// Print the changes without writing the file
    #[arg(long)]
    dry_run: bool,
    /// Allow the new baseline to cover less than the old one
    #[arg(long)]
    allow_loss: bool,
}

pub(super) fn run(args: &BaselineArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let BaselineCommand::Accept(args) = &args.command;
    let mut destinations = Destinations::of_reading(receipts::files(&args.receipts)?);
    let destination = match args.dry_run {
        true => None,
        false => Some(destinations.file(&args.output)?),
    };
    out.share(&destinations)?;
    // An existing file that cannot be read is not overwritten.
    let old = args
        .output
        .exists()
        .then(|| Baseline::read(&args.output))
        .transpose()?;
    let receipts = receipts::read_all(&args.receipts)?;
    match accept(old.as_ref(), &receipts, args.allow_loss) {
        Ok(accepted) => {
            print(&accepted, out.text())?;
            let change = write(destination, old.as_ref(), &accepted.baseline)?;
            writeln!(
                out.verdict(),
                "{}: {}",
                args.output.display(),
                change.words()
            )?;
            out.document(|| AcceptResult {
                change,
                ..AcceptResult::of(args, &accepted)
            })?;
            Ok(Exit::Agreement)
        }
        Err(Refusal::Case(error)) => Err(CliError::Setup(error.to_string())),
        Err(refusal) => {
            let mut failures = Vec::new();
            let mut result = AcceptResult::nothing(args);
            match &refusal {
                Refusal::Red(judgement) => {
                    for (criterion, point) in judgement.failures() {
                        if let Status::Failed(why) = &point.status {
                            failures.push(format!("{}: {}: {why}", criterion.name, point.what));
                        }
                    }
                }
                Refusal::Loss(accepted) | Refusal::DirtyLoss(accepted) => {
                    print(accepted, out.text())?;
                    result = AcceptResult::of(args, accepted);
                }
                Refusal::Case(_) => {}
            }
            for failure in &failures {
                writeln!(out.text(), "{}", printable::line(failure))?;
            }
            writeln!(out.verdict(), "{}: {refusal}", bad("not accepted"))?;
            out.annotate("the baseline is not accepted", &refusal);
            out.document(|| AcceptResult {
                refusal: Some(refusal.to_string()),
                failures,
                ..result
            })?;
            Ok(Exit::Divergence)
        }
    }
}

/// Whether the file was changed.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum FileChange {
    None,
    NotWritten,
    Written,
}

impl FileChange {
    fn words(self) -> &'static str {
        match self {
            FileChange::None => "as it was",
            FileChange::NotWritten => "not written, as asked",
            FileChange::Written => "written",
        }
    }
}

/// JSON output of `harness baseline accept`.
#[derive(Serialize)]
struct AcceptResult<'a> {
    path: &'a Path,
    change: FileChange,
    refusal: Option<String>,
    /// Failures of the receipts without a baseline.
    failures: Vec<String>,
    lost: &'a [Group],
    gained: &'a [Group],
    kept: &'a [String],
    speed: Vec<SpeedChange<'a>>,
    /// Rows of a bench with doubts, which are not in the baseline.
    left_out: Vec<LeftOut<'a>>,
}

#[derive(Serialize)]
struct LeftOut<'a> {
    #[serde(flatten)]
    key: &'a SpeedKey,
    doubts: &'a [doubt::Doubt],
}

impl<'a> From<&'a DoubtfulSpeed> for LeftOut<'a> {
    fn from(row: &'a DoubtfulSpeed) -> LeftOut<'a> {
        LeftOut {
            key: &row.key,
            doubts: &row.doubts,
        }
    }
}

#[derive(Serialize)]
struct SpeedChange<'a> {
    #[serde(flatten)]
    key: &'a SpeedKey,
    was: Option<&'a Speed>,
    is: Option<&'a Speed>,
}

impl<'a> AcceptResult<'a> {
    fn nothing(args: &'a AcceptArgs) -> AcceptResult<'a> {
        AcceptResult {
            path: &args.output,
            change: FileChange::None,
            refusal: None,
            failures: Vec::new(),
            lost: &[],
            gained: &[],
            kept: &[],
            speed: Vec::new(),
            left_out: Vec::new(),
        }
    }

    fn of(args: &'a AcceptArgs, accepted: &'a Accepted) -> AcceptResult<'a> {
        let speed = accepted.speed.iter();
        AcceptResult {
            lost: &accepted.lost,
            gained: &accepted.gained,
            kept: &accepted.kept,
            left_out: accepted.left_out.iter().map(LeftOut::from).collect(),
            speed: speed
                .map(|(key, was, is)| SpeedChange {
                    key,
                    was: was.as_ref(),
                    is: is.as_ref(),
                })
                .collect(),
            ..AcceptResult::nothing(args)
        }
    }
}

fn write(
    destination: Option<Destination>,
    old: Option<&Baseline>,
    new: &Baseline,
) -> Result<FileChange, CliError> {
    if old == Some(new) {
        return Ok(FileChange::None);
    }
    let Some(destination) = destination else {
        return Ok(FileChange::NotWritten);
    };
    new.write(destination)?;
    Ok(FileChange::Written)
}

/// The ratio and both times.
fn absolute(speed: &Speed) -> String {
    let (own, oracle) = (seconds(speed.seconds), seconds(speed.oracle_seconds));
    format!("{:.3}x ({own}, oracle {oracle})", speed.ratio.value)
}

fn print(accepted: &Accepted, out: &mut dyn Write) -> Result<(), CliError> {
    let mut groups = |sign: &str, code: &'static str, groups: &[Group]| {
        groups.iter().try_for_each(|group| {
            let Group {
                arch,
                what,
                entries,
                was,
                is,
                commands: _,
            } = group;
            let counts = match (was, is, entries) {
                (0, _, 1) | (_, 0, 1) => String::new(),
                (0, _, n) | (_, 0, n) => format!(" ({n} items)"),
                _ => format!(": {was} before, {is} now"),
            };
            let line = format!("{sign} {arch}: {what}{counts}");
            writeln!(out, "{}", coloured(code, printable::line(&line)))
        })
    };
    groups("-", "31", &accepted.lost)?;
    groups("+", "32", &accepted.gained)?;
    for (key, was, is) in &accepted.speed {
        let words = key.words();
        match (was, is) {
            (Some(was), Some(is)) => {
                let change = 100.0 * (is.ratio.value / was.ratio.value - 1.0);
                let (was, is) = (absolute(was), absolute(is));
                writeln!(
                    out,
                    "~ speed of {words}: {was} before, {is} now ({change:+.1} %)"
                )?;
            }
            (None, Some(is)) => writeln!(out, "+ speed of {words}: {}", absolute(is))?,
            (Some(was), None) => writeln!(out, "- speed of {words}: {} before", absolute(was))?,
            (None, None) => {}
        }
    }
    for row in &accepted.left_out {
        let (words, doubts) = (row.key.words(), doubt::words(&row.doubts));
        writeln!(out, "! not accepted: speed of {words}: {doubts}")?;
    }
    for kept in &accepted.kept {
        writeln!(out, "= kept: {kept}")?;
    }
    Ok(())
}
