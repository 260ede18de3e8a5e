//! Plot of values over time.

use std::time::{Duration, UNIX_EPOCH};

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{
    Area, DrawError, Mark, Scale, WIDTH, WORDS, centred, cross_out, draw, legend_of_series, line,
    words,
};
use super::colour::Colour;
use super::rows::Measured;

/// A line of a trend.
pub(crate) struct Series {
    /// Name in the legend.
    pub(crate) name: String,
    /// Its moments, the earliest first.
    pub(crate) moments: Vec<Moment>,
}

/// The quantity on the vertical axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heights {
    /// Fractions, with 1 at the top.
    Fraction,
    /// Ratios, on a logarithmic scale.
    Ratio,
}

impl Heights {
    /// The scale, and its ends: the smallest and the largest value with some space.
    fn scale(self, (low, high): (f64, f64)) -> (Scale, (f64, f64)) {
        let places = (BOTTOM, TOP);
        match self {
            Heights::Fraction => {
                let ends = (low - (1.0 - low).max(0.01) * 0.1, 1.0);
                (Scale::linear(ends, places), ends)
            }
            Heights::Ratio => {
                let ends = (low.clamp(1e-6, 0.95), high.clamp(1.05, 1e6));
                (Scale::logarithmic(ends, places), ends)
            }
        }
    }

    /// The value at a fraction of the height between the lower and the upper end.
    fn at(self, (low, high): (f64, f64), fraction: f64) -> f64 {
        match self {
            Heights::Fraction => low + (high - low) * fraction,
            Heights::Ratio => low * (high / low).powf(fraction),
        }
    }

    fn label(self, value: f64) -> String {
        match self {
            Heights::Fraction => format!("{:.2} %", 100.0 * value),
            Heights::Ratio => format!("{value:.2}x"),
        }
    }
}

/// A value at a time.
pub(crate) struct Moment {
    /// Seconds since 1970.
    pub(crate) seconds: f64,
    /// The value.
    pub(crate) measured: Measured,
    /// Whether the verdict was divergent.
    pub(crate) is_bad: bool,
}

const HEIGHT: i32 = 260;
const LEFT: i32 = 64;
const RIGHT: i32 = WIDTH - 40;
const TOP: i32 = 32;
const BOTTOM: i32 = HEIGHT - 36;

/// Draws series, at most one for each colour of [`Colour::SERIES`]. Divergent moments are crossed out.
///
/// # Errors
///
/// As [`draw`].
pub(crate) fn draw_trend(series: &[Series], heights: Heights) -> Result<String, String> {
    let series = &series[..series.len().min(Colour::SERIES.len())];
    draw((WIDTH, HEIGHT), |area| {
        let moments = || series.iter().flat_map(|series| &series.moments);
        let across = Scale::linear(ends(moments().map(|m| m.seconds)), (LEFT, RIGHT));
        let values = moments().flat_map(|moment| {
            let value = moment.measured.value;
            let (low, high) = moment.measured.interval.unwrap_or((value, value));
            [low, value, high]
        });
        let (up, range) = heights.scale(ends(values));
        let right = words(WORDS, Colour::Muted).pos(Pos::new(HPos::Right, VPos::Center));
        for step in 0..=4 {
            let value = heights.at(range, f64::from(step) / 4.0);
            let y = up.place(value);
            line(area, [(LEFT, y), (RIGHT, y)], Colour::Grid, 1)?;
            area.draw(&Text::new(
                heights.label(value),
                (LEFT - 8, y),
                right.clone(),
            ))?;
        }
        dates(area, ends(moments().map(|m| m.seconds)), &across)?;
        let mut left = LEFT;
        for (i, one) in series.iter().enumerate() {
            left = legend_of_series(area, i, &one.name, (left, 6))?;
            draw_series(area, one, i, (&across, &up))?;
        }
        Ok(())
    })
}

fn draw_series(
    area: &Area<'_>,
    series: &Series,
    i: usize,
    (across, up): (&Scale, &Scale),
) -> Result<(), DrawError> {
    let at = |moment: &Moment| {
        (
            across.place(moment.seconds),
            up.place(moment.measured.value),
        )
    };
    let path: Vec<(i32, i32)> = series.moments.iter().map(at).collect();
    line(area, path, Colour::SERIES[i], 1)?;
    let mut before = None;
    for moment in &series.moments {
        let (x, y) = at(moment);
        // There may be any number of receipts, so marks at the same place are drawn once.
        if before == Some((x, y, moment.is_bad)) {
            continue;
        }
        before = Some((x, y, moment.is_bad));
        if let Some((low, high)) = moment.measured.interval {
            line(
                area,
                [(x, up.place(low)), (x, up.place(high))],
                Colour::SERIES[i],
                1,
            )?;
        }
        Mark::SERIES[i].draw(area, (x, y), Colour::SERIES[i])?;
        if moment.is_bad {
            cross_out(area, (x, y))?;
        }
    }
    Ok(())
}

/// The smallest and the largest value; 0 and 1 if there are none.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let ends = values.map(|value| (value, value));
    let wider = |a: (f64, f64), b: (f64, f64)| (a.0.min(b.0), a.1.max(b.1));
    ends.reduce(wider).unwrap_or((0.0, 1.0))
}

fn dates(area: &Area<'_>, (first, last): (f64, f64), across: &Scale) -> Result<(), DrawError> {
    line(area, [(LEFT, BOTTOM), (RIGHT, BOTTOM)], Colour::Muted, 1)?;
    const DAY: f64 = 86_400.0;
    for step in 0..=3 {
        let seconds = first + (last - first) * f64::from(step) / 3.0;
        let time = UNIX_EPOCH + Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let text = humantime::format_rfc3339_seconds(time).to_string();
        let label = match last - first {
            range if range < 600.0 => text.get(11..19),
            range if range < 3.0 * DAY => text.get(5..16),
            _ => text.get(..10),
        };
        let label = label.unwrap_or(&text).replace('T', " ");
        let at = (across.place(seconds), BOTTOM + 16);
        area.draw(&Text::new(label, at, centred(WORDS, Colour::Muted)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_crossed_and_one_spot_is_drawn_once() {
        let moment = |seconds, is_bad| Moment {
            seconds,
            measured: Measured {
                value: 1.0,
                interval: None,
            },
            is_bad,
        };
        let trend = |moments| {
            let name = "rate".into();
            draw_trend(&[Series { name, moments }], Heights::Fraction).unwrap()
        };
        let crosses = |svg: &str| svg.matches("stroke-width=\"3\"").count();
        let good = trend(vec![moment(0.0, false), moment(1e6, false)]);
        assert_eq!(crosses(&good), 0);
        let bad = trend(vec![moment(0.0, false), moment(1e6, true)]);
        assert_eq!(crosses(&bad), 2);
        let many = trend((0..1000).map(|i| moment(f64::from(i), false)).collect());
        assert!(many.matches("<circle").count() <= (WIDTH + 1) as usize);
    }
}
