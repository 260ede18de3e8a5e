//! Options that several commands share: which model, which oracles, which kernels.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::Args;
use qk256::kernel::{self, Kernel};

use super::{CliError, style};
use crate::inference::Engine;
use crate::model::Model;
use crate::nearest;
use crate::outcome::Rung;
use crate::printable;
use crate::receipt::OracleInfo;
use crate::side::worker::{WorkerParams, Workers};
use crate::side::{Candidate, Forward, OracleSide, Reference};
use crate::synth::{self, SynthError, TemporaryModel};

/// Every rung, as an option takes a list.
pub(super) static ALL_RUNGS: LazyLock<String> = LazyLock::new(|| list(&Rung::ALL));

/// The rungs that compare kernels, likewise.
pub(super) static RUNGS_OF_KERNELS: LazyLock<String> = LazyLock::new(|| list(&Rung::OF_KERNELS));

fn list(rungs: &[Rung]) -> String {
    rungs
        .iter()
        .map(|rung| rung.name())
        .collect::<Vec<_>>()
        .join(",")
}

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
        if let Some(unknown) = self
            .oracle_ids
            .iter()
            .find(|id| builds.iter().all(|b| b.id() != **id))
        {
            let ids = builds.iter().map(|build| build.id());
            let hint = nearest::hint(unknown, ids, Some("harness oracles"));
            return Err(CliError::Usage(format!("no oracle `{unknown}`: {hint}")));
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
        let ids = std::iter::once(Forward::ID).chain(oracles);
        let hint = nearest::hint(name, ids, None);
        return Err(CliError::Usage(format!("no backend `{name}`: {hint}")));
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
        self.kernel_ids.iter().map(|id| kernel_of(id)).collect()
    }
}

/// The kernel of this id.
///
/// # Errors
///
/// [`CliError::Usage`] if there is none.
pub(super) fn kernel_of(id: &str) -> Result<&'static Kernel, CliError> {
    kernel::by_id(id).ok_or_else(|| {
        let ids = kernel::all().iter().map(|kernel| kernel.id());
        let hint = nearest::hint(id, ids, Some("harness kernels"));
        CliError::Usage(format!("no kernel `{id}`: {hint}"))
    })
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
        let model = Model::open(path)?;
        if let unused @ 1.. = model.unused_bytes() {
            let path = path.display().to_string();
            let (path, unused) = (printable::line(&path), style::count(unused));
            anstream::eprintln!(
                "note: {path}: {unused} bytes belong to no tensor and are not looked at"
            );
        }
        return Ok(OpenModel {
            model,
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
    match path.to_str().filter(|name| is_recipe(path, name)) {
        Some(recipe) => generate(recipe).map_err(|error| match error {
            CliError::Synth(SynthError::UnknownName { name, known }) => CliError::Setup(format!(
                "no file and no recipe is called `{name}`: {}",
                synth::near_recipes(&name, &known)
            )),
            error => error,
        }),
        None => open_model(Some(&path.into())),
    }
}

/// Whether a model is named by its recipe. What is there is a file, whatever it is called; but for a folder, which
/// happens to have the name of a recipe.
fn is_recipe(path: &Path, name: &str) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gguf") => false,
        Some("toml") => true,
        _ if path.is_dir() => synth::embedded().iter().any(|(known, _)| *known == name),
        _ if path.exists() => false,
        _ => !name.contains(['/', '\\']),
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
            ("no-such-recipe", "no file and no recipe"),
            ("tiny-lama", "`tiny-llama-i2_s`"),
            ("no-such-recipe.toml", "no-such-recipe.toml"),
            ("no/such/model", "no/such/model: cannot be opened"),
            // Files and folders of this crate, in which its tests run.
            ("Cargo.toml", "Cargo.toml"),
            ("src", "src: "),
            ("build.rs", "not a GGUF file"),
        ] {
            let error = open_named(Path::new(name))
                .err()
                .expect("there is no such model")
                .to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
