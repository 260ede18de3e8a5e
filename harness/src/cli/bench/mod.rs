//! `harness bench`: how fast kernels and whole models are.

mod cells;
mod kernels;
mod model;

use std::io::Write;
use std::num::NonZeroUsize;

use clap::Args;

use super::recording::ReceiptOption;
use super::select::OracleSelection;
use super::{CliError, Output, threads};
use crate::bench::plan::Extent;
use crate::destination::Destinations;
use crate::exit::Exit;
use crate::interrupt;
use crate::receipt::{Environment, Receipt};

/// Time kernels, or a whole model, against the oracles and against the machine, taking turns in one process
///
/// Each row is an operation, a shape, a number of threads and a kernel; with --model, a prompt of 128 tokens (prefill)
/// or one token after it (decode). The columns of oracles show the oracle's time over that of the Rust side (above 1
/// the Rust side is faster) with a 95 % confidence interval of the median. The roof is what nobody can beat here:
/// reading the weights, or the int8 multiply-adds of the kernel's instruction set on registers; shown is the share of
/// the lower one. The last column compares with one thread, and what reading alone gains. Activations are quantized
/// within the time, on both sides. A row is in doubt if it is of a `--quick` run or a checked build, has more threads than
/// the machine runs at once, is above a roof, has an interval wider than a factor of 1.5, or is mostly the overhead of
/// calls; no baseline takes its times. Use a release build on an idle machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness bench
  harness bench --threads 1 --kernel i2_s.group128.scalar --oracle bitnet.cpp/strict
  harness bench --quick --receipt bench.json
  harness bench --model
  harness bench --model tiny-llama-tq2_0 --threads 2
  harness bench --model ./model.gguf --oracle bitnet.cpp/fma")]
pub(super) struct BenchArgs {
    #[command(flatten)]
    oracles: OracleSelection,
    /// Time the forward pass of a model: a GGUF file, or the recipe of one (see `harness synth --list`), which is
    /// written to a temporary file
    #[arg(long, value_name = "FILE|RECIPE", num_args = 0..=1, default_missing_value = model::DEFAULT_RECIPE)]
    model: Option<String>,
    /// Time this kernel too, beside the fastest of each format (see `harness kernels`); may be given several times
    #[arg(long = "kernel", value_name = "ID", conflicts_with = "model")]
    kernel_ids: Vec<String>,
    /// Numbers of threads, at most 64 for each core
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2", value_parser = threads::parse)]
    threads: Vec<NonZeroUsize>,
    #[command(flatten)]
    receipt: ReceiptOption,
    /// A few shapes or a short prompt, for a short time: shows that it works, not how fast it is
    #[arg(long)]
    quick: bool,
}

impl BenchArgs {
    /// Each number of threads once, the smallest first.
    fn threads(&self) -> Vec<usize> {
        let mut threads: Vec<usize> = self.threads.iter().map(|n| n.get()).collect();
        threads.sort_unstable();
        threads.dedup();
        threads
    }

    fn extent(&self) -> Extent {
        if self.quick {
            Extent::Quick
        } else {
            Extent::Full
        }
    }
}

pub(super) fn run(args: &BenchArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    interrupt::not_done("rows that are not printed");
    let recording = args
        .receipt
        .prepare(Destinations::of_reading(&args.model), out)?;
    match &args.model {
        Some(model) => model::run(args, model, recording, out),
        None => kernels::run(args, recording, out),
    }
}

/// The receipt of a bench, run for it alone.
///
/// # Errors
///
/// [`CliError`] if there is nothing to time.
pub(super) fn receipt(args: &BenchArgs) -> Result<Option<Receipt>, CliError> {
    Ok(match &args.model {
        Some(model) => model::time(args, model, true)?.receipt,
        None => kernels::time(args, true)?.receipt,
    })
}

/// What a bench came to.
struct Timed<R> {
    report: R,
    /// Ids of the oracles that were timed.
    oracles: Vec<String>,
    /// If it was asked for, and the work was done.
    receipt: Option<Receipt>,
}

/// What a run of so many rows comes to.
fn exit(rows: usize, disagrees: bool, skipped: &[String], out: &mut Output<'_>) -> Exit {
    match rows {
        0 => {
            out.nothing_compared("no row was timed");
            skipped
                .iter()
                .for_each(|reason| out.nothing_compared(reason));
            Exit::NothingCompared
        }
        _ if disagrees => Exit::Divergence,
        _ => Exit::Agreement,
    }
}

/// What makes times mean little, if anything does.
fn warn(doubtful: usize, most_threads: Option<usize>, out: &mut dyn Write) -> std::io::Result<()> {
    let cores = Environment::here().threads;
    if let Some(threads) = most_threads.filter(|threads| *threads > cores) {
        writeln!(
            out,
            "{threads} threads on a machine that runs {cores} at once: they wait for each other, and the times are of that"
        )?;
    }
    if doubtful > 0 {
        let plural = if doubtful == 1 { "row is" } else { "rows are" };
        writeln!(
            out,
            "{doubtful} {plural} in doubt: no baseline takes their times, and no gate judges them"
        )?;
    }
    if cfg!(debug_assertions) {
        writeln!(
            out,
            "this is a checked build of the Rust side: its times mean little"
        )?;
    }
    Ok(())
}
