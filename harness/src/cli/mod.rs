//! The command line: one file a command. Commands write to a given writer and return an [`Exit`]; errors carry theirs.

mod annotation;
mod baseline;
mod bench;
mod candidates;
mod check;
mod completions;
mod decoding;
mod dump_lut;
mod duration;
mod fuzz;
mod gate;
mod isolation;
mod kernels;
mod limits;
mod logits;
mod merge;
mod mistakes;
mod nightly;
mod oracles;
mod outcomes;
mod output;
mod receipts;
mod recording;
mod repeat;
mod replay;
mod report;
mod select;
mod slots;
mod style;
mod synth;
mod terminal;
mod threads;
mod verify_receipt;
mod worker;

use std::io;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use thiserror::Error;

use self::terminal::tell_error;

pub use candidates::CandidateCheck;
pub use output::{Output, OutputOptions, conclude};

use crate::baseline::BaselineError;
use crate::destination::DestinationError;
use crate::exit::Exit;
use crate::fuzz::{CaseError, RegressionError};
use crate::implementation::SideError;
use crate::inference::InferenceError;
use crate::interrupt;
use crate::model::ModelError;
use crate::probe::ProbeError;
use crate::receipt::ReceiptError;
use crate::report::ReportError;
use crate::synth::SynthError;

/// Decides whether a quantized kernel still agrees with llama.cpp, and if not, where, by how much and whose fault it is
#[derive(Debug, Parser)]
#[command(version, after_help = Exit::HELP, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::CheckArgs),
    Logits(logits::LogitsArgs),
    DumpLut(dump_lut::DumpLutArgs),
    Synth(synth::SynthArgs),
    Oracles(oracles::OraclesArgs),
    Kernels(kernels::KernelsArgs),
    Mistakes(mistakes::MistakesArgs),
    Fuzz(fuzz::FuzzArgs),
    Replay(replay::ReplayArgs),
    Bench(bench::BenchArgs),
    VerifyReceipt(verify_receipt::VerifyReceiptArgs),
    Merge(merge::MergeArgs),
    Gate(gate::GateArgs),
    Baseline(baseline::BaselineArgs),
    Report(report::ReportArgs),
    Nightly(nightly::NightlyArgs),
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    Man(completions::ManArgs),
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
}

