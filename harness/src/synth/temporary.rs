//! Temporary models that are generated for one run.

use std::path::{Path, PathBuf};

use super::error::SynthError;
use super::plan::Plan;
use super::{Existing, find, write_file};
use crate::destination::Destination;
use crate::progress::Progress;
use crate::scratch::ScratchFolder;

/// A generated model in its own folder. Dropping this removes both.
#[derive(Debug)]
pub struct TemporaryModel {
    path: PathBuf,
    _folder: ScratchFolder,
}

impl TemporaryModel {
    /// Generates the model of a recipe, given by name or path.
    ///
    /// # Errors
    ///
    /// [`SynthError`].
    pub fn create(recipe: &str, progress: &Progress) -> Result<TemporaryModel, SynthError> {
        let recipe = find(recipe)?;
        let folder = ScratchFolder::new().map_err(SynthError::Temporary)?;
        let path = folder.path().join(format!("{}.gguf", recipe.name()));
        let destination = Destination::at(&path, Existing::Refuse)?;
        write_file(&Plan::new(recipe)?, destination, progress)?;
        Ok(TemporaryModel {
            path,
            _folder: folder,
        })
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
