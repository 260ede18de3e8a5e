//! `harness check`: runs the levels and prints the verdicts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use cpp_shim::Build;
use qk256::format::Format;

use super::decoding::DecodingSelection;
use super::oracle;
use super::recording::ReceiptOption;
use super::select::{
    ALL_LEVELS, KernelSelection, OracleSelection, open_model, open_named, oracle_ids, oracle_infos,
};
use super::{CliError, Output, outcomes, style};
use crate::check::{self, CheckReport, levels_of};
use crate::destination::Destinations;
use crate::exit::Exit;
use crate::fuzz;
use crate::inference::Engine;
use crate::interrupt;
use crate::levels::Level;
use crate::model::TernaryTensor;
use crate::non_finite;
use crate::outcome::{Omission, Outcome};
use crate::participant::worker::Workers;
use crate::participant::{
    Candidate, Forward, OracleImplementation, Participants, reference_format, reference_layout,
};
use crate::probe::{Lut, ProbeError};
use crate::receipt::{
    CheckParameters, CheckSection, DECLARED, FormatLut, InferenceInfo, ModelInfo, OracleInfo,
    Receipt, Recorder, Section, Work,
};
use crate::shard::Shard;
use crate::task::Task;

/// Compare kernels and forward pass with every oracle, level by level, on the tensors of a model and on the whole model
///
/// Without MODEL the default synthetic model is generated and checked. A kernel or an oracle that this machine cannot
/// run is skipped with a reason. Skips never count as agreement. If kernels are selected, the forward pass uses them.
/// Oracles run the model in separate processes. An oracle that dies or hangs counts as a divergence, and the run
/// continues.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness check
  harness check tiny-llama-tq2_0
  harness check model.gguf --receipt receipt.json --findings findings
  harness check model.gguf --level node,logits --tokens 1,5,7,9 --threads 2
  harness check model.gguf --level logits --prompt \"The capital of France is\"
  harness check model.gguf --shard 1/4 --receipt part-1.json
  harness check model.gguf --level block,tensor --kernel i2_s.group128.scalar --oracle bitnet.cpp/strict
  harness check model.gguf --candidate llama.cpp/strict --oracle bitnet.cpp/strict")]
