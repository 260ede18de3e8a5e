//! `harness synth`: writes a synthetic model.

use std::path::PathBuf;

use clap::Args;
use indicatif::HumanBytes;
use serde::Serialize;

use super::{CliError, Output, style};
use crate::destination::{DestinationError, Destinations};
use crate::exit::Exit;
use crate::interrupt;
use crate::synth::{Content, Existing, Plan, SynthError, embedded, find, write_file};

/// Write a synthetic model made from a recipe, with the same bytes on every machine
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  harness synth --list
  harness synth default -o model.gguf
  harness synth tiny-llama-tq2_0 --seed 7 -o model.gguf --force
  harness synth ./my-recipe.toml -o model.gguf")]
pub(super) struct SynthArgs {
    /// Name of an embedded recipe (see --list), or path of a recipe file ending in .toml
    #[arg(value_name = "RECIPE", required_unless_present = "list")]
    pub recipe: Option<String>,

    /// GGUF file to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "list")]
    pub output: Option<PathBuf>,

    /// Use this seed instead of the recipe's
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Replace FILE if it exists
    #[arg(long)]
    pub force: bool,

    /// List the embedded recipes and write nothing
    #[arg(long, conflicts_with_all = ["recipe", "output", "seed", "force"])]
    pub list: bool,
}

pub(super) fn run(args: &SynthArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let (Some(recipe), Some(output)) = (&args.recipe, &args.output) else {
        return list(out);
    };
    let mut destinations = Destinations::of_reading([recipe]);
    let mut recipe = find(recipe)?;
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    let plan = Plan::new(recipe)?;
    let destination = destinations.claim(output, Existing::of(args.force));
    let destination = destination.map_err(|error| match error {
        error @ DestinationError::IsInput { .. } => CliError::Destination(error),
        error => SynthError::from(error).into(),
    })?;
    out.share(&destinations)?;
    interrupt::not_written(output.display().to_string());
    let written = write_file(&plan, destination, &style::byte_progress())?;
    interrupt::written();
    out.document(|| &written)?;
    let out = out.text();
    writeln!(out, "{}", written.path.display())?;
    writeln!(out, "  {} bytes", written.bytes)?;
    writeln!(out, "  sha256 {}", written.sha256)?;
    Ok(Exit::Agreement)
}

/// JSON output for a recipe.
#[derive(Serialize)]
struct RecipeEntry {
    recipe: &'static str,
    architecture: &'static str,
    formats: Vec<String>,
    embedding: u32,
    feed_forward: u32,
    layers: u32,
    heads: u32,
    kv_heads: u32,
    vocabulary: u32,
    file_bytes: u64,
}

fn list(out: &mut Output<'_>) -> Result<Exit, CliError> {
    let headings = [
        "recipe",
        "architecture",
        "formats",
        "width",
        "FFN",
        "layers",
        "heads",
        "vocabulary",
        "file",
    ];
    let mut table = style::table(&headings, 3..headings.len());
    let mut entries = Vec::new();
    for (name, _) in embedded() {
        let plan = Plan::new(find(name)?)?;
        let recipe = plan.recipe();
        let sizes = recipe.sizes;
        let entry = RecipeEntry {
            recipe: name,
            architecture: recipe.architecture.name(),
            formats: formats(&plan),
            embedding: sizes.embedding,
            feed_forward: sizes.feed_forward,
            layers: sizes.layers,
            heads: sizes.heads,
            kv_heads: sizes.kv_heads,
            vocabulary: sizes.vocabulary,
            file_bytes: plan.file_bytes(),
        };
        table.add_row([
            entry.recipe.to_owned(),
            entry.architecture.to_owned(),
            entry.formats.join(" "),
            entry.embedding.to_string(),
            entry.feed_forward.to_string(),
            entry.layers.to_string(),
            format!("{}/{}", entry.heads, entry.kv_heads),
            entry.vocabulary.to_string(),
            HumanBytes(entry.file_bytes).to_string(),
        ]);
        entries.push(entry);
    }
    writeln!(out.text(), "{}", table.trim_fmt())?;
    out.document(|| entries)?;
    Ok(Exit::Agreement)
}

/// The distinct formats of the matrices of all layers in file order.
fn formats(plan: &Plan) -> Vec<String> {
    let mut ids = Vec::new();
    for tensor in plan.tensors() {
        let id = match tensor.content {
            Content::Ternary(ternary) => ternary.storage().format().id.to_owned(),
            Content::Dense { element, .. } if tensor.is_matrix_of_layer() => {
                element.ggml_type().to_string()
            }
            _ => continue,
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}
