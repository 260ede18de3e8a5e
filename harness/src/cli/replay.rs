//! `harness replay`: one case again.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::select::{KernelSelection, OracleSelection};
use super::{CliError, style};
use crate::exit::Exit;
use crate::fuzz::{Regression, try_case};

/// Run a case that `harness fuzz` wrote on every kernel, every oracle and the arbiter
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness replay corpus/regressions/i2_s.group128-dots-0a1b2c3d.json")]
pub(super) struct ReplayArgs {
    /// A file of corpus/regressions
    file: PathBuf,
    #[command(flatten)]
    oracles: OracleSelection,
    #[command(flatten)]
    kernels: KernelSelection,
}

pub(super) fn run(args: &ReplayArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let candidates = args.kernels.candidates()?;
    let regression = Regression::read(&args.file)?;
    let case = regression.case(&args.file)?;
    let oracles = args.oracles.load()?;
    let trial = try_case(&case, &candidates, &oracles.references)?;
    writeln!(out, "{}", regression.story)?;
    let command = format!("harness replay {}", args.file.display());
    for difference in &trial.differences {
        writeln!(
            out,
            "{} against {}",
            difference.candidate, difference.reference
        )?;
        style::finding(&difference.finding, &command, out)?;
    }
    writeln!(
        out,
        "{} block comparisons, {} known divergences, {} differences",
        style::count(trial.comparisons),
        style::count(trial.known),
        trial.differences.len()
    )?;
    Ok(match (trial.comparisons, trial.differences.len()) {
        (_, 1..) => Exit::Divergence,
        (0, _) => Exit::NothingCompared,
        _ => Exit::Agreement,
    })
}
