//! CPU features: the macro that a C compiler predefines for each, and its detection in Rust.
//!
//! Compiling uses the names and loading uses the detection. One table contains both. Instruction sets that
//! compilers have a macro for but never select automatically (`__CLZERO__`, `__PKU__`, ...) are not in the table.

macro_rules! features {
    ($names:ident, $detect:ident, $architecture:literal, $($macro:literal => $feature:tt,)*) => {
        const $names: &[(&str, &str)] = &[$(($macro, $feature)),*];

        /// Whether the CPU has the feature; false for a name that is not in the table of the architecture.
        #[cfg(target_arch = $architecture)]
        pub fn detected(feature: &str) -> bool {
            match feature {
                $($feature => std::arch::$detect!($feature),)*
                _ => false,
            }
        }
    };
}

features! { X86_64, is_x86_feature_detected, "x86_64",
    "__SSE__" => "sse",
    "__SSE2__" => "sse2",
    "__SSE3__" => "sse3",
    "__SSSE3__" => "ssse3",
    "__SSE4_1__" => "sse4.1",
    "__SSE4_2__" => "sse4.2",
    "__SSE4A__" => "sse4a",
    "__POPCNT__" => "popcnt",
    "__LZCNT__" => "lzcnt",
    "__BMI__" => "bmi1",
    "__BMI2__" => "bmi2",
    "__ADX__" => "adx",
    "__MOVBE__" => "movbe",
    "__AES__" => "aes",
    "__PCLMUL__" => "pclmulqdq",
    "__SHA__" => "sha",
    "__GFNI__" => "gfni",
    "__VAES__" => "vaes",
    "__VPCLMULQDQ__" => "vpclmulqdq",
    "__AVX__" => "avx",
    "__F16C__" => "f16c",
    "__FMA__" => "fma",
    "__TBM__" => "tbm",
    "__AVX2__" => "avx2",
    "__AVXVNNI__" => "avxvnni",
    "__AVXIFMA__" => "avxifma",
    "__AVXNECONVERT__" => "avxneconvert",
    "__AVXVNNIINT8__" => "avxvnniint8",
    "__AVXVNNIINT16__" => "avxvnniint16",
    "__AVX512F__" => "avx512f",
    "__AVX512CD__" => "avx512cd",
    "__AVX512BW__" => "avx512bw",
    "__AVX512DQ__" => "avx512dq",
    "__AVX512VL__" => "avx512vl",
    "__AVX512IFMA__" => "avx512ifma",
    "__AVX512VBMI__" => "avx512vbmi",
    "__AVX512VBMI2__" => "avx512vbmi2",
    "__AVX512VNNI__" => "avx512vnni",
    "__AVX512BITALG__" => "avx512bitalg",
    "__AVX512VPOPCNTDQ__" => "avx512vpopcntdq",
    "__AVX512BF16__" => "avx512bf16",
    "__AVX512FP16__" => "avx512fp16",
    "__AVX512VP2INTERSECT__" => "avx512vp2intersect",
}

features! { AARCH64, is_aarch64_feature_detected, "aarch64",
    "__ARM_NEON" => "neon",
    "__ARM_FEATURE_CRC32" => "crc",
    "__ARM_FEATURE_ATOMICS" => "lse",
    "__ARM_FEATURE_QRDMX" => "rdm",
    "__ARM_FEATURE_AES" => "aes",
    "__ARM_FEATURE_SHA2" => "sha2",
    "__ARM_FEATURE_SHA3" => "sha3",
    "__ARM_FEATURE_DOTPROD" => "dotprod",
    "__ARM_FEATURE_FP16_VECTOR_ARITHMETIC" => "fp16",
    "__ARM_FEATURE_FP16_FML" => "fhm",
    "__ARM_FEATURE_RCPC" => "rcpc",
    "__ARM_FEATURE_JCVT" => "jsconv",
    "__ARM_FEATURE_COMPLEX" => "fcma",
    "__ARM_FEATURE_FRINT" => "frintts",
    "__ARM_FEATURE_MATMUL_INT8" => "i8mm",
    "__ARM_FEATURE_BF16" => "bf16",
    "__ARM_FEATURE_SVE" => "sve",
    "__ARM_FEATURE_SVE2" => "sve2",
}

/// Always false: no oracle is built for other architectures.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn detected(_feature: &str) -> bool {
    false
}

/// The features of this CPU for which compilers select instructions.
pub fn cpu_features() -> impl Iterator<Item = &'static str> {
    of(std::env::consts::ARCH)
        .iter()
        .map(|&(_, feature)| feature)
        .filter(|feature| detected(feature))
}

/// Whether [`cpu_features`] can contain this name, on any architecture.
pub fn is_cpu_feature(name: &str) -> bool {
    [X86_64, AARCH64]
        .iter()
        .any(|table| table.iter().any(|&(_, feature)| feature == name))
}

/// (macro, feature) pairs of an architecture, empty for an unknown one.
pub(crate) fn of(architecture: &str) -> &'static [(&'static str, &'static str)] {
    match architecture {
        "x86_64" => X86_64,
        "aarch64" => AARCH64,
        _ => &[],
    }
}
