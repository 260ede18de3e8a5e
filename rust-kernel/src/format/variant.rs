//! Storage variants of a whole tensor, and their detection by exact size.

use std::fmt;

use thiserror::Error;

use super::{FORMATS, Format, Layout, QK256, ShapeError, Storage};
use crate::gguf::GgmlType;

/// How a tensor stores padding and scales. Several storage variants share I2_S's type id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageVariant {
    /// bitnet.cpp: `n/4` bytes of codes, then one f32 scale and 28 bytes of padding.
    Qk256,
    /// The same without the 32-byte tail. The scale, if any, is in a companion tensor.
    Bare,
    /// Each row padded to whole blocks of 256 weights: `ceil(cols/256) * 64` bytes.
    PaddedRows,
    /// 32 weights in 8 bytes, each followed by an f16 scale.
    Bitnet32Inline,
    /// 32 weights in 8 bytes. The scales are in a companion tensor.
    Bitnet32Split,
    /// llama.cpp's blocks of 256 weights with an f16 scale at the end: TQ2_0 and TQ1_0.
    Blocks,
}

impl StorageVariant {
    /// Stable name, as reports and receipts show it.
    pub const fn name(self) -> &'static str {
        match self {
            StorageVariant::Qk256 => "qk256",
            StorageVariant::Bare => "qk256_bare",
            StorageVariant::PaddedRows => "padded_rows",
            StorageVariant::Bitnet32Inline => "bitnet32_inline",
            StorageVariant::Bitnet32Split => "bitnet32_split",
            StorageVariant::Blocks => "blocks",
        }
    }

    /// Whether the last unit of a tensor may be partly filled.
    pub(super) const fn pads_last_unit(self) -> bool {
        matches!(
            self,
            StorageVariant::Bitnet32Inline | StorageVariant::Bitnet32Split
        )
    }
}

impl fmt::Display for StorageVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The companion tensor that holds the scales of a tensor of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sibling {
    /// Number of elements.
    pub elements: usize,
}

/// A possible storage variant of a tensor and the size that the tensor would have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Storage variant.
    pub variant: StorageVariant,
    /// Exact bytes, before the file's padding.
    pub bytes: usize,
}

/// Why the storage variant of a tensor cannot be determined.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StorageVariantError {
    /// No storage variant of this type has this size.
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
        /// Bytes of the tensor in the file.
        found: usize,
        /// The bytes that each storage variant would need.
        candidates: Vec<Candidate>,
    },
    /// Several storage variants have this size, and the companion tensor does not decide between them.
    #[error(
        "{type_name} tensor of {rows} x {cols}: {found} bytes fit {}; the size alone does not decide which, \
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
        /// Bytes of the tensor in the file.
        found: usize,
        /// The storage variants that fit.
        candidates: Vec<Candidate>,
    },
    /// No format of this crate has this type.
    #[error("tensor type {0} is none of the ternary types")]
    NotTernary(GgmlType),
    /// No storage variant of this type can hold the shape at all.
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
        .map(|c| format!("{} needs {}", c.variant, c.bytes))
        .collect();
    each.join(", ")
}

fn names(candidates: &[Candidate]) -> String {
    let each: Vec<_> = candidates.iter().map(|c| c.variant.name()).collect();
    each.join(" and ")
}

