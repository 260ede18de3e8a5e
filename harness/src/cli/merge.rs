//! `harness merge`: unites receipts of one run into one.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{CliError, Output, style};
use crate::destination::Destinations;
use crate::exit::Exit;
use crate::receipt::{self, Receipt};
use crate::verdict::Verdict;

/// Unite receipts of shards and of different commands into one
///
/// The order does not matter, and merged receipts can be merged again. Receipts of different commits, oracles, models
/// or parameters are refused, and so are two of the same shard. The exit code reports whether the receipts were united,
/// not their verdict.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness merge part-*.json -o receipt.json
  harness merge check.json fuzz.json mutants.json -o receipt.json
  harness merge part-1.json part-2.json --partial -o so-far.json")]
pub(super) struct MergeArgs {
    /// Receipts
    #[arg(required = true, value_name = "RECEIPT")]
    files: Vec<PathBuf>,
    /// File for the merged receipt
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Write the receipt even if shards are missing
    #[arg(long)]
    partial: bool,
}

/// JSON output: the written receipt.
#[derive(Serialize)]
struct MergeResult<'a> {
    path: &'a Path,
    runs: usize,
    verdict: Verdict,
    missing: &'a [String],
}

pub(super) fn run(args: &MergeArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let mut destinations = Destinations::of_reading(&args.files);
    let destination = destinations.file(&args.output)?;
    out.share(&destinations)?;
    let mut merged: Option<Receipt> = None;
    for file in &args.files {
        let next = Receipt::read(file)?;
        merged = Some(match merged {
            None => next,
            Some(others) => receipt::merge(others, next).map_err(|error| {
                let file = file.display();
                CliError::Merge(format!(
                    "{file} cannot be merged with the files before it: {error}"
                ))
            })?,
        });
    }
    let Some(merged) = merged else {
        return Err(CliError::Usage("no receipt to merge".into()));
    };
    let missing = merged.missing();
    if !missing.is_empty() && !args.partial {
        return Err(CliError::Merge(format!(
            "missing: {}; give their receipts too, or --partial",
            missing.join(", ")
        )));
    }
    merged.write_to(destination)?;
    out.document(|| MergeResult {
        path: &args.output,
        runs: merged.harness.runs.len(),
        verdict: merged.harness.verdict,
        missing: &missing,
    })?;
    let path = args.output.display();
    let verdict = style::verdict(merged.harness.verdict);
    writeln!(
        out.text(),
        "{path}: {} runs, verdict {verdict}",
        merged.harness.runs.len()
    )?;
    for shard in missing {
        writeln!(out.text(), "missing: {shard}")?;
    }
    Ok(Exit::Agreement)
}
