//! What changed with time.

use std::time::{Duration, UNIX_EPOCH};

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{
    Area, DrawError, Mark, Scale, WIDTH, WORDS, centred, cross_out, draw, line, words,
};
use super::ink::Ink;
use super::rows::Measured;

/// A line of a trend.
pub(crate) struct Series {
    /// What it shows.
    pub(crate) name: String,
    /// Its moments, the earliest first.
    pub(crate) moments: Vec<Moment>,
}

/// What the heights of a trend are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heights {
    /// Shares of one, which is the top.
    Share,
    /// Ratios, on a logarithmic scale.
    Ratio,
}

impl Heights {
    /// From the smallest to the largest value, with some room.
    fn scale(self, (low, high): (f64, f64)) -> (Scale, (f64, f64)) {
        let places = (BOTTOM, TOP);
        match self {
            Heights::Share => {
                let ends = (low - (1.0 - low).max(0.01) * 0.1, 1.0);
                (Scale::linear(ends, places), ends)
            }
            Heights::Ratio => {
                let ends = (low.clamp(1e-6, 0.95), high.clamp(1.05, 1e6));
                (Scale::logarithmic(ends, places), ends)
            }
        }
    }

    /// So far up from the lower end to the upper one.
    fn at(self, (low, high): (f64, f64), share: f64) -> f64 {
        match self {
            Heights::Share => low + (high - low) * share,
            Heights::Ratio => low * (high / low).powf(share),
        }
    }

    fn label(self, value: f64) -> String {
        match self {
            Heights::Share => format!("{:.2} %", 100.0 * value),
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
    /// Whether there was a difference then.
    pub(crate) is_bad: bool,
}

const HEIGHT: i32 = 260;
const LEFT: i32 = 64;
const RIGHT: i32 = WIDTH - 40;
const TOP: i32 = 32;
const BOTTOM: i32 = HEIGHT - 36;

/// Draws at most as many series as there are inks for. Moments with a difference are crossed.
///
/// # Errors
///
/// As [`draw`].
pub(crate) fn draw_trend(series: &[Series], heights: Heights) -> Result<String, String> {
    let series = &series[..series.len().min(Ink::SERIES.len())];
    draw((WIDTH, HEIGHT), |area| {
        let moments = || series.iter().flat_map(|series| &series.moments);
        let across = Scale::linear(ends(moments().map(|m| m.seconds)), (LEFT, RIGHT));
        let values = moments().flat_map(|moment| {
            let value = moment.measured.value;
            let (low, high) = moment.measured.interval.unwrap_or((value, value));
            [low, value, high]
        });
        let (up, range) = heights.scale(ends(values));
        let right = words(WORDS, Ink::Muted).pos(Pos::new(HPos::Right, VPos::Center));
        for step in 0..=4 {
            let value = heights.at(range, f64::from(step) / 4.0);
            let y = up.place(value);
            line(area, [(LEFT, y), (RIGHT, y)], Ink::Grid, 1)?;
            area.draw(&Text::new(
                heights.label(value),
                (LEFT - 8, y),
                right.clone(),
            ))?;
        }
        dates(area, ends(moments().map(|m| m.seconds)), &across)?;
        let mut left = LEFT;
        for (i, one) in series.iter().enumerate() {
            Mark::SERIES[i].draw(area, (left + 6, 13), Ink::SERIES[i])?;
            area.draw(&Text::new(
                one.name.clone(),
                (left + 18, 6),
                words(WORDS, Ink::Text),
            ))?;
            left += 40 + 8 * one.name.chars().count() as i32;
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
    line(area, path, Ink::SERIES[i], 1)?;
    let mut before = None;
    for moment in &series.moments {
        let (x, y) = at(moment);
        // What falls on the same spot need not be drawn twice, however many receipts there are.
        if before == Some((x, y, moment.is_bad)) {
            continue;
        }
        before = Some((x, y, moment.is_bad));
        if let Some((low, high)) = moment.measured.interval {
            line(
                area,
                [(x, up.place(low)), (x, up.place(high))],
                Ink::SERIES[i],
                1,
            )?;
        }
        Mark::SERIES[i].draw(area, (x, y), Ink::SERIES[i])?;
        if moment.is_bad {
            cross_out(area, (x, y))?;
        }
    }
    Ok(())
}

/// The smallest and the largest; from 0 to 1 of none.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let ends = values.map(|value| (value, value));
    let wider = |a: (f64, f64), b: (f64, f64)| (a.0.min(b.0), a.1.max(b.1));
    ends.reduce(wider).unwrap_or((0.0, 1.0))
}

fn dates(area: &Area<'_>, (first, last): (f64, f64), across: &Scale) -> Result<(), DrawError> {
    line(area, [(LEFT, BOTTOM), (RIGHT, BOTTOM)], Ink::Muted, 1)?;
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
        area.draw(&Text::new(label, at, centred(WORDS, Ink::Muted)))?;
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
            draw_trend(&[Series { name, moments }], Heights::Share).unwrap()
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
