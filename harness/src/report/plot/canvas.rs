//! Draws SVG documents into strings.

use std::io;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::colour::Colour;

/// The area of a plot.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// An error of the drawing library.
pub(super) type DrawError = DrawingAreaErrorKind<io::Error>;

/// Size of most text, in units of the drawing.
pub(super) const WORDS: i32 = 13;
/// Width of a plot, in units of the drawing. Its text is readable on a small screen.
pub(super) const WIDTH: i32 = 640;

/// An SVG document of this size, in the colours of a light page.
///
/// # Errors
///
/// The message of the drawing library. Drawing into a string does not fail in practice.
pub(super) fn draw(
    (width, height): (i32, i32),
    plot: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> Result<String, String> {
    let mut svg = String::new();
    {
        let size = (width.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let drawn = area
            .fill(&Colour::Background.rgb())
            .and_then(|()| plot(&area))
            .and_then(|()| area.present());
        drawn.map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

/// Size, colour and anchor of text.
pub(super) type Style = (i32, Colour, HPos, VPos);
/// Text to the right of a point and below it.
pub(super) const LABEL: Style = (WORDS, Colour::Text, HPos::Left, VPos::Top);
/// Text of an axis around a point.
pub(super) const CENTRED: Style = (WORDS, Colour::Muted, HPos::Center, VPos::Center);
/// Text of an axis to the left of a point.
pub(super) const LEFT_OF: Style = (WORDS, Colour::Muted, HPos::Right, VPos::Center);

/// Draws text at a point.
pub(super) fn text(
    area: &Area<'_>,
    at: (i32, i32),
    text: impl Into<String>,
    (size, colour, horizontal, vertical): Style,
) -> Result<(), DrawError> {
    let style = ("sans-serif", size).into_font().color(&colour.rgb());
    let style = style.pos(Pos::new(horizontal, vertical));
    area.draw(&Text::new(text.into(), at, style))
}

/// Draws the mark of series `i` around a point. Marks differ in colour and shape.
pub(super) fn mark(area: &Area<'_>, i: usize, at: (i32, i32)) -> Result<(), DrawError> {
    let rgb = Colour::SERIES[i].rgb();
    match i {
        0 => area.draw(&Circle::new(at, 4, rgb.filled())),
        1 => area.draw(&TriangleMarker::new(at, 5, rgb.filled())),
        _ => area.draw(&Cross::new(at, 4, rgb.stroke_width(2))),
    }
}

/// Draws a line through points.
pub(super) fn line(
    area: &Area<'_>,
    points: impl Into<Vec<(i32, i32)>>,
    colour: Colour,
    width: u32,
) -> Result<(), DrawError> {
    let style = colour.rgb().stroke_width(width);
    area.draw(&PathElement::new(points, style))
}

/// Draws the legend of series `i`: its mark and its name. Returns the left end of the next one.
pub(super) fn legend_of_series(
    area: &Area<'_>,
    i: usize,
    name: &str,
    (left, top): (i32, i32),
) -> Result<i32, DrawError> {
    mark(area, i, (left + 6, top + 7))?;
    text(area, (left + 18, top), name, LABEL)?;
    Ok(left + 40 + 8 * name.chars().count() as i32)
}

/// A value of a series.
pub(super) struct Spot {
    /// Its place.
    pub(super) at: (i32, i32),
    /// The vertical places of its interval, if it has one.
    pub(super) interval: Option<(i32, i32)>,
    /// Whether it is an error, and is crossed out.
    pub(super) is_bad: bool,
}

/// Draws series from left to right, with a line of this width through the spots of each, and the legend from `left` and
/// `top`.
pub(super) fn draw_series<'a>(
    area: &Area<'_>,
    series: impl Iterator<Item = (&'a str, Vec<Spot>)>,
    (mut left, top): (i32, i32),
    width: u32,
) -> Result<(), DrawError> {
    for (i, (name, mut spots)) in series.enumerate() {
        let colour = Colour::SERIES[i];
        left = legend_of_series(area, i, name, (left, top))?;
        // There may be any number of spots, so those at the same place are drawn once.
        spots.dedup_by_key(|spot| (spot.at, spot.is_bad));
        let path: Vec<(i32, i32)> = spots.iter().map(|spot| spot.at).collect();
        line(area, path, colour, width)?;
        for spot in spots {
            let (x, y) = spot.at;
            if let Some((low, high)) = spot.interval {
                line(area, [(x, low), (x, high)], colour, 1)?;
            }
            mark(area, i, (x, y))?;
            if spot.is_bad {
                line(area, [(x - 8, y - 8), (x + 8, y + 8)], Colour::Bad, 3)?;
                line(area, [(x - 8, y + 8), (x + 8, y - 8)], Colour::Bad, 3)?;
            }
        }
    }
    Ok(())
}

/// The smallest and the largest value.
pub(super) fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let ends = values.map(|value| (value, value));
    ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Maps values to places, linearly or logarithmically between the ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    values: (f64, f64),
    places: (i32, i32),
    is_logarithmic: bool,
}

impl Scale {
    /// A linear scale from the ends of the values to the ends of the places.
    pub(super) fn linear(values: (f64, f64), places: (i32, i32)) -> Scale {
        Scale {
            values,
            places,
            is_logarithmic: false,
        }
    }

    /// A logarithmic scale from the ends of the values, which must be positive, to the ends of the places.
    pub(super) fn logarithmic(values: (f64, f64), places: (i32, i32)) -> Scale {
        Scale {
            values: (values.0.ln(), values.1.ln()),
            places,
            is_logarithmic: true,
        }
    }

    /// The place of a value. A value outside of the ends has the place of the nearer end.
    pub(super) fn place(&self, value: f64) -> i32 {
        let (low, high) = self.values;
        let fraction = match self.is_logarithmic {
            _ if high <= low => 0.5,
            true => (value.ln() - low) / (high - low),
            false => (value - low) / (high - low),
        };
        let (from, to) = (f64::from(self.places.0), f64::from(self.places.1));
        (from + fraction.clamp(0.0, 1.0) * (to - from)).round() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_proportion() {
        let scale = Scale::linear((0.0, 2.0), (100, 0));
        let places = [0.0, 1.0, 2.0, 9.0].map(|value| scale.place(value));
        assert_eq!(places, [100, 50, 0, 0]);
        let scale = Scale::logarithmic((0.1, 10.0), (0, 100));
        let places = [0.0, 0.1, 1.0, 10.0].map(|value| scale.place(value));
        assert_eq!(places, [0, 0, 50, 100]);
        assert_eq!(Scale::linear((1.0, 1.0), (0, 10)).place(1.0), 5);
    }
}
