//! The ways in which a whole tensor is stored, told apart by exact size and by nothing less.

use std::fmt;

use thiserror::Error;

use super::{FORMATS, Format, Layout, QK256, ShapeError, Storage};
use crate::gguf::GgmlType;

/// How a tensor keeps padding and scales. Several flavours share I2_S's type id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// bitnet.cpp: `n/4` bytes of codes, then one f32 scale and 28 bytes of padding.
    Qk256,
    /// The same without its 32-byte tail; the scale, if any, stands in a tensor beside it.
    Bare,
    /// Each row padded to whole blocks of 256 weights: `ceil(cols/256) * 64` bytes.
    PaddedRows,
    /// 32 weights in 8 bytes, each followed by an f16 scale.
    Bitnet32Inline,
    /// 32 weights in 8 bytes; the scales stand in a tensor beside it.
    Bitnet32Split,
    /// llama.cpp's blocks of 256 weights with their f16 scale at the end: TQ2_0 and TQ1_0.
    Blocks,
}

impl Flavour {
    /// Stable name, as reports and receipts show it.
    pub const fn name(self) -> &'static str {
        match self {
            Flavour::Qk256 => "qk256",
            Flavour::Bare => "qk256_bare",
            Flavour::PaddedRows => "padded_rows",
            Flavour::Bitnet32Inline => "bitnet32_inline",
            Flavour::Bitnet32Split => "bitnet32_split",
            Flavour::Blocks => "blocks",
        }
    }

    /// Whether the last unit of a tensor may be partly filled.
    pub(super) const fn pads_last_unit(self) -> bool {
        matches!(self, Flavour::Bitnet32Inline | Flavour::Bitnet32Split)
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A scale tensor that stands beside the tensor of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sibling {
    /// Its number of elements.
    pub elements: usize,
}

/// A flavour that a tensor may have, with the bytes that it would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Flavour.
    pub flavour: Flavour,
    /// Exact bytes, before the file's padding.
    pub bytes: usize,
}

/// Why the flavour of a tensor cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlavourError {
    /// No flavour of this type has this size.
    #[error(
        "{type_name} tensor of {rows} x {cols}: {found} bytes, but {}",
        needs(candidates)
    )]
    NoMatch {
        /// Type name, such as `i2_s`.
        type_name: &'static str,
        /// Rows.
        rows: usize,
        /// Columns.
        cols: usize,
        /// Bytes that the tensor has in the file.
        found: usize,
        /// What each flavour would need.
        candidates: Vec<Candidate>,
    },
    /// Several flavours have this size and nothing beside the tensor tells them apart.
    #[error(
        "{type_name} tensor of {rows} x {cols}: {found} bytes fit {}; a size alone does not tell which, \
         so nothing is assumed",
        names(candidates)
    )]
    Ambiguous {
        /// Type name, such as `i2_s`.
        type_name: &'static str,
        /// Rows.
        rows: usize,
        /// Columns.
        cols: usize,
        /// Bytes that the tensor has in the file.
        found: usize,
        /// The flavours that fit.
        candidates: Vec<Candidate>,
    },
    /// No format of this crate has this type.
    #[error("tensor type {0} is none of the ternary types")]
    NotTernary(GgmlType),
    /// No flavour of this type can hold the shape at all.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The crate was built without support for I2_S.
    #[error(
        "I2_S tensors are refused: this build lacks the cargo feature `i2s-qk256-kernel`; \
         build again with `--features i2s-qk256-kernel`"
    )]
    FeatureOff,
}

fn needs(candidates: &[Candidate]) -> String {
    let each: Vec<_> = candidates
        .iter()
        .map(|c| format!("{} needs {}", c.flavour, c.bytes))
        .collect();
    each.join(", ")
}

fn names(candidates: &[Candidate]) -> String {
    let each: Vec<_> = candidates.iter().map(|c| c.flavour.name()).collect();
    each.join(" and ")
}

