//! `harness bench`: times kernels and whole models.

mod kernels;
mod model;
mod table;

use std::io::Write;
use std::num::NonZeroUsize;

use clap::Args;

use super::recording::ReceiptOption;
use super::select::OracleSelection;
use super::terminal::bad;
use super::{CliError, Output, outcomes, threads};
use crate::bench::plan::Extent;
use crate::bench::report::Report;
use crate::destination::Destinations;
use crate::exit::Exit;
use crate::interrupt;
use crate::receipt::{
    BenchParameters, BenchSection, Contents, Environment, Receipt, Recorder, Work,
};
use crate::shard::Shard;
use crate::wording::seconds;

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
    /// The arguments of a bench recorded in a receipt.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for a number of threads that this machine does not support.
    pub(super) fn recorded(parameters: &BenchParameters) -> Result<BenchArgs, CliError> {
        let threads = parameters.threads.iter();
        let threads = threads.map(|&number| threads::checked(number));
        Ok(BenchArgs {
            oracles: OracleSelection::of(&parameters.oracles),
            model: parameters.model.clone(),
            kernel_ids: parameters.kernels.clone(),
            threads: threads.collect::<Result<_, _>>().map_err(CliError::Usage)?,
            receipt: ReceiptOption::default(),
            quick: parameters.quick,
        })
    }

    fn parameters(&self) -> BenchParameters {
        BenchParameters {
            oracles: self.oracles.ids(),
            model: self.model.clone(),
            kernels: self.kernel_ids.clone(),
            threads: self.threads(),
            quick: self.quick,
        }
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

pub(super) fn run(args: &BenchArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    interrupt::not_done("rows that are not printed");
    let recording = args
        .receipt
        .prepare(Destinations::of_reading(&args.model), out)?;
    let timed = time(args, args.receipt.is_wanted() || out.is_json())?;
    let report = &timed.report;
    print(&timed, out.text())?;
    args.receipt
        .require_done(|| "rows after those above".into())?;
    recording.write(timed.receipt.as_ref())?;
    out.receipt(timed.receipt.as_ref())?;
    if report.rows.is_empty() {
        out.nothing_compared("no row was timed");
        let omitted = report.omitted.iter();
        omitted.for_each(|omission| out.nothing_compared(omission.to_string()));
        return Ok(Exit::NothingCompared);
    }
    match report.disagreements().next() {
        Some(_) => Ok(Exit::Divergence),
        None => Ok(Exit::Agreement),
    }
}

/// The result of a bench.
pub(super) struct Timed {
    report: Report,
    /// Ids of the oracles that were timed.
    oracles: Vec<String>,
    /// The receipt, if it was requested and the run was not interrupted.
    pub(super) receipt: Option<Receipt>,
}

/// Times the kernels or the model, and makes a receipt if `wants_receipt`.
///
/// # Errors
///
/// [`CliError`] if there is nothing to time.
pub(super) fn time(args: &BenchArgs, wants_receipt: bool) -> Result<Timed, CliError> {
    let recorder = Recorder::start();
    let (report, infos) = match &args.model {
        Some(model) => model::time(args, model)?,
        None => kernels::time(args)?,
    };
    let oracles: Vec<String> = infos.iter().map(|info| info.id.clone()).collect();
    let mut receipt = None;
    if wants_receipt && !interrupt::asked() {
        let section = BenchSection::new(args.parameters(), report.clone());
        let kind = section.section();
        let run = recorder.finish(kind, Shard::WHOLE, None, oracles.clone(), Vec::new());
        let work = Work::Bench(Box::new(section));
        receipt = Some(Receipt::new(run, work, None, infos)?);
    }
    Ok(Timed {
        report,
        oracles,
        receipt,
    })
}

fn print(timed: &Timed, out: &mut dyn Write) -> Result<(), CliError> {
    let report = &timed.report;
    writeln!(out, "{}", table::table(report, &timed.oracles))?;
    let here = Environment::here();
    let cpu = here.cpu_in_full();
    match &report.model {
        Some(model) => {
            let (name, architecture) = (&model.name, &model.architecture);
            let kernels = model.kernels.join(", ");
            writeln!(out, "{name} ({architecture}) by {kernels} on {cpu}")?;
        }
        None => writeln!(out, "on {cpu}")?,
    }
    for cost in &report.call_costs {
        let (threads, time) = (cost.threads, seconds(cost.seconds.value));
        let plural = if threads == 1 { "" } else { "s" };
        let implementation = &cost.implementation;
        writeln!(
            out,
            "a call on {threads} thread{plural} costs {implementation} {time} before any arithmetic"
        )?;
    }
    outcomes::print_omitted(&report.omitted, out)?;
    for (row, versus) in report.disagreements() {
        let (words, threads, oracle) = (row.words(), row.threads, &versus.oracle);
        let kernel = report.kernel(row);
        writeln!(
            out,
            "{}: {words} on {threads} threads: {kernel} and {oracle} compute different results",
            bad("differs")
        )?;
    }
    let most_threads = report.rows.iter().map(|row| row.threads).max();
    let cores = here.threads;
    if let Some(threads) = most_threads.filter(|threads| *threads > cores) {
        writeln!(
            out,
            "{threads} threads on a machine that runs {cores} at once: they wait for each other, which distorts the times"
        )?;
    }
    let doubtful = report.rows.iter().filter(|row| !row.doubts.is_empty());
    if let doubtful @ 1.. = doubtful.count() {
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
