//! `harness check` for kernels that are not in the registry: those of a program of one's own.

use std::env;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::select::{OracleSelection, RUNGS_OF_KERNELS, open_model};
use super::{CliError, Output, outcomes, style, watched};
use crate::exit::Exit;
use crate::interrupt;
use crate::ladder::{self, Climb, RungReport};
use crate::outcome::Rung;
use crate::shard::Shard;
use crate::side::{Candidate, Sides, reference_layout};
use crate::task::Task;
use crate::verdict::Verdict;

/// The options of a check of one's own kernels, to be flattened into the arguments of the program that has them.
#[derive(Debug, Args)]
pub struct CandidateCheck {
    /// GGUF file with I2_S, TQ2_0 or TQ1_0 tensors [default: a synthetic model with all of them]
    model: Option<PathBuf>,
    /// Rungs to climb, separated by commas: `lut`, `block`, `tensor`
    #[arg(
        long = "rung",
        value_name = "RUNG",
        hide_possible_values = true,
        value_enum,
        value_delimiter = ',',
        default_value = RUNGS_OF_KERNELS.as_str()
    )]
    rungs: Vec<Rung>,
    #[command(flatten)]
    oracles: OracleSelection,
    /// Seed of pseudo-random inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What such a check came to, for programs: the part of a receipt that has to do with it.
#[derive(Serialize)]
struct CandidateResult<'a> {
    verdict: Verdict,
    rungs: &'a [RungReport],
}

impl CandidateCheck {
    /// Climbs the rungs of kernels with these candidates against every oracle, and prints what `harness check` would.
    /// A finding's command is that of this process.
    ///
    /// # Errors
    ///
    /// [`CliError`] if there is nothing to climb on or with, and if the run was interrupted.
    pub fn run(&self, candidates: Vec<Candidate>, out: &mut Output<'_>) -> Result<Exit, CliError> {
        if let Some(rung) = self.rungs.iter().find(|r| Rung::OF_MODELS.contains(r)) {
            return Err(CliError::Usage(format!(
                "rung {rung} runs a whole model; kernels climb lut, block and tensor"
            )));
        }
        watched(interrupt::watch_steps(interrupt::GRACE))?;
        let oracles = self.oracles.load()?;
        let open = open_model(self.model.as_ref())?;
        let sides = Sides {
            references: oracles.references,
            candidates,
            engines: Vec::new(),
        };
        let task = Task {
            model: open.argument.clone(),
            tensors: open.model.ternary_tensors(reference_layout())?,
            decoding: Err("kernels run no model".into()),
            seed: self.seed,
            shard: Shard::WHOLE,
            progress: style::progress(),
        };
        let mut climb = ladder::climb(&self.rungs, &sides, &task);
        open.model.require_unchanged()?;
        name_this_command(&mut climb);
        outcomes::print(&climb, &oracles.skipped, out)?;
        if !climb.not_done.is_empty() {
            return Err(CliError::Interrupted(interrupt::message()));
        }
        out.document(|| CandidateResult {
            verdict: climb.verdict,
            rungs: &climb.rungs,
        })?;
        if climb.verdict == Verdict::Skipped {
            outcomes::say_why(&climb, out);
        }
        Ok(climb.verdict.into())
    }
}

/// `harness check` has no such candidates: this process shows its findings again.
fn name_this_command(climb: &mut Climb) {
    let command = env::args().collect::<Vec<_>>().join(" ");
    let outcomes = climb
        .rungs
        .iter_mut()
        .flat_map(|report| &mut report.outcomes);
    for finding in outcomes.flat_map(|outcome| &mut outcome.findings) {
        finding.reproduce.clone_from(&command);
    }
}
