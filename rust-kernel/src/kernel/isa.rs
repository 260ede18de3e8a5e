//! Instruction sets, and the tokens that prove a CPU has them.

use thiserror::Error;

/// What a kernel is written for, the slowest first: the order in which [`best`](super::best) prefers them.
///
/// Every instruction set is named on every architecture, so that an id read from a receipt always has a meaning;
/// kernels are compiled for those of the target alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// The definition, one weight at a time.
    Naive,
    /// Portable Rust that compilers vectorize for the target's baseline.
    Scalar,
    /// AVX2: 32-byte registers, products of bytes added in int16.
    Avx2,
    /// AVX-VNNI: AVX2 with products of bytes added in int32.
    AvxVnni,
    /// AVX-512 F and BW: 64-byte registers, products of bytes added in int16.
    Avx512Bw,
    /// AVX-512 VNNI: 64-byte registers, products of bytes added in int32.
    Avx512Vnni,
    /// NEON: 16-byte registers, products of bytes added in int16.
    Neon,
    /// NEON with dotprod: products of bytes added in int32.
    Dotprod,
}

impl Isa {
    /// Stable name, the last part of a kernel's id.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Naive => "naive",
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::AvxVnni => "avxvnni",
            Isa::Avx512Bw => "avx512bw",
            Isa::Avx512Vnni => "avx512vnni",
            Isa::Neon => "neon",
            Isa::Dotprod => "dotprod",
        }
    }
}

/// What this CPU lacks for a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no {feature}")]
pub struct Unavailable {
    /// The missing CPU feature, as the compiler names it.
    pub feature: &'static str,
}

/// A token: a value that exists only where the CPU has all the features.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! token {
    ($name:ident, $detected:path, [$($feature:tt),+]) => {
        #[doc = concat!("Proof that this CPU has ", $("`", $feature, "` ",)+ "in use.")]
        #[derive(Debug, Clone, Copy)]
        pub struct $name(());

        impl $name {
            /// The proof, if this CPU has what it proves.
            pub fn detect() -> Option<$name> {
                $name::demand().ok()
            }

            /// The proof, or the first feature that is missing.
            pub(crate) fn demand() -> Result<$name, Unavailable> {
                use $detected as detected;
                $(
                    if !detected!($feature) {
                        return Err(Unavailable { feature: $feature });
                    }
                )+
                Ok($name(()))
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
token!(Avx2, std::arch::is_x86_feature_detected, ["avx2", "f16c"]);
#[cfg(target_arch = "x86_64")]
token!(
    AvxVnni,
    std::arch::is_x86_feature_detected,
    ["avx2", "f16c", "avxvnni"]
);
#[cfg(target_arch = "x86_64")]
token!(
    Avx512Bw,
    std::arch::is_x86_feature_detected,
    ["f16c", "avx512f", "avx512bw"]
);
#[cfg(target_arch = "x86_64")]
token!(
    Avx512Vnni,
    std::arch::is_x86_feature_detected,
    ["f16c", "avx512f", "avx512bw", "avx512vnni"]
);
#[cfg(target_arch = "aarch64")]
token!(Neon, std::arch::is_aarch64_feature_detected, ["neon"]);
#[cfg(target_arch = "aarch64")]
token!(
    Dotprod,
    std::arch::is_aarch64_feature_detected,
    ["neon", "dotprod"]
);
