//! Section of the speed: the Rust implementation relative to each oracle and to the roofs, with confidence intervals.

use super::{figure, join, several};
use crate::bench::doubt;
use crate::bench::report::{OPTIMIZED, Report, Row};
use crate::bench::statistics::Median;
use crate::receipt::{BenchSection, Contents, Receipt, Section as Work};
use crate::report::collection::Collection;
use crate::report::error::ReportError;
use crate::report::page::{Block, Figure, Line, Rows, Section};
use crate::report::plot::{Axis, Measured, PlotRow, draw_rows};
use crate::wording::{or_dash, percent, ratio, seconds};

/// The section.
///
/// # Errors
///
/// [`ReportError::Draw`].
pub(super) fn section(collection: &Collection) -> Result<Section, ReportError> {
    let mut blocks = Vec::new();
    for work in [Work::Bench, Work::BenchModel] {
        for receipt in collection.current(work) {
            if let Some(bench) = bench(receipt, work) {
                blocks.extend(of_bench(receipt, bench)?);
            }
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
    let benches = receipts.iter().filter_map(|receipt| bench(receipt, work));
    let rows = benches.flat_map(|bench| &bench.report.rows);
    let sound = rows.filter(|row| row.doubts.is_empty());
    let ratios: Vec<&Median> = sound
        .flat_map(|row| &row.oracles)
        .map(|v| &v.ratio)
        .collect();
    match ratios.iter().min_by(|a, b| a.value.total_cmp(&b.value)) {
        Some(least) => several(ratios.len(), "ratio") + ", the lowest " + &ratio(least),
        None => "no times without doubts".into(),
    }
}

fn bench(receipt: &Receipt, work: Work) -> Option<&BenchSection> {
    let mut benches = receipt.harness.benches();
    benches.find(|bench| bench.section() == work)
}

fn label(report: &Report, row: &Row) -> String {
    let (words, threads) = (row.words(), several(row.threads, "thread"));
    match row.tokens_per_second() {
        Some(rate) => format!("{words}, {threads}, {rate:.1} tokens/s"),
        None => format!("{words}, {threads}, {}", report.kernel(row)),
    }
}

fn of_bench(receipt: &Receipt, bench: &BenchSection) -> Result<Vec<Block>, ReportError> {
    let report = &bench.report;
    let what = match &report.model {
        Some(_) => format!("Model {}", receipt.model_of(Work::BenchModel)),
        None => "Kernels".to_owned(),
    };
    let cpu = receipt.environment_of(bench.section()).cpu_in_full();
    let mut blocks = vec![Block::Heading(format!("{what} on {cpu}"))];
    let build = &report.build;
    if build != OPTIMIZED {
        let words = format!("A {build} build of the Rust implementation: its times mean little.");
        blocks.push(Block::text(Line::default().and_strong(words)));
    }
    let mut oracles: Vec<&str> = Vec::new();
    for versus in report.rows.iter().flat_map(|row| &row.oracles) {
        if !oracles.contains(&versus.oracle.as_str()) {
            oracles.push(&versus.oracle);
        }
    }
    blocks.push(table(&what, report, &oracles));
    // The number of colours in a plot is limited, so more oracles are drawn in several plots.
    let figures = oracles
        .chunks(3)
        .map(|oracles| draw(&what, report, oracles));
    blocks.push(Block::Figures(figures.collect::<Result<_, _>>()?));
    if report.model.is_none() {
        let table = Rows::new(
            "What a call costs before any arithmetic",
            &report.call_costs,
        )
        .column("implementation", |cost| Line::code(&cost.implementation))
        .column("threads#", |cost| cost.threads.to_string())
        .column("time#", |cost| seconds(cost.seconds.value));
        blocks.push(table.block());
    }
    Ok(blocks)
}

fn table(what: &str, report: &Report, oracles: &[&str]) -> Block {
    let mut table = Rows::new(format!("{what}: times, ratios and roofs"), &report.rows)
        .column("row", |row| label(report, row))
        .column("time#", |row| seconds(row.time.seconds.value));
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
            or_dash(report.scaling(row), |(own, read)| {
                format!("{own:.2}x (reading {read:.2}x)")
            })
        })
        .column("in doubt", |row| match &row.doubts[..] {
            [] => "-".into(),
            doubts => doubt::words(doubts),
        })
        .block()
}

fn draw(what: &str, report: &Report, oracles: &[&str]) -> Result<Figure, ReportError> {
    let measured = |median: &Median| Measured {
        value: median.value,
        interval: Some((median.low, median.high)),
    };
    let plotted = report.rows.iter().map(|row| {
        let (roof, share) = row.roofs.nearest();
        let mark = |oracle: &&str| Some(measured(&row.against(oracle)?.ratio));
        let (label, share, roof) = (label(report, row), percent(share.value), roof.name());
        PlotRow {
            label: format!("{label} ({share} of {roof} roof)"),
            marks: oracles.iter().map(mark).collect(),
        }
    });
    let plotted: Vec<PlotRow> = plotted.collect();
    let words = oracles.iter().map(|oracle| {
        let all = || report.rows.iter().filter_map(|row| row.against(oracle));
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
