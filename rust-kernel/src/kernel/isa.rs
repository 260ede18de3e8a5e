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
    /// Every instruction set, the slowest first.
    pub const ALL: [Isa; 8] = [
        Isa::Naive,
        Isa::Scalar,
        Isa::Avx2,
        Isa::AvxVnni,
        Isa::Avx512Bw,
        Isa::Avx512Vnni,
        Isa::Neon,
        Isa::Dotprod,
    ];

    /// The instruction set of a kernel by its id, such as `i2_s.group128.avx2`; none if no kernel can have this id.
    pub fn of_kernel(id: &str) -> Option<Isa> {
        let (_, name) = id.rsplit_once('.')?;
        Isa::ALL.into_iter().find(|isa| isa.name() == name)
    }

    /// The CPU features that its kernels need, as the compiler names them.
    pub const fn features(self) -> &'static [&'static str] {
        match self {
            Isa::Naive | Isa::Scalar => &[],
            Isa::Avx2 => &["avx2", "f16c"],
            Isa::AvxVnni => &["avx2", "f16c", "avxvnni"],
            Isa::Avx512Bw => &["f16c", "avx512f", "avx512bw"],
            Isa::Avx512Vnni => &["f16c", "avx512f", "avx512bw", "avx512vnni"],
            Isa::Neon => &["neon"],
            Isa::Dotprod => &["neon", "dotprod"],
        }
    }

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

/// A token: a value that exists only where the CPU has all features of an instruction set.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! token {
    ($name:ident) => {
        #[doc = concat!("Proof that this CPU has the features of [`Isa::", stringify!($name), "`] in use.")]
        #[derive(Debug, Clone, Copy)]
        pub struct $name(());

        impl $name {
            /// The proof, if this CPU has what it proves.
            pub fn detect() -> Option<$name> {
                $name::demand().ok()
            }

            /// The proof, or the first feature that is missing.
            pub(crate) fn demand() -> Result<$name, Unavailable> {
                let missing = Isa::$name.features().iter().find(|feature| !detected(feature));
                match missing {
                    Some(feature) => Err(Unavailable { feature }),
                    None => Ok($name(())),
                }
            }
        }
    };
}

/// Whether this CPU has a feature by its name; the detection itself takes literals only.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! detection {
    ($detected:path: $($feature:tt)+) => {
        fn detected(feature: &str) -> bool {
            use $detected as detected;
            match feature {
                $($feature => detected!($feature),)+
                _ => unreachable!("{feature} is a feature of an instruction set, and has to be detected"),
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
detection!(std::arch::is_x86_feature_detected: "avx2" "f16c" "avxvnni" "avx512f" "avx512bw" "avx512vnni");
#[cfg(target_arch = "aarch64")]
detection!(std::arch::is_aarch64_feature_detected: "neon" "dotprod");

#[cfg(target_arch = "x86_64")]
token!(Avx2);
#[cfg(target_arch = "x86_64")]
token!(AvxVnni);
#[cfg(target_arch = "x86_64")]
token!(Avx512Bw);
#[cfg(target_arch = "x86_64")]
token!(Avx512Vnni);
#[cfg(target_arch = "aarch64")]
token!(Neon);
#[cfg(target_arch = "aarch64")]
token!(Dotprod);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_tells_its_instruction_set_and_lacks_only_features_of_it() {
        for kernel in crate::kernel::all() {
            assert_eq!(Isa::of_kernel(kernel.id()), Some(kernel.isa()));
            if let Err(Unavailable { feature }) = kernel.availability() {
                assert!(
                    kernel.isa().features().contains(&feature),
                    "{}",
                    kernel.id()
                );
            }
        }
        assert_eq!(Isa::of_kernel("i2_s.group128.abacus"), None);
        assert_eq!(Isa::of_kernel("avx2"), None);
    }
}
