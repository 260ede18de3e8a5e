//! Options that several commands share: which model, which oracles, which kernels.

use std::path::{Path, PathBuf};

use clap::Args;
use qk256::kernel::{self, Kernel};

use super::CliError;
use crate::inference::Engine;
use crate::model::Model;
use crate::receipt::OracleInfo;
use crate::side::worker::{WorkerParams, Workers};
use crate::side::{Candidate, Forward, OracleSide, Reference};
use crate::synth::{self, TemporaryModel};

/// Which oracles to compare with.
#[derive(Debug, Args)]
pub(super) struct OracleSelection {
    /// Compare with this oracle only (see `harness oracles`); may be given several times
    #[arg(long = "oracle", value_name = "ID")]
    oracle_ids: Vec<String>,
}

/// Oracles that were loaded, and those that this machine cannot run.
pub(super) struct LoadedOracles {
    /// The first available oracle is always here, for the noise floor, compared with or not.
    pub(super) references: Vec<Reference>,
    /// One line for each oracle that cannot run.
    pub(super) skipped: Vec<String>,
}

impl OracleSelection {
    /// The ids that were given.
    pub(super) fn ids(&self) -> Vec<String> {
        self.oracle_ids.clone()
    }

    /// Loads what was selected: everything that can run, unless ids were given.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for an unknown id; [`CliError::Setup`] if a selected oracle, or each of them, cannot run;
    /// [`CliError::Oracle`] if one is there but not fit for use.
    pub(super) fn load(&self) -> Result<LoadedOracles, CliError> {
        let builds = cpp_shim::builds();
        let known = || {
            builds
                .iter()
                .map(|build| build.id())
                .collect::<Vec<_>>()
                .join(", ")
        };
        if let Some(unknown) = self
            .oracle_ids
            .iter()
            .find(|id| builds.iter().all(|b| b.id() != **id))
        {
            let known = known();
            return Err(CliError::Usage(format!(
                "no oracle `{unknown}`; there are: {known}"
            )));
        }
        if builds.is_empty() {
            return Err(CliError::Setup(
                "this build has no oracle to compare with; build again with `--features oracle`"
                    .into(),
            ));
        }
        let mut loaded = LoadedOracles {
            references: Vec::new(),
            skipped: Vec::new(),
        };
        for build in builds {
            let named = self.oracle_ids.iter().any(|id| id == build.id());
            match build.availability() {
                Err(missing) if named => {
                    return Err(CliError::Setup(format!("oracle {}: {missing}", build.id())));
                }
                Err(missing) => loaded
                    .skipped
                    .push(format!("oracle {}: {missing}", build.id())),
                Ok(()) => {
                    let compared = self.oracle_ids.is_empty() || named;
                    if compared || loaded.references.is_empty() {
                        let side = OracleSide::new(build.load()?);
                        loaded.references.push(Reference::oracle(side, compared));
                    }
                }
            }
        }
        if loaded.references.is_empty() {
            let reasons = loaded.skipped.join("; ");
            return Err(CliError::Setup(format!(
                "no oracle can run on this machine: {reasons}"
            )));
        }
        Ok(loaded)
    }
}

/// Ids of references, for the receipt.
pub(super) fn oracle_ids(references: &[Reference]) -> Vec<String> {
    let ids = references.iter().map(|reference| reference.side.id());
    ids.map(String::from).collect()
}

/// What references say of themselves, for the receipt.
pub(super) fn oracle_infos(references: &[Reference]) -> Vec<OracleInfo> {
    let descriptions = references.iter().filter_map(|r| r.description.as_ref());
    descriptions.map(OracleInfo::from).collect()
}

