//! `harness synth`: writes a synthetic model.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use indicatif::HumanBytes;

use super::style;
use crate::synth::{Content, Existing, Plan, SynthError, create, embedded, find};

/// Write a synthetic model, made from a recipe: the same bytes on every machine
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

    /// The GGUF file to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "list")]
    pub output: Option<PathBuf>,

    /// Draw from this seed instead of the recipe's
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Replace FILE if it exists
    #[arg(long)]
    pub force: bool,

    /// List the embedded recipes and write nothing
    #[arg(long, conflicts_with_all = ["recipe", "output", "seed", "force"])]
    pub list: bool,
}

/// Writes the model and tells `out` its path, size and SHA-256; or lists the recipes.
///
/// # Errors
///
/// [`SynthError`].
pub(super) fn run(args: &SynthArgs, out: &mut dyn Write) -> Result<(), SynthError> {
    let (Some(recipe), Some(output)) = (&args.recipe, &args.output) else {
        return list(out);
    };
    let mut recipe = find(recipe)?;
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    let existing = if args.force {
        Existing::Replace
    } else {
        Existing::Refuse
    };
    let written = create(&Plan::new(recipe)?, output, existing)?;
    writeln!(out, "{}", written.path.display())?;
    writeln!(out, "  {} bytes", written.bytes)?;
    writeln!(out, "  sha256 {}", written.sha256)?;
    Ok(())
}

fn list(out: &mut dyn Write) -> Result<(), SynthError> {
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
    for (name, _) in embedded() {
        let plan = Plan::new(find(name)?)?;
        let recipe = plan.recipe();
        let sizes = recipe.sizes;
        table.add_row([
            name.to_owned(),
            recipe.architecture.name().to_owned(),
            formats(&plan).join(" "),
            sizes.embedding.to_string(),
            sizes.feed_forward.to_string(),
            sizes.layers.to_string(),
            format!("{}/{}", sizes.heads, sizes.kv_heads),
            sizes.vocabulary.to_string(),
            HumanBytes(plan.file_bytes()).to_string(),
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(())
}

/// The format ids of a model, each once, in the order of the file.
fn formats(plan: &Plan) -> Vec<&'static str> {
    let mut ids = Vec::new();
    for tensor in plan.tensors() {
        if let Content::Ternary(ternary) = tensor.content
            && !ids.contains(&ternary.storage().format().id)
        {
            ids.push(ternary.storage().format().id);
        }
    }
    ids
}
