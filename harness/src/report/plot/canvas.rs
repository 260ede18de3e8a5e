//! Drawing into a string.

use std::io;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::ink::Ink;

/// Where a plot is drawn.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Why it cannot be.
pub(super) type DrawError = DrawingAreaErrorKind<io::Error>;

/// Size of most words, in units of the drawing.
pub(super) const WORDS: i32 = 13;
/// Width of a plot: on a small screen its words can still be read.
pub(super) const WIDTH: i32 = 640;

/// An SVG document of this size, in colours of a light page.
///
/// # Errors
///
/// What the drawing library says; drawing into a string does not fail in practice.
pub(super) fn draw(
    (width, height): (i32, i32),
    plot: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> Result<String, String> {
    let mut svg = String::new();
    {
        let size = (width.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let drawn = area
            .fill(&Ink::Paper.colour())
            .and_then(|()| plot(&area))
            .and_then(|()| area.present());
        drawn.map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

/// Words of an ink, from the left.
pub(super) fn words(size: i32, ink: Ink) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&ink.colour())
}

/// Words of an ink around a point.
pub(super) fn centred(size: i32, ink: Ink) -> TextStyle<'static> {
    words(size, ink).pos(Pos::new(HPos::Center, VPos::Center))
}

/// What a mark looks like.
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
    /// Marks of series, in the order of [`Ink::SERIES`].
    pub(super) const SERIES: [Mark; 3] = [Mark::Dot, Mark::Triangle, Mark::Cross];

    /// Draws it around a point.
    ///
    /// # Errors
    ///
    /// As [`draw`].
    pub(super) fn draw(self, area: &Area<'_>, at: (i32, i32), ink: Ink) -> Result<(), DrawError> {
        let colour = ink.colour();
        match self {
            Mark::Dot => area.draw(&Circle::new(at, 4, colour.filled())),
            Mark::Cross => area.draw(&Cross::new(at, 4, colour.stroke_width(2))),
            Mark::Triangle => area.draw(&TriangleMarker::new(at, 5, colour.filled())),
        }
    }
}

/// A line of an ink.
pub(super) fn line(
    area: &Area<'_>,
    points: impl Into<Vec<(i32, i32)>>,
    ink: Ink,
    width: u32,
) -> Result<(), DrawError> {
    let style = ink.colour().stroke_width(width);
    area.draw(&PathElement::new(points, style))
}

/// Two thick bars across a point where something is wrong.
///
/// # Errors
///
/// As [`draw`].
pub(super) fn cross_out(area: &Area<'_>, (x, y): (i32, i32)) -> Result<(), DrawError> {
    line(area, [(x - 8, y - 8), (x + 8, y + 8)], Ink::Bad, 3)?;
    line(area, [(x - 8, y + 8), (x + 8, y - 8)], Ink::Bad, 3)
}

/// From values to places: linear between the ends, on a logarithmic scale of the values if so wished.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    values: (f64, f64),
    places: (i32, i32),
    is_logarithmic: bool,
}

impl Scale {
    /// From these values to these places.
    pub(super) fn linear(values: (f64, f64), places: (i32, i32)) -> Scale {
        Scale {
            values,
            places,
            is_logarithmic: false,
        }
    }

    /// From these values, which lie above 0, to these places.
    pub(super) fn logarithmic(values: (f64, f64), places: (i32, i32)) -> Scale {
        Scale {
            values: (values.0.ln(), values.1.ln()),
            places,
            is_logarithmic: true,
        }
    }

    /// The place of a value; of one outside, the end.
    pub(super) fn place(&self, value: f64) -> i32 {
        let value = if self.is_logarithmic {
            value.ln()
        } else {
            value
        };
        let (low, high) = self.values;
        let share = if high > low {
            (value - low) / (high - low)
        } else {
            0.5
        };
        let (from, to) = (f64::from(self.places.0), f64::from(self.places.1));
        (from + share.clamp(0.0, 1.0) * (to - from)).round() as i32
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