pub(super) struct CheckArgs {
    /// GGUF file with I2_S, TQ2_0 or TQ1_0 tensors, or a recipe (see `harness synth --list`) whose model is written to
    /// a temporary file
    model: Option<PathBuf>,
    /// Levels to run, separated by commas
    #[arg(long = "level", value_name = "LEVEL", value_enum, value_delimiter = ',', default_value = ALL_LEVELS.as_str())]
    levels: Vec<Level>,
    #[command(flatten)]
    oracles: OracleSelection,
    #[command(flatten)]
    kernels: KernelSelection,
    /// Check this oracle in place of the kernels and the forward pass in Rust (see `harness oracle list`)
    #[arg(long, value_name = "ID", conflicts_with = "kernel_ids")]
    candidate: Option<String>,
    #[command(flatten)]
    decoding: DecodingSelection,
    #[command(flatten)]
    receipt: ReceiptOption,
    /// Write the input of each finding of the levels block and tensor to this folder, made as small as possible, for
    /// `harness replay`
    #[arg(long, value_name = "DIR")]
    findings: Option<PathBuf>,
    /// Run shard i of n; `harness merge` unites the receipts of all shards
    #[arg(long, value_name = "i/n", default_value_t)]
    shard: Shard,
    /// Seed of pseudo-random inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The result of a check.
pub(super) struct Checked {
    check: CheckReport,
    omitted: Vec<Omission>,
    /// The reason why no kernel was checked, if none was.
    unread: Option<String>,
    /// The receipt, if it was requested and the run was not interrupted.
    pub(super) receipt: Option<Receipt>,
}

pub(super) fn run(args: &CheckArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    interrupt::not_done(levels_of(&args.levels()));
    if let Some(folder) = &args.findings {
        Destinations::folder(folder)?;
    }
    let recording = args
        .receipt
        .prepare(Destinations::of_reading(&args.model), out)?;
    let checked = check(args, args.receipt.is_wanted() || out.is_json())?;
    outcomes::print(&checked.check, &checked.omitted, out)?;
    out.receipt(checked.receipt.as_ref())?;
    // A signal after the last level interrupts nothing.
    if !checked.check.not_done.is_empty() {
        args.receipt
            .require_done(|| levels_of(&checked.check.not_done))?;
    }
    recording.write(checked.receipt.as_ref())?;
    if checked.check.verdict.is_omission() {
        let unread = checked.unread.iter().cloned();
        unread.for_each(|reason| out.nothing_compared(reason));
        outcomes::record_omissions(&checked.check, out);
    }
    Ok(checked.check.verdict.into())
}

/// Runs the levels, and makes a receipt if `wants_receipt`.
///
/// # Errors
///
/// [`CliError`] if there is no model, no participant or no work.
pub(super) fn check(args: &CheckArgs, wants_receipt: bool) -> Result<Checked, CliError> {
    let recorder = Recorder::start();
    let judged = args.candidate.as_deref().map(oracle::named).transpose()?;
    let mut oracles = args.oracles.load_for(judged)?;
    oracles.references = args.decoding.isolate(oracles.references);
    let open = match &args.model {
        Some(model) => open_named(model)?,
        None => open_model(None)?,
    };
    let tensors = open.model.ternary_tensors(reference_layout())?;
    let is_of = |tensor: &TernaryTensor<'_>, format: &Format| {
        reference_format(tensor.weights.format()) == reference_format(format)
    };
    let formats = reference_formats(&tensors);
    let judged_info = match judged {
        Some(build) => Some(OracleInfo::from(build.load()?.description())),
        None => None,
    };
    let judged = judged
        .map(|build| judged_oracle(build, &formats, args))
        .transpose()?;
    let (candidates, engines, upstream): Judged = match judged {
        Some(judged) => judged,
        None => {
            let is_read = |candidate: &Candidate| {
                tensors.iter().any(|tensor| is_of(tensor, candidate.format))
            };
            let kernels = args.kernels.candidates()?.into_iter().filter(is_read);
            let forward = Forward::of_model(&args.kernels.named()?, &open.model);
            (kernels.collect(), forward, None)
        }
    };
    // The receipt names all oracles that were asked, also those without the type.
    let asked = oracle_ids(&oracles.references);
    let mut infos = oracle_infos(&oracles.references);
    infos.extend(judged_info);
    oracles.note_missing_types(&open.model);
    oracles.keep_if_any(|reference| {
        formats.is_empty() || formats.iter().any(|format| reference.has(format))
    });
    let unread = candidates.is_empty().then(|| {
        let types: BTreeSet<&str> = tensors
            .iter()
            .map(|t| t.weights.format().type_name)
            .collect();
        let path = open.model.path().display();
        match Vec::from_iter(types)[..] {
            [] => format!("{path} has no ternary tensor"),
            ref types => format!(
                "no requested kernel reads a tensor of {path}, whose ternary tensors are of {}",
                types.join(", ")
            ),
        }
    });
    let levels = args.levels();
    let decoding = if levels.iter().any(|level| Level::OF_MODELS.contains(level)) {
        Ok(args.decoding.of(&open.model, &oracles.references)?)
    } else {
        args.decoding.require_nothing()?;
        Err("no requested level runs the model".into())
    };
    let participants = Participants {
        references: oracles.references,
        candidates,
        engines,
        upstream,
    };
    let task = Task {
        model: open.argument.clone(),
        tensors,
        decoding,
        seed: args.seed,
        shard: args.shard,
        progress: style::progress(),
    };
    let mut check = check::run(&levels, &participants, &task);
    if let Some(limit) = check.limit() {
        return Err(CliError::Setup(limit.to_owned()));
    }
    if check.model_disagrees()
        && let Some(fault) = non_finite::first(&open.model, reference_layout())?
    {
        check.attribute_to_input(fault.to_string());
    }
    open.model.require_unchanged()?;
    keep_findings(&mut check, &participants, args.findings.as_deref())?;
    let mut receipt = None;
    if wants_receipt && check.not_done.is_empty() {
        let run = recorder.finish(
            Section::Check,
            args.shard,
            Some(task.model.clone()),
            asked,
            check.timings.clone(),
        );
        let section = CheckSection {
            parameters: args.parameters(),
            shards: args.shard.into(),
            input_fault: check.input_fault.clone(),
            verdict: check.verdict,
            levels: check.levels.clone(),
            parts: Vec::new(),
            inference: levels
                .iter()
                .any(|level| Level::OF_MODELS.contains(level))
                .then(|| InferenceInfo::of(&task)),
            layouts: if levels.contains(&Level::Lut) {
                layouts(&participants, args.shard)?
            } else {
                Vec::new()
            },
            omitted: oracles.omitted.clone(),
        };
        let model = ModelInfo::of(&open.model, &task)?;
        let work = Work::Check(Box::new(section));
        receipt = Some(Receipt::new(run, work, Some(model), infos)?);
    }
    Ok(Checked {
        check,
        omitted: oracles.omitted,
        unread,
        receipt,
    })
}