/// Why a command did not get to a verdict.
#[derive(Debug, Error)]
pub enum CliError {
    /// An id or a combination of options that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// No oracle can be used.
    #[error("{0}")]
    Setup(String),
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// No model can be generated.
    #[error(transparent)]
    Synth(#[from] SynthError),
    /// An oracle cannot be loaded.
    #[error(transparent)]
    Oracle(#[from] cpp_shim::OracleError),
    /// A side that should answer did not.
    #[error(transparent)]
    Side(#[from] SideError),
    /// A model cannot be opened or run.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// A file holds no case.
    #[error(transparent)]
    Regression(#[from] RegressionError),
    /// No case can be made or packed.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// An oracle could not be probed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// An output cannot be written, or would destroy an input.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A receipt cannot be written, read or believed.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// A baseline cannot be read, believed or written.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// Receipts do not become a report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Receipts are not of the same work, or some are missing.
    #[error("{0}")]
    Merge(String),
    /// Ctrl-C.
    #[error("{0}")]
    Interrupted(String),
    /// A worker process cannot go on.
    #[error("worker: {0}")]
    Worker(io::Error),
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl CliError {
    /// The exit code of the error.
    pub fn exit(&self) -> Exit {
        match self {
            CliError::Usage(_) => Exit::Usage,
            CliError::Destination(
                DestinationError::IsInput { .. } | DestinationError::Twice { .. },
            ) => Exit::Usage,
            CliError::Destination(DestinationError::Write { source, .. })
                if source.kind() == io::ErrorKind::Interrupted =>
            {
                Exit::Interrupted
            }
            CliError::Interrupted(_) => Exit::Interrupted,
            _ => Exit::Setup,
        }
    }
}

/// The table of exit codes after the examples, also of the commands of a command.
fn with_exit_codes(command: clap::Command) -> clap::Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let help: Vec<String> = examples.into_iter().chain([Exit::HELP.into()]).collect();
    command
        .after_help(help.join("\n\n"))
        .mut_subcommands(with_exit_codes)
}

/// The command line of `harness`, as it is parsed, completed and documented.
pub fn command() -> clap::Command {
    Cli::command().mut_subcommands(with_exit_codes)
}

/// Prints the help that was asked for, or what is wrong with the command line, and ends the process.
fn end_with(error: &clap::Error, color: clap::ColorChoice) -> ! {
    if error.use_stderr() {
        // An argument may have come from anywhere, such as a file's name from a pattern of the shell.
        output::apply(color);
        let words = error.render().to_string();
        tell_error(&words.strip_prefix("error: ").unwrap_or(&words).trim_end());
    } else {
        error.print().ok();
    }
    std::process::exit(error.exit_code())
}

/// What keeps signals from being waited for, as an error.
fn watched(watch: io::Result<()>) -> Result<(), CliError> {
    watch.map_err(|error| {
        let error = limits::explained(&error);
        CliError::Setup(format!("cannot wait for signals: {error}"))
    })
}

impl Command {
    /// Whether the command waits for signals itself, or never does: a worker has nothing to tidy up, and dies of them.
    fn watches_steps(&self) -> bool {
        use Command::{Bench, Check, Fuzz, Mistakes, Nightly, Worker};
        matches!(
            self,
            Bench(_) | Check(_) | Fuzz(_) | Mistakes(_) | Nightly(_) | Worker(_)
        )
    }
}

impl Cli {
    /// The command line of this process. Where it makes no sense or asks for help, this prints so and ends the process.
    pub fn of_this_process() -> Cli {
        let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into());
        let color = output::color_of(arguments);
        let matches = command().color(color).try_get_matches();
        let parsed = matches.and_then(|matches| Cli::from_arg_matches(&matches));
        parsed.unwrap_or_else(|error| end_with(&error, color))
    }

    /// Runs the command as [`conclude`] does, and gives its exit code. A worker has a supervisor already: the process that
    /// started it.
    pub fn conclude(&self) -> Exit {
        match self.command {
            Command::Worker(_) => output::conclude_here(&self.output, |out| self.run(out)),
            _ => conclude(&self.output, |out| self.run(out)),
        }
    }

    /// Runs the command, writing its result to `out`. Progress goes to standard error.
    ///
    /// # Errors
    ///
    /// [`CliError`], with its own exit code.
    pub fn run(&self, out: &mut Output<'_>) -> Result<Exit, CliError> {
        if !self.command.watches_steps() {
            watched(interrupt::watch())?;
        }
        match &self.command {
            Command::Check(args) => check::run(args, out),
            Command::Logits(args) => logits::run(args, out),
            Command::DumpLut(args) => dump_lut::run(args, out),
            Command::Synth(args) => synth::run(args, out),
            Command::Oracles(args) => oracles::run(args, out),
            Command::Kernels(args) => kernels::run(args, out),
            Command::Mistakes(args) => mistakes::run(args, out),
            Command::Fuzz(args) => fuzz::run(args, out),
            Command::Replay(args) => replay::run(args, out),
            Command::Bench(args) => bench::run(args, out),
            Command::VerifyReceipt(args) => verify_receipt::run(args, out),
            Command::Merge(args) => merge::run(args, out),
            Command::Gate(args) => gate::run(args, out),
            Command::Baseline(args) => baseline::run(args, out),
            Command::Report(args) => report::run(args, out),
            Command::Nightly(args) => nightly::run(args, out),
            Command::Completions(args) => completions::run(args, out),
            Command::Man(args) => completions::man(args, out),
            Command::Worker(args) => worker::run(args),
        }
    }
}
