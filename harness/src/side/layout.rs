//! How references write what they write.

use qk256::format::{FORMATS, Format, Layout};

/// The format in which references write weights of this type and codebook: the same, in the reference's own layout.
pub fn reference_format(format: &Format) -> &'static Format {
    FORMATS
        .iter()
        .find(|other| other.type_name == format.type_name && other.codebook == format.codebook)
        .expect("a format is in the list of formats")
}

/// The layout in which references write I2_S.
pub fn reference_layout() -> Layout {
    reference_format(&qk256::format::I2_S_SEQUENTIAL).layout
}
