//! `harness fuzz`: random cases through all sides.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::select::{KernelSelection, OracleSelection};
use super::{CliError, style};
use crate::exit::Exit;
use crate::fuzz::{Campaign, Limit, Regression, Shard, Summary};
use crate::side::Sides;

/// Cases of a campaign without a limit.
const DEFAULT_CASES: u64 = 20_000;

/// Try random matrices on every kernel, every oracle that is defined on them, and the arbiter
///
/// A difference is made as small as it will go and written to a file that `harness replay` runs. What an oracle is known
/// to be wrong about is counted, and is no finding. Case n of a seed is always the same, so that a campaign goes on
/// where another one ended.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness fuzz
  harness fuzz --time 10m --seed 7 --shard 1/2
  harness fuzz --cases 100000 --start 100000 --kernel i2_s.group128.scalar")]
pub(super) struct FuzzArgs {
    /// End after so many cases [default: 20000, unless --time is given]
    #[arg(long, value_name = "N")]
    cases: Option<u64>,
    /// End after so long, such as 30s or 10m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    time: Option<std::time::Duration>,
    /// Seed of all cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Index of the first case
    #[arg(long, default_value_t = 0, value_name = "INDEX")]
    start: u64,
    /// Try the i-th of every n cases
    #[arg(long, value_name = "i/n", default_value = "1/1")]
    shard: Shard,
    /// Where to write what was found
    #[arg(long, value_name = "DIR", default_value = "corpus/regressions")]
    out: PathBuf,
    #[command(flatten)]
    oracles: OracleSelection,
    #[command(flatten)]
    kernels: KernelSelection,
}

pub(super) fn run(args: &FuzzArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let candidates = args.kernels.candidates()?;
    let oracles = args.oracles.load()?;
    let (can_run, cannot): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|candidate| {
        qk256::kernel::by_id(candidate.side.id()).is_some_and(|k| k.availability().is_ok())
    });
    let sides = Sides {
        references: oracles.references,
        candidates: can_run,
        engines: Vec::new(),
    };
    let limit = Limit {
        cases: args.cases.or(args.time.is_none().then_some(DEFAULT_CASES)),
        time: args.time,
    };
    let campaign = Campaign {
        sides: &sides,
        seed: args.seed,
        start: args.start,
        shard: args.shard,
        limit,
    };
    let progress = style::progress();
    progress.set_message("fuzz");
    let summary = campaign.run(&progress)?;
    for (index, case, difference) in &summary.findings {
        let story = format!(
            "{} against {}, shrunk from case {index} of seed {}",
            difference.candidate, difference.reference, args.seed
        );
        let file = Regression::new(story, case, Some(difference)).write(&args.out)?;
        writeln!(
            out,
            "{} against {}",
            difference.candidate, difference.reference
        )?;
        let command = format!("harness replay {}", file.display());
        style::finding(&difference.finding, &command, out)?;
    }
    for reason in &oracles.skipped {
        writeln!(out, "skipped: {reason}")?;
    }
    for candidate in &cannot {
        if let Some(Err(missing)) =
            qk256::kernel::by_id(candidate.side.id()).map(|kernel| kernel.availability())
        {
            writeln!(out, "skipped: {}: {missing}", candidate.side.id())?;
        }
    }
    print(args, &summary, out)?;
    Ok(match (summary.comparisons, summary.findings.len()) {
        (_, 1..) => Exit::Divergence,
        (0, _) => Exit::NothingCompared,
        _ => Exit::Agreement,
    })
}

fn print(args: &FuzzArgs, summary: &Summary, out: &mut dyn Write) -> Result<(), CliError> {
    let seconds = summary.elapsed.as_secs_f64().max(1e-9);
    let rate = (summary.comparisons as f64 / seconds) as u64;
    writeln!(
        out,
        "{} cases, {} block comparisons ({} a second), {} known divergences, {} findings",
        style::count(summary.cases),
        style::count(summary.comparisons),
        style::count(rate),
        style::count(summary.known),
        summary.findings.len()
    )?;
    let shard = match args.shard {
        Shard::WHOLE => String::new(),
        Shard { index, count } => format!(" --shard {index}/{count}"),
    };
    writeln!(
        out,
        "goes on with: harness fuzz --seed {} --start {}{shard}",
        args.seed, summary.next
    )?;
    Ok(())
}
