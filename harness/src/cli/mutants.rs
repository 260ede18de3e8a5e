//! `harness mutants`: shows which measure detects which mutant.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::recording::ReceiptOption;
use super::select::{OracleSelection, open_model, oracle_ids, oracle_infos};
use super::terminal::bad;
use super::{CliError, Output, outcomes, style};
use crate::cause::Fault;
use crate::destination::Destinations;
use crate::exit::Exit;
use crate::interrupt;
use crate::mutant::{Caught, KernelMutant, MODEL_MUTANTS, MUTANTS, ModelMutantRecord};
use crate::participant::reference_layout;
use crate::receipt::{MutantsParameters, MutantsSection, Receipt, Recorder, Section, Work};
use crate::shard::Shard;
use crate::task::Task;

/// Run deliberately wrong candidates and show which measure detects which
///
/// Each mutant has one bug that really happened. The columns show which measure detects it alone: cosine similarity
/// below 0.99, a normalised mean square error above the limit of llama.cpp's own tests, products with other bits, other
/// integers, and another table of codes, slots and scale. The column of the gate shows all levels together, which must
/// detect every mutant. Mutants of the forward pass have their own table: the measures of the logits, and the first
/// node that differs, which must be the mutated one. The last column is the cause that the diagnosis finds, which must
/// match the mutant exactly.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness mutants
  harness mutants --receipt mutants.json
  harness mutants --descriptions")]
pub(super) struct MutantsArgs {
    #[command(flatten)]
    oracles: OracleSelection,
    #[command(flatten)]
    receipt: ReceiptOption,
    /// Print the description of each mutant instead of running it
    #[arg(long)]
    descriptions: bool,
    /// Seed of pseudo-random inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl MutantsArgs {
    /// The arguments of a run of mutants recorded in a receipt.
    pub(super) fn recorded(parameters: &MutantsParameters) -> MutantsArgs {
        MutantsArgs {
            oracles: OracleSelection::of(&parameters.oracles),
            receipt: ReceiptOption::default(),
            descriptions: false,
            seed: parameters.seed,
        }
    }
}

/// JSON output for the description of a mutant.
#[derive(Serialize)]
struct Description {
    mutant: &'static str,
    description: &'static str,
}

pub(super) fn run(args: &MutantsArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    if args.descriptions {
        let mut table = style::table(&["mutant", "description"], 0..0);
        let of_kernels = MUTANTS.iter().map(|m| (m.name, m.description));
        let of_models = MODEL_MUTANTS.iter().map(|m| (m.name, m.description));
        let descriptions = of_kernels.chain(of_models);
        let descriptions: Vec<Description> = descriptions
            .map(|(mutant, description)| Description {
                mutant,
                description,
            })
            .collect();
        for Description {
            mutant,
            description,
        } in &descriptions
        {
            table.add_row([mutant, description]);
        }
        writeln!(out.text(), "{table}")?;
        out.document(|| descriptions)?;
        return Ok(Exit::Agreement);
    }
    interrupt::not_done("the mutation matrix");
    let recording = args.receipt.prepare(Destinations::default(), out)?;
    let ran = run_mutants(args, args.receipt.is_wanted() || out.is_json())?;
    args.receipt.require_done(|| "the mutation matrix".into())?;
    recording.write(ran.receipt.as_ref())?;
    out.receipt(ran.receipt.as_ref())?;
    let section = &ran.section;
    print(&section.kernels, out.text())?;
    print_models(&section.models, out.text())?;
    outcomes::print_omitted(&section.omitted, out.text())?;
    let kernels = section.kernels.iter().map(|row| {
        let name = format!("{} in {}", row.mutant, row.format);
        (name, row.caught.gate, row.named)
    });
    let models = section.models.iter();
    let models = models.map(|row| (row.mutant.clone(), row.caught(), row.named));
    let mutants: Vec<(String, bool, bool)> = kernels.chain(models).collect();
    for (survivor, ..) in mutants.iter().filter(|(_, caught, _)| !caught) {
        writeln!(out.text(), "{}: {survivor}", bad("survived"))?;
        out.annotate("a mutant survived", survivor);
    }
    for (mutant, ..) in mutants.iter().filter(|(.., named)| !named) {
        writeln!(out.text(), "{}: {mutant}", bad("misnamed"))?;
        out.annotate("the diagnosis misnamed a mutant", mutant);
    }
    let all = section.planted;
    let (caught, named) = (section.caught, section.named);
    writeln!(out.verdict(), "the gate caught {caught} of {all}")?;
    writeln!(out.verdict(), "the diagnosis named {named} of {all}")?;
    Ok(section.verdict.into())
}

