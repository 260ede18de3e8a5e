//! Section of the layout maps: the declared tables, and those derived from each oracle by probes.

use std::collections::{BTreeMap, BTreeSet};

use super::{checks, figure};
use crate::probe::Lut;
use crate::receipt::{DECLARED, FormatLut};
use crate::report::collection::Collection;
use crate::report::error::ReportError;
use crate::report::page::{Block, Line, Section, Table};
use crate::report::plot::{LayoutMap, draw_maps};
use crate::verdict::Verdict;

/// Implementations with the same table of a format.
struct Reading {
    participants: BTreeSet<String>,
    lut: Lut,
    is_declared: bool,
}

impl Reading {
    fn names(&self) -> String {
        let participants: Vec<&str> = self.participants.iter().map(String::as_str).collect();
        participants.join(", ")
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
        add(formats.entry(&record.format).or_default(), record);
    }
    let mut blocks = Vec::new();
    if formats.is_empty() {
        blocks.push(Block::Text(Line::text("No receipt contains level lut.")));
    } else {
        let words = "The slot of each weight of a block of 256, the values of the codes, and the place of the scale: \
                     as declared by the Rust implementation, and as derived from each oracle by probes of single \
                     weights.";
        blocks.push(Block::Text(Line::text(words)));
    }
    for (format, mut readings) in formats {
        readings.sort_by(|a, b| {
            (!a.is_declared, &a.participants).cmp(&(!b.is_declared, &b.participants))
        });
        blocks.push(Block::Heading(format.into()));
        blocks.extend(of_format(format, &readings)?);
    }
    Ok(super::section("layouts", "Layout maps", blocks))
}

fn add(readings: &mut Vec<Reading>, record: &FormatLut) {
    let is_declared = record.implementation == DECLARED;
    let same =
        |reading: &&mut Reading| reading.is_declared == is_declared && reading.lut == record.lut;
    match readings.iter_mut().find(same) {
        Some(reading) => {
            reading.participants.insert(record.implementation.clone());
        }
        None => readings.push(Reading {
            participants: BTreeSet::from([record.implementation.clone()]),
            lut: record.lut.clone(),
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
        "implementation",
        "verdict",
        "codes from 0",
        "weights in place#",
        "scale",
    ];
    let mut table = Table::new(format!("{format}: layout by implementation"), &headings);
    let mut figures = Vec::new();
    for reading in readings {
        let lut = &reading.lut;
        let in_place = declared.map(|declared| lut.slots_as(declared));
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
            let words =
                "The slot of each weight as the Rust implementation declares it.".to_owned();
            (format!("{format}, declared"), words)
        } else {
            let words = match in_place {
                Some(n) if n == lut.slots.len() => {
                    "Every weight is where it is declared.".to_owned()
                }
                Some(n) => format!(
                    "{} of {} weights are not where they are declared. They are marked.",
                    lut.slots.len() - n,
                    lut.slots.len()
                ),
                None => "There is no declaration to compare with.".to_owned(),
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
