//! `harness bench`: times kernels and whole models.

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
use crate::outcome::Omission;
use crate::receipt::{BenchParameters, Environment, ModelBenchParameters, Receipt};

/// Time kernels or a whole model against the oracles and the limits of the machine
///
/// Each row is an operation, a shape, a number of threads and a kernel. With --model it is a prompt of 128 tokens
/// (prefill) or one token after it (decode). Participants are timed alternately in one process. An oracle's column
/// shows its time divided by that of the Rust implementation (above 1 the Rust implementation is faster), with a 95 %
/// confidence interval of the median. A roof is a limit of the machine: reading the weights, or the int8 multiply-adds
/// of the kernel's instruction set in registers. The table shows the fraction of the tighter roof. The last column
/// shows the speed-up over one thread, and the speed-up of reading alone. The times include the quantization of
/// activations. A row is doubtful if the run used `--quick` or a checked build, if it has more threads than the machine
/// runs at once, if it exceeds a roof, if its interval is wider than a factor of 1.5, or if call overhead dominates.
/// Baselines do not use doubtful rows. Use a release build on an idle machine.
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
    /// Time the forward pass of a model: a GGUF file, or a recipe (see `harness synth --list`) whose model is written
    /// to a temporary file
    #[arg(long, value_name = "FILE|RECIPE", num_args = 0..=1, default_missing_value = model::DEFAULT_RECIPE)]
    model: Option<String>,
    /// Time this kernel in addition to the fastest of each format (see `harness kernels`); may be given several times
    #[arg(long = "kernel", value_name = "ID", conflicts_with = "model")]
    kernel_ids: Vec<String>,
    /// Numbers of threads, at most 64 per core
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2", value_parser = threads::parse)]
    threads: Vec<NonZeroUsize>,
    #[command(flatten)]
    receipt: ReceiptOption,
    /// Time a few shapes or a short prompt briefly: tests that the bench works; the times are not meaningful
    #[arg(long)]
    quick: bool,
}

impl BenchArgs {
    /// The arguments of a kernel bench recorded in a receipt.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for a number of threads that this machine does not support.
    pub(super) fn recorded(parameters: &BenchParameters) -> Result<BenchArgs, CliError> {
        Ok(BenchArgs {
            oracles: OracleSelection::of(&parameters.oracles),
            model: None,
            kernel_ids: parameters.kernels.clone(),
            threads: recorded_threads(&parameters.threads)?,
            receipt: ReceiptOption::default(),
            quick: parameters.quick,
        })
    }

    /// The arguments of a model bench recorded in a receipt.
    ///
    /// # Errors
    ///
    /// As [`BenchArgs::recorded`].
    pub(super) fn recorded_model(parameters: &ModelBenchParameters) -> Result<BenchArgs, CliError> {
        Ok(BenchArgs {
            oracles: OracleSelection::of(&parameters.oracles),
            model: Some(parameters.name.clone()),
            kernel_ids: Vec::new(),
            threads: recorded_threads(&parameters.threads)?,
            receipt: ReceiptOption::default(),
            quick: parameters.quick,
        })
    }

    /// The numbers of threads, sorted and without duplicates.
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

fn recorded_threads(threads: &[usize]) -> Result<Vec<NonZeroUsize>, CliError> {
    let checked = threads.iter().map(|&number| threads::checked(number));
    checked.collect::<Result<_, _>>().map_err(CliError::Usage)
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

/// Runs a bench without output and returns its receipt.
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

/// The result of a bench.
struct Timed<R> {
    report: R,
    /// Ids of the oracles that were timed.
    oracles: Vec<String>,
    /// The receipt, if it was requested and the run was not interrupted.
    receipt: Option<Receipt>,
}

/// The exit code of a bench with this number of rows.
fn exit(rows: usize, disagrees: bool, omitted: &[Omission], out: &mut Output<'_>) -> Exit {
    match rows {
        0 => {
            out.nothing_compared("no row was timed");
            let omitted = omitted.iter();
            omitted.for_each(|omission| out.nothing_compared(omission.to_string()));
            Exit::NothingCompared
        }
        _ if disagrees => Exit::Divergence,
        _ => Exit::Agreement,
    }
}

/// Prints warnings about unreliable times.
fn warn(doubtful: usize, most_threads: Option<usize>, out: &mut dyn Write) -> std::io::Result<()> {
    let cores = Environment::here().threads;
    if let Some(threads) = most_threads.filter(|threads| *threads > cores) {
        writeln!(
            out,
            "{threads} threads on a machine that runs {cores} at once: they wait for each other, which distorts the times"
        )?;
    }
    if doubtful > 0 {
        let plural = if doubtful == 1 { "row is" } else { "rows are" };
        writeln!(
            out,
            "{doubtful} {plural} in doubt: baselines and the gate ignore their times"
        )?;
    }
    if cfg!(debug_assertions) {
        writeln!(
            out,
            "this is a checked build of the Rust implementation: its times are not meaningful"
        )?;
    }
    Ok(())
}
