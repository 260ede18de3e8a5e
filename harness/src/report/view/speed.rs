//! Section of the speed: the Rust implementation relative to each oracle and to the roofs, with confidence intervals.

use super::{figure, join, several};
use crate::bench::doubt::{self, Doubt};
use crate::bench::report::{Roofs, Versus};
use crate::bench::statistics::Median;
use crate::receipt::{Receipt, Section as Work};
use crate::report::collection::{Collection, model_of};
use crate::report::error::ReportError;
use crate::report::page::{Block, Figure, Line, Rows, Section};
use crate::report::plot::{Axis, Measured, PlotRow, draw_rows};
use crate::wording::{or_dash, percent, ratio, seconds};

/// A row of a bench of kernels or of a model.
struct Timed<'a> {
    label: String,
    time: &'a Median,
    versus: &'a [Versus],
    roofs: &'a Roofs,
    gain: Option<(f64, f64)>,
    doubts: &'a [Doubt],
}

impl Timed<'_> {
    fn against(&self, oracle: &str) -> Option<&Versus> {
        self.versus.iter().find(|versus| versus.oracle == oracle)
    }
}

/// The section.
///
/// # Errors
///
/// [`ReportError::Draw`].
pub(super) fn section(collection: &Collection) -> Result<Section, ReportError> {
    let mut blocks = Vec::new();
    for work in [Work::Bench, Work::BenchModel] {
        for receipt in collection.current(work) {
            blocks.extend(of_bench(receipt, work)?);
        }
    }
    if blocks.is_empty() {
        blocks.push(Block::text("No receipt contains times."));
    } else {
        let words = "A ratio is the time of the oracle divided by that of the Rust implementation, timed alternately \
                     in one process. Above 1, the Rust implementation is faster. Brackets contain the 95 % confidence \
                     interval of the median. A roof is an upper limit of the speed on the machine: reading the \
                     weights, or the multiply-adds on registers alone. The percentage is the fraction of the roof \
                     that was reached. Times in doubt are not part of baselines and trends.";
        blocks.insert(0, Block::text(words));
    }
    Ok(super::section("speed", "Speed", blocks))
}

/// The number of ratios of all benches of a kind without doubts, and the lowest one, as text.
pub(super) fn slowest(receipts: &[&Receipt], work: Work) -> String {
    let all = receipts.iter().flat_map(|receipt| rows(receipt, work));
    let sound = all.filter(|row| row.doubts.is_empty());
    let ratios: Vec<&Median> = sound.flat_map(|row| row.versus).map(|v| &v.ratio).collect();
    match ratios.iter().min_by(|a, b| a.value.total_cmp(&b.value)) {
        Some(least) => several(ratios.len(), "ratio") + ", the lowest " + &ratio(least),
        None => "no times without doubts".into(),
    }
}

fn rows(receipt: &Receipt, work: Work) -> Vec<Timed<'_>> {
    let harness = &receipt.harness;
    let plural = |n: usize| several(n, "thread");
    match (work, &harness.bench, &harness.bench_model) {
        (Work::Bench, Some(bench), _) => {
            let report = &bench.report;
            let rows = report.rows.iter().map(|row| {
                let (operation, shape, threads) = (&row.operation, row.shape(), row.threads);
                Timed {
                    label: format!("{operation} {shape} {} {}", row.kernel, plural(threads)),
                    time: &row.time.seconds,
                    versus: &row.oracles,
                    roofs: &row.roofs,
                    gain: report.scaling(row),
                    doubts: &row.doubts,
                }
            });
            rows.collect()
        }
        (Work::BenchModel, _, Some(bench)) => {
            let report = &bench.report;
            let rows = report.rows.iter().map(|row| {
                let (phase, tokens) = (row.phase.name(), several(row.tokens, "token"));
                let (context, threads) = (row.context, plural(row.threads));
                let speed = row.tokens_per_second;
                Timed {
                    label: format!(
                        "{phase} {tokens} after {context}, {threads}, {speed:.1} tokens/s"
                    ),
                    time: &row.time.seconds,
                    versus: &row.oracles,
                    roofs: &row.roofs,
                    gain: report.scaling(row),
                    doubts: &row.doubts,
                }
            });
            rows.collect()
        }
        _ => Vec::new(),
    }
}

