//! The layouts of the oracles.

use qk256::format::{FORMATS, Format, Layout};

/// The oracles' format for weights of this type and codebook: the same format in the oracles' layout.
pub fn reference_format(format: &Format) -> &'static Format {
    FORMATS
        .iter()
        .find(|other| other.type_name == format.type_name && other.codebook == format.codebook)
        .expect("a format is in the list of formats")
}

/// The oracles' layout of I2_S.
pub fn reference_layout() -> Layout {
    reference_format(&qk256::format::I2_S_SEQUENTIAL).layout
}