/// The formats of the tensors, in the layout of the oracles.
fn reference_formats(tensors: &[TernaryTensor<'_>]) -> Vec<&'static Format> {
    let mut formats: Vec<&'static Format> = Vec::new();
    for tensor in tensors {
        let format = reference_format(tensor.weights.format());
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    formats
}

/// The candidates of the kernel levels, those of the levels that run a model, and their upstream if they are an oracle.
type Judged = (Vec<Candidate>, Vec<Box<dyn Engine>>, Option<String>);

/// An oracle as the candidate of every level.
fn judged_oracle(
    build: &Build,
    formats: &[&'static Format],
    args: &CheckArgs,
) -> Result<Judged, CliError> {
    build
        .availability()
        .map_err(|missing| CliError::Setup(format!("oracle {}: {missing}", build.id())))?;
    let implementation = OracleImplementation::new(build.load()?);
    let engine = Workers::new(build.id(), args.decoding.workers());
    let upstream = build.provenance().upstream.to_owned();
    Ok((
        Candidate::oracle(&implementation, formats),
        vec![Box::new(engine)],
        Some(upstream),
    ))
}

/// Shrinks the cases of all findings and writes them to the folder, if one is given.
fn keep_findings(
    check: &mut CheckReport,
    participants: &Participants,
    folder: Option<&Path>,
) -> Result<(), CliError> {
    let reports = check.levels.iter_mut();
    let outcomes = reports.flat_map(|report| &mut report.outcomes);
    let outcomes: Vec<&mut Outcome> = outcomes.filter(|o| !o.findings.is_empty()).collect();
    if outcomes.is_empty() {
        return Ok(());
    }
    let progress = style::bar();
    progress.set_length(outcomes.len() as u64);
    progress.set_message("shrink");
    for outcome in progress.wrap_iter(outcomes.into_iter()) {
        fuzz::keep(outcome, participants, folder)?;
    }
    progress.finish_and_clear();
    Ok(())
}

/// The declared and derived tables of the candidates' formats that belong to the shard.
fn layouts(participants: &Participants, shard: Shard) -> Result<Vec<FormatLut>, CliError> {
    let mut formats: Vec<&Format> = Vec::new();
    for candidate in &participants.candidates {
        let format = reference_format(candidate.format);
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    let mut records = Vec::new();
    for format in shard.part(formats) {
        let declared = Lut::declared(format).map_err(ProbeError::from)?;
        let record = |implementation: &str, lut| FormatLut {
            format: format.id.into(),
            implementation: implementation.into(),
            lut,
        };
        records.push(record(DECLARED, declared));
        for reference in participants
            .references
            .iter()
            .filter(|reference| reference.compared)
        {
            // If an oracle does not support the format or fails, its outcome on the level reports that.
            if let Ok(lut) = reference.lut(format).as_ref() {
                records.push(record(reference.implementation.id(), lut.clone()));
            }
        }
    }
    records.sort_by(|a, b| a.key().cmp(&b.key()));
    Ok(records)
}

impl CheckArgs {
    /// The levels, sorted and without duplicates.
    fn levels(&self) -> Vec<Level> {
        let mut levels = self.levels.clone();
        levels.sort_unstable();
        levels.dedup();
        levels
    }

    /// The arguments of one shard of a check recorded in a receipt, on `model` and without outputs.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for parameters that the command line does not accept.
    pub(super) fn recorded(
        parameters: &CheckParameters,
        shard: Shard,
        model: Option<PathBuf>,
    ) -> Result<CheckArgs, CliError> {
        Ok(CheckArgs {
            model,
            levels: parameters.levels.clone(),
            oracles: OracleSelection::of(&parameters.oracles),
            kernels: KernelSelection::of(&parameters.kernels),
            candidate: parameters.candidate.clone(),
            decoding: DecodingSelection::recorded(parameters)?,
            receipt: ReceiptOption::default(),
            findings: None,
            shard,
            seed: parameters.seed,
        })
    }

    fn parameters(&self) -> CheckParameters {
        CheckParameters {
            levels: self.levels(),
            oracles: self.oracles.ids(),
            kernels: self.kernels.ids(),
            candidate: self.candidate.clone(),
            tokens: self.decoding.tokens(),
            prompt: self.decoding.prompt(),
            threads: self.decoding.threads(),
            seed: self.seed,
        }
    }
}
