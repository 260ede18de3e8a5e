//! Options that several commands share: the selection of model, oracles and kernels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use cpp_shim::Build;
use qk256::kernel::{self, Kernel};

use super::{CliError, oracle, style};
use crate::inference::Engine;
use crate::levels::Level;
use crate::model::Model;
use crate::nearest;
use crate::oracles;
use crate::outcome::Omission;
use crate::participant::worker::{WorkerParams, Workers};
use crate::participant::{BuildKind, Candidate, Forward, OracleImplementation, Reference};
use crate::printable;
use crate::receipt::OracleInfo;
use crate::synth::{self, SynthError, TemporaryModel};

/// All levels as the default value of an option.
pub(super) static ALL_LEVELS: LazyLock<String> = LazyLock::new(|| list(&Level::ALL));

/// The kernel levels as the default value of an option.
pub(super) static LEVELS_OF_KERNELS: LazyLock<String> = LazyLock::new(|| list(&Level::OF_KERNELS));

fn list(levels: &[Level]) -> String {
    levels
        .iter()
        .map(|level| level.name())
        .collect::<Vec<_>>()
        .join(",")
}

impl ValueEnum for Level {
    fn value_variants<'a>() -> &'a [Level] {
        &Level::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.compared()))
    }
}

/// The selection of oracles.
#[derive(Debug, Args)]
pub(super) struct OracleSelection {
    /// Compare only with this oracle (see `harness oracle list`); may be given several times
    #[arg(long = "oracle", value_name = "ID")]
    oracle_ids: Vec<String>,
}

/// Loaded oracles, and what is omitted.
pub(super) struct LoadedOracles {
    /// Loaded oracles. Those that only the noise floor needs are included, even if they are not selected.
    pub(super) references: Vec<Reference>,
    /// Oracles that this machine cannot run, and types of the model that oracles lack.
    pub(super) omitted: Vec<Omission>,
}

impl OracleSelection {
    /// Selects these oracles, or all available ones if there are none.
    pub(super) fn of(ids: &[String]) -> OracleSelection {
        OracleSelection {
            oracle_ids: ids.to_vec(),
        }
    }

    /// The ids that were given.
    pub(super) fn ids(&self) -> Vec<String> {
        self.oracle_ids.clone()
    }

    /// Loads the selected oracles, or all embedded ones that can run if no ids were given.
    ///
    /// # Errors
    ///
    /// As [`load_for`](Self::load_for).
    pub(super) fn load(&self) -> Result<LoadedOracles, CliError> {
        self.load_for(None)
    }