fn of_bench(receipt: &Receipt, work: Work) -> Result<Vec<Block>, ReportError> {
    let rows = rows(receipt, work);
    let harness = &receipt.harness;
    let (what, build) = match (work, &harness.bench, &harness.bench_model) {
        (Work::BenchModel, _, Some(bench)) => (
            format!("Model {}", model_of(receipt, work)),
            &bench.report.build,
        ),
        (_, Some(bench), _) => ("Kernels".to_owned(), &bench.report.build),
        _ => return Ok(Vec::new()),
    };
    let run = harness.runs.iter().find(|run| run.section == work);
    let cpu = run
        .map_or(&receipt.environment, |run| &run.environment)
        .cpu_in_full();
    let mut blocks = vec![Block::Heading(format!("{what} on {cpu}"))];
    if build != "optimized" {
        let words = format!("A {build} build of the Rust implementation: its times mean little.");
        blocks.push(Block::text(Line::default().and_strong(words)));
    }
    let mut oracles: Vec<&str> = Vec::new();
    for versus in rows.iter().flat_map(|row| row.versus) {
        if !oracles.contains(&versus.oracle.as_str()) {
            oracles.push(&versus.oracle);
        }
    }
    blocks.push(table(&what, &rows, &oracles));
    // The number of colours in a plot is limited, so more oracles are drawn in several plots.
    let figures = oracles.chunks(3).map(|oracles| draw(&what, &rows, oracles));
    blocks.push(Block::Figures(figures.collect::<Result<_, _>>()?));
    if let Some(bench) = harness.bench.as_ref().filter(|_| work == Work::Bench) {
        let costs = &bench.report.call_costs;
        let table = Rows::new("What a call costs before any arithmetic", costs)
            .column("implementation", |cost| Line::code(&cost.implementation))
            .column("threads#", |cost| cost.threads.to_string())
            .column("time#", |cost| seconds(cost.seconds.value));
        blocks.push(table.block());
    }
    Ok(blocks)
}

fn table(what: &str, rows: &[Timed<'_>], oracles: &[&str]) -> Block {
    let mut table = Rows::new(format!("{what}: times, ratios and roofs"), rows)
        .column("row", |row| row.label.as_str())
        .column("time#", |row| seconds(row.time.value));
    for oracle in oracles {
        table = table.column(&format!("{oracle}#"), |row| {
            or_dash(row.against(oracle), |versus| ratio(&versus.ratio))
        });
    }
    table
        .column("read roof#", |row| percent(row.roofs.read_roof.share.value))
        .column("multiply-add roof#", |row| {
            or_dash(row.roofs.multiply_add_roof.as_ref(), |roof| {
                format!("{} of {}", percent(roof.share.value), roof.instruction)
            })
        })
        .column("to 1 thread#", |row| {
            or_dash(row.gain, |(own, read)| {
                format!("{own:.2}x (reading {read:.2}x)")
            })
        })
        .column("in doubt", |row| match row.doubts {
            [] => "-".into(),
            doubts => doubt::words(doubts),
        })
        .block()
}

fn draw(what: &str, rows: &[Timed<'_>], oracles: &[&str]) -> Result<Figure, ReportError> {
    let measured = |median: &Median| Measured {
        value: median.value,
        interval: Some((median.low, median.high)),
    };
    let plotted = rows.iter().map(|row| {
        let (roof, share) = row.roofs.nearest();
        let mark = |oracle: &&str| Some(measured(&row.against(oracle)?.ratio));
        let (label, share, roof) = (&row.label, percent(share.value), roof.name());
        PlotRow {
            label: format!("{label} ({share} of {roof} roof)"),
            marks: oracles.iter().map(mark).collect(),
        }
    });
    let plotted: Vec<PlotRow> = plotted.collect();
    let words = oracles.iter().map(|oracle| {
        let all = || rows.iter().filter_map(|row| row.against(oracle));
        let faster = all().filter(|versus| versus.ratio.low > 1.0).count();
        let rows = several(all().count(), "row");
        format!("significantly faster than {oracle} in {faster} of {rows}")
    });
    let axis =
        "time of the oracle / time of the Rust implementation; bars: 95 % confidence intervals";
    figure(
        format!("{what} against {}", oracles.join(", ")),
        format!("{}.", join(words, "; ")),
        draw_rows(oracles, &plotted, Axis::Ratio, axis),
    )
}