/// The engine of this name: the forward pass in Rust, or an oracle in such workers.
///
/// # Errors
///
/// [`CliError::Usage`] for an unknown name; [`CliError::Setup`] if the oracle cannot run.
pub(super) fn engine(name: &str, workers: WorkerParams) -> Result<Box<dyn Engine>, CliError> {
    if name == Forward::ID {
        return Ok(Box::new(Forward::new(Vec::new())));
    }
    let builds = cpp_shim::builds();
    let Some(build) = builds.iter().find(|build| build.id() == name) else {
        let oracles = builds.iter().map(|build| build.id());
        let known: Vec<&str> = std::iter::once(Forward::ID).chain(oracles).collect();
        return Err(CliError::Usage(format!(
            "no backend `{name}`; there are: {}",
            known.join(", ")
        )));
    };
    build
        .availability()
        .map_err(|missing| CliError::Setup(format!("oracle {name}: {missing}")))?;
    Ok(Box::new(Workers::new(name, workers)))
}

/// Which kernels to check.
#[derive(Debug, Args)]
pub(super) struct KernelSelection {
    /// Check this kernel only (see `harness kernels`); may be given several times
    #[arg(long = "kernel", value_name = "ID")]
    kernel_ids: Vec<String>,
}

impl KernelSelection {
    /// The ids that were given.
    pub(super) fn ids(&self) -> Vec<String> {
        self.kernel_ids.clone()
    }

    /// The kernels that were selected, all of them unless ids were given.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for an unknown id.
    pub(super) fn candidates(&self) -> Result<Vec<Candidate>, CliError> {
        let named = self.named()?;
        let wanted = |kernel: &Kernel| {
            named.is_empty() || named.iter().any(|named| named.id() == kernel.id())
        };
        Ok(Candidate::kernels(wanted))
    }

    /// The kernels whose ids were given.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for an unknown id.
    pub(super) fn named(&self) -> Result<Vec<&'static Kernel>, CliError> {
        let kernel = |id: &String| {
            kernel::by_id(id).ok_or_else(|| {
                CliError::Usage(format!("no kernel `{id}`; `harness kernels` lists them"))
            })
        };
        self.kernel_ids.iter().map(kernel).collect()
    }
}

/// A model, and the file that goes with it if it was generated.
pub(super) struct OpenModel {
    pub(super) model: Model,
    /// How a command line names it: nothing for the default model.
    pub(super) argument: String,
    _generated: Option<TemporaryModel>,
}

/// Opens the model at `path`, or generates the default one.
///
/// # Errors
///
/// [`CliError::Model`] if it cannot be read, [`CliError::Synth`] if it cannot be generated.
pub(super) fn open_model(path: Option<&PathBuf>) -> Result<OpenModel, CliError> {
    if let Some(path) = path {
        let argument = path.display().to_string();
        return Ok(OpenModel {
            model: Model::open(path)?,
            argument,
            _generated: None,
        });
    }
    let mut model = generate(synth::DEFAULT_RECIPE)?;
    model.argument.clear();
    Ok(model)
}

/// Opens the file of this name, or else generates the model of the recipe.
///
/// # Errors
///
/// As [`open_model`].
pub(super) fn open_named(path: &Path) -> Result<OpenModel, CliError> {
    let is_recipe = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gguf") => false,
        Some("toml") => true,
        _ => !path.is_file(),
    };
    match path.to_str().filter(|_| is_recipe) {
        Some(recipe) => generate(recipe),
        None => open_model(Some(&path.into())),
    }
}

/// Generates the model of a recipe, by name or path, for as long as it is open.
///
/// # Errors
///
/// As [`open_model`].
pub(super) fn generate(recipe: &str) -> Result<OpenModel, CliError> {
    let generated = TemporaryModel::create(recipe)?;
    Ok(OpenModel {
        model: Model::open(generated.path())?,
        argument: recipe.into(),
        _generated: Some(generated),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_a_recipe() {
        for (name, told) in [
            ("no-such-model.gguf", "no-such-model.gguf"),
            ("no-such-recipe", "2b-4t-small-vocab"),
            ("no-such-recipe.toml", "no-such-recipe.toml"),
        ] {
            let error = open_named(Path::new(name))
                .err()
                .expect("there is no such model")
                .to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
