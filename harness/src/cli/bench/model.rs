//! `harness bench --model`: times the forward pass of a model, one row for each phase and number of threads.

use std::io::Write;
use std::path::Path;

use cpp_shim::Oracle;

use super::cells::Comparisons;
use super::{BenchArgs, Timed, exit, warn};
use crate::bench::model::ModelBench;
use crate::bench::model::report::ModelReport;
use crate::bench::timing::TimedReport;
use crate::cli::recording::Recording;
use crate::cli::select::{LoadedOracles, open_named};
use crate::cli::terminal::bad;
use crate::cli::{CliError, Output, outcomes, style};
use crate::exit::Exit;
use crate::interrupt;
use crate::oracles;
use crate::receipt::{
    Environment, ModelBenchParameters, ModelBenchSection, OracleInfo, Receipt, Recorder, Section,
    Work,
};
use crate::shard::Shard;
use crate::wording::seconds;

/// The default recipe: layers of real size in a file that is generated quickly.
pub(super) const DEFAULT_RECIPE: &str = "2b-4t-small-vocab";

pub(super) fn run(
    args: &BenchArgs,
    name: &str,
    recording: Recording,
    out: &mut Output<'_>,
) -> Result<Exit, CliError> {
    let timed = time(args, name, args.receipt.is_wanted() || out.is_json())?;
    let report = &timed.report;
    print(&timed, out.text())?;
    args.receipt
        .require_done(|| "rows after those above".into())?;
    recording.write(timed.receipt.as_ref())?;
    out.receipt(timed.receipt.as_ref())?;
    let disagrees = report.disagreements().next().is_some();
    Ok(exit(report.rows.len(), disagrees, &report.omitted, out))
}

/// Times the model, and makes a receipt if `wants_receipt`.
pub(super) fn time(
    args: &BenchArgs,
    name: &str,
    wants_receipt: bool,
) -> Result<Timed<ModelReport>, CliError> {
    let recorder = Recorder::start();
    let mut loaded = args.oracles.load()?;
    let opened = open_named(Path::new(name))?;
    loaded.note_missing_types(&opened.model);
    loaded.keep_if_any(|reference| reference.missing_types(&opened.model).is_empty());
    let LoadedOracles {
        references,
        omitted,
    } = loaded;
    let compared: Vec<String> = references
        .into_iter()
        .filter(|reference| reference.compared)
        .map(|reference| reference.implementation.id().to_owned())
        .collect();
    let oracles: Vec<Oracle> = oracles::all()
        .filter(|build| compared.iter().any(|id| id == build.id()))
        .map(cpp_shim::Build::load)
        .collect::<Result<_, _>>()?;
    let of_oracle = |oracle: &Oracle| OracleInfo::from(oracle.description());
    let infos: Vec<OracleInfo> = oracles.iter().map(of_oracle).collect();
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
    let report = report?;
    let mut receipt = None;
    if wants_receipt && !interrupt::asked() {
        let (ids, section) = (compared.clone(), Section::BenchModel);
        let run = recorder.finish(section, Shard::WHOLE, None, ids, Vec::new());
        let parameters = ModelBenchParameters {
            oracles: args.oracles.ids(),
            name: name.into(),
            threads: args.threads(),
            quick: args.quick,
        };
        let section = ModelBenchSection::new(parameters, report.clone());
        let work = Work::BenchModel(Box::new(section));
        receipt = Some(Receipt::new(run, work, None, infos)?);
    }
    Ok(Timed {
        report,
        oracles: compared,
        receipt,
    })
}

fn print(timed: &Timed<ModelReport>, out: &mut dyn Write) -> Result<(), CliError> {
    let Timed {
        report, oracles, ..
    } = timed;
    let own = ["phase", "tokens", "after", "threads", "time", "tokens/s"];
    let comparisons = Comparisons::with(oracles);
    let mut table = style::table(&comparisons.headings(&own), 1..6);
    for row in &report.rows {
        let own = vec![
            row.phase.name().into(),
            row.tokens.to_string(),
            row.context.to_string(),
            row.threads.to_string(),
            seconds(row.time.seconds.value),
            format!("{:.1}", row.tokens_per_second),
        ];
        let scaling = report.scaling(row);
        table.add_row(comparisons.cells(own, &row.oracles, &row.roofs, scaling, &row.doubts));
    }
    writeln!(out, "{table}")?;
    let model = &report.model;
    writeln!(
        out,
        "{} ({}) by {} on {}",
        model.name,
        model.architecture,
        model.kernels.join(", "),
        Environment::here().cpu_in_full()
    )?;
    outcomes::print_omitted(&report.omitted, out)?;
    for (row, versus) in report.disagreements() {
        let (phase, threads, oracle) = (row.phase.name(), row.threads, &versus.oracle);
        writeln!(
            out,
            "{}: {phase} on {threads} threads: other logits than {oracle}'s",
            bad("differs")
        )?;
    }
    let doubtful = report.rows.iter().filter(|row| !row.doubts.is_empty());
    Ok(warn(
        doubtful.count(),
        report.rows.iter().map(|row| row.threads).max(),
        out,
    )?)
}
