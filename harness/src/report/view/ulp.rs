//! Section of the ULP histograms: the number of values by distance in units in the last place.

use std::collections::BTreeMap;

use super::{figure, outcomes, several};
use crate::levels::Level;
use crate::measure::UlpHistogram;
use crate::report::collection::Collection;
use crate::report::error::ReportError;
use crate::report::page::{Block, Line, Rows, Section};
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
    let levels: Vec<((Level, &str), Pairs)> = levels.into_iter().collect();
    let caption = "Values by distance in units in the last place";
    let mut table = Rows::new(caption, &levels)
        .column("level", |((level, _), _)| level.name())
        .column("oracle", |((_, reference), _)| Line::code(reference))
        .column("values#", |(_, Pairs { pair, .. })| count(pair.total()));
    for (heading, first, next) in [
        ("identical#", 0, 1),
        ("1 ULP#", 1, 2),
        ("2 to 15#", 2, 5),
        ("16 and more#", 5, usize::MAX),
    ] {
        table = table.column(heading, |(_, Pairs { pair, .. })| {
            let counts = pair.counts().iter().skip(first).take(next - first);
            count(counts.fold(0, |sum: u64, n| sum.saturating_add(*n)))
        });
    }
    let mut figures = Vec::new();
    let apart = levels
        .iter()
        .filter(|(_, Pairs { pair, .. })| pair.counts().len() > 1);
    for ((level, reference), Pairs { pair, floor }) in apart {
        let words = format!(
            "{} of {} values are identical. The other bars are values that differ.",
            count(pair.counts()[0]),
            count(pair.total())
        );
        let floor = (!floor.is_empty()).then(|| floor.counts());
        let title = format!("level {level} against {reference}");
        figures.push(figure(title, words, draw_histograms(pair.counts(), floor))?);
    }
    let mut blocks = Vec::new();
    if levels.is_empty() {
        blocks.push(Block::text(
            "No receipt contains comparisons of f32 values.",
        ));
    } else {
        let words = match levels.len() - figures.len() {
            0 => String::new(),
            n => format!(
                " Not drawn: {} of level and oracle in which every value is identical.",
                several(n, "pair")
            ),
        };
        let words = format!("Over all candidates and models.{words}");
        blocks.extend([Block::text(words), table.block()]);
    }
    blocks.extend((!figures.is_empty()).then_some(Block::Figures(figures)));
    Ok(super::section("ulp", "ULP histograms", blocks))
}
