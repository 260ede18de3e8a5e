//! `harness bench --model`: times the forward pass of a model, one row for each phase and number of threads.

use std::path::Path;

use cpp_shim::Oracle;

use super::BenchArgs;
use crate::bench::model::ModelBench;
use crate::bench::report::Report;
use crate::cli::select::{LoadedOracles, open_named};
use crate::cli::{CliError, style};
use crate::oracles;
use crate::receipt::OracleInfo;

/// The default recipe: layers of real size in a file that is generated quickly.
pub(super) const DEFAULT_RECIPE: &str = "2b-4t-small-vocab";

/// Times the model, and returns the oracles that it was compared with.
pub(super) fn time(args: &BenchArgs, name: &str) -> Result<(Report, Vec<OracleInfo>), CliError> {
    let mut loaded = args.oracles.load()?;
    let opened = open_named(Path::new(name))?;
    loaded.note_missing_types(&opened.model);
    loaded.keep_if_any(|reference| reference.missing_types(&opened.model).is_empty());
    let LoadedOracles {
        references,
        omitted,
    } = loaded;
    let compared = || references.iter().filter(|reference| reference.compared);
    let oracles: Vec<Oracle> = oracles::all()
        .filter(|build| compared().any(|of| of.implementation.id() == build.id()))
        .map(cpp_shim::Build::load)
        .collect::<Result<_, _>>()?;
    let infos = oracles.iter();
    let infos = infos.map(|oracle| OracleInfo::from(oracle.description()));
    let infos = infos.collect();
    let bench = ModelBench {
        model: &opened.model,
        name: name.into(),
        oracles,
        threads: args.threads(),
        extent: args.extent(),
        omitted,
        progress: style::ticking_progress(),
    };
    let report = bench.run();
    // A changed file explains a failure better than the failure itself, so it is reported first.
    opened.model.require_unchanged()?;
    Ok((report?, infos))
}
