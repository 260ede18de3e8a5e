//! Histogram of distances, with buckets by powers of two.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Area, CENTRED, DrawError, LABEL, Scale, WIDTH, WORDS, draw, line, text};
use super::colour::Colour;

const HEIGHT: i32 = 230;
const LEFT: i32 = 64;
const RIGHT: i32 = WIDTH - 12;
const TOP: i32 = 28;
const BOTTOM: i32 = HEIGHT - 44;

/// Draws the counts of a pair as bars, and those of its noise floor, if there is one, as a stepped line. The scale of
/// counts is logarithmic. Bucket 0 has the identical values, bucket `i` those with a distance from `2^(i - 1)` to below
/// `2^i` ULP.
pub(crate) fn draw_histograms(pair: &[u64], floor: Option<&[u64]>) -> Result<String, String> {
    draw((WIDTH, HEIGHT), |area| {
        let buckets = pair.len().max(floor.map_or(0, <[u64]>::len)).max(8);
        let all = pair.iter().chain(floor.into_iter().flatten());
        let most = all.copied().max().unwrap_or(1).max(10) as f64;
        let across = Scale::linear((0.0, buckets as f64), (LEFT, RIGHT));
        let up = Scale::logarithmic((0.5, most), (BOTTOM, TOP));
        axes(area, buckets, most, (across, up))?;
        let edge = |bucket: usize| across.place(bucket as f64);
        for (bucket, &count) in pair.iter().enumerate().filter(|(_, count)| **count > 0) {
            let corners = [
                (edge(bucket) + 1, up.place(count as f64)),
                (edge(bucket + 1) - 1, BOTTOM),
            ];
            area.draw(&Rectangle::new(corners, Colour::First.rgb().filled()))?;
        }
        if let Some(floor) = floor {
            let mut steps = Vec::new();
            for (bucket, &count) in floor.iter().enumerate() {
                let height = up.place(count as f64);
                steps.extend([(edge(bucket), height), (edge(bucket + 1), height)]);
            }
            line(area, steps, Colour::Second, 3)?;
        }
        legend(area, floor.is_some())
    })
}

fn axes(
    area: &Area<'_>,
    buckets: usize,
    most: f64,
    (across, up): (Scale, Scale),
) -> Result<(), DrawError> {
    let mut power = 1.0;
    while power <= most {
        let y = up.place(power);
        line(area, [(LEFT, y), (RIGHT, y)], Colour::Grid, 1)?;
        let style = (WORDS, Colour::Muted, HPos::Right, VPos::Top);
        text(area, (LEFT - 8, y - 7), short(power), style)?;
        power *= if most > 1e4 { 100.0 } else { 10.0 };
    }
    line(area, [(LEFT, BOTTOM), (RIGHT, BOTTOM)], Colour::Muted, 1)?;
    for bucket in (0..buckets).filter(|bucket| bucket % 4 == 0 || *bucket == 1) {
        let label = match bucket {
            0 => "0".into(),
            n => short(2f64.powi(n as i32 - 1)),
        };
        let at = (across.place(bucket as f64 + 0.5), BOTTOM + 12);
        text(area, at, label, CENTRED)?;
    }
    let at = ((LEFT + RIGHT) / 2, HEIGHT - 12);
    let label = "distance in ULP, from this to below its double";
    text(area, at, label, CENTRED)
}

fn legend(area: &Area<'_>, has_floor: bool) -> Result<(), DrawError> {
    let swatch = [(LEFT, 8), (LEFT + 14, 18)];
    area.draw(&Rectangle::new(swatch, Colour::First.rgb().filled()))?;
    text(area, (LEFT + 20, 6), "values of the pair", LABEL)?;
    if has_floor {
        let left = LEFT + 190;
        line(area, [(left, 13), (left + 20, 13)], Colour::Second, 3)?;
        let label = "noise floor: two builds of the oracle";
        text(area, (left + 26, 6), label, LABEL)?;
    }
    Ok(())
}

/// A number, abbreviated with k, M or G from 10,000.
fn short(n: f64) -> String {
    match n {
        _ if n >= 1e9 => format!("{:.0}G", n / 1e9),
        _ if n >= 1e6 => format!("{:.0}M", n / 1e6),
        _ if n >= 1e4 => format!("{:.0}k", n / 1e3),
        _ => format!("{n:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_bar_for_each_count_that_is_not_zero() {
        let svg = draw_histograms(&[100, 0, 7], None).unwrap();
        // The background, the swatch and two bars.
        assert_eq!(svg.matches("<rect").count(), 4);
        let with_floor = draw_histograms(&[100, 0, 7], Some(&[100, 5])).unwrap();
        assert!(with_floor.contains("noise floor") && !svg.contains("noise floor"));
    }
}
