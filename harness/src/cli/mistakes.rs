//! `harness mistakes`: which measure catches which planted mistake.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::recording::ReceiptOption;
use super::select::{OracleSelection, open_model, oracle_ids, oracle_infos};
use super::terminal::bad;
use super::{CliError, Output, style};
use crate::cause::Fault;
use crate::destination::Destinations;
use crate::exit::Exit;
use crate::interrupt;
use crate::mistaken::{Catches, KillMatrix, MISTAKES, MODEL_MISTAKES, ModelKillMatrix};
use crate::receipt::{MistakesParameters, MistakesSection, Receipt, Recorder, Section, Work};
use crate::shard::Shard;
use crate::side::reference_layout;
use crate::task::Task;

/// Show that the harness can fail: run deliberately wrong candidates, and which measure catches which
///
/// Each candidate holds one mistake that really happened. The columns are what a measure alone would say of it: cosine
/// similarity below 0.99, a normalised mean square error above what llama.cpp's own tests allow, products with other
/// bits, other integers, another table of codes, slots and scale; and the gate, which is all rungs together and has to
/// catch every one. Mistakes in running a model stand in a table of their own: what the logits show of them, and the
/// node where they were located, which has to be the one that they are in. The last column is the cause that the
/// diagnosis names on its own, which has to be the mistake, to the figure.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness mistakes
  harness mistakes --receipt mistakes.json
  harness mistakes --stories")]
