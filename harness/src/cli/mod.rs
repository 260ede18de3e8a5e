//! The command line, with one file for each command. Commands write to a given writer and return an [`Exit`]. Errors
//! have an exit code too.

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
mod mutants;
mod nightly;
mod oracle;
mod outcomes;
mod output;
mod probe_oracle;
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

use self::terminal::print_error;

pub use candidates::CandidateCheck;
pub use output::{Output, OutputOptions, conclude};

use crate::baseline::BaselineError;
use crate::destination::DestinationError;
use crate::exit::Exit;
use crate::fuzz::{CaseError, RegressionError};
use crate::implementation::ImplementationError;
use crate::inference::InferenceError;
use crate::interrupt;
use crate::model::ModelError;
use crate::oracles::StoreError;
use crate::probe::ProbeError;
use crate::receipt::ReceiptError;
use crate::report::ReportError;
use crate::synth::SynthError;

/// Checks whether a quantized kernel still agrees with llama.cpp, and shows where it differs, by how much and why
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
    Oracle(oracle::OracleArgs),
    Kernels(kernels::KernelsArgs),
    Mutants(mutants::MutantsArgs),
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
    #[command(hide = true)]
    ProbeOracle(probe_oracle::ProbeOracleArgs),
}

/// Why a command ended without a verdict.
#[derive(Debug, Error)]
pub enum CliError {
    /// An unknown id or an invalid combination of options.
    #[error("{0}")]
    Usage(String),
    /// No oracle can be used.
    #[error("{0}")]
    Setup(String),
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model cannot be generated.
    #[error(transparent)]
    Synth(#[from] SynthError),
    /// An oracle cannot be loaded.
    #[error(transparent)]
    Oracle(#[from] cpp_shim::OracleError),
    /// An implementation failed on an input that it supports.
    #[error(transparent)]
    Implementation(#[from] ImplementationError),
    /// A model cannot be opened or run.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// A file does not contain a case.
    #[error(transparent)]
    Regression(#[from] RegressionError),
    /// A case cannot be made or packed.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// An oracle could not be probed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// An output cannot be written or would overwrite an input.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A receipt cannot be written or read, or is invalid.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// A baseline cannot be read or written, or is invalid.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// A report cannot be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// An added oracle cannot be read, added or removed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Receipts cannot be merged, or some are missing.
    #[error("{0}")]
    Merge(String),
    /// The run was interrupted.
    #[error("{0}")]
    Interrupted(String),
    /// A worker process failed.
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
            CliError::Usage(_) | CliError::Store(StoreError::Name { .. }) => Exit::Usage,
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

/// Appends the table of exit codes to the help of a command and its subcommands.
fn with_exit_codes(command: clap::Command) -> clap::Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let help: Vec<String> = examples.into_iter().chain([Exit::HELP.into()]).collect();
    command
        .after_help(help.join("\n\n"))
        .mut_subcommands(with_exit_codes)
}

/// The definition of the command line, for parsing, completions and manual pages.
pub fn command() -> clap::Command {
    Cli::command().mut_subcommands(with_exit_codes)
}

/// Prints the requested help or the error of the command line, and ends the process.
fn end_with(error: &clap::Error, color: clap::ColorChoice) -> ! {
    if error.use_stderr() {
        // Arguments are untrusted: a shell pattern may expand to any file name.
        output::apply(color);
        let words = error.render().to_string();
        print_error(&words.strip_prefix("error: ").unwrap_or(&words).trim_end());
    } else {
        error.print().ok();
    }
    std::process::exit(error.exit_code())
}

/// Converts an error of installing the signal handling.
fn watched(watch: io::Result<()>) -> Result<(), CliError> {
    watch.map_err(|error| {
        let error = limits::explained(&error);
        CliError::Setup(format!("cannot wait for signals: {error}"))
    })
}

impl Command {
    /// Whether the command installs its own signal handling or needs none. A worker has nothing to clean up, so a
    /// signal may end it.
    fn watches_steps(&self) -> bool {
        use Command::{Bench, Check, Fuzz, Mutants, Nightly, Worker};
        matches!(
            self,
            Bench(_) | Check(_) | Fuzz(_) | Mutants(_) | Nightly(_) | Worker(_)
        )
    }
}

impl Cli {
    /// Parses the command line of this process. If it is invalid or requests help, prints the message and ends the
    /// process.
    pub fn of_this_process() -> Cli {
        let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into());
        let color = output::color_of(arguments);
        let matches = command().color(color).try_get_matches();
        let parsed = matches.and_then(|matches| Cli::from_arg_matches(&matches));
        parsed.unwrap_or_else(|error| end_with(&error, color))
    }

    /// Runs the command as [`conclude`] does and returns its exit code. A worker runs without a supervisor, because the
    /// process that started it supervises it.
    pub fn conclude(&self) -> Exit {
        match self.command {
            Command::Worker(_) | Command::ProbeOracle(_) => {
                output::conclude_here(&self.output, |out| self.run(out))
            }
            _ => conclude(&self.output, |out| self.run(out)),
        }
    }

    /// Runs the command and writes its result to `out`. Progress goes to standard error.
    ///
    /// # Errors
    ///
    /// [`CliError`], which has an exit code.
    pub fn run(&self, out: &mut Output<'_>) -> Result<Exit, CliError> {
        if !self.command.watches_steps() {
            watched(interrupt::watch())?;
        }
        match &self.command {
            Command::Check(args) => check::run(args, out),
            Command::Logits(args) => logits::run(args, out),
            Command::DumpLut(args) => dump_lut::run(args, out),
            Command::Synth(args) => synth::run(args, out),
            Command::Oracle(args) => oracle::run(args, out),
            Command::Kernels(args) => kernels::run(args, out),
            Command::Mutants(args) => mutants::run(args, out),
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
            Command::ProbeOracle(args) => probe_oracle::run(args, out),
        }
    }
}
