//! Layouts as 16 x 16 maps. Each cell is a weight of a block, with the byte and the digit that store its code.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use qk256::format::{Digit, Slot};

use super::canvas::{Area, DrawError, WORDS, draw, line, text};
use super::colour::Colour;
use crate::probe::{Lut, SlotReading};

/// The table of one implementation, with a title.
pub struct LayoutMap<'a> {
    /// Title above the map, such as `i2_s: bitnet.cpp/strict`.
    pub title: String,
    /// The derived or declared table.
    pub lut: &'a Lut,
    /// The declared table, if the map marks differences from it.
    pub declared: Option<&'a Lut>,
}

/// Number of weights along an edge of a map.
const EDGE: i32 = 16;
const CELL: (i32, i32) = (38, 24);
const MARGIN: i32 = 16;
const TITLE: i32 = 26;
const LEGEND: i32 = 42;
const MAP: (i32, i32) = (EDGE * CELL.0, EDGE * CELL.1);

/// Draws maps as an SVG document, with one row for each format and the implementations side by side.
///
/// # Errors
///
/// The message of the drawing library. Drawing into a string does not fail in practice.
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
    let style = (16, Colour::Text, HPos::Left, VPos::Top);
    text(area, (left, top), &map.title, style)?;
    for (weight, reading) in map.lut.slots.iter().enumerate() {
        let (x, y) = (weight as i32 % EDGE, weight as i32 / EDGE);
        let (x, y) = (left + x * CELL.0, top + TITLE + y * CELL.1);
        let (right, bottom) = (x + CELL.0 - 1, y + CELL.1 - 1);
        let fill = colour_of(reading).rgb().filled();
        area.draw(&Rectangle::new([(x, y), (right, bottom)], fill))?;
        let middle = (x + CELL.0 / 2, y + CELL.1 / 2);
        let style = (11, Colour::OnCell, HPos::Center, VPos::Center);
        text(area, middle, reading.short(), style)?;
        let declared = map.declared.and_then(|declared| declared.slots.get(weight));
        if declared.is_some_and(|declared| declared != reading) {
            let frame = [(x, y), (right, y), (right, bottom), (x, bottom), (x, y)];
            line(area, frame, Colour::Bad, 3)?;
            line(area, [(x, bottom), (right, y)], Colour::Bad, 1)?;
        }
    }
    let legend = [
        "Weight 0 top left, 16 a row. 12:6 is shift 6 of byte 12, 12:t3 its base-3 digit 3;",
        "darker is lower. Framed and crossed out: a weight that is not where it is declared.",
    ];
    for (row, words) in (0i32..).zip(legend) {
        let below = top + TITLE + MAP.1 + 6 + 17 * row;
        let style = (WORDS, Colour::Muted, HPos::Left, VPos::Top);
        text(area, (left, below), words, style)?;
    }
    Ok(())
}

fn colour_of(reading: &SlotReading) -> Colour {
    let step = |digit: u8| Colour::STEPS.get(usize::from(digit)).copied();
    let known = match reading {
        SlotReading::At(Slot { digit, .. }) => match digit {
            Digit::Bits { shift } => step(shift / 2),
            Digit::Trit { power } => step(*power),
        },
        _ => None,
    };
    known.unwrap_or(Colour::Odd)
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
        let frames = |lut: &Lut| map_of(lut, Some(&declared)).matches("<polyline").count();
        assert_eq!(frames(&derived), 0);
        derived.slots.swap(3, 4);
        assert_eq!(frames(&derived), 2 * 2);
    }
}
