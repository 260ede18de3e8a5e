//! Layouts as 16 x 16 maps: each cell is a weight of a block, its number the byte and its colour the digit that holds
//! its code.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use qk256::format::{Digit, Slot};

use crate::probe::{Lut, SlotReading};

/// One side's table, with the title that stands above its map.
pub struct LayoutMap<'a> {
    /// Such as `i2_s: bitnet.cpp/strict`.
    pub title: String,
    /// What was derived or declared.
    pub lut: &'a Lut,
}

/// Weights along an edge of a map.
const SIDE: i32 = 16;
const CELL: i32 = 30;
const MARGIN: i32 = 16;
const TITLE: i32 = 30;
const LEGEND: i32 = 34;
const MAP: i32 = SIDE * CELL;

/// Draws rows of maps, the sides of a format beside each other, as an SVG document.
///
/// # Errors
///
/// What the drawing library says; drawing into a string does not fail in practice.
pub fn draw(
    rows: &[Vec<LayoutMap<'_>>],
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as i32;
    let width = MARGIN + columns * (MAP + MARGIN);
    let height = MARGIN + rows.len() as i32 * (TITLE + MAP + LEGEND + MARGIN);
    let mut svg = String::new();
    {
        let area =
            SVGBackend::with_string(&mut svg, (width as u32, height as u32)).into_drawing_area();
        area.fill(&WHITE).map_err(|error| error.to_string())?;
        for (row, maps) in rows.iter().enumerate() {
            for (column, map) in maps.iter().enumerate() {
                let left = MARGIN + column as i32 * (MAP + MARGIN);
                let top = MARGIN + row as i32 * (TITLE + MAP + LEGEND + MARGIN);
                draw_map(&area, map, (left, top)).map_err(|error| error.to_string())?;
            }
        }
        area.present().map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type DrawError<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

fn draw_map<'a>(
    area: &Area<'a>,
    map: &LayoutMap<'_>,
    (left, top): (i32, i32),
) -> Result<(), DrawError<'a>> {
    let text = |size: i32| ("sans-serif", size).into_font().color(&BLACK);
    let centred = text(11).pos(Pos::new(HPos::Center, VPos::Center));
    area.draw(&Text::new(map.title.clone(), (left, top), text(16)))?;
    for (weight, reading) in map.lut.slots.iter().enumerate() {
        let (x, y) = (weight as i32 % SIDE, weight as i32 / SIDE);
        let corner = (left + x * CELL, top + TITLE + y * CELL);
        let opposite = (corner.0 + CELL, corner.1 + CELL);
        area.draw(&Rectangle::new(
            [corner, opposite],
            colour(reading).filled(),
        ))?;
        area.draw(&Rectangle::new([corner, opposite], WHITE.stroke_width(1)))?;
        let middle = (corner.0 + CELL / 2, corner.1 + CELL / 2);
        area.draw(&Text::new(label(reading), middle, centred.clone()))?;
    }
    let legend = "weight 0 top left, 16 a row; number: byte; colour: digit, the lowest shift or power darkest";
    area.draw(&Text::new(legend, (left, top + TITLE + MAP + 10), text(11)))
}

fn label(reading: &SlotReading) -> String {
    match reading {
        SlotReading::At(slot) => slot.byte.to_string(),
        SlotReading::UnknownDigit { byte } => format!("{byte}?"),
        SlotReading::Nowhere => "-".into(),
        SlotReading::Several => "++".into(),
    }
}

fn colour(reading: &SlotReading) -> RGBColor {
    // Five steps of one hue: readable in print and by the colour-blind.
    const STEPS: [RGBColor; 5] = [
        RGBColor(107, 174, 214),
        RGBColor(143, 193, 223),
        RGBColor(174, 210, 232),
        RGBColor(204, 226, 240),
        RGBColor(232, 242, 249),
    ];
    match reading {
        SlotReading::At(Slot {
            digit: Digit::Bits { shift },
            ..
        }) => STEPS[usize::from(shift / 2)],
        SlotReading::At(Slot {
            digit: Digit::Trit { power },
            ..
        }) => STEPS[usize::from(*power)],
        _ => RGBColor(244, 143, 120),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_has_a_cell_for_each_weight() {
        let lut = Lut::declared(&qk256::format::TQ1_0).unwrap();
        let svg = draw(&[vec![LayoutMap {
            title: "tq1_0".into(),
            lut: &lut,
        }]])
        .unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(
            svg.matches("<rect").count() >= 2 * 256,
            "{}",
            svg.matches("<rect").count()
        );
        assert!(svg.contains("tq1_0"));
    }
}
