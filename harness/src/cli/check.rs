//! `harness check`: climbs the ladder and says what it comes to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use qk256::format::Format;

use super::decoding::DecodingSelection;
use super::recording::ReceiptOption;
use super::select::{
    ALL_RUNGS, KernelSelection, OracleSelection, open_model, open_named, oracle_ids, oracle_infos,
};
use super::{CliError, Output, outcomes, style};
use crate::destination::Destinations;
use crate::exit::Exit;
use crate::fuzz;
use crate::interrupt;
use crate::ladder::{self, Climb, rungs_of};
use crate::model::TernaryTensor;
use crate::non_finite;
use crate::outcome::{Outcome, Rung};
use crate::probe::{Lut, ProbeError, derive};
use crate::receipt::{
    CheckParameters, CheckSection, DECLARED, InferenceInfo, LayoutRecord, ModelInfo, Receipt,
    Recorder, Section, Work,
};
use crate::shard::Shard;
use crate::side::{Candidate, Forward, Sides, reference_format, reference_layout};
use crate::task::Task;

/// Compare kernels and forward pass with every oracle, rung by rung, on the tensors of a model and on the whole of it
///
/// Without MODEL the default synthetic model is generated and checked. A kernel or an oracle that this machine cannot
/// run is skipped, with its reason; skips never add up to agreement. Where kernels are named, the forward pass
/// multiplies with those. Oracles run the model in processes of their own: one that dies or hangs differs, and the run
/// goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness check
  harness check tiny-llama-tq2_0
  harness check model.gguf --receipt receipt.json --findings findings
  harness check model.gguf --rung node,logits --tokens 1,5,7,9 --threads 2
  harness check model.gguf --rung logits --prompt \"The capital of France is\"
  harness check model.gguf --shard 1/4 --receipt part-1.json
  harness check model.gguf --rung block,tensor --kernel i2_s.group128.scalar --oracle bitnet.cpp/strict")]
pub(super) struct CheckArgs {
    /// GGUF file with I2_S, TQ2_0 or TQ1_0 tensors, or the recipe of one (see `harness synth --list`), which is written
    /// to a temporary file
    model: Option<PathBuf>,
    /// Rungs to climb, separated by commas
    #[arg(long = "rung", value_name = "RUNG", value_enum, value_delimiter = ',', default_value = ALL_RUNGS.as_str())]
    rungs: Vec<Rung>,
    #[command(flatten)]
    oracles: OracleSelection,
    #[command(flatten)]
    kernels: KernelSelection,
    #[command(flatten)]
    decoding: DecodingSelection,
    #[command(flatten)]
    receipt: ReceiptOption,
    /// Write the input of each finding in blocks and tensors, made as small as it will go, for `harness replay`
    #[arg(long, value_name = "DIR")]
    findings: Option<PathBuf>,
    /// Do the i-th of n parts of the work; receipts of all of them add up with `harness merge`
    #[arg(long, value_name = "i/n", default_value_t)]
    shard: Shard,
    /// Seed of pseudo-random inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What a check came to.
pub(super) struct Checked {
    climb: Climb,
    not_available: Vec<String>,
    /// Why no kernel took part, if none did.
    unread: Option<String>,
    /// If it was asked for, and the work was done.
    pub(super) receipt: Option<Receipt>,
}

pub(super) fn run(args: &CheckArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    interrupt::not_done(rungs_of(&args.rungs()));
    if let Some(folder) = &args.findings {
        Destinations::folder(folder)?;
    }
    let recording = args
        .receipt
        .prepare(Destinations::of_reading(&args.model), out)?;
    let checked = check(args, args.receipt.is_wanted() || out.is_json())?;
    outcomes::print(&checked.climb, &checked.not_available, out)?;
    out.receipt(checked.receipt.as_ref())?;
    // A signal after the last rung has interrupted nothing.
    if !checked.climb.not_done.is_empty() {
        args.receipt
            .require_done(|| rungs_of(&checked.climb.not_done))?;
    }
    recording.write(checked.receipt.as_ref())?;
    if checked.climb.verdict.is_omission() {
        let unread = checked.unread.iter().cloned();
        unread.for_each(|reason| out.nothing_compared(reason));
        outcomes::say_why(&checked.climb, out);
    }
    Ok(checked.climb.verdict.into())
}

/// Climbs the ladder, and makes a receipt of it if one is wanted.
///
/// # Errors
///
/// [`CliError`] if there is nothing to climb on or with.
pub(super) fn check(args: &CheckArgs, wants_receipt: bool) -> Result<Checked, CliError> {
    let recorder = Recorder::start();
    let candidates = args.kernels.candidates()?;
    let mut oracles = args.oracles.load()?;
    oracles.references = args.decoding.isolate(oracles.references);
    let open = match &args.model {
        Some(model) => open_named(model)?,
        None => open_model(None)?,
    };
    let tensors = open.model.ternary_tensors(reference_layout())?;
    let is_of = |tensor: &TernaryTensor<'_>, format: &Format| {
        reference_format(tensor.weights.format()) == reference_format(format)
    };
    let candidates: Vec<Candidate> = candidates
        .into_iter()
        .filter(|candidate| tensors.iter().any(|tensor| is_of(tensor, candidate.format)))
        .collect();
    let unread = candidates.is_empty().then(|| {
        let types: BTreeSet<&str> = tensors.iter().map(|t| t.weights.format().type_name).collect();
        let path = open.model.path().display();
        match Vec::from_iter(types)[..] {
            [] => format!("{path} has no ternary tensor"),
            ref types => format!(
                "no kernel that was asked for reads a tensor of {path}, whose ternary tensors are of {}",
                types.join(", ")
            ),
        }
    });
    let rungs = args.rungs();
    let decoding = if rungs.iter().any(|rung| Rung::OF_MODELS.contains(rung)) {
        Ok(args.decoding.of(&open.model, &oracles.references)?)
    } else {
        args.decoding.require_nothing()?;
        Err("no rung that runs the model was asked for".into())
    };
    let sides = Sides {
        references: oracles.references,
        candidates,
        engines: vec![Box::new(Forward::new(args.kernels.named()?))],
    };
    let task = Task {
        model: open.argument.clone(),
        tensors,
        decoding,
        seed: args.seed,
        shard: args.shard,
        progress: style::progress(),
    };
    let mut climb = ladder::climb(&rungs, &sides, &task);
    if let Some(limit) = climb.limit() {
        return Err(CliError::Setup(limit.to_owned()));
    }
    if climb.model_disagrees()
        && let Some(fault) = non_finite::first(&open.model, reference_layout())?
    {
        climb.blame_input(fault.to_string());
    }
    open.model.require_unchanged()?;
    keep_findings(&mut climb, &sides, args.findings.as_deref())?;
    let mut receipt = None;
    if wants_receipt && climb.not_done.is_empty() {
        let run = recorder.finish(
            Section::Check,
            args.shard,
            Some(task.model.clone()),
            oracle_ids(&sides.references),
            climb.timings.clone(),
        );
        let section = CheckSection {
            parameters: args.parameters(),
            shards: args.shard.into(),
            input_fault: climb.input_fault.clone(),
            verdict: climb.verdict,
            rungs: climb.rungs.clone(),
            parts: Vec::new(),
            inference: rungs
                .iter()
                .any(|rung| Rung::OF_MODELS.contains(rung))
                .then(|| InferenceInfo::of(&task)),
            layouts: if rungs.contains(&Rung::Lut) {
                layouts(&sides, args.shard)?
            } else {
                Vec::new()
            },
            not_available: oracles.skipped.clone(),
        };
        let model = ModelInfo::of(&open.model, &task)?;
        let oracles = oracle_infos(&sides.references);
        let work = Work::Check(section);
        receipt = Some(Receipt::new(run, work, Some(model), oracles)?);
    }
    Ok(Checked {
        climb,
        not_available: oracles.skipped,
        unread,
        receipt,
    })
}

