//! The table of a format: declared by the format or derived from a running implementation.

use std::fmt;

use qk256::format::{Digit, Format, Layout, QK256, ScaleRule, ShapeError, Slot, Storage};
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The encoding of a format: values of codes, slots of weights and place of the scale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lut {
    /// Values of the storable codes in order.
    pub codebook: Vec<i8>,
    /// Slots of the 256 weights of a block. In JSON one string, separated by spaces: `12:6` for shift 6 of byte 12,
    /// `12:t3` for its base-3 digit 3, `12:?` for no known digit of it, `-` for no byte, `+` for several.
    #[serde(serialize_with = "write_slots", deserialize_with = "read_slots")]
    #[schemars(with = "String")]
    pub slots: Vec<SlotReading>,
    /// Place and use of the scale.
    pub scale: ScaleSite,
}

fn write_slots<S: Serializer>(slots: &[SlotReading], serializer: S) -> Result<S::Ok, S::Error> {
    let slots: Vec<String> = slots.iter().map(SlotReading::short).collect();
    serializer.serialize_str(&slots.join(" "))
}

fn read_slots<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SlotReading>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let slots: Option<Vec<SlotReading>> = text.split(' ').map(SlotReading::of_short).collect();
    let slots = slots.filter(|slots| slots.len() == QK256);
    slots.ok_or_else(|| D::Error::custom(format!("not {QK256} slots")))
}

impl Lut {
    /// The table that `qk256` declares for a format.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the format cannot hold one block. No such format is known.
    pub fn declared(format: &Format) -> Result<Lut, ShapeError> {
        let panel_rows = format.layout.panel_rows();
        let storage = Storage::native(*format, panel_rows, QK256)?;
        let trits = matches!(storage.slot(0, 0).digit, Digit::Trit { .. });
        let (width, weights) = match format.scale {
            ScaleRule::Tensor => (ScaleWidth::F32, None),
            ScaleRule::Block { weights } => (ScaleWidth::F16, Some(weights)),
        };
        Ok(Lut {
            slots: (0..QK256)
                .map(|weight| SlotReading::At(storage.slot(0, weight)))
                .collect(),
            codebook: format.codebook.values()[..if trits { 3 } else { 4 }].to_vec(),
            scale: match storage.scale_offset() {
                Some(offset) => ScaleSite::Multiplies {
                    offset,
                    width,
                    weights,
                },
                None => ScaleSite::None {},
            },
        })
    }

    /// Number of weights, of 256, in the slots of `declared`.
    pub fn slots_as(&self, declared: &Lut) -> usize {
        let slots = self.slots.iter().zip(&declared.slots);
        slots.filter(|(a, b)| a == b).count()
    }

    /// The layout that has these slots. The format's own layout is tried first.
    pub fn layout(&self, format: &Format) -> Option<Layout> {
        let has = |layout: &Layout| {
            let format = Format {
                layout: *layout,
                ..*format
            };
            Lut::declared(&format).is_ok_and(|declared| declared.slots == self.slots)
        };
        let layouts = [format.layout].into_iter().chain(Layout::ALL);
        layouts.into_iter().find(has)
    }
}

/// The probed slot of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotReading {
    /// In this digit of this byte.
    At(Slot),
    /// In this byte, but in none of the known digits.
    UnknownDigit {
        /// Index of the byte.
        byte: usize,
    },
    /// In no byte: no byte changes its results.
    Nowhere,
    /// In several bytes.
    Several,
}

/// The type of a stored scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScaleWidth {
    /// Little-endian f16.
    F16,
    /// Little-endian f32.
    F32,
}

impl ScaleWidth {
    /// Name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            ScaleWidth::F16 => "f16",
            ScaleWidth::F32 => "f32",
        }
    }

    /// The bytes of a scale.
    pub(super) fn encode(self, scale: f32) -> Vec<u8> {
        match self {
            ScaleWidth::F16 => half::f16::from_f32(scale).to_le_bytes().to_vec(),
            ScaleWidth::F32 => scale.to_le_bytes().to_vec(),
        }
    }
}

/// The probed place and use of the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScaleSite {
    /// Products are multiplied by the scale.
    Multiplies {
        /// Offset in bytes in one panel of a block of 256 columns.
        offset: usize,
        /// Type of the stored scale.
        width: ScaleWidth,
        /// Number of consecutive weights with the same scale. None for all of the tensor.
        weights: Option<usize>,
    },
    /// Bytes from `offset` on change every product, but not as a factor.
    NoFactor {
        /// Offset of the first of these bytes.
        offset: usize,
    },
    /// No byte changes every product. This is no unit variant, because serde accepts unknown fields in those.
    None {},
}

impl SlotReading {
    /// The short form of the slot, as in the JSON of a [`Lut`].
    pub(crate) fn short(&self) -> String {
        match self {
            SlotReading::At(Slot { byte, digit }) => match digit {
                Digit::Bits { shift } => format!("{byte}:{shift}"),
                Digit::Trit { power } => format!("{byte}:t{power}"),
            },
            SlotReading::UnknownDigit { byte } => format!("{byte}:?"),
            SlotReading::Nowhere => "-".into(),
            SlotReading::Several => "+".into(),
        }
    }

    fn of_short(text: &str) -> Option<SlotReading> {
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
}

impl fmt::Display for SlotReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SlotReading::At(Slot {
                byte,
                digit: Digit::Bits { shift },
            }) => {
                write!(f, "byte {byte}, shift {shift}")
            }
            SlotReading::At(Slot {
                byte,
                digit: Digit::Trit { power },
            }) => {
                write!(f, "byte {byte}, base-3 digit {power}")
            }
            SlotReading::UnknownDigit { byte } => write!(f, "byte {byte}, in no known digit"),
            SlotReading::Nowhere => write!(f, "in no byte"),
            SlotReading::Several => write!(f, "in several bytes"),
        }
    }
}

impl fmt::Display for ScaleSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScaleSite::Multiplies {
                offset,
                width,
                weights,
            } => {
                let reach = match weights {
                    None => "the tensor".into(),
                    Some(weights) => format!("{weights} weights"),
                };
                write!(f, "{} at byte {offset}, one for {reach}", width.name())
            }
            ScaleSite::NoFactor { offset } => write!(f, "at byte {offset}, but no factor"),
            ScaleSite::None {} => write!(f, "none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use qk256::format::FORMATS;

    use super::*;

    #[test]
    fn tables_survive_json() {
        for format in FORMATS {
            let mut lut = Lut::declared(format).unwrap();
            lut.slots[3] = SlotReading::Nowhere;
            lut.slots[4] = SlotReading::Several;
            lut.slots[5] = SlotReading::UnknownDigit { byte: 7 };
            let json = serde_json::to_string(&lut).unwrap();
            assert_eq!(serde_json::from_str::<Lut>(&json).unwrap(), lut, "{json}");
        }
    }

    #[test]
    fn slots_that_are_no_block_are_refused() {
        let lut = Lut::declared(&FORMATS[0]).unwrap();
        let mut json = serde_json::to_value(lut).unwrap();
        let slots = json["slots"].as_str().unwrap().to_owned();
        for wrong in [slots + " 1:2", "x".into(), String::new()] {
            json["slots"] = wrong.into();
            let error = serde_json::from_value::<Lut>(json.clone()).unwrap_err();
            assert!(error.to_string().contains("not 256 slots"), "{error}");
        }
    }
}
