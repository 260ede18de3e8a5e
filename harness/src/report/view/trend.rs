//! Section of the trend: changes over all receipts.

use std::collections::{BTreeMap, BTreeSet};

use super::{figure, is_bad, several};
use crate::report::collection::Collection;
use crate::report::error::ReportError;
use crate::report::history::Point;
use crate::report::page::{Block, Figure, Line, Section, Table};
use crate::report::plot::{Heights, Measured, Moment, Series, draw_trend};
use crate::wording::percent;

/// The section.
///
/// # Errors
///
/// [`ReportError::Draw`].
pub(super) fn section(collection: &Collection) -> Result<Section, ReportError> {
    let points: Vec<&Point> = collection.points().collect();
    let times: BTreeSet<&str> = points
        .iter()
        .map(|point| point.timestamp.as_str())
        .collect();
    let commits: BTreeSet<&str> = points.iter().map(|point| point.commit.as_str()).collect();
    let words = format!(
        "{} of {}, from {} to {} (times of the receipts). If several receipts contain the same work, the sections \
         above use the newest, and this section uses all.",
        several(points.len(), "receipt"),
        several(commits.len(), "commit"),
        times.first().unwrap_or(&"-"),
        times.last().unwrap_or(&"-")
    );
    let mut blocks = vec![Block::Text(Line::text(words))];
    let mut figures = Vec::new();
    figures.extend(rates(&points)?);
    figures.extend(speeds(&points)?);
    if figures.is_empty() {
        blocks.push(Block::Text(Line::text(
            "A trend requires receipts of the same kind of work at two times.",
        )));
    } else {
        blocks.push(Block::Figures(figures));
    }
    blocks.push(table(&points).block());
    Ok(super::section("trend", "Trend", blocks))
}

fn draw(
    title: String,
    words: String,
    series: &[Series],
    heights: Heights,
) -> Result<Option<Figure>, ReportError> {
    let has_a_course = |series: &Series| {
        let mut times = series.moments.iter().map(|moment| moment.seconds);
        let first = times.next();
        times.any(|seconds| Some(seconds) != first)
    };
    series
        .iter()
        .any(has_a_course)
        .then(|| figure(title, words, draw_trend(series, heights)))
        .transpose()
}

fn rates(points: &[&Point]) -> Result<Option<Figure>, ReportError> {
    let moment = |point: &&Point| {
        Some(Moment {
            seconds: point.seconds(),
            measured: Measured {
                value: point.exact_match_rate?,
                interval: None,
            },
            is_bad: is_bad(point.verdict),
        })
    };
    let moments: Vec<Moment> = points.iter().filter_map(moment).collect();
    let bad = moments.iter().filter(|moment| moment.is_bad).count();
    let all = moments
        .iter()
        .filter(|moment| moment.measured.value == 1.0)
        .count();
    let words = format!(
        "{}; in {all}, every value that must be identical is identical; {} (crossed out in red).",
        several(moments.len(), "check"),
        match bad {
            0 => "none is divergent".into(),
            1 => "1 is divergent".into(),
            n => format!("{n} are divergent"),
        }
    );
    let name = "exact match rate".to_owned();
    let series = [Series { name, moments }];
    draw(
        "Exact match rate and verdict".into(),
        words,
        &series,
        Heights::Fraction,
    )
}

/// A figure for each oracle, with a line for kernels and one for each phase of models.
fn speeds(points: &[&Point]) -> Result<Vec<Figure>, ReportError> {
    let mut oracles: BTreeMap<&str, BTreeMap<&str, Vec<Moment>>> = BTreeMap::new();
    for point in points {
        for speed in &point.speeds {
            let [value, low, high] = speed.ratio;
            let series = oracles.entry(&speed.oracle).or_default();
            series.entry(speed.of).or_default().push(Moment {
                seconds: point.seconds(),
                measured: Measured {
                    value,
                    interval: Some((low, high)),
                },
                is_bad: is_bad(point.verdict),
            });
        }
    }
    let mut figures = Vec::new();
    for (oracle, series) in oracles {
        let series: Vec<Series> = series
            .into_iter()
            .map(|(name, moments)| Series {
                name: name.into(),
                moments,
            })
            .collect();
        let of = |series: &Series| {
            let value =
                |moment: Option<&Moment>| moment.map_or(0.0, |moment| moment.measured.value);
            let (first, last) = (value(series.moments.first()), value(series.moments.last()));
            format!("{}: first {first:.2}x, last {last:.2}x", series.name)
        };
        let words: Vec<String> = series.iter().map(of).collect();
        let words = format!(
            "Time of the oracle divided by that of the Rust implementation. Values and intervals are geometric means \
             over all rows of a bench. {}.",
            words.join("; ")
        );
        let title = format!("Speed against {oracle}");
        figures.extend(draw(title, words, &series, Heights::Ratio)?);
    }
    Ok(figures)
}

/// All receipts, the newest first.
fn table(points: &[&Point]) -> Table {
    let headings = [
        "time",
        "commit",
        "sections",
        "verdict",
        "exact match rate#",
        "speed",
    ];
    let mut table = Table::new("Receipts, the newest first", &headings);
    for point in points.iter().rev() {
        let sections: Vec<&str> = point
            .sections
            .iter()
            .map(|section| section.name())
            .collect();
        let speeds: Vec<String> = point
            .speeds
            .iter()
            .map(|speed| {
                let [value, low, high] = speed.ratio;
                format!(
                    "{} {}: {value:.2}x [{low:.2}, {high:.2}]",
                    speed.of, speed.oracle
                )
            })
            .collect();
        table.row([
            Line::code(&point.timestamp),
            Line::code(point.commit.get(..12).unwrap_or(&point.commit)),
            Line::text(sections.join(", ")),
            point.verdict.into(),
            Line::text(point.exact_match_rate.map_or("-".into(), |rate| {
                if rate == 1.0 {
                    percent(rate)
                } else {
                    format!("{:.4} %", 100.0 * rate)
                }
            })),
            Line::text(if speeds.is_empty() {
                "-".into()
            } else {
                speeds.join("; ")
            }),
        ]);
    }
    table
}
