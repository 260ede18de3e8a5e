//! What the bytes of a format mean, as a table: declared by a format, or derived from a running implementation.

use std::fmt;

use qk256::format::{Digit, Format, Layout, QK256, ScaleRule, ShapeError, Slot, Storage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an implementation makes of the bytes of a format.
#[derive(Debug, Clone, PartialEq)]
pub struct Lut {
    /// What is known of each of the 256 weights of a block.
    pub slots: Vec<SlotReading>,
    /// The value of each code that can be stored, in order.
    pub codebook: Vec<i8>,
    /// Where the scale is and what it does.
    pub scale: ScaleSite,
}

impl Lut {
    /// What `qk256` declares of a format.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the format cannot hold one block; none is known.
    pub fn declared(format: &Format) -> Result<Lut, ShapeError> {
        let panel_rows = format.layout.panel_rows();
        let storage = Storage::native(*format, panel_rows, QK256)?;
        let trits = matches!(storage.slot(0, 0).digit, Digit::Trit { .. });
        let (width, weights) = match format.scale {
            ScaleRule::Tensor => (ScaleWidth::F32, ALL_WEIGHTS),
            ScaleRule::Block { weights } => (ScaleWidth::F16, weights),
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
                None => ScaleSite::None,
            },
        })
    }

    /// The layout, the format's own first, in which every weight sits where it was found.
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

/// Where the code of a weight sits, as probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotReading {
    /// In this digit of this byte.
    At(Slot),
    /// In this byte, but in none of the known digits.
    UnknownDigit {
        /// The byte.
        byte: usize,
    },
    /// In no byte: it never answered.
    Nowhere,
    /// In several bytes at once.
    Several,
}

/// How a scale is written.
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

/// Where the scale sits and how it is applied, as probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleSite {
    /// Products are multiplied by it.
    Multiplies {
        /// Byte offset in one panel of a block of 256 columns.
        offset: usize,
        /// How it is written.
        width: ScaleWidth,
        /// How many consecutive weights it scales, [`ALL_WEIGHTS`] if all of the tensor.
        weights: usize,
    },
    /// Bytes from `offset` on move every product, but not as a factor.
    NoFactor {
        /// The first of them.
        offset: usize,
    },
    /// No byte moves every product.
    None,
}

/// The reach of a scale that all weights of a tensor share.
pub const ALL_WEIGHTS: usize = usize::MAX;

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
                let reach = match *weights {
                    ALL_WEIGHTS => "the tensor".into(),
                    weights => format!("{weights} weights"),
                };
                write!(f, "{} at byte {offset}, one for {reach}", width.name())
            }
            ScaleSite::NoFactor { offset } => write!(f, "at byte {offset}, but no factor"),
            ScaleSite::None => write!(f, "none"),
        }
    }
}