/// Makes the cases of all findings as small as they will go, and writes them into the folder, if one is given.
fn keep_findings(climb: &mut Climb, sides: &Sides, folder: Option<&Path>) -> Result<(), CliError> {
    let reports = climb.rungs.iter_mut();
    let outcomes = reports.flat_map(|report| &mut report.outcomes);
    let outcomes: Vec<&mut Outcome> = outcomes.filter(|o| !o.findings.is_empty()).collect();
    if outcomes.is_empty() {
        return Ok(());
    }
    let progress = style::progress();
    progress.set_length(outcomes.len() as u64);
    progress.set_message("shrink");
    for outcome in progress.wrap_iter(outcomes.into_iter()) {
        fuzz::keep(outcome, sides, folder)?;
    }
    progress.finish_and_clear();
    Ok(())
}

/// What the formats of the candidates mean, as declared and as each oracle has it: the shard's part of them.
fn layouts(sides: &Sides, shard: Shard) -> Result<Vec<LayoutRecord>, CliError> {
    let mut formats: Vec<&Format> = Vec::new();
    for candidate in &sides.candidates {
        let format = reference_format(candidate.format);
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    let mut records = Vec::new();
    for format in shard.part(formats) {
        let declared = Lut::declared(format).map_err(ProbeError::from)?;
        records.push(LayoutRecord::new(format.id, DECLARED, &declared));
        for reference in sides
            .references
            .iter()
            .filter(|reference| reference.compared)
        {
            let side = reference.side.as_ref();
            // An oracle that has no such format, or fails at it, has its outcome on the rung.
            if let Ok(lut) = derive(side, side, format) {
                records.push(LayoutRecord::new(format.id, side.id(), &lut));
            }
        }
    }
    records.sort_by(|a, b| (&a.format, &a.side).cmp(&(&b.format, &b.side)));
    Ok(records)
}

impl CheckArgs {
    /// Each rung once, the lowest first.
    fn rungs(&self) -> Vec<Rung> {
        let mut rungs = self.rungs.clone();
        rungs.sort_unstable();
        rungs.dedup();
        rungs
    }

    fn parameters(&self) -> CheckParameters {
        CheckParameters {
            rungs: self.rungs(),
            oracles: self.oracles.ids(),
            kernels: self.kernels.ids(),
            tokens: self.decoding.tokens(),
            prompt: self.decoding.prompt(),
            threads: self.decoding.threads(),
            seed: self.seed,
        }
    }
}
