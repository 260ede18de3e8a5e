//! Plot of values over time.

use std::time::{Duration, UNIX_EPOCH};

use super::canvas::{
    Area, CENTRED, DrawError, LEFT_OF, Scale, Spot, WIDTH, draw, draw_series, ends, line, text,
};
use super::colour::Colour;
use super::rows::Measured;

/// A line of a trend: its name in the legend, and its moments, the earliest first.
pub(crate) type Series<'a> = (&'a str, Vec<Moment>);

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
pub(crate) fn draw_trend(series: &[Series<'_>], heights: Heights) -> Result<String, String> {
    let series = &series[..series.len().min(Colour::SERIES.len())];
    draw((WIDTH, HEIGHT), |area| {
        let moments = || series.iter().flat_map(|(_, moments)| moments);
        let times = ends(moments().map(|m| m.seconds)).unwrap_or((0.0, 1.0));
        let across = Scale::linear(times, (LEFT, RIGHT));
        let values = moments().flat_map(|moment| {
            let value = moment.measured.value;
            let (low, high) = moment.measured.interval.unwrap_or((value, value));
            [low, value, high]
        });
        let (up, range) = heights.scale(ends(values).unwrap_or((0.0, 1.0)));
        for step in 0..=4 {
            let value = heights.at(range, f64::from(step) / 4.0);
            let y = up.place(value);
            line(area, [(LEFT, y), (RIGHT, y)], Colour::Grid, 1)?;
            text(area, (LEFT - 8, y), heights.label(value), LEFT_OF)?;
        }
        dates(area, times, &across)?;
        let spot = |moment: &Moment| {
            let (measured, is_bad) = (&moment.measured, moment.is_bad);
            let at = (across.place(moment.seconds), up.place(measured.value));
            let interval = measured
                .interval
                .map(|(low, high)| (up.place(low), up.place(high)));
            Spot {
                at,
                interval,
                is_bad,
            }
        };
        let spots = |moments: &Vec<Moment>| moments.iter().map(spot).collect();
        let series = series.iter().map(|(name, moments)| (*name, spots(moments)));
        draw_series(area, series, (LEFT, 6), 1)
    })
}

fn dates(area: &Area<'_>, (first, last): (f64, f64), across: &Scale) -> Result<(), DrawError> {
    line(area, [(LEFT, BOTTOM), (RIGHT, BOTTOM)], Colour::Muted, 1)?;
    const DAY: f64 = 86_400.0;
    for step in 0..=3 {
        let seconds = first + (last - first) * f64::from(step) / 3.0;
        let time = UNIX_EPOCH + Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let full = humantime::format_rfc3339_seconds(time).to_string();
        let label = match last - first {
            range if range < 600.0 => full.get(11..19),
            range if range < 3.0 * DAY => full.get(5..16),
            _ => full.get(..10),
        };
        let label = label.unwrap_or(&full).replace('T', " ");
        text(area, (across.place(seconds), BOTTOM + 16), label, CENTRED)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_crossed_and_one_spot_is_drawn_once() {
        let moment = |seconds, is_bad| {
            let measured = Measured::exactly(1.0);
            Moment {
                seconds,
                measured,
                is_bad,
            }
        };
        let trend = |moments| draw_trend(&[("rate", moments)], Heights::Fraction).unwrap();
        let crosses = |svg: &str| svg.matches("stroke-width=\"3\"").count();
        let good = trend(vec![moment(0.0, false), moment(1e6, false)]);
        assert_eq!(crosses(&good), 0);
        let bad = trend(vec![moment(0.0, false), moment(1e6, true)]);
        assert_eq!(crosses(&bad), 2);
        let many = trend((0..1000).map(|i| moment(f64::from(i), false)).collect());
        assert!(many.matches("<circle").count() <= (WIDTH + 1) as usize);
    }
}
