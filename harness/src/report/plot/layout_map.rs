//! Layouts as 16 x 16 maps: each cell is a weight of a block, with the byte and the digit that hold its code.

use plotters::prelude::*;
use qk256::format::{Digit, Slot};

use super::canvas::{Area, DrawError, centred, draw, line, words};
use super::ink::Ink;
use crate::probe::{Lut, SlotReading};
use crate::receipt::written;

/// One side's table, with the title that stands above its map.
pub struct LayoutMap<'a> {
    /// Such as `i2_s: bitnet.cpp/strict`.
    pub title: String,
    /// What was derived or declared.
    pub lut: &'a Lut,
    /// The declaration, where it is to be held against one.
    pub declared: Option<&'a Lut>,
}

/// Weights along an edge of a map.
const SIDE: i32 = 16;
const CELL: (i32, i32) = (38, 24);
const MARGIN: i32 = 16;
const TITLE: i32 = 26;
const LEGEND: i32 = 42;
const MAP: (i32, i32) = (SIDE * CELL.0, SIDE * CELL.1);

/// Draws rows of maps, the sides of a format beside each other, as an SVG document.
///
/// # Errors
///
/// What the drawing library says; drawing into a string does not fail in practice.
pub fn draw_maps(rows: &[Vec<LayoutMap<'_>>]) -> Result<String, String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as i32;
    let width = MARGIN + columns * (MAP.0 + MARGIN);
    let height = MARGIN + rows.len() as i32 * (TITLE + MAP.1 + LEGEND + MARGIN);
    draw((width, height), |area| {
        for (row, maps) in rows.iter().enumerate() {
            for (column, map) in maps.iter().enumerate() {
                let left = MARGIN + column as i32 * (MAP.0 + MARGIN);
                let top = MARGIN + row as i32 * (TITLE + MAP.1 + LEGEND + MARGIN);
                draw_map(area, map, (left, top))?;
            }
        }
        Ok(())
    })
}

fn draw_map(
    area: &Area<'_>,
    map: &LayoutMap<'_>,
    (left, top): (i32, i32),
) -> Result<(), DrawError> {
    area.draw(&Text::new(
        map.title.clone(),
        (left, top),
        words(16, Ink::Text),
    ))?;
    for (weight, reading) in map.lut.slots.iter().enumerate() {
        let (x, y) = (weight as i32 % SIDE, weight as i32 / SIDE);
        let (x, y) = (left + x * CELL.0, top + TITLE + y * CELL.1);
        let (right, bottom) = (x + CELL.0 - 1, y + CELL.1 - 1);
        area.draw(&Rectangle::new(
            [(x, y), (right, bottom)],
            ink(reading).colour().filled(),
        ))?;
        let middle = (x + CELL.0 / 2, y + CELL.1 / 2);
        area.draw(&Text::new(
            written(reading),
            middle,
            centred(11, Ink::OnCell),
        ))?;
        let declared = map.declared.and_then(|declared| declared.slots.get(weight));
        if declared.is_some_and(|declared| declared != reading) {
            let frame = [(x, y), (right, y), (right, bottom), (x, bottom), (x, y)];
            line(area, frame, Ink::Bad, 3)?;
            line(area, [(x, bottom), (right, y)], Ink::Bad, 1)?;
        }
    }
    let legend = [
        "Weight 0 top left, 16 a row. 12:6 is shift 6 of byte 12, 12:t3 its base-3 digit 3;",
        "the darker, the lower the digit. Framed and crossed out: not where it is declared.",
    ];
    for (row, words_of_row) in (0i32..).zip(legend) {
        let below = top + TITLE + MAP.1 + 6 + 17 * row;
        area.draw(&Text::new(
            words_of_row,
            (left, below),
            words(13, Ink::Muted),
        ))?;
    }
    Ok(())
}

fn ink(reading: &SlotReading) -> Ink {
    let step = |digit: u8| Ink::STEPS.get(usize::from(digit)).copied();
    let known = match reading {
        SlotReading::At(Slot { digit, .. }) => match digit {
            Digit::Bits { shift } => step(shift / 2),
            Digit::Trit { power } => step(*power),
        },
        _ => None,
    };
    known.unwrap_or(Ink::Odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map_of<'a>(lut: &'a Lut, declared: Option<&'a Lut>) -> String {
        let title = "tq1_0".into();
        draw_maps(&[vec![LayoutMap {
            title,
            lut,
            declared,
        }]])
        .unwrap()
    }

    #[test]
    fn a_map_has_a_cell_for_each_weight() {
        let lut = Lut::declared(&qk256::format::TQ1_0).unwrap();
        let svg = map_of(&lut, None);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert_eq!(svg.matches("<rect").count(), 256 + 1);
        assert!(svg.contains("tq1_0"));
    }

    #[test]
    fn what_is_not_where_it_is_declared_is_framed() {
        let declared = Lut::declared(&qk256::format::TQ1_0).unwrap();
        let mut derived = declared.clone();
        assert_eq!(
            map_of(&derived, Some(&declared))
                .matches("<polyline")
                .count(),
            0
        );
        derived.slots.swap(3, 4);
        assert_eq!(
            map_of(&derived, Some(&declared))
                .matches("<polyline")
                .count(),
            2 * 2
        );
    }
}