/// Detects the storage variant of a tensor from its exact size and from its companion tensor.
///
/// `span` is the length of the tensor's byte span in the file: up to the next tensor or the end of the file. It may
/// include zero to `alignment - 1` bytes of padding that round the size up to `alignment`. For types that several
/// storage variants share, only the exact size and the exact size rounded up match. For a type of known size, bytes
/// after the tensor are ignored.
///
/// # Errors
///
/// Nothing is guessed. [`StorageVariantError::NoMatch`] and [`StorageVariantError::Ambiguous`] report the bytes found
/// and those that each storage variant needs; [`StorageVariantError::FeatureOff`] without the cargo feature
/// `i2s-qk256-kernel`.
pub fn detect(
    ggml_type: GgmlType,
    rows: usize,
    cols: usize,
    span: usize,
    alignment: usize,
    sibling: Option<Sibling>,
) -> Result<StorageVariant, StorageVariantError> {
    if ggml_type == GgmlType::I2_S && !cfg!(feature = "i2s-qk256-kernel") {
        return Err(StorageVariantError::FeatureOff);
    }
    let mut candidates = Vec::new();
    let mut refusal = None;
    let mut type_name = None;
    for format in FORMATS
        .iter()
        .filter(|format| format.ggml_type == ggml_type)
    {
        type_name = Some(format.type_name);
        for &variant in format.variants {
            // If rows are whole blocks, padded rows have the same bytes as bare codes.
            if variant == StorageVariant::PaddedRows && cols.is_multiple_of(QK256) {
                continue;
            }
            match Storage::new(*format, variant, rows, cols) {
                Ok(storage) if !candidates.iter().any(|c: &Candidate| c.variant == variant) => {
                    candidates.push(Candidate {
                        variant,
                        bytes: storage.bytes(),
                    });
                }
                Ok(_) => {}
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
    }
    let type_name = type_name.ok_or(StorageVariantError::NotTernary(ggml_type))?;
    if let (true, Some(error)) = (candidates.is_empty(), refusal) {
        return Err(error.into());
    }

    // A type whose size follows from the shape has only one storage variant.
    let size_is_known = ggml_type.block().is_some();
    let fits = |c: &&Candidate| {
        (size_is_known && span > c.bytes)
            || span == c.bytes
            || Some(span) == c.bytes.checked_next_multiple_of(alignment.max(1))
    };
    let fitting: Vec<Candidate> = candidates.iter().filter(fits).copied().collect();
    let chosen: Vec<Candidate> = match fitting.as_slice() {
        [] | [_] => fitting.clone(),
        _ => fitting
            .iter()
            .filter(|c| matches_sibling(c.variant, rows, cols, sibling))
            .copied()
            .collect(),
    };
    match (chosen.as_slice(), fitting.is_empty()) {
        ([only], _) => Ok(only.variant),
        (_, true) => Err(StorageVariantError::NoMatch {
            type_name,
            rows,
            cols,
            found: span,
            candidates,
        }),
        _ => Err(StorageVariantError::Ambiguous {
            type_name,
            rows,
            cols,
            found: span,
            candidates: fitting,
        }),
    }
}

/// Whether the companion tensor, or its absence, selects this storage variant among several of the same size.
fn matches_sibling(
    variant: StorageVariant,
    rows: usize,
    cols: usize,
    sibling: Option<Sibling>,
) -> bool {
    match (variant, sibling) {
        (StorageVariant::Bitnet32Split, Some(Sibling { elements })) => {
            elements > 1 && elements == rows * cols.div_ceil(32)
        }
        (StorageVariant::Bare | StorageVariant::PaddedRows, Some(Sibling { elements })) => {
            elements == 1
        }
        (
            StorageVariant::Bitnet32Split | StorageVariant::Bare | StorageVariant::PaddedRows,
            None,
        ) => false,
        (StorageVariant::Qk256 | StorageVariant::Bitnet32Inline | StorageVariant::Blocks, _) => {
            sibling.is_none()
        }
    }
}

/// The format of a tensor of this type and storage variant whose codes are in `layout`.
///
/// `layout` is used only if the type does not determine it: for the QK256 storage variants of I2_S.
pub(super) fn format_of(
    ggml_type: GgmlType,
    variant: StorageVariant,
    layout: Layout,
) -> Option<&'static Format> {
    let fitting: Vec<_> = FORMATS
        .iter()
        .filter(|format| format.ggml_type == ggml_type && format.variants.contains(&variant))
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

    fn i2_s(rows: usize, cols: usize, span: usize) -> Result<StorageVariant, StorageVariantError> {
        detect(GgmlType::I2_S, rows, cols, span, 32, None)
    }

    #[test]
    fn exact_sizes_are_distinguished() {
        assert_eq!(i2_s(8, 256, 8 * 64 + 32), Ok(StorageVariant::Qk256));
        assert_eq!(i2_s(8, 300, 8 * 128), Ok(StorageVariant::PaddedRows));
        assert_eq!(i2_s(8, 256, 8 * 80), Ok(StorageVariant::Bitnet32Inline));
        assert_eq!(
            detect(GgmlType::TQ2_0, 2, 256, 132, 32, None),
            Ok(StorageVariant::Blocks)
        );
        assert_eq!(
            detect(GgmlType::TQ2_0, 2, 256, 160, 32, None),
            Ok(StorageVariant::Blocks)
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
    fn bytes_after_a_tensor_matter_only_if_its_size_is_unknown() {
        for behind in [1, 27, 31, 60, 1000] {
            assert_eq!(
                detect(GgmlType::TQ2_0, 2, 256, 132 + behind, 32, None),
                Ok(StorageVariant::Blocks)
            );
            assert!(i2_s(8, 256, 8 * 64 + 32 + behind).is_err(), "{behind}");
        }
    }

    #[test]
    fn colliding_sizes_need_evidence() {
        let bare = 8 * 64;
        assert!(matches!(
            i2_s(8, 256, bare),
            Err(StorageVariantError::Ambiguous { .. })
        ));
        // 512 weights: a tail of 32 bytes and sixteen f16 scales have the same size.
        assert!(matches!(
            i2_s(2, 256, 160),
            Err(StorageVariantError::Ambiguous { .. })
        ));
        let split = Some(Sibling { elements: 64 });
        let detected = detect(GgmlType::I2_S, 8, 256, bare, 32, split);
        assert_eq!(detected, Ok(StorageVariant::Bitnet32Split));
        let scalar = Some(Sibling { elements: 1 });
        assert_eq!(
            detect(GgmlType::I2_S, 8, 256, bare, 32, scalar),
            Ok(StorageVariant::Bare)
        );
    }

    #[test]
    fn other_types_are_named() {
        let error = detect(GgmlType::F16, 2, 256, 1024, 32, None).unwrap_err();
        assert!(matches!(error, StorageVariantError::NotTernary(_)));
    }
}

#[cfg(all(test, not(feature = "i2s-qk256-kernel")))]
mod feature_off_tests {
    use super::*;

    #[test]
    fn i2_s_is_refused_by_naming_the_feature() {
        let error = detect(GgmlType::I2_S, 8, 256, 544, 32, None).unwrap_err();
        assert_eq!(error, StorageVariantError::FeatureOff);
        assert!(error.to_string().contains("i2s-qk256-kernel"));
        assert_eq!(
            detect(GgmlType::TQ2_0, 2, 256, 132, 32, None),
            Ok(StorageVariant::Blocks)
        );
    }
}
