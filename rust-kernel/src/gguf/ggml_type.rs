//! The tensor types of ggml: ids, names and block sizes.

use std::fmt;

/// The id of a tensor type, as a GGUF file stores it.
///
/// Ids, names and sizes are those of `enum ggml_type` and `type_traits` in `ggml.h` and `ggml.c` of `bitnet-cpp-sys`
/// 0.0.5 up to 38, and of `llama-cpp-sys-4` 0.11.0 from 39 on. Branches of ggml use some ids for different types; see
/// [`GgmlType::also`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GgmlType(pub u32);

/// The unit in which a type stores a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Weights in one block; a row is a whole number of blocks.
    pub weights: usize,
    /// Bytes of one block.
    pub bytes: usize,
}

/// Declares each type: constant, id, name and, if the size of a tensor follows from its shape, the weights and bytes of
/// one block.
macro_rules! ggml_types {
    ($($constant:ident = $id:literal, $name:literal $(, $weights:literal in $bytes:literal)?;)*) => {
        impl GgmlType {
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $constant: Self = Self($id);
            )*

            /// Every known type, by ascending id.
            pub const ALL: &'static [Self] = &[$(Self::$constant),*];

            /// The reference's name of the type, or `None` for an unknown id.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($id => Some($name),)*
                    _ => None,
                }
            }

            /// The type's block, or `None` if the size of a tensor does not follow from its shape. That is the case for
            /// I2_S and TL1, whose registered block of one weight per byte is not what files contain, and for
            /// unknown ids.
            pub const fn block(self) -> Option<Block> {
                match self.0 {
                    $($($id => Some(Block { weights: $weights, bytes: $bytes }),)?)*
                    _ => None,
                }
            }
        }
    };
}

ggml_types! {
    F32 = 0, "f32", 1 in 4;
    F16 = 1, "f16", 1 in 2;
    Q4_0 = 2, "q4_0", 32 in 18;
    Q4_1 = 3, "q4_1", 32 in 20;
    Q5_0 = 6, "q5_0", 32 in 22;
    Q5_1 = 7, "q5_1", 32 in 24;
    Q8_0 = 8, "q8_0", 32 in 34;
    Q8_1 = 9, "q8_1", 32 in 36;
    Q2_K = 10, "q2_K", 256 in 84;
    Q3_K = 11, "q3_K", 256 in 110;
    Q4_K = 12, "q4_K", 256 in 144;
    Q5_K = 13, "q5_K", 256 in 176;
    Q6_K = 14, "q6_K", 256 in 210;
    Q8_K = 15, "q8_K", 256 in 292;
    IQ2_XXS = 16, "iq2_xxs", 256 in 66;
    IQ2_XS = 17, "iq2_xs", 256 in 74;
    IQ3_XXS = 18, "iq3_xxs", 256 in 98;
    IQ1_S = 19, "iq1_s", 256 in 50;
    IQ4_NL = 20, "iq4_nl", 32 in 18;
    IQ3_S = 21, "iq3_s", 256 in 110;
    IQ2_S = 22, "iq2_s", 256 in 82;
    IQ4_XS = 23, "iq4_xs", 256 in 136;
    I8 = 24, "i8", 1 in 1;
    I16 = 25, "i16", 1 in 2;
    I32 = 26, "i32", 1 in 4;
    I64 = 27, "i64", 1 in 8;
    F64 = 28, "f64", 1 in 8;
    IQ1_M = 29, "iq1_m", 256 in 56;
    BF16 = 30, "bf16", 1 in 2;
    Q4_0_4_4 = 31, "q4_0_4x4", 32 in 18;
    Q4_0_4_8 = 32, "q4_0_4x8", 32 in 18;
    Q4_0_8_8 = 33, "q4_0_8x8", 32 in 18;
    TQ1_0 = 34, "tq1_0", 256 in 54;
    TQ2_0 = 35, "tq2_0", 256 in 66;
    I2_S = 36, "i2_s";
    I8_S = 37, "i8_s", 1 in 1;
    TL1 = 38, "tl1";
    MXFP4 = 39, "mxfp4", 32 in 17;
    NVFP4 = 40, "nvfp4", 64 in 36;
    Q1_0 = 41, "q1_0", 128 in 18;
    Q2_0 = 42, "q2_0", 64 in 18;
}

impl GgmlType {
    /// Another type for which a fork uses the same id. The size of a tensor distinguishes them.
    pub const fn also(self) -> Option<&'static str> {
        match self {
            GgmlType::MXFP4 => Some("tl2 of bitnet.cpp"),
            GgmlType::Q2_0 => Some("a 2-bit type that a fork of 2025 had"),
            _ => None,
        }
    }

    /// Whether the id names a known type.
    pub const fn is_known(self) -> bool {
        self.name().is_some()
    }
}

impl fmt::Display for GgmlType {
    /// The name, or `type 77` for an unknown id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ascending_and_names_are_distinct() {
        assert!(GgmlType::ALL.is_sorted_by(|a, b| a < b));
        let mut names: Vec<_> = GgmlType::ALL.iter().filter_map(|t| t.name()).collect();
        assert_eq!(names.len(), GgmlType::ALL.len());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), GgmlType::ALL.len());
    }

    #[test]
    fn removed_and_later_ids_are_unknown() {
        for id in [4, 5, 43, u32::MAX] {
            assert!(!GgmlType(id).is_known());
            assert_eq!(GgmlType(id).block(), None);
            assert_eq!(GgmlType(id).to_string(), format!("type {id}"));
        }
    }

    #[test]
    fn only_the_types_without_a_trustworthy_size_lack_a_block() {
        let unsized_types: Vec<_> = GgmlType::ALL
            .iter()
            .copied()
            .filter(|t| t.block().is_none())
            .collect();
        assert_eq!(unsized_types, [GgmlType::I2_S, GgmlType::TL1]);
    }

    #[test]
    fn block_bytes_follow_from_the_parts_of_a_block() {
        let half = 2;
        let bytes = |t: GgmlType| t.block().unwrap().bytes;
        assert_eq!(bytes(GgmlType::TQ2_0), 256 / 4 + half);
        assert_eq!(bytes(GgmlType::TQ1_0), 48 + 4 + half);
        assert_eq!(bytes(GgmlType::Q6_K), half + 256 / 16 + 3 * 256 / 4);
        assert_eq!(bytes(GgmlType::Q8_K), 4 + 256 + 16 * half);
        assert_eq!(bytes(GgmlType::Q4_0), half + 32 / 2);
    }
}
