//! `harness baseline`: creates and updates the baseline that receipts must cover.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::terminal::{bad, coloured};
use super::{CliError, Output, receipts};
use crate::baseline::{Baseline, Speed};
use crate::bench::doubt;
use crate::destination::{Destination, Destinations};
use crate::exit::Exit;
use crate::gate::{Accepted, Refusal, SpeedChange, accept};
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
    let old = args.output.exists();
    let old = old.then(|| Baseline::read(&args.output)).transpose()?;
    let receipts = receipts::read_all(&args.receipts)?;
    match accept(old.as_ref(), &receipts, args.allow_loss) {
        Ok(accepted) => {
            print(&accepted, out.text())?;
            let change = write(destination, old.as_ref(), &accepted.baseline)?;
            let path = args.output.display();
            writeln!(out.verdict(), "{path}: {}", change.words())?;
            out.document(|| AcceptResult {
                path: &args.output,
                change,
                refusal: None,
                failures: Vec::new(),
                accepted: &accepted,
            })?;
            Ok(Exit::Agreement)
        }
        Err(Refusal::Case(error)) => Err(CliError::Setup(error.to_string())),
        Err(refusal) => {
            let nothing = Accepted::default();
            let (mut failures, mut accepted) = (Vec::new(), &nothing);
            match &refusal {
                Refusal::Red(judgement) => {
                    failures.extend(judgement.failures().map(|(criterion, point)| {
                        format!("{}: {}: {}", criterion.name, point.what, point.reason)
                    }));
                }
                Refusal::Loss(less) | Refusal::DirtyLoss(less) => {
                    print(less, out.text())?;
                    accepted = less;
                }
                Refusal::Case(_) => {}
            }
            for failure in &failures {
                writeln!(out.text(), "{}", printable::line(failure))?;
            }
            writeln!(out.verdict(), "{}: {refusal}", bad("not accepted"))?;
            out.annotate("the baseline is not accepted", &refusal);
            out.document(|| AcceptResult {
                path: &args.output,
                change: FileChange::None,
                refusal: Some(refusal.to_string()),
                failures,
                accepted,
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
    #[serde(flatten)]
    accepted: &'a Accepted,
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
    for (sign, code, groups) in [("-", "31", &accepted.lost), ("+", "32", &accepted.gained)] {
        for group in groups {
            let (arch, what) = (&group.arch, &group.what);
            let counts = match (group.was, group.is, group.entries) {
                (0, _, 1) | (_, 0, 1) => String::new(),
                (0, _, n) | (_, 0, n) => format!(" ({n} items)"),
                (was, is, _) => format!(": {was} before, {is} now"),
            };
            let line = format!("{sign} {arch}: {what}{counts}");
            writeln!(out, "{}", coloured(code, printable::line(&line)))?;
        }
    }
    for SpeedChange { key, was, is } in &accepted.speed {
        let words = key.words();
        let (old, new) = (was.as_ref().map(absolute), is.as_ref().map(absolute));
        let line = match (was.as_ref().zip(is.as_ref()), old, new) {
            (Some((was, is)), Some(old), Some(new)) => {
                let change = 100.0 * (is.ratio.value / was.ratio.value - 1.0);
                format!("~ speed of {words}: {old} before, {new} now ({change:+.1} %)")
            }
            (_, _, Some(new)) => format!("+ speed of {words}: {new}"),
            (_, old, None) => format!("- speed of {words}: {} before", old.unwrap_or_default()),
        };
        writeln!(out, "{line}")?;
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
