//! Instruction sets, and tokens that prove that the CPU supports them.
//!
//! The table `features_of!` lists the CPU features of each instruction set. The features for which code is compiled,
//! the features detected before such code is called, and [`Isa::features`] all derive from it. Calling code that is
//! compiled for undetected features would be undefined behaviour.

use thiserror::Error;

/// Passes the CPU features of an instruction set, with the compiler's names, to another macro:
/// `features_of!(Neon [then!] rest)` expands to `then! { ["neon"] rest }`.
#[doc(hidden)]
#[macro_export]
macro_rules! features_of {
    (Avx2 [$($then:tt)+] $($rest:tt)*) => {
        $($then)+ { ["avx2" "f16c" "fma"] $($rest)* }
    };
    (AvxVnni [$($then:tt)+] $($rest:tt)*) => {
        $($then)+ { ["avx2" "f16c" "fma" "avxvnni"] $($rest)* }
    };
    (Avx512Bw [$($then:tt)+] $($rest:tt)*) => {
        $($then)+ { ["f16c" "avx512f" "avx512bw"] $($rest)* }
    };
    (Avx512Vnni [$($then:tt)+] $($rest:tt)*) => {
        $($then)+ { ["f16c" "avx512f" "avx512bw" "avx512vnni"] $($rest)* }
    };
    (Neon [$($then:tt)+] $($rest:tt)*) => {
        $($then)+ { ["neon"] $($rest)* }
    };
    (Dotprod [$($then:tt)+] $($rest:tt)*) => {
        $($then)+ { ["neon" "dotprod"] $($rest)* }
    };
}

/// Compiles functions for the CPU features of an [`Isa`]: `compiled_for! { Avx2: fn ... }`.
///
/// The functions can call each other safely. Calling one from elsewhere is `unsafe`: the CPU must have the features.
/// The token of the instruction set or [`Isa::availability`] proves that.
#[macro_export]
macro_rules! compiled_for {
    ($isa:ident: $($function:item)+) => {
        $($crate::features_of! { $isa [$crate::compiled_for!] $function })+
    };
    ([$($feature:tt)+] $function:item) => {
        #[target_feature($(enable = $feature),+)]
        $function
    };
}

/// The instruction set of a kernel, ordered from slowest to fastest. [`best`](crate::kernel::best) prefers the fastest.
///
/// All instruction sets exist on every architecture, so that the ids in a receipt can always be read. Kernels are
/// compiled only for the instruction sets of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// The definition, one weight at a time.
    Naive,
    /// Portable Rust that the compiler vectorizes for the baseline of the target.
    Scalar,
    /// AVX2: 32-byte registers, byte products added in int16.
    Avx2,
    /// AVX-VNNI: AVX2 with byte products added in int32.
    AvxVnni,
    /// AVX-512 F and BW: 64-byte registers, byte products added in int16.
    Avx512Bw,
    /// AVX-512 VNNI: 64-byte registers, byte products added in int32.
    Avx512Vnni,
    /// NEON: 16-byte registers, byte products added in int16.
    Neon,
    /// NEON with dotprod: byte products added in int32.
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

    /// The instruction set in a kernel id, such as `i2_s.group128.avx2`; `None` if no kernel can have this id.
    pub fn of_kernel(id: &str) -> Option<Isa> {
        let (_, name) = id.rsplit_once('.')?;
        Isa::ALL.into_iter().find(|isa| isa.name() == name)
    }

    /// The CPU features that its kernels need, with the compiler's names.
    pub const fn features(self) -> &'static [&'static str] {
        macro_rules! list {
            ([$($feature:tt)+]) => {
                &[$($feature),+]
            };
        }
        match self {
            Isa::Naive | Isa::Scalar => &[],
            Isa::Avx2 => features_of!(Avx2 [list!]),
            Isa::AvxVnni => features_of!(AvxVnni [list!]),
            Isa::Avx512Bw => features_of!(Avx512Bw [list!]),
            Isa::Avx512Vnni => features_of!(Avx512Vnni [list!]),
            Isa::Neon => features_of!(Neon [list!]),
            Isa::Dotprod => features_of!(Dotprod [list!]),
        }
    }

    /// Whether this CPU has these features.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] with the first feature that is missing.
    pub fn availability(self) -> Result<(), Unavailable> {
        match self {
            Isa::Naive | Isa::Scalar => Ok(()),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Avx2::demand().map(drop),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => AvxVnni::demand().map(drop),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bw => Avx512Bw::demand().map(drop),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => Avx512Vnni::demand().map(drop),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Neon::demand().map(drop),
            #[cfg(target_arch = "aarch64")]
            Isa::Dotprod => Dotprod::demand().map(drop),
            of_another_architecture => Err(Unavailable {
                feature: of_another_architecture.features()[0],
            }),
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

/// The feature that this CPU lacks for a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no {feature}")]
pub struct Unavailable {
    /// The missing CPU feature, with the compiler's name.
    pub feature: &'static str,
}

/// Defines a token: a type whose values exist only if the CPU has all features of an instruction set.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! token {
    ([$($feature:tt)+] $name:ident $detected:ident) => {
        #[doc = concat!("Proof that this CPU has the features of [`Isa::", stringify!($name), "`] in use.")]
        #[derive(Debug, Clone, Copy)]
        pub struct $name(());

        impl $name {
            /// The token, if this CPU has all features.
            pub fn detect() -> Option<$name> {
                $name::demand().ok()
            }

            /// The token, or the first feature that is missing.
            pub(crate) fn demand() -> Result<$name, Unavailable> {
                $(if !std::arch::$detected!($feature) {
                    return Err(Unavailable { feature: $feature });
                })+
                Ok($name(()))
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
features_of!(Avx2 [token!] Avx2 is_x86_feature_detected);
#[cfg(target_arch = "x86_64")]
features_of!(AvxVnni [token!] AvxVnni is_x86_feature_detected);
#[cfg(target_arch = "x86_64")]
features_of!(Avx512Bw [token!] Avx512Bw is_x86_feature_detected);
#[cfg(target_arch = "x86_64")]
features_of!(Avx512Vnni [token!] Avx512Vnni is_x86_feature_detected);
#[cfg(target_arch = "aarch64")]
features_of!(Neon [token!] Neon is_aarch64_feature_detected);
#[cfg(target_arch = "aarch64")]
features_of!(Dotprod [token!] Dotprod is_aarch64_feature_detected);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Every source file below a folder that contains this text.
    fn files_with(text: &str, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files_with(text, &path, found);
            } else if fs::read_to_string(&path).unwrap().contains(text) {
                found.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }

    /// Other attributes or detections would be a second list of features.
    #[test]
    fn nothing_is_compiled_for_or_detects_features_that_the_table_does_not_name() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let found = |text| {
            let mut found = Vec::new();
            files_with(text, &sources, &mut found);
            found
        };
        assert_eq!(
            found(concat!("target_", "feature(")),
            ["isa.rs"],
            "use `compiled_for!`"
        );
        assert_eq!(
            found(concat!("feature_", "detected!(")),
            [""; 0],
            "use a token"
        );
    }
}
