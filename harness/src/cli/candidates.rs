//! `harness check` for kernels that are not in the registry but in the user's own program.

use std::env;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::select::{LEVELS_OF_KERNELS, OracleSelection, open_model};
use super::{CliError, Output, outcomes, style, watched};
use crate::check::{self, CheckReport, LevelReport};
use crate::exit::Exit;
use crate::interrupt;
use crate::levels::Level;
use crate::participant::{Candidate, Participants, reference_layout};
use crate::rerun::Rerun;
use crate::shard::Shard;
use crate::task::Task;
use crate::verdict::Verdict;

/// The options of a check of the user's own kernels. Flatten them into the arguments of the program that contains the
/// kernels.
#[derive(Debug, Args)]
pub struct CandidateCheck {
    /// GGUF file with I2_S, TQ2_0 or TQ1_0 tensors [default: a synthetic model with all of them]
    model: Option<PathBuf>,
    /// Levels to run, separated by commas: `lut`, `block`, `tensor`
    #[arg(
        long = "level",
        value_name = "LEVEL",
        hide_possible_values = true,
        value_enum,
        value_delimiter = ',',
        default_value = LEVELS_OF_KERNELS.as_str()
    )]
    levels: Vec<Level>,
    #[command(flatten)]
    oracles: OracleSelection,
    /// Seed of pseudo-random inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// JSON output of such a check: the applicable part of a receipt.
#[derive(Serialize)]
struct CandidateResult<'a> {
    verdict: Verdict,
    levels: &'a [LevelReport],
}

impl CandidateCheck {
    /// Runs the kernel levels with these candidates against every oracle, and prints the same output as `harness
    /// check`. The command in a finding is that of this process.
    ///
    /// # Errors
    ///
    /// [`CliError`] if there is no model or no oracle, or if the run was interrupted.
    pub fn run(&self, candidates: Vec<Candidate>, out: &mut Output<'_>) -> Result<Exit, CliError> {
        if let Some(level) = self.levels.iter().find(|r| Level::OF_MODELS.contains(r)) {
            return Err(CliError::Usage(format!(
                "level {level} runs a whole model; kernels run lut, block and tensor"
            )));
        }
        watched(interrupt::watch_steps(interrupt::GRACE))?;
        let oracles = self.oracles.load()?;
        let open = open_model(self.model.as_ref())?;
        let participants = Participants {
            references: oracles.references,
            candidates,
            engines: Vec::new(),
            upstream: None,
        };
        let task = Task {
            model: open.argument.clone(),
            tensors: open.model.ternary_tensors(reference_layout())?,
            decoding: Err("kernels run no model".into()),
            seed: self.seed,
            shard: Shard::WHOLE,
            progress: style::progress(),
        };
        let mut check = check::run(&self.levels, &participants, &task);
        open.model.require_unchanged()?;
        name_this_command(&mut check);
        outcomes::print(&check, &oracles.omitted, out)?;
        if !check.not_done.is_empty() {
            return Err(CliError::Interrupted(interrupt::message()));
        }
        out.document(|| CandidateResult {
            verdict: check.verdict,
            levels: &check.levels,
        })?;
        if check.verdict == Verdict::Skipped {
            outcomes::record_omissions(&check, out);
        }
        Ok(check.verdict.into())
    }
}

/// Replaces the commands in findings by that of this process, because `harness check` does not have these candidates.
fn name_this_command(check: &mut CheckReport) {
    let program = Rerun::Program {
        arguments: env::args().collect(),
    };
    let outcomes = check
        .levels
        .iter_mut()
        .flat_map(|report| &mut report.outcomes);
    for finding in outcomes.flat_map(|outcome| &mut outcome.findings) {
        finding.reproduce.clone_from(&program);
    }
}