    /// Loads the selected oracles, or all embedded ones that can run if no ids were given, for a candidate that may be
    /// an oracle.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for an unknown id and for the candidate. [`CliError::Setup`] if a selected oracle cannot run
    /// or no oracle can. [`CliError::Oracle`] if an oracle exists but fails its checks.
    pub(super) fn load_for(&self, candidate: Option<&Build>) -> Result<LoadedOracles, CliError> {
        let named: Vec<&Build> = self
            .oracle_ids
            .iter()
            .map(|id| oracle::named(id))
            .collect::<Result<_, _>>()?;
        let is = |a: &Build, b: &Build| a.id() == b.id();
        if let Some(candidate) =
            candidate.filter(|candidate| named.iter().any(|o| is(o, candidate)))
        {
            return Err(CliError::Usage(format!(
                "{} is the candidate and cannot be compared with itself",
                candidate.id()
            )));
        }
        if cpp_shim::builds().is_empty() && named.is_empty() {
            return Err(CliError::Setup(
                "this build has no oracle to compare with; build again with `--features oracle`, or add one with \
                 `harness oracle add`"
                    .into(),
            ));
        }
        let added = named
            .iter()
            .filter(|named| oracles::record(named.id()).is_some());
        let added: Vec<&Build> = added.copied().collect();
        let any_added = !added.is_empty();
        let builds = cpp_shim::builds().iter().chain(added);
        let builds = builds.filter(|build| candidate.is_none_or(|candidate| !is(build, candidate)));
        let upstreams: Vec<&str> = named
            .iter()
            .map(|build| build.provenance().upstream)
            .collect();
        let mut loaded = LoadedOracles {
            references: Vec::new(),
            omitted: Vec::new(),
        };
        for build in builds {
            let is_named = named.iter().any(|named| is(named, build));
            let compared = named.is_empty() || is_named;
            let provenance = build.provenance();
            // The noise floor needs other builds.
            let of_floor = any_added
                || upstreams.contains(&provenance.upstream)
                    && (provenance.identity || candidate.is_some());
            if !compared && !of_floor {
                continue;
            }
            match build.availability() {
                Err(missing) if is_named => {
                    return Err(CliError::Setup(format!("oracle {}: {missing}", build.id())));
                }
                Err(missing) => {
                    let omission = Omission::skipped(missing.to_string());
                    let oracle = format!("oracle {}", build.id());
                    loaded.omitted.push(omission.of(oracle));
                }
                Ok(()) => {
                    let implementation = OracleImplementation::new(build.load()?);
                    let kind = match (provenance.identity, oracles::record(build.id())) {
                        (true, _) => BuildKind::Identity,
                        (false, None) => BuildKind::Embedded,
                        (false, Some(_)) => BuildKind::Added,
                    };
                    loaded
                        .references
                        .push(Reference::oracle(implementation, compared, kind));
                }
            }
        }
        if loaded.references.is_empty() {
            let reasons: Vec<String> = loaded.omitted.iter().map(Omission::to_string).collect();
            return Err(CliError::Setup(format!(
                "no oracle can run on this machine: {}",
                reasons.join("; ")
            )));
        }
        Ok(loaded)
    }
}

impl LoadedOracles {
    /// Adds one omission for all compared oracles that lack the same types of a model.
    pub(super) fn note_missing_types(&mut self, model: &Model) {
        let mut lacking: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for reference in self.references.iter().filter(|r| r.compared) {
            let missing = reference.missing_types(model);
            if !missing.is_empty() {
                let ids = lacking.entry(missing.join(", ")).or_default();
                ids.push(reference.implementation.id());
            }
        }
        let omission = |(missing, ids): (String, Vec<&str>)| {
            Omission::unsupported(format!("no type {missing}"))
                .of(format!("oracle {}", ids.join(", ")))
        };
        self.omitted.extend(lacking.into_iter().map(omission));
    }

    /// Keeps the oracles that serve, or all if none of those to compare with does, so that each says what is missing.
    pub(super) fn keep_if_any(&mut self, serves: impl Fn(&Reference) -> bool) {
        let mut compared = self.references.iter().filter(|r| r.compared);
        if compared.any(&serves) {
            self.references.retain(serves);
        }
    }
}

/// Ids of the oracles for the receipt.
pub(super) fn oracle_ids(references: &[Reference]) -> Vec<String> {
    let ids = references
        .iter()
        .map(|reference| reference.implementation.id());
    ids.map(String::from).collect()
}

/// Provenance of the oracles for the receipt.
pub(super) fn oracle_infos(references: &[Reference]) -> Vec<OracleInfo> {
    let descriptions = references.iter().filter_map(|r| r.description.as_ref());
    descriptions.map(OracleInfo::from).collect()
}