/// Tells the flavour of a tensor from the exact bytes that it takes, and from the scale tensor beside it.
///
/// `span` is the tensor's byte span in the file: up to the next tensor or the end of the file, so that it may include
/// the zero to `alignment - 1` bytes that round a size up to `alignment`. For types that several flavours share, exactly
/// the needed size or exactly that size rounded up is a match; nothing in between. A type of known size needs no guess,
/// so whatever follows its bytes is no matter.
///
/// # Errors
///
/// Fails closed. [`FlavourError::NoMatch`] and [`FlavourError::Ambiguous`] name the bytes found and those that each
/// flavour needs; [`FlavourError::FeatureOff`] without the cargo feature `i2s-qk256-kernel`.
pub fn detect(
    ggml_type: GgmlType,
    rows: usize,
    cols: usize,
    span: usize,
    alignment: usize,
    sibling: Option<Sibling>,
) -> Result<Flavour, FlavourError> {
    if ggml_type == GgmlType::I2_S && !cfg!(feature = "i2s-qk256-kernel") {
        return Err(FlavourError::FeatureOff);
    }
    let mut candidates = Vec::new();
    let mut refusal = None;
    let mut type_name = None;
    for format in FORMATS
        .iter()
        .filter(|format| format.ggml_type == ggml_type)
    {
        type_name = Some(format.type_name);
        for &flavour in format.flavours {
            // Where rows are whole blocks already, padded rows are the same bytes as bare codes.
            if flavour == Flavour::PaddedRows && cols.is_multiple_of(QK256) {
                continue;
            }
            match Storage::new(*format, flavour, rows, cols) {
                Ok(storage) if !candidates.iter().any(|c: &Candidate| c.flavour == flavour) => {
                    candidates.push(Candidate {
                        flavour,
                        bytes: storage.bytes(),
                    });
                }
                Ok(_) => {}
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
    }
    let type_name = type_name.ok_or(FlavourError::NotTernary(ggml_type))?;
    if let (true, Some(error)) = (candidates.is_empty(), refusal) {
        return Err(error.into());
    }

    // Types of which shape and type alone tell the size have one flavour: there is nothing to tell apart.
    let size_is_known = ggml_type.block().is_some();
    let fits = |c: &&Candidate| {
        (size_is_known && span > c.bytes)
            || span == c.bytes
            || Some(span) == c.bytes.checked_next_multiple_of(alignment.max(1))
    };
    let fitting: Vec<Candidate> = candidates.iter().filter(fits).copied().collect();
    let told: Vec<Candidate> = match fitting.as_slice() {
        [] | [_] => fitting.clone(),
        _ => fitting
            .iter()
            .filter(|c| speaks_for(c.flavour, rows, cols, sibling))
            .copied()
            .collect(),
    };
    match (told.as_slice(), fitting.is_empty()) {
        ([only], _) => Ok(only.flavour),
        (_, true) => Err(FlavourError::NoMatch {
            type_name,
            rows,
            cols,
            found: span,
            candidates,
        }),
        _ => Err(FlavourError::Ambiguous {
            type_name,
            rows,
            cols,
            found: span,
            candidates: fitting,
        }),
    }
}

/// Whether what stands beside the tensor is evidence for this flavour, where sizes leave several.
fn speaks_for(flavour: Flavour, rows: usize, cols: usize, sibling: Option<Sibling>) -> bool {
    match (flavour, sibling) {
        (Flavour::Bitnet32Split, Some(Sibling { elements })) => {
            elements > 1 && elements == rows * cols.div_ceil(32)
        }
        (Flavour::Bare | Flavour::PaddedRows, Some(Sibling { elements })) => elements == 1,
        (Flavour::Bitnet32Split | Flavour::Bare | Flavour::PaddedRows, None) => false,
        (Flavour::Qk256 | Flavour::Bitnet32Inline | Flavour::Blocks, _) => sibling.is_none(),
    }
}

/// The format of a tensor of this type and flavour whose codes are in `layout`.
///
/// `layout` is consulted only where the type leaves it open: the QK256 flavours of I2_S.
pub(super) fn format_of(
    ggml_type: GgmlType,
    flavour: Flavour,
    layout: Layout,
) -> Option<&'static Format> {
    let fitting: Vec<_> = FORMATS
        .iter()
        .filter(|format| format.ggml_type == ggml_type && format.flavours.contains(&flavour))
        .collect();
    match fitting.as_slice() {
        [only] => Some(only),
        several => several
            .iter()
            .find(|format| format.layout == layout)
            .copied(),
    }
}

#[cfg(all(test, feature = "i2s-qk256-kernel"))]
mod tests {
    use super::*;

    fn i2_s(rows: usize, cols: usize, span: usize) -> Result<Flavour, FlavourError> {
        detect(GgmlType::I2_S, rows, cols, span, 32, None)
    }

    #[test]
    fn exact_sizes_are_told_apart() {
        assert_eq!(i2_s(8, 256, 8 * 64 + 32), Ok(Flavour::Qk256));
        assert_eq!(i2_s(8, 300, 8 * 128), Ok(Flavour::PaddedRows));
        assert_eq!(i2_s(8, 256, 8 * 80), Ok(Flavour::Bitnet32Inline));
        assert_eq!(
            detect(GgmlType::TQ2_0, 2, 256, 132, 32, None),
            Ok(Flavour::Blocks)
        );
        assert_eq!(
            detect(GgmlType::TQ2_0, 2, 256, 160, 32, None),
            Ok(Flavour::Blocks)
        );
    }

    #[test]
    fn a_size_that_is_off_by_a_byte_is_refused_with_all_sizes() {
        let error = i2_s(8, 256, 8 * 64 + 31).unwrap_err();
        let text = error.to_string();
        for part in ["543 bytes", "qk256 needs 544", "bitnet32_inline needs 640"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(detect(GgmlType::TQ2_0, 2, 256, 131, 32, None).is_err());
    }

    #[test]
    fn bytes_behind_a_tensor_matter_only_where_its_size_has_to_tell() {
        for behind in [1, 27, 31, 60, 1000] {
            assert_eq!(
                detect(GgmlType::TQ2_0, 2, 256, 132 + behind, 32, None),
                Ok(Flavour::Blocks)
            );
            assert!(i2_s(8, 256, 8 * 64 + 32 + behind).is_err(), "{behind}");
        }
    }

    #[test]
    fn colliding_sizes_need_evidence() {
        let bare = 8 * 64;
        assert!(matches!(
            i2_s(8, 256, bare),
            Err(FlavourError::Ambiguous { .. })
        ));
        // 512 weights: a tail of 32 bytes and sixteen f16 scales take the same room.
        assert!(matches!(
            i2_s(2, 256, 160),
            Err(FlavourError::Ambiguous { .. })
        ));
        let split = Some(Sibling { elements: 64 });
        let detected = detect(GgmlType::I2_S, 8, 256, bare, 32, split);
        assert_eq!(detected, Ok(Flavour::Bitnet32Split));
        let scalar = Some(Sibling { elements: 1 });
        assert_eq!(
            detect(GgmlType::I2_S, 8, 256, bare, 32, scalar),
            Ok(Flavour::Bare)
        );
    }

    #[test]
    fn other_types_are_named() {
        let error = detect(GgmlType::F16, 2, 256, 1024, 32, None).unwrap_err();
        assert!(matches!(error, FlavourError::NotTernary(_)));
    }
}

#[cfg(all(test, not(feature = "i2s-qk256-kernel")))]
mod feature_off_tests {
    use super::*;

    #[test]
    fn i2_s_is_refused_by_naming_the_feature() {
        let error = detect(GgmlType::I2_S, 8, 256, 544, 32, None).unwrap_err();
        assert_eq!(error, FlavourError::FeatureOff);
        assert!(error.to_string().contains("i2s-qk256-kernel"));
        assert_eq!(
            detect(GgmlType::TQ2_0, 2, 256, 132, 32, None),
            Ok(Flavour::Blocks)
        );
    }
}
