//! `harness logits`: writes the logits of a model to a file.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::decoding::{require_tokens, vocabulary};
use super::isolation::Isolation;
use super::select::{engine, open_model};
use super::{CliError, Output, style, threads};
use crate::destination::{Destinations, Sink};
use crate::existing::Existing;
use crate::exit::Exit;
use crate::inference::{Engine, Inference, InferenceParams};
use crate::interrupt;
use crate::npy;
use crate::participant::Forward;

/// Number of tokens decoded at once. Their logits are written before the next are computed.
const CHUNK: usize = 64;

/// Write the logits of a model for every position of a text, as a NumPy array of f32, positions x vocabulary
///
/// The backend `rust` needs no oracle and is also available in builds without C++.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness logits model.gguf --tokens 1,5,7 --out logits.npy
  harness logits model.gguf --tokens 1,5,7 --backend bitnet.cpp/strict --out strict.npy --threads 2")]
pub(super) struct LogitsArgs {
    /// GGUF file of a model
    model: PathBuf,
    /// Tokens to decode, separated by commas
    #[arg(
        long,
        value_name = "IDS",
        value_delimiter = ',',
        num_args = 1,
        required = true
    )]
    tokens: Vec<u32>,
    /// Backend that computes: `rust`, or the id of an oracle (see `harness oracle list`)
    #[arg(long, value_name = "ID", default_value = Forward::ID)]
    backend: String,
    /// File to write
    #[arg(long, value_name = "FILE.npy")]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// Number of threads, at most 64 per core
    #[arg(long, value_name = "N", default_value = "1", value_parser = threads::parse)]
    threads: NonZeroUsize,
    #[command(flatten)]
    isolation: Isolation,
}

pub(super) fn run(args: &LogitsArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let mut destinations = Destinations::of_reading([&args.model]);
    let destination = destinations.claim(&args.out, Existing::of(args.force))?;
    out.share(&destinations)?;
    let engine = engine(&args.backend, args.isolation.workers())?;
    let model = open_model(Some(&args.model))?.model;
    require_tokens(&args.tokens, vocabulary(&model))?;
    interrupt::not_written(args.out.display().to_string());
    let mut file = destination.start()?;
    let written = write(args, engine.as_ref(), &mut file);
    // A changed file explains a failure better than the failure itself, so it is reported first.
    model.require_unchanged()?;
    let vocabulary = written?;
    file.finish()?;
    interrupt::written();
    out.document(|| LogitsResult {
        path: &args.out,
        positions: args.tokens.len(),
        vocabulary,
        backend: engine.id(),
    })?;
    writeln!(out.text(), "{}", args.out.display())?;
    writeln!(
        out.text(),
        "  {} positions x {vocabulary} logits of {}",
        args.tokens.len(),
        engine.id()
    )?;
    Ok(Exit::Agreement)
}

/// JSON output: the written file.
#[derive(Serialize)]
struct LogitsResult<'a> {
    path: &'a Path,
    positions: usize,
    vocabulary: usize,
    backend: &'a str,
}

/// Decodes, writes the logits and returns the size of the vocabulary.
fn write(args: &LogitsArgs, engine: &dyn Engine, file: &mut Sink) -> Result<usize, CliError> {
    let params = InferenceParams {
        n_ctx: args.tokens.len(),
        n_ubatch: CHUNK,
        threads: args.threads.get(),
    };
    let cannot_write = |source: io::Error| CliError::Write {
        path: args.out.clone(),
        source,
    };
    let progress = style::bar();
    progress.set_message("logits");
    progress.set_length(args.tokens.len() as u64);
    let mut written = None;
    engine.with_model(
        &args.model,
        &params,
        &mut |inference: &mut dyn Inference| {
            let mut all = || {
                let vocabulary = inference.vocabulary();
                npy::write_header(file, args.tokens.len(), vocabulary).map_err(cannot_write)?;
                for tokens in args.tokens.chunks(CHUNK) {
                    let logits = inference.decode(tokens, None)?;
                    npy::write_values(file, &logits).map_err(cannot_write)?;
                    progress.inc(tokens.len() as u64);
                }
                Ok(vocabulary)
            };
            written = Some(all());
        },
    )?;
    progress.finish_and_clear();
    written.expect("an engine that opens a model calls the work")
}
