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
use crate::mutant::{Catches, MODEL_MUTANTS, MUTANTS, ModelMutationMatrix, MutationMatrix};
use crate::outcome::Omission;
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
    let MutantRun {
        of_kernels,
        of_models,
        omitted,
        ..
    } = ran;
    print(&of_kernels, out.text())?;
    print_models(&of_models, out.text())?;
    outcomes::print_omitted(omitted.iter().chain(&of_models.omitted), out.text())?;
    let in_format = |(mutant, format)| format!("{mutant} in {format}");
    let mut survivors: Vec<String> = of_kernels.survivors().into_iter().map(in_format).collect();
    survivors.extend(of_models.survivors().into_iter().map(String::from));
    for survivor in &survivors {
        writeln!(out.text(), "{}: {survivor}", bad("survived"))?;
        out.annotate("a mutant survived", survivor);
    }
    let mut misnamed: Vec<String> = of_kernels.misnamed().into_iter().map(in_format).collect();
    misnamed.extend(of_models.misnamed().into_iter().map(String::from));
    for mutant in &misnamed {
        writeln!(out.text(), "{}: {mutant}", bad("misnamed"))?;
        out.annotate("the diagnosis misnamed a mutant", mutant);
    }
    let kernels: usize = of_kernels
        .rows
        .iter()
        .map(|(_, catches)| catches.len())
        .sum();
    let all = kernels + of_models.rows.len();
    let caught = all - survivors.len();
    writeln!(out.verdict(), "the gate caught {caught} of {all}")?;
    let named = all - misnamed.len();
    writeln!(out.verdict(), "the diagnosis named {named} of {all}")?;
    Ok(if survivors.is_empty() && misnamed.is_empty() {
        Exit::Agreement
    } else {
        Exit::Divergence
    })
}

/// The results of all mutants.
pub(super) struct MutantRun {
    of_kernels: MutationMatrix,
    of_models: ModelMutationMatrix,
    omitted: Vec<Omission>,
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
    let of_models = ModelMutationMatrix::measure(references, args.seed, &progress)?;
    let open = open_model(None)?;
    let task = Task {
        model: open.argument.clone(),
        tensors: open.model.ternary_tensors(reference_layout())?,
        decoding: Err("kernels only".into()),
        seed: args.seed,
        shard: Shard::WHOLE,
        progress,
    };
    let of_kernels = MutationMatrix::measure(oracles.references, &task);
    open.model.require_unchanged()?;
    let mut receipt = None;
    if wants_receipt && !interrupt::asked() {
        let run = recorder.finish(Section::Mutants, Shard::WHOLE, None, ids, Vec::new());
        let parameters = MutantsParameters {
            oracles: args.oracles.ids(),
            seed: args.seed,
        };
        let omitted = oracles.omitted.clone();
        let section = MutantsSection::new(parameters, &of_kernels, &of_models, omitted);
        receipt = Some(Receipt::new(run, Work::Mutants(section), None, infos)?);
    }
    Ok(MutantRun {
        of_kernels,
        of_models,
        omitted: oracles.omitted,
        receipt,
    })
}

fn print(matrix: &MutationMatrix, out: &mut dyn Write) -> Result<(), CliError> {
    let mut headings = vec!["mutant", "formats", "lowest cosine"];
    headings.extend(MutationMatrix::MEASURES);
    headings.push("diagnosis");
    let mut table = style::table(&headings, 1..3);
    for (mutant, catches) in &matrix.rows {
        let cosine = catches.iter().map(|catch| catch.cosine.0);
        let mut row = vec![
            mutant.name.to_owned(),
            catches.len().to_string(),
            format!("{:.4}", cosine.fold(1.0, f64::min)),
        ];
        row.extend((0..MutationMatrix::MEASURES.len()).map(|measure| cell(catches, measure)));
        row.push(diagnosis(catches.iter().flat_map(|catch| &catch.causes)));
        table.add_row(row);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

fn print_models(matrix: &ModelMutationMatrix, out: &mut dyn Write) -> Result<(), CliError> {
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
    for (mutant, catches) in &matrix.rows {
        let yes = |yes: bool, word: &str| if yes { word.to_owned() } else { "-".into() };
        let node = catches.first.as_ref().map(|node| match node.occurrence {
            0 => node.name.clone(),
            n => format!("{} ({n})", node.name),
        });
        let op = catches.first.as_ref().and_then(|node| node.op.clone());
        table.add_row([
            mutant.name.to_owned(),
            format!("{:.4}", catches.cosine),
            format!("{:.4}", catches.kl_divergence),
            format!("{:.3}", catches.top1_agree),
            node.unwrap_or("-".into()),
            op.unwrap_or("-".into()),
            yes(catches.located(mutant), "yes"),
            yes(catches.gate, "caught"),
            diagnosis(&catches.causes),
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

/// Whether a measure detects the mutant in all formats, in some, or in none.
fn cell(catches: &[Catches], measure: usize) -> String {
    match catches.iter().filter(|c| c.measures()[measure]).count() {
        0 => "-".into(),
        n if n == catches.len() => "caught".into(),
        n => format!("{n} of {}", catches.len()),
    }
}
