//! The meaning of the bytes of a quantized matrix.
//!
//! # Glossary
//!
//! - **weight**: one element of a matrix of `rows x cols`, row-major. A dot product runs over one row.
//! - **code**: the unsigned number stored for a weight, 0 to 3 (2 bits) or 0 to 2 (a base-3 digit).
//! - **codebook**: the value of each code before scaling; see [`Codebook`].
//! - **layout**: the position of each weight's code; see [`Layout`]. GGUF files do not record the layout.
//! - **slot**: the byte, and the digit of that byte, that hold one code; see [`Slot`].
//! - **group**: the smallest number of consecutive weights of a row that fills whole bytes, such as 128 weights in 32
//!   bytes.
//! - **block**: 256 weights of a row (QK256), the unit of TQ2_0, TQ1_0 and of padded rows.
//! - **panel**: the rows that share bytes: one row, or four in the `rows4` layout.
//! - **scale**: the factor from codebook value to weight. [`ScaleRule`] defines how many weights share one.
//! - **companion tensor**: a separate tensor that holds the scales of another one.
//! - **storage variant**: how a whole tensor is stored: its padding, and whether scales are in the tensor or in a
//!   companion tensor; see [`StorageVariant`].
//!
//! [`Layout`], [`Codebook`] and [`ScaleRule`] are independent, and a [`Format`] combines one of each. [`Storage`] adds
//! the storage variant and the shape, and computes sizes and positions. [`Weights`] adds the bytes.

mod activation;
pub mod block;
mod codebook;
mod error;
mod layout;
mod pack;
mod quantize;
mod scale;
mod storage;
mod variant;
mod weights;

pub use activation::ActivationKind;
pub use codebook::Codebook;
pub use error::ShapeError;
pub use layout::{Digit, Group, Layout, Slot};
pub use pack::{codes, pack, unpack};
pub use quantize::{QuantizeError, quantize};
pub use scale::ScaleRule;
pub use storage::Storage;
pub use variant::{Candidate, Sibling, StorageVariant, StorageVariantError, detect};
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
    /// Positions of codes.
    pub layout: Layout,
    /// Values of codes.
    pub codebook: Codebook,
    /// Number of weights that share a scale.
    pub scale: ScaleRule,
    /// Kind of activations that the format's dot product requires.
    pub activation: ActivationKind,
    /// The storage variants of the format, that of the reference first.
    pub variants: &'static [StorageVariant],
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
        variants: &[
            StorageVariant::Qk256,
            StorageVariant::Bare,
            StorageVariant::PaddedRows,
        ],
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
        variants: &[StorageVariant::Blocks],
    }
}

/// I2_S as bitnet.cpp writes it on x86-64: `quantize_i2_s` in `ggml-bitnet-mad.cpp` of `bitnet-cpp-sys` 0.0.5.
pub const I2_S_GROUP128: Format = i2_s("i2_s.group128", Layout::Group128);
/// I2_S as some ARM revisions of bitnet.cpp wrote it (microsoft/BitNet issues 585, 598, 600).
pub const I2_S_GROUP64: Format = i2_s("i2_s.group64", Layout::Group64);
/// I2_S as bitnet.cpp of 2026 writes it when built without `ACT_PARALLEL`: four rows to a byte.
pub const I2_S_ROWS4: Format = i2_s("i2_s.rows4", Layout::Rows4);
/// I2_S as BitNet-rs reads it: four consecutive weights to a byte, lowest bits first.
pub const I2_S_SEQUENTIAL: Format = i2_s("i2_s.sequential", Layout::Sequential);
/// TQ2_0 of llama.cpp: `block_tq2_0`, `dequantize_row_tq2_0` in `ggml-quants.c`.
pub const TQ2_0: Format = tq("tq2_0", GgmlType::TQ2_0, Layout::Tq2_0);
/// TQ1_0 of llama.cpp: `block_tq1_0`, `dequantize_row_tq1_0` in `ggml-quants.c`.
pub const TQ1_0: Format = tq("tq1_0", GgmlType::TQ1_0, Layout::Tq1_0);
/// BitNet32-F16 of BitNet-rs, with I2_S's type id: 32 weights in 8 bytes with an f16 scale, inline or in a companion
/// tensor. Code values as in that project's `i2s.rs`, {-2, -1, +1, +2}.
pub const BITNET32: Format = Format {
    id: "bitnet32",
    type_name: "i2_s",
    ggml_type: GgmlType::I2_S,
    layout: Layout::Sequential,
    codebook: Codebook::SYMMETRIC,
    scale: ScaleRule::Block { weights: 32 },
    activation: ActivationKind::I8S,
    variants: &[
        StorageVariant::Bitnet32Inline,
        StorageVariant::Bitnet32Split,
    ],
};

/// All formats, in the order of listings.
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
    /// The format with this id, if any.
    pub fn by_id(id: &str) -> Option<&'static Format> {
        FORMATS.iter().find(|format| format.id == id)
    }

    /// The storage variant that the format's reference writes.
    pub fn native_variant(&self) -> StorageVariant {
        self.variants[0]
    }
}