/// The results of all mutants.
pub(super) struct MutantRun {
    section: MutantsSection,
    /// The receipt, if it was requested and the run was not interrupted.
    pub(super) receipt: Option<Receipt>,
}

/// Runs all mutants, and makes a receipt if `wants_receipt`.
///
/// # Errors
///
/// [`CliError`] if there is no oracle to compare with, or if a model cannot be generated.
pub(super) fn run_mutants(args: &MutantsArgs, wants_receipt: bool) -> Result<MutantRun, CliError> {
    let recorder = Recorder::start();
    let oracles = args.oracles.load()?;
    let (ids, infos) = (
        oracle_ids(&oracles.references),
        oracle_infos(&oracles.references),
    );
    let progress = style::progress();
    let references = args.oracles.load()?.references;
    let (models, not_run) = ModelMutantRecord::measure_all(references, args.seed, &progress)?;
    let open = open_model(None)?;
    let task = Task {
        model: open.argument.clone(),
        tensors: open.model.ternary_tensors(reference_layout())?,
        decoding: Err("kernels only".into()),
        seed: args.seed,
        shard: Shard::WHOLE,
        progress,
    };
    let kernels = KernelMutant::measure_all(oracles.references, &task);
    open.model.require_unchanged()?;
    let parameters = MutantsParameters {
        oracles: args.oracles.ids(),
        seed: args.seed,
    };
    let mut omitted = oracles.omitted;
    omitted.extend(not_run);
    let section = MutantsSection::new(parameters, kernels, models, omitted);
    let mut receipt = None;
    if wants_receipt && !interrupt::asked() {
        let run = recorder.finish(Section::Mutants, Shard::WHOLE, None, ids, Vec::new());
        let work = Work::Mutants(section.clone());
        receipt = Some(Receipt::new(run, work, None, infos)?);
    }
    Ok(MutantRun { section, receipt })
}

fn print(rows: &[KernelMutant], out: &mut dyn Write) -> Result<(), CliError> {
    let mut headings = vec!["mutant", "formats", "lowest cosine"];
    headings.extend(Caught::MEASURES.map(|(name, _)| name));
    headings.push("diagnosis");
    let mut table = style::table(&headings, 1..3);
    for formats in rows.chunk_by(|a, b| a.mutant == b.mutant) {
        let cosine = formats.iter().map(|row| row.cosine_similarity);
        let mut cells = vec![
            formats[0].mutant.clone(),
            formats.len().to_string(),
            format!("{:.4}", cosine.fold(1.0, f64::min)),
        ];
        for (_, catches) in Caught::MEASURES {
            let caught = formats.iter().filter(|row| catches(&row.caught)).count();
            cells.push(match caught {
                0 => "-".into(),
                n if n == formats.len() => "caught".into(),
                n => format!("{n} of {}", formats.len()),
            });
        }
        cells.push(diagnosis(formats.iter().flat_map(|row| &row.causes)));
        table.add_row(cells);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

fn print_models(rows: &[ModelMutantRecord], out: &mut dyn Write) -> Result<(), CliError> {
    let headings = [
        "mutant in a model",
        "logits' cosine",
        "kl",
        "top-1",
        "first node",
        "operation",
        "located",
        "gate",
        "diagnosis",
    ];
    let mut table = style::table(&headings, 1..4);
    for row in rows {
        let yes = |yes: bool, word: &str| if yes { word.to_owned() } else { "-".into() };
        let node = row.first_node.as_ref().map(|node| match node.occurrence {
            0 => node.name.clone(),
            n => format!("{} ({n})", node.name),
        });
        let op = row.first_node.as_ref().and_then(|node| node.op.clone());
        table.add_row([
            row.mutant.clone(),
            format!("{:.4}", row.cosine_similarity),
            format!("{:.4}", row.kl_divergence),
            format!("{:.3}", row.top1_agree),
            node.unwrap_or("-".into()),
            op.unwrap_or("-".into()),
            yes(row.located, "yes"),
            yes(row.gate, "caught"),
            diagnosis(&row.causes),
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

/// The causes found by the diagnosis, without duplicates, one on each line.
fn diagnosis<'a>(causes: impl IntoIterator<Item = &'a Option<Fault>>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in causes {
        let text = cause.as_ref().map_or("not shown".into(), Fault::to_string);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join("\n")
}
