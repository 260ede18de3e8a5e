//! What the bytes of a quantized matrix mean.
//!
//! # Glossary
//!
//! - **weight**: one element of a matrix of `rows x cols`, row-major; a row is a dot product's length.
//! - **code**: the unsigned number that is stored for a weight, 0 to 3 (2 bits) or 0 to 2 (a base-3 digit).
//! - **codebook**: what a code means, before scaling; see [`Codebook`].
//! - **layout**: where the code of a weight sits; see [`Layout`]. No file says which layout wrote it.
//! - **slot**: a byte and the digit of it that holds one code; see [`Slot`].
//! - **group**: the fewest weights of a row that fill whole bytes together, such as 128 weights in 32 bytes.
//! - **block**: 256 weights of a row (QK256), the unit of TQ2_0, TQ1_0 and of padded rows.
//! - **panel**: the rows that share bytes: one row, or four in the `rows4` layout.
//! - **scale**: the factor from codebook value to weight, and [`ScaleRule`] where it is kept.
//! - **flavour**: how a whole tensor is stored: padding, scale in the tensor or beside it; see [`Flavour`].
//!
//! [`Layout`], [`Codebook`] and [`ScaleRule`] are separate axes and a [`Format`] is one of each; [`Storage`] adds
//! flavour and shape and answers every question about sizes and positions; [`Weights`] adds the bytes.

mod activation;
mod codebook;
mod error;
mod flavour;
mod layout;
mod pack;
mod quantize;
mod scale;
mod storage;
mod weights;

pub use activation::ActivationKind;
pub use codebook::Codebook;
pub use error::ShapeError;
pub use flavour::{Candidate, Flavour, FlavourError, Sibling, detect};
pub use layout::{Digit, Group, Layout, Slot};
pub use pack::{codes, pack, unpack};
pub use quantize::{QuantizeError, quantize};
pub use scale::ScaleRule;
pub use storage::Storage;
pub use weights::{RawTensor, Weights};

use crate::gguf::GgmlType;

/// Weights in one block of the QK256 formats.
pub const QK256: usize = 256;

/// A way to store weights: one layout, one codebook, one scale rule.
///
/// Formats are compared by [`id`](Format::id); every one is a constant in [`FORMATS`].
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Stable name, `type.layout` where a type has several layouts: `i2_s.group128`, `tq2_0`.
    pub id: &'static str,
    /// Name of the tensor type that holds this format: `i2_s`, `tq2_0`, `tq1_0`.
    pub type_name: &'static str,
    /// Type id in a GGUF file.
    pub ggml_type: GgmlType,
    /// Where codes sit.
    pub layout: Layout,
    /// What codes mean.
    pub codebook: Codebook,
    /// Where the scale is.
    pub scale: ScaleRule,
    /// The quantized activations that the format's dot product takes.
    pub activation: ActivationKind,
    /// The flavours in which the format occurs, the reference's own first.
    pub flavours: &'static [Flavour],
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Format {}

const fn i2_s(id: &'static str, layout: Layout) -> Format {
    Format {
        id,
        type_name: "i2_s",
        ggml_type: GgmlType::I2_S,
        layout,
        codebook: Codebook::TERNARY,
        scale: ScaleRule::Tensor,
        activation: ActivationKind::I8S,
        flavours: &[Flavour::Qk256, Flavour::Bare, Flavour::PaddedRows],
    }
}

const fn tq(id: &'static str, ggml_type: GgmlType, layout: Layout) -> Format {
    Format {
        id,
        type_name: id,
        ggml_type,
        layout,
        codebook: Codebook::TERNARY,
        scale: ScaleRule::Block { weights: QK256 },
        activation: ActivationKind::Q8K,
        flavours: &[Flavour::Blocks],
    }
}

/// I2_S as bitnet.cpp writes it on x86-64: `quantize_i2_s` in `ggml-bitnet-mad.cpp` of `bitnet-cpp-sys` 0.0.5.
pub const I2_S_GROUP128: Format = i2_s("i2_s.group128", Layout::Group128);
/// I2_S as some ARM revisions of bitnet.cpp wrote it (microsoft/BitNet issues 585, 598, 600).
pub const I2_S_GROUP64: Format = i2_s("i2_s.group64", Layout::Group64);
/// I2_S as bitnet.cpp of 2026 writes it when built without `ACT_PARALLEL`: four rows to a byte.
pub const I2_S_ROWS4: Format = i2_s("i2_s.rows4", Layout::Rows4);
/// I2_S as BitNet-rs assumed it: four consecutive weights to a byte, lowest bits first.
pub const I2_S_SEQUENTIAL: Format = i2_s("i2_s.sequential", Layout::Sequential);
/// TQ2_0 of llama.cpp: `block_tq2_0`, `dequantize_row_tq2_0` in `ggml-quants.c`.
pub const TQ2_0: Format = tq("tq2_0", GgmlType::TQ2_0, Layout::Tq2_0);
/// TQ1_0 of llama.cpp: `block_tq1_0`, `dequantize_row_tq1_0` in `ggml-quants.c`.
pub const TQ1_0: Format = tq("tq1_0", GgmlType::TQ1_0, Layout::Tq1_0);
/// BitNet32-F16 of BitNet-rs, under I2_S's type id: 32 weights in 8 bytes with an f16 scale, after them or in a
/// tensor beside them. Code values as in that project's `i2s.rs`, {-2, -1, +1, +2}.
pub const BITNET32: Format = Format {
    id: "bitnet32",
    type_name: "i2_s",
    ggml_type: GgmlType::I2_S,
    layout: Layout::Sequential,
    codebook: Codebook::SYMMETRIC,
    scale: ScaleRule::Block { weights: 32 },
    activation: ActivationKind::I8S,
    flavours: &[Flavour::Bitnet32Inline, Flavour::Bitnet32Split],
};

/// Every format, in the order in which listings show them.
pub const FORMATS: &[Format] = &[
    I2_S_GROUP128,
    I2_S_GROUP64,
    I2_S_ROWS4,
    I2_S_SEQUENTIAL,
    TQ2_0,
    TQ1_0,
    BITNET32,
];

impl Format {
    /// The format of this id, if there is one.
    pub fn by_id(id: &str) -> Option<&'static Format> {
        FORMATS.iter().find(|format| format.id == id)
    }

    /// The flavour in which the format's own reference writes it.
    pub fn native_flavour(&self) -> Flavour {
        self.flavours[0]
    }
}
