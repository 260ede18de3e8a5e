//! Distances along the layers of a model.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{
    Area, DrawError, Mark, Scale, WIDTH, WORDS, centred, cross_out, draw, line, words,
};
use super::ink::Ink;
use super::logarithmic::Logarithmic;

/// A line along the layers.
pub(crate) struct Curve {
    /// What it shows.
    pub(crate) name: String,
    /// Numbers of layers in ascending order, each with a distance; None if there is a difference that has none.
    pub(crate) points: Vec<(usize, Option<f64>)>,
}

const HEIGHT: i32 = 300;
const LEFT: i32 = 84;
const RIGHT: i32 = WIDTH - 24;
const TOP: i32 = 40;
const BOTTOM: i32 = HEIGHT - 48;
/// Between identity and the smallest distance.
const APART: i32 = 28;
/// The most layers that are named below.
const NAMED: usize = 12;

/// Draws at most as many curves as there are inks for. Differences without a distance are crossed, at the top.
///
/// # Errors
///
/// As [`draw`].
pub(crate) fn draw_layers(curves: &[Curve], title: &str) -> Result<String, String> {
    let curves = &curves[..curves.len().min(Ink::SERIES.len())];
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let layers = || points().map(|(layer, _)| *layer);
    let (first, last) = (layers().min().unwrap_or(0), layers().max().unwrap_or(0));
    let across = Scale::linear((first as f64, last as f64), (LEFT + 16, RIGHT - 16));
    let distances = points().filter_map(|(_, distance)| *distance);
    let up = Logarithmic::distances(distances, BOTTOM, (BOTTOM - APART, TOP));
    draw((WIDTH, HEIGHT), |area| {
        let right = words(WORDS, Ink::Muted).pos(Pos::new(HPos::Right, VPos::Center));
        let row = |y: i32, label: String, ink: Ink| {
            line(area, [(LEFT, y), (RIGHT, y)], ink, 1)?;
            area.draw(&Text::new(label, (LEFT - 8, y), right.clone()))
        };
        for value in up.lines() {
            row(up.place(value), format!("{value:.0e}"), Ink::Grid)?;
        }
        row(up.place(0.0), "identical".into(), Ink::Muted)?;
        let step = (last - first) / NAMED + 1;
        for layer in (first..=last).step_by(step) {
            let at = (across.place(layer as f64), BOTTOM + 14);
            area.draw(&Text::new(
                layer.to_string(),
                at,
                centred(WORDS, Ink::Muted),
            ))?;
        }
        let at = (WIDTH / 2, BOTTOM + 34);
        area.draw(&Text::new(title.to_owned(), at, centred(WORDS, Ink::Muted)))?;
        let mut left = LEFT;
        for (i, curve) in curves.iter().enumerate() {
            Mark::SERIES[i].draw(area, (left + 6, 15), Ink::SERIES[i])?;
            area.draw(&Text::new(
                curve.name.clone(),
                (left + 18, 8),
                words(WORDS, Ink::Text),
            ))?;
            left += 40 + 8 * curve.name.chars().count() as i32;
            draw_curve(area, curve, i, (&across, &up))?;
        }
        Ok(())
    })
}

fn draw_curve(
    area: &Area<'_>,
    curve: &Curve,
    i: usize,
    (across, up): (&Scale, &Logarithmic),
) -> Result<(), DrawError> {
    let at = |(layer, distance): &(usize, Option<f64>)| {
        let y = distance.map_or(TOP, |distance| up.place(distance));
        ((across.place(*layer as f64), y), distance.is_none())
    };
    let mut path: Vec<((i32, i32), bool)> = curve.points.iter().map(at).collect();
    // What falls on the same spot need not be drawn twice, however many layers a receipt names.
    path.dedup();
    let spots: Vec<(i32, i32)> = path.iter().map(|(spot, _)| *spot).collect();
    line(area, spots, Ink::SERIES[i], 2)?;
    for (spot, is_without_distance) in path {
        Mark::SERIES[i].draw(area, spot, Ink::SERIES[i])?;
        if is_without_distance {
            cross_out(area, spot)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg_of(points: Vec<(usize, Option<f64>)>) -> String {
        let name = "an oracle".into();
        draw_layers(&[Curve { name, points }], "layer").unwrap()
    }

    #[test]
    fn a_layer_has_a_mark_and_what_has_no_distance_is_crossed() {
        let svg = svg_of(vec![(0, Some(0.0)), (1, Some(1e-3)), (2, None)]);
        // One more is in the legend.
        assert_eq!(svg.matches("<circle").count(), 3 + 1);
        assert_eq!(svg.matches("stroke-width=\"3\"").count(), 2);
        assert!(svg.contains("identical") && svg.contains("an oracle"));
    }

    #[test]
    fn numbers_of_layers_may_be_any() {
        for last in [0, 1, 29, 79, usize::MAX] {
            let svg = svg_of(vec![(0, Some(0.5)), (last, Some(0.5))]);
            let words = svg.matches("<text").count();
            assert!(words < 40, "{last}: {words}");
        }
    }
}
