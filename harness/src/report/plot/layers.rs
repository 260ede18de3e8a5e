//! Plot of distances along the layers of a model.

use super::canvas::{CENTRED, LEFT_OF, Scale, Spot, WIDTH, draw, draw_series, line, text};
use super::colour::Colour;
use super::logarithmic::Logarithmic;

/// A line along the layers: its name in the legend, and the indices of layers in ascending order, each with its
/// distance; None for a difference without a distance.
pub(crate) type Curve<'a> = (&'a str, Vec<(usize, Option<f64>)>);

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
pub(crate) fn draw_layers(curves: &[Curve<'_>], title: &str) -> Result<String, String> {
    let curves = &curves[..curves.len().min(Colour::SERIES.len())];
    let points = || curves.iter().flat_map(|(_, points)| points);
    let layers = || points().map(|(layer, _)| *layer);
    let (first, last) = (layers().min().unwrap_or(0), layers().max().unwrap_or(0));
    let across = Scale::linear((first as f64, last as f64), (LEFT + 16, RIGHT - 16));
    let distances = points().filter_map(|(_, distance)| *distance);
    let up = Logarithmic::distances(distances, BOTTOM, (BOTTOM - APART, TOP));
    draw((WIDTH, HEIGHT), |area| {
        let row = |y: i32, label: String, colour: Colour| {
            line(area, [(LEFT, y), (RIGHT, y)], colour, 1)?;
            text(area, (LEFT - 8, y), label, LEFT_OF)
        };
        for value in up.lines() {
            row(up.place(value), format!("{value:.0e}"), Colour::Grid)?;
        }
        row(up.place(0.0), "identical".into(), Colour::Muted)?;
        let step = (last - first) / NAMED + 1;
        for layer in (first..=last).step_by(step) {
            let at = (across.place(layer as f64), BOTTOM + 14);
            text(area, at, layer.to_string(), CENTRED)?;
        }
        text(area, (WIDTH / 2, BOTTOM + 34), title, CENTRED)?;
        let spot = |(layer, distance): &(usize, Option<f64>)| Spot {
            at: (
                across.place(*layer as f64),
                distance.map_or(TOP, |distance| up.place(distance)),
            ),
            interval: None,
            is_bad: distance.is_none(),
        };
        let series = curves.iter().map(|(name, points)| {
            let spots = points.iter().map(spot);
            (*name, spots.collect())
        });
        draw_series(area, series, (LEFT, 8), 2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg_of(points: Vec<(usize, Option<f64>)>) -> String {
        draw_layers(&[("an oracle", points)], "layer").unwrap()
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
