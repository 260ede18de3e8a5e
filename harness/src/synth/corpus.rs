//! The recipes of `corpus/models`, which are embedded in the binary, and the search for a recipe.

use std::io::Read;
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::error::SynthError;
use super::recipe::Recipe;
use crate::input;

/// Recipe of the default model of `harness check`.
pub const DEFAULT_RECIPE: &str = "default";

static MODELS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../corpus/models");

/// Upper limit of a recipe file in bytes, so that the path of a model file does not fill the memory.
const MAX_RECIPE_BYTES: u64 = 1 << 20;

/// Names and texts of the embedded recipes in alphabetical order.
pub fn embedded() -> Vec<(&'static str, &'static str)> {
    let mut recipes: Vec<_> = MODELS
        .files()
        .filter_map(|file| {
            let name = file.path().to_str()?.strip_suffix(".toml")?;
            Some((name, file.contents_utf8()?))
        })
        .collect();
    recipes.sort_unstable();
    recipes
}

/// Finds a recipe: by path if `name_or_path` ends in `.toml` or contains a folder, otherwise by name among the embedded
/// ones.
///
/// # Errors
///
/// [`SynthError::UnknownName`] with the existing names, [`SynthError::Read`] or [`SynthError::TooLong`] for a file, and
/// [`SynthError::Syntax`] as in [`Recipe::parse`].
pub fn find(name_or_path: &str) -> Result<Recipe, SynthError> {
    if name_or_path.ends_with(".toml") || name_or_path.contains(['/', '\\']) {
        return read(Path::new(name_or_path));
    }
    let recipes = embedded();
    match recipes.iter().find(|(name, _)| *name == name_or_path) {
        Some((name, text)) => Recipe::parse(&format!("corpus/models/{name}.toml"), text),
        None => Err(SynthError::UnknownName {
            name: name_or_path.to_owned(),
            known: recipes
                .into_iter()
                .map(|(name, _)| name.to_owned())
                .collect(),
        }),
    }
}

fn read(path: &Path) -> Result<Recipe, SynthError> {
    let mut text = String::new();
    let read = input::open(path)
        .and_then(|file| file.take(MAX_RECIPE_BYTES + 1).read_to_string(&mut text))
        .map_err(|source| SynthError::Read {
            path: path.into(),
            source,
        })?;
    if read as u64 > MAX_RECIPE_BYTES {
        return Err(SynthError::TooLong {
            path: path.into(),
            most: MAX_RECIPE_BYTES,
        });
    }
    Recipe::parse(&path.display().to_string(), &text)
}
