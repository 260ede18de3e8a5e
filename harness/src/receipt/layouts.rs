//! What the bytes of a format mean, in writing: 256 slots take one line.

use std::fmt::Write;

use qk256::format::{Digit, QK256, Slot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::probe::{ALL_WEIGHTS, Lut, ScaleSite, ScaleWidth, SlotReading};

/// The side of a [`LayoutRecord`] that no oracle was probed for.
pub const DECLARED: &str = "declared";

/// Codes, slots and scale of a format, as declared or as derived from a running oracle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayoutRecord {
    /// Format id.
    pub format: String,
    /// [`DECLARED`], or the id of the oracle that it was derived from.
    pub side: String,
    /// Value of each code that can be stored.
    pub codebook: Vec<i8>,
    /// Where each of the 256 weights of a block sits, apart by spaces: `12:6` for shift 6 of byte 12, `12:t3` for its
    /// base-3 digit 3, `12:?` for no known digit of it, `-` for no byte, `+` for several.
    pub slots: String,
    /// Where the scale is.
    pub scale: ScaleRecord,
}

/// Where the scale of a format is, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScaleRecord {
    /// Products are multiplied by it.
    Multiplies {
        /// Byte offset in one panel of a block of 256 columns.
        offset: usize,
        /// How it is written.
        width: ScaleWidth,
        /// How many consecutive weights it scales; all of the tensor if it does not say.
        weights: Option<usize>,
    },
    /// Bytes from `offset` on move every product, but not as a factor.
    NoFactor {
        /// The first of them.
        offset: usize,
    },
    /// No byte moves every product. Not a unit variant: serde lets unknown fields of these pass.
    None {},
}

impl LayoutRecord {
    /// The record of a table.
    pub fn new(format: &str, side: &str, lut: &Lut) -> LayoutRecord {
        let mut slots = String::new();
        for (weight, slot) in lut.slots.iter().enumerate() {
            let space = if weight == 0 { "" } else { " " };
            write!(slots, "{space}{}", written(slot)).expect("a string can be written");
        }
        LayoutRecord {
            format: format.into(),
            side: side.into(),
            codebook: lut.codebook.clone(),
            slots,
            scale: match lut.scale {
                ScaleSite::Multiplies {
                    offset,
                    width,
                    weights,
                } => ScaleRecord::Multiplies {
                    offset,
                    width,
                    weights: Some(weights).filter(|&weights| weights != ALL_WEIGHTS),
                },
                ScaleSite::NoFactor { offset } => ScaleRecord::NoFactor { offset },
                ScaleSite::None => ScaleRecord::None {},
            },
        }
    }

    /// The table; none if `slots` are not 256 slots.
    pub fn lut(&self) -> Option<Lut> {
        let slots: Option<Vec<SlotReading>> = self.slots.split(' ').map(read).collect();
        Some(Lut {
            slots: slots.filter(|slots| slots.len() == QK256)?,
            codebook: self.codebook.clone(),
            scale: match self.scale {
                ScaleRecord::Multiplies {
                    offset,
                    width,
                    weights,
                } => ScaleSite::Multiplies {
                    offset,
                    width,
                    weights: weights.unwrap_or(ALL_WEIGHTS),
                },
                ScaleRecord::NoFactor { offset } => ScaleSite::NoFactor { offset },
                ScaleRecord::None {} => ScaleSite::None,
            },
        })
    }
}

/// Where a weight sits, in the fewest letters: see [`LayoutRecord::slots`].
pub(crate) fn written(slot: &SlotReading) -> String {
    match slot {
        SlotReading::At(Slot { byte, digit }) => match digit {
            Digit::Bits { shift } => format!("{byte}:{shift}"),
            Digit::Trit { power } => format!("{byte}:t{power}"),
        },
        SlotReading::UnknownDigit { byte } => format!("{byte}:?"),
        SlotReading::Nowhere => "-".into(),
        SlotReading::Several => "+".into(),
    }
}

fn read(text: &str) -> Option<SlotReading> {
    match text {
        "-" => return Some(SlotReading::Nowhere),
        "+" => return Some(SlotReading::Several),
        _ => {}
    }
    let (byte, digit) = text.split_once(':')?;
    let byte = byte.parse().ok()?;
    let digit = match (digit, digit.strip_prefix('t')) {
        ("?", _) => return Some(SlotReading::UnknownDigit { byte }),
        (_, Some(power)) => Digit::Trit {
            power: power.parse().ok()?,
        },
        (shift, None) => Digit::Bits {
            shift: shift.parse().ok()?,
        },
    };
    Some(SlotReading::At(Slot { byte, digit }))
}

#[cfg(test)]
mod tests {
    use qk256::format::FORMATS;

    use super::*;

    #[test]
    fn tables_survive_being_written() {
        for format in FORMATS {
            let mut lut = Lut::declared(format).unwrap();
            lut.slots[3] = SlotReading::Nowhere;
            lut.slots[4] = SlotReading::Several;
            lut.slots[5] = SlotReading::UnknownDigit { byte: 7 };
            let record = LayoutRecord::new(format.id, DECLARED, &lut);
            assert_eq!(record.lut(), Some(lut), "{}", format.id);
        }
    }

    #[test]
    fn what_is_no_table_gives_none() {
        let lut = Lut::declared(&FORMATS[0]).unwrap();
        let mut record = LayoutRecord::new(FORMATS[0].id, DECLARED, &lut);
        record.slots.push_str(" 1:2");
        assert_eq!(record.lut(), None);
        record.slots = "x".into();
        assert_eq!(record.lut(), None);
    }
}
