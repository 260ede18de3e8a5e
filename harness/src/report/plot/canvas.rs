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

/// Style of left-aligned text.
pub(super) fn words(size: i32, colour: Colour) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour.rgb())
}

/// Style of text that is centred around a point.
pub(super) fn centred(size: i32, colour: Colour) -> TextStyle<'static> {
    words(size, colour).pos(Pos::new(HPos::Center, VPos::Center))
}

/// Shape of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A dot.
    Dot,
    /// A cross.
    Cross,
    /// A triangle.
    Triangle,
}

impl Mark {
    /// Marks of series, in the order of [`Colour::SERIES`].
    pub(super) const SERIES: [Mark; 3] = [Mark::Dot, Mark::Triangle, Mark::Cross];

    /// Draws the mark around a point.
    ///
    /// # Errors
    ///
    /// As [`draw`].
    pub(super) fn draw(
        self,
        area: &Area<'_>,
        at: (i32, i32),
        colour: Colour,
    ) -> Result<(), DrawError> {
        let rgb = colour.rgb();
        match self {
            Mark::Dot => area.draw(&Circle::new(at, 4, rgb.filled())),
            Mark::Cross => area.draw(&Cross::new(at, 4, rgb.stroke_width(2))),
            Mark::Triangle => area.draw(&TriangleMarker::new(at, 5, rgb.filled())),
        }
    }
}

/// Draws a line through points.
///
/// # Errors
///
/// As [`draw`].
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
///
/// # Errors
///
/// As [`draw`].
pub(super) fn legend_of_series(
    area: &Area<'_>,
    i: usize,
    name: &str,
    (left, top): (i32, i32),
) -> Result<i32, DrawError> {
    Mark::SERIES[i].draw(area, (left + 6, top + 7), Colour::SERIES[i])?;
    area.draw(&Text::new(
        name.to_owned(),
        (left + 18, top),
        words(WORDS, Colour::Text),
    ))?;
    Ok(left + 40 + 8 * name.chars().count() as i32)
}

/// Crosses out a point with two thick lines. This marks an error.
///
/// # Errors
///
/// As [`draw`].
pub(super) fn cross_out(area: &Area<'_>, (x, y): (i32, i32)) -> Result<(), DrawError> {
    line(area, [(x - 8, y - 8), (x + 8, y + 8)], Colour::Bad, 3)?;
    line(area, [(x - 8, y + 8), (x + 8, y - 8)], Colour::Bad, 3)
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
        let value = if self.is_logarithmic {
            value.ln()
        } else {
            value
        };
        let (low, high) = self.values;
        let fraction = if high > low {
            (value - low) / (high - low)
        } else {
            0.5
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
        assert_eq!(
            [0.0, 1.0, 2.0, 9.0].map(|value| scale.place(value)),
            [100, 50, 0, 0]
        );
        let scale = Scale::logarithmic((0.1, 10.0), (0, 100));
        assert_eq!(
            [0.0, 0.1, 1.0, 10.0].map(|value| scale.place(value)),
            [0, 0, 50, 100]
        );
        assert_eq!(Scale::linear((1.0, 1.0), (0, 10)).place(1.0), 5);
    }
}
