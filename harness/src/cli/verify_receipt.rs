//! `harness verify-receipt`: checks the consistency of receipts.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use qk256::kernel;
use serde::Serialize;

use super::repeat::{difference, repeat};
use super::terminal::{bad, print_error};
use super::{CliError, Output, style, watched};
use crate::exit::Exit;
use crate::interrupt;
use crate::printable;
use crate::receipt::{self, Receipt, ReceiptError};
use crate::verdict::Verdict;

/// Check the consistency of receipts: fields, counts, verdicts derived from the numbers, commit, digest
///
/// A receipt that was truncated, edited, made by another project or by a newer harness is an error (exit code 3) that
/// names the field. The verdicts in the receipt are not judged: a correctly recorded divergence verifies. With --replay
/// all work is repeated from the parameters in the receipt. Everything except times and paths must be equal; otherwise
/// it is a divergence (exit code 1).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness verify-receipt receipt.json
  harness verify-receipt parts/*.json
  harness verify-receipt receipt.json --replay
  harness verify-receipt receipt.json --replay --model /models/model.gguf")]
pub(super) struct VerifyReceiptArgs {
    /// Receipts
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Repeat the work and compare the results
    #[arg(long)]
    replay: bool,
    /// Path of the receipt's model on this machine [default: the recorded path]
    #[arg(long, value_name = "FILE", requires = "replay")]
    model: Option<PathBuf>,
}

pub(super) fn run(args: &VerifyReceiptArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let mut exit = Exit::Agreement;
    let mut refused = Vec::new();
    let mut entries = Vec::new();
    for file in &args.files {
        let receipt = match Receipt::read(file) {
            Ok(receipt) => receipt,
            Err(error) => {
                entries.push(VerifiedEntry {
                    path: file.clone(),
                    error: Some(error.to_string()),
                    ..VerifiedEntry::default()
                });
                refused.push(error);
                continue;
            }
        };
        let mut entry = VerifiedEntry::of(file, &receipt);
        describe(&entry, &receipt, out.text())?;
        if args.replay {
            entry.differs = replayed(&receipt, args.model.as_ref())?;
            match &entry.differs {
                None => writeln!(out.text(), "  replayed: the same")?,
                Some(validation_error) => {
                    let words = format!("{}: {validation_error}", file.display());
                    writeln!(out.text(), "  {}: {words}", bad("replayed"))?;
                    out.annotate("the repeated work of a receipt differs", words);
                    exit = Exit::Divergence;
                }
            }
        }
        entries.push(entry);
    }
    out.document(|| entries)?;
    // All errors are printed here except the last, which is returned.
    let last = refused.pop();
    for error in refused {
        print_error(&error);
        out.annotate("harness", error);
    }
    last.map_or(Ok(exit), |error: ReceiptError| Err(error.into()))
}

/// JSON output for a file.
#[derive(Default, Serialize)]
struct VerifiedEntry {
    path: PathBuf,
    /// The reason why the receipt is invalid, if it is.
    error: Option<String>,
    verdict: Option<Verdict>,
    commit: Option<String>,
    runs: Vec<String>,
    missing: Vec<String>,
    unknown_kernels: Vec<String>,
    /// The first difference of the repeated work, if there is one.
    differs: Option<String>,
}

impl VerifiedEntry {
    fn of(path: &Path, receipt: &Receipt) -> VerifiedEntry {
        let harness = &receipt.harness;
        let runs = harness.runs.iter();
        let ids = receipt.kernels.iter();
        VerifiedEntry {
            path: path.into(),
            error: None,
            verdict: Some(harness.verdict),
            commit: Some(harness.commit.clone()),
            runs: runs
                .map(|run| format!("{} {}", run.section, run.shard))
                .collect(),
            missing: receipt.missing(),
            unknown_kernels: ids
                .filter(|id| kernel::by_id(id).is_none())
                .cloned()
                .collect(),
            differs: None,
        }
    }
}

fn describe(entry: &VerifiedEntry, receipt: &Receipt, out: &mut dyn Write) -> Result<(), CliError> {
    let harness = &receipt.harness;
    writeln!(
        out,
        "{}: holds: {}, verdict {}, commit {}",
        entry.path.display(),
        entry.runs.join(", "),
        style::verdict(harness.verdict),
        harness.commit
    )?;
    for missing in &entry.missing {
        writeln!(out, "  missing: {missing}")?;
    }
    for id in &entry.unknown_kernels {
        writeln!(
            out,
            "  unknown: kernel {} is not one of this harness",
            printable::line(id)
        )?;
    }
    if !is_of_this_harness(&harness.commit) {
        writeln!(out, "  made by a harness of another commit than this one")?;
    }
    Ok(())
}

fn is_of_this_harness(commit: &str) -> bool {
    receipt::built_from() == Some(commit)
}

/// Repeats the work and returns the first difference, if there is one.
fn replayed(receipt: &Receipt, model: Option<&PathBuf>) -> Result<Option<String>, CliError> {
    watched(interrupt::watch_steps(interrupt::GRACE))?;
    let repeated = repeat(receipt, model)?;
    Ok(difference(receipt, &repeated).map(|validation_error| validation_error.to_string()))
}
