//! `harness bench` without a model: times kernels, one row for each case.

use std::io::Write;

use qk256::kernel::{self, Kernel};

use super::cells::Comparisons;
use super::{BenchArgs, Timed, exit, warn};
use crate::bench::Bench;
use crate::bench::plan::FORMATS;
use crate::bench::report::{Report, Residence, Row};
use crate::bench::timing::TimedReport;
use crate::cli::recording::Recording;
use crate::cli::select::{kernel_of, oracle_ids, oracle_infos};
use crate::cli::terminal::bad;
use crate::cli::{CliError, Output, outcomes, style};
use crate::exit::Exit;
use crate::interrupt;
use crate::participant::Reference;
use crate::receipt::{
    BenchParameters, BenchSection, Environment, Receipt, Recorder, Section, Work,
};
use crate::shard::Shard;
use crate::wording::seconds;

pub(super) fn run(
    args: &BenchArgs,
    recording: Recording,
    out: &mut Output<'_>,
) -> Result<Exit, CliError> {
    let timed = time(args, args.receipt.is_wanted() || out.is_json())?;
    let report = &timed.report;
    print(&timed, out.text())?;
    args.receipt
        .require_done(|| "rows after those above".into())?;
    recording.write(timed.receipt.as_ref())?;
    out.receipt(timed.receipt.as_ref())?;
    let disagrees = report.disagreements().next().is_some();
    Ok(exit(report.rows.len(), disagrees, &report.omitted, out))
}

/// Times the kernels, and makes a receipt if `wants_receipt`.
pub(super) fn time(args: &BenchArgs, wants_receipt: bool) -> Result<Timed<Report>, CliError> {
    let recorder = Recorder::start();
    let kernels = kernels(&args.kernel_ids)?;
    let oracles = args.oracles.load()?;
    let references: Vec<Reference> = oracles
        .references
        .into_iter()
        .filter(|reference| reference.compared)
        .collect();
    let (ids, infos) = (oracle_ids(&references), oracle_infos(&references));
    let bench = Bench {
        references,
        kernels,
        threads: args.threads(),
        extent: args.extent(),
        omitted: oracles.omitted,
        progress: style::progress(),
    };
    let report = bench.run()?;
    let mut receipt = None;
    if wants_receipt && !interrupt::asked() {
        let run = recorder.finish(Section::Bench, Shard::WHOLE, None, ids.clone(), Vec::new());
        let parameters = BenchParameters {
            oracles: args.oracles.ids(),
            kernels: args.kernel_ids.clone(),
            threads: args.threads(),
            quick: args.quick,
        };
        let work = Work::Bench(BenchSection::new(parameters, report.clone()));
        receipt = Some(Receipt::new(run, work, None, infos)?);
    }
    Ok(Timed {
        report,
        oracles: ids,
        receipt,
    })
}

/// The fastest kernel of each format and the requested ones.
fn kernels(ids: &[String]) -> Result<Vec<&'static Kernel>, CliError> {
    let mut kernels: Vec<&Kernel> = FORMATS.iter().map(|format| kernel::best(format)).collect();
    for id in ids {
        let kernel = kernel_of(id)?;
        kernel
            .availability()
            .map_err(|missing| CliError::Setup(format!("kernel {id}: {missing}")))?;
        if kernels.iter().all(|known| known.id() != kernel.id()) {
            kernels.push(kernel);
        }
    }
    Ok(kernels)
}

fn print(timed: &Timed<Report>, out: &mut dyn Write) -> Result<(), CliError> {
    let Timed {
        report, oracles, ..
    } = timed;
    let own = [
        "operation",
        "shape",
        "weights in",
        "threads",
        "kernel",
        "time",
    ];
    let comparisons = Comparisons::with(oracles);
    let mut table = style::table(&comparisons.headings(&own), [3, 5]);
    for row in &report.rows {
        let own = vec![
            row.operation.clone(),
            row.shape(),
            residence(row).into(),
            row.threads.to_string(),
            row.kernel.clone(),
            seconds(row.time.seconds.value),
        ];
        let scaling = report.scaling(row);
        table.add_row(comparisons.cells(own, &row.oracles, &row.roofs, scaling, &row.doubts));
    }
    writeln!(out, "{table}")?;
    writeln!(out, "on {}", Environment::here().cpu_in_full())?;
    for cost in &report.call_costs {
        let (threads, time) = (cost.threads, seconds(cost.seconds.value));
        let plural = if threads == 1 { "" } else { "s" };
        writeln!(
            out,
            "a call on {threads} thread{plural} costs {} {time} before any arithmetic",
            cost.implementation
        )?;
    }
    outcomes::print_omitted(&report.omitted, out)?;
    for (row, versus) in report.disagreements() {
        let (operation, shape) = (&row.operation, row.shape());
        writeln!(
            out,
            "{}: {operation} {shape}: {} and {} compute different products",
            bad("differs"),
            row.kernel,
            versus.oracle
        )?;
    }
    let doubtful = report.rows.iter().filter(|row| !row.doubts.is_empty());
    warn(
        doubtful.count(),
        report.rows.iter().map(|row| row.threads).max(),
        out,
    )?;
    Ok(())
}

fn residence(row: &Row) -> &'static str {
    match row.residence {
        Residence::Cache => "cache",
        Residence::Memory => "memory",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_the_fastest_and_the_requested_ones_once() {
        let fastest = kernels(&[]).unwrap();
        assert_eq!(fastest.len(), FORMATS.len());
        let again = kernels(&[fastest[0].id().into(), "i2_s.group64.scalar".into()]).unwrap();
        assert_eq!(again.len(), FORMATS.len() + 1);
        let error = kernels(&["i2_s.group128.abacus".into()]).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
    }
}
