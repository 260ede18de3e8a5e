//! `harness verify-receipt`: whether receipts can be believed.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use qk256::kernel;

use super::repeat::{difference, repeat};
use super::{CliError, style};
use crate::exit::Exit;
use crate::interrupt;
use crate::receipt::{self, Receipt, ReceiptError};

/// Hold receipts against themselves: fields, counts, verdicts that follow from figures, commit, seal
///
/// A receipt that was cut off, edited, made by another project or by a newer harness is an error (exit code 3) that
/// names the field. What the receipt says of the kernels is another matter: a divergence that is told truthfully
/// verifies. With --replay all work is done again, from the parameters in the receipt, and has to come to the same but
/// for times and places; if it does not, that is a divergence (exit code 1).
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
    /// Do the work again, and compare
    #[arg(long)]
    replay: bool,
    /// Where the model of the receipt is here [default: where it was]
    #[arg(long, value_name = "FILE", requires = "replay")]
    model: Option<PathBuf>,
}

pub(super) fn run(args: &VerifyReceiptArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let mut exit = Exit::Agreement;
    let mut refused = Vec::new();
    for file in &args.files {
        let receipt = match Receipt::read(file) {
            Ok(receipt) => receipt,
            Err(error) => {
                refused.push(error);
                continue;
            }
        };
        describe(file, &receipt, out)?;
        if args.replay && !replayed(file, &receipt, args.model.as_ref(), out)? {
            exit = Exit::Divergence;
        }
    }
    // Each is told; the last one on its way out.
    let last = refused.pop();
    for error in refused {
        anstream::eprintln!("\x1b[1;31merror:\x1b[0m {error}");
    }
    last.map_or(Ok(exit), |error: ReceiptError| Err(error.into()))
}

fn describe(file: &Path, receipt: &Receipt, out: &mut dyn Write) -> Result<(), CliError> {
    let harness = &receipt.harness;
    let sections = harness
        .runs
        .iter()
        .map(|run| format!("{} {}", run.section, run.shard));
    let sections: Vec<String> = sections.collect();
    writeln!(
        out,
        "{}: holds: {}, verdict {}, commit {}",
        file.display(),
        sections.join(", "),
        style::verdict(harness.verdict),
        harness.commit
    )?;
    for missing in receipt.missing() {
        writeln!(out, "  missing: {missing}")?;
    }
    let unknown = receipt
        .kernels
        .iter()
        .filter(|id| kernel::by_id(id).is_none());
    for id in unknown {
        writeln!(out, "  unknown: kernel {id} is not one of this harness")?;
    }
    if !is_of_this_harness(&harness.commit) {
        writeln!(out, "  made by a harness of another commit than this one")?;
    }
    Ok(())
}

fn is_of_this_harness(commit: &str) -> bool {
    receipt::built_from() == Some(commit)
}

/// Whether the work comes to the same again.
fn replayed(
    file: &Path,
    receipt: &Receipt,
    model: Option<&PathBuf>,
    out: &mut dyn Write,
) -> Result<bool, CliError> {
    interrupt::watch()?;
    let repeated = repeat(receipt, model)?;
    match difference(receipt, &repeated) {
        None => {
            writeln!(out, "  replayed: the same")?;
            Ok(true)
        }
        Some(flaw) => {
            writeln!(
                out,
                "  \x1b[1;31mreplayed\x1b[0m: {}: {flaw}",
                file.display()
            )?;
            Ok(false)
        }
    }
}
