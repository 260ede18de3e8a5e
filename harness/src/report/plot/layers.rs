//! Plot of distances along the layers of a model.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{
    Area, DrawError, Mark, Scale, WIDTH, WORDS, centred, cross_out, draw, legend_of_series, line,
    words,
};
use super::colour::Colour;
use super::logarithmic::Logarithmic;

/// A line along the layers.
pub(crate) struct Curve {
    /// Name in the legend.
    pub(crate) name: String,
    /// Indices of layers in ascending order, each with its distance; None for a difference without a distance.
    pub(crate) points: Vec<(usize, Option<f64>)>,
}

const HEIGHT: i32 = 300;
const LEFT: i32 = 84;
const RIGHT: i32 = WIDTH - 24;
const TOP: i32 = 40;
const BOTTOM: i32 = HEIGHT - 48;
/// Space between the place of identical layers and the smallest distance.
const APART: i32 = 28;
/// Maximal number of layers with a label.
const NAMED: usize = 12;

/// Draws curves, at most one for each colour of [`Colour::SERIES`]. Differences without a distance are crossed out at
/// the top.
///
/// # Errors
///
/// As [`draw`].
pub(crate) fn draw_layers(curves: &[Curve], title: &str) -> Result<String, String> {
    let curves = &curves[..curves.len().min(Colour::SERIES.len())];
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let layers = || points().map(|(layer, _)| *layer);
    let (first, last) = (layers().min().unwrap_or(0), layers().max().unwrap_or(0));
    let across = Scale::linear((first as f64, last as f64), (LEFT + 16, RIGHT - 16));
    let distances = points().filter_map(|(_, distance)| *distance);
    let up = Logarithmic::distances(distances, BOTTOM, (BOTTOM - APART, TOP));
    draw((WIDTH, HEIGHT), |area| {
        let right = words(WORDS, Colour::Muted).pos(Pos::new(HPos::Right, VPos::Center));
        let row = |y: i32, label: String, colour: Colour| {
            line(area, [(LEFT, y), (RIGHT, y)], colour, 1)?;
            area.draw(&Text::new(label, (LEFT - 8, y), right.clone()))
        };
        for value in up.lines() {
            row(up.place(value), format!("{value:.0e}"), Colour::Grid)?;
        }
        row(up.place(0.0), "identical".into(), Colour::Muted)?;
        let step = (last - first) / NAMED + 1;
        for layer in (first..=last).step_by(step) {
            let at = (across.place(layer as f64), BOTTOM + 14);
            area.draw(&Text::new(
                layer.to_string(),
                at,
                centred(WORDS, Colour::Muted),
            ))?;
        }
        let at = (WIDTH / 2, BOTTOM + 34);
        area.draw(&Text::new(
            title.to_owned(),
            at,
            centred(WORDS, Colour::Muted),
        ))?;
        let mut left = LEFT;
        for (i, curve) in curves.iter().enumerate() {
            left = legend_of_series(area, i, &curve.name, (left, 8))?;
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
    // A receipt may have any number of layers, so marks at the same place are drawn once.
    path.dedup();
    let spots: Vec<(i32, i32)> = path.iter().map(|(spot, _)| *spot).collect();
    line(area, spots, Colour::SERIES[i], 2)?;
    for (spot, is_without_distance) in path {
        Mark::SERIES[i].draw(area, spot, Colour::SERIES[i])?;
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
        // The legend has one more.
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
