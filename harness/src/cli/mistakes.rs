//! `harness mistakes`: which measure catches which planted mistake.

use std::io::Write;

use clap::Args;

use super::select::{OracleSelection, open_model};
use super::{CliError, style};
use crate::exit::Exit;
use crate::mistaken::{Catches, KillMatrix, MISTAKES};
use crate::side::reference_layout;
use crate::task::Task;

/// Show that the harness can fail: run deliberately wrong candidates, and which measure catches which
///
/// Each candidate holds one mistake that really happened. The columns are what a measure alone would say of it: cosine
/// similarity below 0.99, a normalised mean square error above what llama.cpp's own tests allow, products with other
/// bits, other integers, another table of codes, slots and scale; and the gate, which is all rungs together and has to
/// catch every one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness mistakes
  harness mistakes --stories")]
pub(super) struct MistakesArgs {
    #[command(flatten)]
    oracles: OracleSelection,
    /// Tell how each mistake comes about instead of running it
    #[arg(long)]
    stories: bool,
    /// Seed of pseudo-random inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(args: &MistakesArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    if args.stories {
        let mut table = style::table(&["mistake", "how it comes about"], 0..0);
        for mistake in MISTAKES {
            table.add_row([mistake.name, mistake.story]);
        }
        writeln!(out, "{table}")?;
        return Ok(Exit::Agreement);
    }
    let oracles = args.oracles.load()?;
    let open = open_model(None)?;
    let task = Task {
        model: open.argument.clone(),
        tensors: open.model.ternary_tensors(reference_layout())?,
        decoding: Err("kernels only".into()),
        seed: args.seed,
        progress: style::progress(),
    };
    let matrix = KillMatrix::measure(oracles.references, &task);
    print(&matrix, out)?;
    for reason in &oracles.skipped {
        writeln!(out, "skipped: {reason}")?;
    }
    let survivors = matrix.survivors();
    for (mistake, format) in &survivors {
        writeln!(out, "\x1b[1;31msurvived\x1b[0m: {mistake} in {format}")?;
    }
    let planted: usize = matrix.rows.iter().map(|(_, catches)| catches.len()).sum();
    let caught = planted - survivors.len();
    writeln!(out, "the gate caught {caught} of {planted}")?;
    Ok(if survivors.is_empty() {
        Exit::Agreement
    } else {
        Exit::Divergence
    })
}

fn print(matrix: &KillMatrix, out: &mut dyn Write) -> Result<(), CliError> {
    let mut headings = vec!["mistake", "formats", "lowest cosine"];
    headings.extend(KillMatrix::MEASURES);
    let mut table = style::table(&headings, 1..3);
    for (mistake, catches) in &matrix.rows {
        let cosine = catches.iter().map(|catch| catch.cosine.0);
        let mut row = vec![
            mistake.name.to_owned(),
            catches.len().to_string(),
            format!("{:.4}", cosine.fold(1.0, f64::min)),
        ];
        row.extend((0..KillMatrix::MEASURES.len()).map(|measure| cell(catches, measure)));
        table.add_row(row);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

/// Whether a measure catches the mistake in all formats, in some, or in none.
fn cell(catches: &[Catches], measure: usize) -> String {
    match catches.iter().filter(|c| c.measures()[measure]).count() {
        0 => "-".into(),
        n if n == catches.len() => "caught".into(),
        n => format!("{n} of {}", catches.len()),
    }
}
