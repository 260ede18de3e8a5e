//! Section of the layout maps: the declared tables, and those derived from each oracle by probes.

use std::collections::{BTreeMap, BTreeSet};

use super::{checks, figure, join};
use crate::probe::Lut;
use crate::receipt::{DECLARED, FormatLut};
use crate::report::collection::Collection;
use crate::report::error::ReportError;
use crate::report::page::{Block, Rows, Section};
use crate::report::plot::{LayoutMap, draw_maps};
use crate::verdict::Verdict;
use crate::wording::or_dash;

/// Implementations with the same table of a format.
struct Reading {
    participants: BTreeSet<String>,
    lut: Lut,
    is_declared: bool,
}

impl Reading {
    fn names(&self) -> String {
        join(&self.participants, ", ")
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
        blocks.push(Block::text("No receipt contains level lut."));
    } else {
        let words = "The slot of each weight of a block of 256, the values of the codes, and the place of the scale: \
                     as declared by the Rust implementation, and as derived from each oracle by probes of single \
                     weights.";
        blocks.push(Block::text(words));
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
    let declared = readings.iter().find(|reading| reading.is_declared);
    let declared = declared.map(|reading| &reading.lut);
    let in_place = |lut: &Lut| Some((lut.slots_as(declared?), lut.slots.len()));
    let table = Rows::new(format!("{format}: layout by implementation"), readings)
        .column("implementation", Reading::names)
        .column("verdict", |reading| match declared {
            Some(declared) if *declared == reading.lut => Verdict::Exact,
            Some(_) => Verdict::Divergent,
            None => Verdict::Skipped,
        })
        .column("codes from 0", |reading| {
            join(
                reading.lut.codebook.iter().map(|value| value.to_string()),
                ", ",
            )
        })
        .column("weights in place#", |reading| {
            or_dash(in_place(&reading.lut), |(n, all)| format!("{n} of {all}"))
        })
        .column("scale", |reading| reading.lut.scale.to_string());
    let figures = readings.iter().map(|reading| {
        let lut = &reading.lut;
        let (map, title, words) = if reading.is_declared {
            let words = "The slot of each weight as the Rust implementation declares it.";
            ("declared", format!("{format}, declared"), words.into())
        } else {
            let words = match in_place(lut) {
                Some((n, all)) if n == all => "Every weight is where it is declared.".into(),
                Some((n, all)) => format!(
                    "{} of {all} weights are not where they are declared. They are marked.",
                    all - n
                ),
                None => "There is no declaration to compare with.".into(),
            };
            (
                "derived",
                format!("{format}, derived from {}", reading.names()),
                words,
            )
        };
        let map = LayoutMap {
            title: map.into(),
            lut,
            declared: declared.filter(|_| !reading.is_declared),
        };
        figure(title, words, draw_maps(&[vec![map]]))
    });
    let figures = figures.collect::<Result<_, _>>()?;
    Ok([table.unfolded(), Block::Figures(figures)])
}
