//! Layout maps of both sides: what is declared, and what was derived from each running oracle.

use std::collections::{BTreeMap, BTreeSet};

use super::{checks, figure};
use crate::probe::Lut;
use crate::receipt::{DECLARED, LayoutRecord};
use crate::report::collection::Collection;
use crate::report::error::ReportError;
use crate::report::page::{Block, Line, Section, Table};
use crate::report::plot::{LayoutMap, draw_maps};
use crate::verdict::Verdict;

/// Sides that make the same of a format.
struct Reading {
    sides: BTreeSet<String>,
    lut: Lut,
    is_declared: bool,
}

impl Reading {
    fn names(&self) -> String {
        let sides: Vec<&str> = self.sides.iter().map(String::as_str).collect();
        sides.join(", ")
    }
}

/// The section.
///
/// # Errors
///
/// [`ReportError::Draw`].
pub(super) fn section(collection: &Collection) -> Result<Section, ReportError> {
    let mut formats: BTreeMap<&str, Vec<Reading>> = BTreeMap::new();
    for record in checks(collection).flat_map(|(_, check)| &check.layouts) {
        if let Some(lut) = record.lut() {
            add(formats.entry(&record.format).or_default(), record, lut);
        }
    }
    let mut blocks = Vec::new();
    if formats.is_empty() {
        blocks.push(Block::Text(Line::text("No receipt has climbed rung lut.")));
    } else {
        let words = "Where each weight of a block of 256 sits in the bytes, what its codes mean, and where the scale is: \
                     as the Rust side declares it, and as found by probing each oracle with one weight at a time.";
        blocks.push(Block::Text(Line::text(words)));
    }
    for (format, mut readings) in formats {
        readings.sort_by(|a, b| (!a.is_declared, &a.sides).cmp(&(!b.is_declared, &b.sides)));
        blocks.push(Block::Heading(format.into()));
        blocks.extend(of_format(format, &readings)?);
    }
    Ok(super::section("layouts", "Layout maps", blocks))
}

fn add(readings: &mut Vec<Reading>, record: &LayoutRecord, lut: Lut) {
    let is_declared = record.side == DECLARED;
    let same = |reading: &&mut Reading| reading.is_declared == is_declared && reading.lut == lut;
    match readings.iter_mut().find(same) {
        Some(reading) => {
            reading.sides.insert(record.side.clone());
        }
        None => readings.push(Reading {
            sides: BTreeSet::from([record.side.clone()]),
            lut,
            is_declared,
        }),
    }
}

fn of_format(format: &str, readings: &[Reading]) -> Result<[Block; 2], ReportError> {
    let declared = readings
        .iter()
        .find(|reading| reading.is_declared)
        .map(|reading| &reading.lut);
    let headings = [
        "side",
        "verdict",
        "codes from 0",
        "weights in place#",
        "scale",
    ];
    let mut table = Table::new(format!("{format}: what each side makes of it"), &headings);
    let mut figures = Vec::new();
    for reading in readings {
        let lut = &reading.lut;
        let in_place = declared.map(|declared| {
            let slots = lut.slots.iter().zip(&declared.slots);
            slots.filter(|(a, b)| a == b).count()
        });
        let verdict = match declared {
            Some(declared) if declared == lut => Verdict::Exact,
            Some(_) => Verdict::Divergent,
            None => Verdict::Skipped,
        };
        let codes: Vec<String> = lut
            .codebook
            .iter()
            .map(|value| format!("{value}"))
            .collect();
        table.row([
            Line::text(reading.names()),
            verdict.into(),
            Line::text(codes.join(", ")),
            Line::text(in_place.map_or("-".into(), |n| format!("{n} of {}", lut.slots.len()))),
            Line::text(lut.scale.to_string()),
        ]);
        let (title, words) = if reading.is_declared {
            let words = "The slot of each weight as the Rust side declares it.".to_owned();
            (format!("{format}, declared"), words)
        } else {
            let words = match in_place {
                Some(n) if n == lut.slots.len() => {
                    "Every weight sits where it is declared.".to_owned()
                }
                Some(n) => format!(
                    "{} of {} weights do not sit where they are declared; they are marked.",
                    lut.slots.len() - n,
                    lut.slots.len()
                ),
                None => "There is no declaration to hold it against.".to_owned(),
            };
            (format!("{format}, derived from {}", reading.names()), words)
        };
        let map = LayoutMap {
            title: if reading.is_declared {
                "declared"
            } else {
                "derived"
            }
            .into(),
            lut,
            declared: declared.filter(|_| !reading.is_declared),
        };
        figures.push(figure(title, words, draw_maps(&[vec![map]]))?);
    }
    Ok([Block::Table(table), Block::Figures(figures)])
}
