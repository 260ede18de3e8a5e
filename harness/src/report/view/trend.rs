//! Section of the trend: changes over all receipts.

use std::collections::{BTreeMap, BTreeSet};

use super::{figure, is_bad, join, several, short};
use crate::report::collection::Collection;
use crate::report::error::ReportError;
use crate::report::history::Point;
use crate::report::page::{Block, Figure, Line, Rows, Section};
use crate::report::plot::{Heights, Measured, Moment, Series, draw_trend};
use crate::wording::percent;

/// The section.
///
/// # Errors
///
/// [`ReportError::Draw`].
pub(super) fn section(collection: &Collection) -> Result<Section, ReportError> {
    let points: Vec<&Point> = collection.points().collect();
    let times = points.iter().map(|point| point.timestamp.as_str());
    let times: BTreeSet<&str> = times.collect();
    let commits: BTreeSet<&str> = points.iter().map(|point| point.commit.as_str()).collect();
    let words = format!(
        "{} of {}, from {} to {} (times of the receipts). If several receipts contain the same work, the sections \
         above use the newest, and this section uses all.",
        several(points.len(), "receipt"),
        several(commits.len(), "commit"),
        times.first().unwrap_or(&"-"),
        times.last().unwrap_or(&"-")
    );
    let mut blocks = vec![Block::text(words)];
    let mut figures = speeds(&points)?;
    figures.splice(0..0, rates(&points)?);
    if figures.is_empty() {
        let words = "A trend requires receipts of the same kind of work at two times.";
        blocks.push(Block::text(words));
    } else {
        blocks.push(Block::Figures(figures));
    }
    blocks.push(table(points));
    Ok(super::section("trend", "Trend", blocks))
}

fn draw(
    title: String,
    words: String,
    series: &[Series<'_>],
    heights: Heights,
) -> Result<Option<Figure>, ReportError> {
    let has_a_course = |(_, moments): &Series<'_>| {
        let mut times = moments.iter().map(|moment| moment.seconds);
        let first = times.next();
        times.any(|seconds| Some(seconds) != first)
    };
    let is_drawn = series.iter().any(has_a_course);
    is_drawn
        .then(|| figure(title, words, draw_trend(series, heights)))
        .transpose()
}

fn moment(point: &Point, measured: Measured) -> Moment {
    Moment {
        seconds: point.seconds(),
        measured,
        is_bad: is_bad(point.verdict),
    }
}

fn rates(points: &[&Point]) -> Result<Option<Figure>, ReportError> {
    let rate = |point: &&Point| Some(moment(point, Measured::exactly(point.exact_match_rate?)));
    let moments: Vec<Moment> = points.iter().filter_map(rate).collect();
    let bad = moments.iter().filter(|moment| moment.is_bad).count();
    let all = moments.iter().filter(|moment| moment.measured.value == 1.0);
    let all = all.count();
    let words = format!(
        "{}; in {all}, every value that must be identical is identical; {} (crossed out in red).",
        several(moments.len(), "check"),
        match bad {
            0 => "none is divergent".into(),
            1 => "1 is divergent".into(),
            n => format!("{n} are divergent"),
        }
    );
    let title = "Exact match rate and verdict".into();
    draw(
        title,
        words,
        &[("exact match rate", moments)],
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
            let interval = Some((low, high));
            let moment = moment(point, Measured { value, interval });
            series.entry(speed.of).or_default().push(moment);
        }
    }
    let mut figures = Vec::new();
    for (oracle, series) in oracles {
        let series: Vec<Series<'_>> = series.into_iter().collect();
        let courses = series.iter().map(|(name, moments)| {
            let value = |moment: Option<&Moment>| moment.map_or(0.0, |m| m.measured.value);
            let (first, last) = (value(moments.first()), value(moments.last()));
            format!("{name}: first {first:.2}x, last {last:.2}x")
        });
        let words = format!(
            "Time of the oracle divided by that of the Rust implementation. Values and intervals are geometric means \
             over all rows of a bench. {}.",
            join(courses, "; ")
        );
        let title = format!("Speed against {oracle}");
        figures.extend(draw(title, words, &series, Heights::Ratio)?);
    }
    Ok(figures)
}

/// All receipts, the newest first.
fn table(mut points: Vec<&Point>) -> Block {
    points.reverse();
    Rows::new("Receipts, the newest first", &points)
        .column("time", |point| Line::code(&point.timestamp))
        .column("commit", |point| Line::code(short(&point.commit)))
        .column("sections", |point| {
            join(point.sections.iter().map(|s| s.name()), ", ")
        })
        .column("verdict", |point| point.verdict)
        .column("exact match rate#", |point| match point.exact_match_rate {
            None => "-".into(),
            Some(1.0) => percent(1.0),
            Some(rate) => format!("{:.4} %", 100.0 * rate),
        })
        .column("speed", |point| {
            let speeds = point.speeds.iter().map(|speed| {
                let [value, low, high] = speed.ratio;
                format!(
                    "{} {}: {value:.2}x [{low:.2}, {high:.2}]",
                    speed.of, speed.oracle
                )
            });
            match &join(speeds, "; ")[..] {
                "" => "-".to_owned(),
                speeds => speeds.to_owned(),
            }
        })
        .block()
}