pub(super) struct MistakesArgs {
    #[command(flatten)]
    oracles: OracleSelection,
    #[command(flatten)]
    receipt: ReceiptOption,
    /// Tell how each mistake comes about instead of running it
    #[arg(long)]
    stories: bool,
    /// Seed of pseudo-random inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How a mistake comes about, for programs.
#[derive(Serialize)]
struct Story {
    mistake: &'static str,
    story: &'static str,
}

pub(super) fn run(args: &MistakesArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    if args.stories {
        let mut table = style::table(&["mistake", "how it comes about"], 0..0);
        let of_kernels = MISTAKES.iter().map(|m| (m.name, m.story));
        let of_models = MODEL_MISTAKES.iter().map(|m| (m.name, m.story));
        let stories = of_kernels.chain(of_models);
        let stories: Vec<Story> = stories
            .map(|(mistake, story)| Story { mistake, story })
            .collect();
        for Story { mistake, story } in &stories {
            table.add_row([mistake, story]);
        }
        writeln!(out.text(), "{table}")?;
        out.document(|| stories)?;
        return Ok(Exit::Agreement);
    }
    interrupt::not_done("the kill matrix");
    let recording = args.receipt.prepare(Destinations::default(), out)?;
    let planted = plant(args, args.receipt.is_wanted() || out.is_json())?;
    args.receipt.require_done(|| "the kill matrix".into())?;
    recording.write(planted.receipt.as_ref())?;
    out.receipt(planted.receipt.as_ref())?;
    let Planted {
        of_kernels,
        of_models,
        not_available,
        ..
    } = planted;
    print(&of_kernels, out.text())?;
    print_models(&of_models, out.text())?;
    for reason in not_available.iter().chain(&of_models.skipped) {
        writeln!(out.text(), "skipped: {reason}")?;
    }
    let in_format = |(mistake, format)| format!("{mistake} in {format}");
    let mut survivors: Vec<String> = of_kernels.survivors().into_iter().map(in_format).collect();
    survivors.extend(of_models.survivors().into_iter().map(String::from));
    for survivor in &survivors {
        writeln!(out.text(), "{}: {survivor}", bad("survived"))?;
        out.annotate("a planted mistake survived", survivor);
    }
    let mut misnamed: Vec<String> = of_kernels.misnamed().into_iter().map(in_format).collect();
    misnamed.extend(of_models.misnamed().into_iter().map(String::from));
    for mistake in &misnamed {
        writeln!(out.text(), "{}: {mistake}", bad("misnamed"))?;
        out.annotate("the diagnosis misnamed a planted mistake", mistake);
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

/// What all mistakes came to.
pub(super) struct Planted {
    of_kernels: KillMatrix,
    of_models: ModelKillMatrix,
    not_available: Vec<String>,
    /// If it was asked for, and the work was done.
    pub(super) receipt: Option<Receipt>,
}

/// Runs all mistakes, and makes a receipt of that if one is wanted.
///
/// # Errors
///
/// [`CliError`] if there is nothing to compare with, or if a model cannot be generated.
pub(super) fn plant(args: &MistakesArgs, wants_receipt: bool) -> Result<Planted, CliError> {
    let recorder = Recorder::start();
    let oracles = args.oracles.load()?;
    let (ids, infos) = (
        oracle_ids(&oracles.references),
        oracle_infos(&oracles.references),
    );
    let progress = style::progress();
    let references = args.oracles.load()?.references;
    let of_models = ModelKillMatrix::measure(references, args.seed, &progress)?;
    let open = open_model(None)?;
    let task = Task {
        model: open.argument.clone(),
        tensors: open.model.ternary_tensors(reference_layout())?,
        decoding: Err("kernels only".into()),
        seed: args.seed,
        shard: Shard::WHOLE,
        progress,
    };
    let of_kernels = KillMatrix::measure(oracles.references, &task);
    open.model.require_unchanged()?;
    let mut receipt = None;
    if wants_receipt && !interrupt::asked() {
        let run = recorder.finish(Section::Mistakes, Shard::WHOLE, None, ids, Vec::new());
        let parameters = MistakesParameters {
            oracles: args.oracles.ids(),
            seed: args.seed,
        };
        let not_available = oracles.skipped.clone();
        let section = MistakesSection::new(parameters, &of_kernels, &of_models, not_available);
        receipt = Some(Receipt::new(run, Work::Mistakes(section), None, infos)?);
    }
    Ok(Planted {
        of_kernels,
        of_models,
        not_available: oracles.skipped,
        receipt,
    })
}

fn print(matrix: &KillMatrix, out: &mut dyn Write) -> Result<(), CliError> {
    let mut headings = vec!["mistake", "formats", "lowest cosine"];
    headings.extend(KillMatrix::MEASURES);
    headings.push("diagnosis");
    let mut table = style::table(&headings, 1..3);
    for (mistake, catches) in &matrix.rows {
        let cosine = catches.iter().map(|catch| catch.cosine.0);
        let mut row = vec![
            mistake.name.to_owned(),
            catches.len().to_string(),
            format!("{:.4}", cosine.fold(1.0, f64::min)),
        ];
        row.extend((0..KillMatrix::MEASURES.len()).map(|measure| cell(catches, measure)));
        row.push(diagnosis(catches.iter().flat_map(|catch| &catch.causes)));
        table.add_row(row);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

fn print_models(matrix: &ModelKillMatrix, out: &mut dyn Write) -> Result<(), CliError> {
    let headings = [
        "mistake in a model",
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
    for (mistake, catches) in &matrix.rows {
        let yes = |yes: bool, word: &str| if yes { word.to_owned() } else { "-".into() };
        let node = catches.first.as_ref().map(|node| match node.occurrence {
            0 => node.name.clone(),
            n => format!("{} ({n})", node.name),
        });
        let op = catches.first.as_ref().and_then(|node| node.op.clone());
        table.add_row([
            mistake.name.to_owned(),
            format!("{:.4}", catches.cosine),
            format!("{:.4}", catches.kl_divergence),
            format!("{:.3}", catches.top1_agree),
            node.unwrap_or("-".into()),
            op.unwrap_or("-".into()),
            yes(catches.located(mistake), "yes"),
            yes(catches.gate, "caught"),
            diagnosis(&catches.causes),
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

/// What the diagnosis says, each cause once, in a line of its own.
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

/// Whether a measure catches the mistake in all formats, in some, or in none.
fn cell(catches: &[Catches], measure: usize) -> String {
    match catches.iter().filter(|c| c.measures()[measure]).count() {
        0 => "-".into(),
        n if n == catches.len() => "caught".into(),
        n => format!("{n} of {}", catches.len()),
    }
}