/// The engine of this name: the forward pass in Rust, or an oracle in worker processes.
///
/// # Errors
///
/// [`CliError::Usage`] for an unknown name. [`CliError::Setup`] if the oracle cannot run.
pub(super) fn engine(name: &str, workers: WorkerParams) -> Result<Box<dyn Engine>, CliError> {
    if name == Forward::ID {
        return Ok(Box::new(Forward::new(Vec::new())));
    }
    let found = oracles::find(name).map_err(|error| CliError::Setup(error.to_string()))?;
    let Some(build) = found else {
        let ids = std::iter::once(Forward::ID).chain(oracles::all().map(Build::id));
        let hint = nearest::hint(name, ids, None);
        return Err(CliError::Usage(format!("no backend `{name}`: {hint}")));
    };
    build
        .availability()
        .map_err(|missing| CliError::Setup(format!("oracle {name}: {missing}")))?;
    Ok(Box::new(Workers::new(name, workers)))
}

/// The selection of kernels.
#[derive(Debug, Args)]
pub(super) struct KernelSelection {
    /// Check only this kernel (see `harness kernels`); may be given several times
    #[arg(long = "kernel", value_name = "ID")]
    kernel_ids: Vec<String>,
}

impl KernelSelection {
    /// Selects these kernels, or all if there are none.
    pub(super) fn of(ids: &[String]) -> KernelSelection {
        KernelSelection {
            kernel_ids: ids.to_vec(),
        }
    }

    /// The ids that were given.
    pub(super) fn ids(&self) -> Vec<String> {
        self.kernel_ids.clone()
    }

    /// The selected kernels, or all if no ids were given.
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

    /// The kernels with the given ids.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for an unknown id.
    pub(super) fn named(&self) -> Result<Vec<&'static Kernel>, CliError> {
        self.kernel_ids.iter().map(|id| kernel_of(id)).collect()
    }
}

/// The kernel with this id.
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

/// An open model, and its temporary file if it was generated.
pub(super) struct OpenModel {
    pub(super) model: Model,
    /// The model as named on a command line; empty for the default model.
    pub(super) argument: String,
    _generated: Option<TemporaryModel>,
}

/// Opens the model at `path`, or generates the default one.
///
/// # Errors
///
/// [`CliError::Model`] if the model cannot be read, and [`CliError::Synth`] if it cannot be generated.
pub(super) fn open_model(path: Option<&PathBuf>) -> Result<OpenModel, CliError> {
    if let Some(path) = path {
        let argument = path.display().to_string();
        let model = Model::open(path)?;
        if let unused @ 1.. = model.unused_bytes() {
            let path = path.display().to_string();
            let (path, unused) = (printable::line(&path), style::count(unused));
            anstream::eprintln!("note: {path}: {unused} bytes belong to no tensor and are ignored");
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

/// Opens the file with this name, or generates the model of the recipe with this name.
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

/// Whether the name is that of a recipe. An existing path is a file, except for a folder with the name of a recipe.
fn is_recipe(path: &Path, name: &str) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gguf") => false,
        Some("toml") => true,
        _ if path.is_dir() => synth::embedded().iter().any(|(known, _)| *known == name),
        _ if path.exists() => false,
        _ => !name.contains(['/', '\\']),
    }
}

/// Generates the model of a recipe, given by name or path. The file exists as long as the model is open.
///
/// # Errors
///
/// As [`open_model`].
pub(super) fn generate(recipe: &str) -> Result<OpenModel, CliError> {
    let generated = TemporaryModel::create(recipe, &style::byte_progress())?;
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
    fn a_name_without_a_file_is_a_recipe() {
        for (name, printed) in [
            ("no-such-model.gguf", "no-such-model.gguf"),
            ("no-such-recipe", "no file and no recipe"),
            ("tiny-lama", "`tiny-llama-i2_s`"),
            ("no-such-recipe.toml", "no-such-recipe.toml"),
            ("no/such/model", "no/such/model: cannot be opened"),
            // Files and folders of this crate, which is the working directory of its tests.
            ("Cargo.toml", "Cargo.toml"),
            ("src", "src: "),
            ("build.rs", "not a GGUF file"),
        ] {
            let error = open_named(Path::new(name))
                .err()
                .expect("there is no such model")
                .to_string();
            assert!(error.contains(printed), "{error}");
        }
    }
}
