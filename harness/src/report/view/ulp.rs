//! Section of the ULP histograms: the number of values by distance in units in the last place.

use std::collections::BTreeMap;

use super::{figure, outcomes, several};
use crate::levels::Level;
use crate::measure::UlpHistogram;
use crate::report::collection::Collection;
use crate::report::error::ReportError;
use crate::report::page::{Block, Line, Section, Table};
use crate::report::plot::draw_histograms;
use crate::wording::count;

/// Histograms of a level and an oracle, over all candidates and models.
#[derive(Default)]
struct Pairs {
    pair: UlpHistogram,
    floor: UlpHistogram,
}

/// The section.
///
/// # Errors
///
/// [`ReportError::Draw`].
pub(super) fn section(collection: &Collection) -> Result<Section, ReportError> {
    let mut levels: BTreeMap<(Level, &str), Pairs> = BTreeMap::new();
    for (_, outcome) in outcomes(collection) {
        let histogram = &outcome.measures.ulp_histogram;
        if histogram.is_empty() {
            continue;
        }
        let pairs = levels
            .entry((outcome.level, &outcome.reference))
            .or_default();
        pairs.pair = pairs.pair.plus(histogram);
        if let Some(floor) = &outcome.noise_floor {
            pairs.floor = pairs.floor.plus(&floor.ulp_histogram);
        }
    }
    let headings = [
        "level",
        "oracle",
        "values#",
        "identical#",
        "1 ULP#",
        "2 to 15#",
        "16 and more#",
    ];
    let mut table = Table::new("Values by distance in units in the last place", &headings);
    let mut figures = Vec::new();
    let mut identical = 0;
    for ((level, reference), Pairs { pair, floor }) in &levels {
        let counts = pair.counts();
        let sum = |buckets: std::ops::Range<usize>| {
            let there = counts.iter().skip(buckets.start).take(buckets.len());
            count(there.fold(0, |sum: u64, n| sum.saturating_add(*n)))
        };
        let mut row = vec![
            Line::text(level.name()),
            Line::code(reference),
            Line::text(count(pair.total())),
        ];
        row.extend([0..1, 1..2, 2..5, 5..usize::MAX].map(|buckets| Line::text(sum(buckets))));
        table.row(row);
        if counts.len() == 1 {
            identical += 1;
            continue;
        }
        let same = counts.first().copied().unwrap_or(0);
        let words = format!(
            "{} of {} values are identical. The other bars are values that differ.",
            count(same),
            count(pair.total())
        );
        let floor = (!floor.is_empty()).then(|| floor.counts());
        figures.push(figure(
            format!("level {level} against {reference}"),
            words,
            draw_histograms(counts, floor),
        )?);
    }
    let mut blocks = Vec::new();
    if levels.is_empty() {
        blocks.push(Block::Text(Line::text(
            "No receipt contains comparisons of f32 values.",
        )));
    } else {
        let words = match identical {
            0 => String::new(),
            n => format!(
                " Not drawn: {} of level and oracle in which every value is identical.",
                several(n, "pair")
            ),
        };
        let line = Line::text(format!("Over all candidates and models.{words}"));
        blocks.extend([Block::Text(line), table.block()]);
    }
    blocks.extend((!figures.is_empty()).then_some(Block::Figures(figures)));
    Ok(super::section("ulp", "ULP histograms", blocks))
}
