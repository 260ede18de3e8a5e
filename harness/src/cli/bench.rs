//! `harness bench`: how fast kernels are.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use qk256::kernel::{self, Kernel};

use super::select::OracleSelection;
use super::{CliError, style};
use crate::bench::Bench;
use crate::bench::plan::{Extent, FORMATS};
use crate::bench::report::{Report, Residence, Roof, Row};
use crate::bench::statistics::Median;
use crate::exit::Exit;
use crate::receipt::write_json;

/// Time kernels against the oracles and against the machine, taking turns in one process
///
/// Each row is an operation, a shape, a number of threads and a kernel. The columns of oracles show the oracle's time
/// over the kernel's (above 1 the kernel is faster) with a 95 % confidence interval of the median. The roof is what no
/// kernel can beat here: reading the weights, or the int8 multiply-adds of the kernel's instruction set on registers;
/// shown is the share of the lower one. The last column compares with one thread, and what reading alone gains.
/// Activations are quantized within the time, on both sides. Use a release build on an idle machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness bench
  harness bench --threads 1 --kernel i2_s.group128.scalar --oracle bitnet.cpp/strict
  harness bench --quick --json bench.json")]
pub(super) struct BenchArgs {
    #[command(flatten)]
    oracles: OracleSelection,
    /// Time this kernel too, beside the fastest of each format (see `harness kernels`); may be given several times
    #[arg(long = "kernel", value_name = "ID")]
    kernel_ids: Vec<String>,
    /// Numbers of threads
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2")]
    threads: Vec<NonZeroUsize>,
    /// Write everything that was measured, and on what, to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A few shapes, for a short time: shows that it works, not how fast it is
    #[arg(long)]
    quick: bool,
}

pub(super) fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let kernels = kernels(&args.kernel_ids)?;
    let oracles = args.oracles.load()?;
    let mut threads: Vec<usize> = args.threads.iter().map(|n| n.get()).collect();
    threads.sort_unstable();
    threads.dedup();
    let bench = Bench {
        references: oracles
            .references
            .into_iter()
            .filter(|reference| reference.compared)
            .collect(),
        kernels,
        threads,
        extent: if args.quick {
            Extent::Quick
        } else {
            Extent::Full
        },
        skipped: oracles.skipped,
        progress: style::progress(),
    };
    let report = bench.run()?;
    print(&report, out)?;
    if let Some(path) = &args.json {
        write_json(path, &report).map_err(|source| CliError::Write {
            path: path.clone(),
            source,
        })?;
    }
    Ok(match report.rows.len() {
        0 => Exit::NothingCompared,
        _ if report.disagreements().next().is_some() => Exit::Divergence,
        _ => Exit::Agreement,
    })
}

/// The fastest kernel of each format, and those that were asked for.
fn kernels(ids: &[String]) -> Result<Vec<&'static Kernel>, CliError> {
    let mut kernels: Vec<&Kernel> = FORMATS.iter().map(|format| kernel::best(format)).collect();
    for id in ids {
        let kernel = kernel::by_id(id).ok_or_else(|| {
            CliError::Usage(format!("no kernel `{id}`; `harness kernels` lists them"))
        })?;
        kernel
            .availability()
            .map_err(|missing| CliError::Setup(format!("kernel {id}: {missing}")))?;
        if kernels.iter().all(|known| known.id() != kernel.id()) {
            kernels.push(kernel);
        }
    }
    Ok(kernels)
}

fn print(report: &Report, out: &mut dyn Write) -> Result<(), CliError> {
    let mut headings = vec![
        "operation",
        "shape",
        "weights in",
        "threads",
        "kernel",
        "time",
    ];
    let oracles: Vec<&str> = report
        .oracles
        .iter()
        .map(|oracle| oracle.id.as_str())
        .collect();
    headings.extend(&oracles);
    headings.extend(["of the roof", "to 1 thread"]);
    let mut table = style::table(&headings, [3, 5]);
    for row in &report.rows {
        let mut cells = vec![
            row.operation.clone(),
            row.shape(),
            residence(row).into(),
            row.threads.to_string(),
            row.kernel.clone(),
            seconds(row.time.seconds.value),
        ];
        cells.extend(oracles.iter().map(|oracle| versus(row, oracle)));
        cells.extend([roof(row), scaling(report, row)]);
        table.add_row(cells);
    }
    writeln!(out, "{table}")?;
    writeln!(out, "on {}", report.environment.cpu)?;
    for cost in &report.call_costs {
        let (threads, time) = (cost.threads, seconds(cost.seconds.value));
        let plural = if threads == 1 { "" } else { "s" };
        writeln!(
            out,
            "a call on {threads} thread{plural} costs {} {time} before any arithmetic",
            cost.side
        )?;
    }
    for reason in &report.skipped {
        writeln!(out, "skipped: {reason}")?;
    }
    for (row, versus) in report.disagreements() {
        let (operation, shape) = (&row.operation, row.shape());
        writeln!(
            out,
            "\x1b[1;31mdiffers\x1b[0m: {operation} {shape}: {} and {} compute different products",
            row.kernel, versus.oracle
        )?;
    }
    if cfg!(debug_assertions) {
        writeln!(
            out,
            "this is a checked build of the Rust side: its times mean little"
        )?;
    }
    Ok(())
}

fn residence(row: &Row) -> &'static str {
    match row.residence {
        Residence::Cache => "cache",
        Residence::Memory => "memory",
    }
}

/// The ratio to an oracle, with its interval.
fn versus(row: &Row, oracle: &str) -> String {
    let versus = row.oracles.iter().find(|versus| versus.oracle == oracle);
    versus.map_or("-".into(), |versus| {
        let Median {
            value, low, high, ..
        } = versus.ratio;
        format!("{value:.2}x [{low:.2}, {high:.2}]")
    })
}

fn roof(row: &Row) -> String {
    let (roof, share) = row.nearest_roof();
    let name = match roof {
        Roof::Read => "read",
        Roof::MultiplyAdd => "multiply-add",
    };
    format!("{:.0} % {name}", 100.0 * share.value)
}

fn scaling(report: &Report, row: &Row) -> String {
    let scaling = report.scaling(row);
    scaling.map_or("-".into(), |(kernel, read)| {
        format!("{kernel:.2}x (read {read:.2}x)")
    })
}

/// A time in three digits.
fn seconds(value: f64) -> String {
    let (scaled, unit) = match value {
        _ if value < 1e-6 => (value * 1e9, "ns"),
        _ if value < 1e-3 => (value * 1e6, "µs"),
        _ if value < 1.0 => (value * 1e3, "ms"),
        _ => (value, "s"),
    };
    let digits = match scaled {
        _ if scaled < 9.995 => 2,
        _ if scaled < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_easy_to_read() {
        let times = [2.5e-7, 4.2e-5, 1.234e-4, 0.00999, 0.0999, 1.5].map(seconds);
        assert_eq!(
            times,
            [
                "250 ns", "42.0 µs", "123 µs", "9.99 ms", "99.9 ms", "1.50 s"
            ]
        );
    }

    #[test]
    fn kernels_are_the_fastest_and_those_asked_for_once() {
        let fastest = kernels(&[]).unwrap();
        assert_eq!(fastest.len(), FORMATS.len());
        let again = kernels(&[fastest[0].id().into(), "i2_s.group64.scalar".into()]).unwrap();
        assert_eq!(again.len(), FORMATS.len() + 1);
        let error = kernels(&["i2_s.group128.abacus".into()]).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
    }
}
