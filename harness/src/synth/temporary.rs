//! Models that are generated for one run.

use std::path::{Path, PathBuf};

use super::error::SynthError;
use super::plan::Plan;
use super::{Existing, create, find};
use crate::scratch::ScratchFolder;

/// A generated model in a folder of its own, both of which go with this value.
#[derive(Debug)]
pub struct TemporaryModel {
    path: PathBuf,
    _folder: ScratchFolder,
}

impl TemporaryModel {
    /// The model of a recipe, by name or path.
    ///
    /// # Errors
    ///
    /// [`SynthError`].
    pub fn create(recipe: &str) -> Result<TemporaryModel, SynthError> {
        let recipe = find(recipe)?;
        let folder = ScratchFolder::new().map_err(SynthError::Temporary)?;
        let path = folder.path().join(format!("{}.gguf", recipe.name()));
        create(&Plan::new(recipe)?, &path, Existing::Refuse)?;
        Ok(TemporaryModel {
            path,
            _folder: folder,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
