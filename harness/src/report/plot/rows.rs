//! Plot with one row of marks for each item: ratios with their intervals, or distances.

use plotters::prelude::*;

use super::canvas::{
    Area, CENTRED, DrawError, LABEL, WIDTH, draw, legend_of_series, line, mark, text,
};
use super::colour::Colour;
use super::logarithmic::Logarithmic;

/// The quantity on the axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Ratios, with a line at 1.
    Ratio,
    /// Distances. The place of 0 is separate, at the left end.
    Distance,
}

/// A row of a plot.
pub(crate) struct PlotRow {
    /// Label.
    pub(crate) label: String,
    /// The mark of each series, if it has one.
    pub(crate) marks: Vec<Option<Measured>>,
}

/// A value and the interval around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// The value.
    pub(crate) value: f64,
    /// The ends of the interval, if it has one.
    pub(crate) interval: Option<(f64, f64)>,
}

impl Measured {
    /// A value without an interval.
    pub(crate) fn exactly(value: f64) -> Measured {
        let interval = None;
        Measured { value, interval }
    }
}

const LEFT: i32 = 14;
const RIGHT: i32 = WIDTH - 14;
const LEGEND: i32 = 24;
const SERIES: i32 = 14;
const AXIS: i32 = 44;
const GAP: i32 = 6;
/// Width of the labels of distances.
const COLUMN: i32 = 210;

impl Axis {
    /// Height of the label above the marks of a row. Labels of ratios are long. Labels of distances are short and stand
    /// to the left of the marks.
    const fn label(self) -> i32 {
        match self {
            Axis::Ratio => 18,
            Axis::Distance => 0,
        }
    }

    /// Left end of the axis.
    const fn left(self) -> i32 {
        match self {
            Axis::Ratio => LEFT + 24,
            Axis::Distance => LEFT + COLUMN,
        }
    }
}

/// Draws rows under a legend. The number of series is limited to the colours of [`Colour::SERIES`].
pub(crate) fn draw_rows(
    series: &[&str],
    rows: &[PlotRow],
    axis: Axis,
    title: &str,
) -> Result<String, String> {
    let series = &series[..series.len().min(Colour::SERIES.len())];
    let label = axis.label();
    let tall = label + SERIES * series.len() as i32 + GAP;
    let height = LEGEND + tall * rows.len() as i32 + AXIS;
    draw((WIDTH, height), |area| {
        let scale = scale(rows, axis);
        let bottom = height - AXIS;
        grid(area, &scale, axis, (LEGEND, bottom), title)?;
        let mut left = LEFT;
        for (i, name) in series.iter().enumerate() {
            left = legend_of_series(area, i, name, (left, 4))?;
        }
        let tops = (LEGEND..).step_by(tall.unsigned_abs() as usize);
        for (row, top) in rows.iter().zip(tops) {
            let width = 15 * row.label.chars().count() as i32 / 2;
            let behind = [(LEFT - 2, top + 2), (LEFT + width, top + 18)];
            area.draw(&Rectangle::new(behind, Colour::Background.rgb().filled()))?;
            text(area, (LEFT, top + 3), &row.label, LABEL)?;
            for (i, measured) in row.marks.iter().take(series.len()).enumerate() {
                let Some(measured) = measured else { continue };
                let y = top + label + 2 + SERIES * i as i32 + SERIES / 2;
                if let Some((low, high)) = measured.interval {
                    let (from, to) = (scale.place(low), scale.place(high));
                    line(area, [(from, y), (to, y)], Colour::SERIES[i], 2)?;
                    for end in [from, to] {
                        line(area, [(end, y - 4), (end, y + 4)], Colour::SERIES[i], 2)?;
                    }
                }
                mark(area, i, (scale.place(measured.value), y))?;
            }
        }
        Ok(())
    })
}

/// The axis from the smallest value to the largest.
fn scale(rows: &[PlotRow], axis: Axis) -> Logarithmic {
    let marks = rows.iter().flat_map(|row| row.marks.iter().flatten());
    let values = marks.flat_map(|mark| {
        let (low, high) = mark.interval.unwrap_or((mark.value, mark.value));
        [mark.value, low, high]
    });
    let left = axis.left();
    match axis {
        Axis::Ratio => Logarithmic::ratios(values, (left, RIGHT - 24)),
        Axis::Distance => Logarithmic::distances(values, left, (left + 70, RIGHT - 24)),
    }
}

fn grid(
    area: &Area<'_>,
    scale: &Logarithmic,
    axis: Axis,
    (top, bottom): (i32, i32),
    title: &str,
) -> Result<(), DrawError> {
    let label = |x: i32, words: String, colour: Colour| {
        line(area, [(x, top), (x, bottom)], colour, 1)?;
        text(area, (x, bottom + 12), words, CENTRED)
    };
    for value in scale.lines() {
        let words = match axis {
            Axis::Ratio => times(value),
            Axis::Distance => format!("{value:.0e}"),
        };
        label(scale.place(value), words, Colour::Grid)?;
    }
    if axis == Axis::Ratio {
        let x = scale.place(1.0);
        line(area, [(x, top), (x, bottom)], Colour::Muted, 2)?;
    } else {
        label(Axis::Distance.left(), "identical".into(), Colour::Muted)?;
    }
    text(area, (WIDTH / 2, bottom + 32), title, CENTRED)
}

/// A ratio without trailing zeros, such as `0.5x`.
fn times(ratio: f64) -> String {
    let digits = usize::from(ratio < 1.0) * 3;
    let text = format!("{ratio:.digits$}");
    match text.contains('.') {
        true => format!("{}x", text.trim_end_matches('0')),
        false => format!("{text}x"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(marks: &[(f64, Option<(f64, f64)>)]) -> PlotRow {
        let mark = |&(value, interval)| Some(Measured { value, interval });
        PlotRow {
            label: "gemv".into(),
            marks: marks.iter().map(mark).collect(),
        }
    }

    #[test]
    fn identical_values_are_at_the_left_end() {
        let scale = scale(&[row(&[(0.0, None), (1e-6, None)])], Axis::Distance);
        assert!(scale.place(0.0) < scale.place(1e-6));
        let svg = draw_rows(&["a"], &[row(&[(0.0, None)])], Axis::Distance, "far").unwrap();
        assert!(svg.contains("identical") && svg.contains("gemv"), "{svg}");
    }

    #[test]
    fn ratios_are_short() {
        let ratios = [0.125, 0.5, 1.0, 16.0].map(times);
        assert_eq!(ratios, ["0.125x", "0.5x", "1x", "16x"]);
    }
}
