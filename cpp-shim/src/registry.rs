//! The oracle builds that are compiled in.

use std::fmt;
use std::sync::Mutex;

use crate::error::{OracleError, Unavailable};
use crate::features;
use crate::library;
use crate::oracle::Oracle;

// The build script's table: `static BUILDS: [Build; N]`.
include!(concat!(env!("OUT_DIR"), "/registry.rs"));

/// Every oracle build that was compiled into this binary. Empty without the feature `vendored`.
pub fn builds() -> &'static [Build] {
    &BUILDS
}

/// Where a build is from and how it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Such as `bitnet.cpp/strict`.
    pub id: &'static str,
    /// The project that the source is from.
    pub upstream: &'static str,
    /// Of the source; `local` and a commit for a checkout.
    pub version: &'static str,
    /// sha256 of the source, hexadecimal: of the registry package, or over the compiled files of a
    /// checkout.
    pub checksum: &'static str,
    /// The registry package, or the folder of the checkout.
    pub source: &'static str,
    /// First line of the compilers' `--version`.
    pub compiler: &'static str,
    /// Of the files that hold the arithmetic.
    pub flags: &'static [&'static str],
    /// CPU features that the build needs, by the names of `is_x86_feature_detected!` and its
    /// siblings.
    pub instruction_set: &'static [&'static str],
}

/// An oracle, compiled and embedded, not yet loaded.
pub struct Build {
    provenance: Provenance,
    /// The shared object.
    image: &'static [u8],
    loaded: Mutex<Option<Oracle>>,
}

impl Build {
    /// A build from its parts; [`builds`] has those of this binary. `image` is a shared object as
    /// `include/oracle.h` describes it: loading runs code in it.
    pub const fn new(provenance: Provenance, image: &'static [u8]) -> Self {
        Self {
            provenance,
            image,
            loaded: Mutex::new(None),
        }
    }

    /// Such as `bitnet.cpp/strict`.
    pub fn id(&self) -> &str {
        self.provenance.id
    }

    /// Where it is from and how it was made.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The embedded shared object.
    pub fn image(&self) -> &'static [u8] {
        self.image
    }

    /// Whether this CPU has all that the build was compiled for. Nothing of the oracle runs.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] names the missing features.
    pub fn availability(&self) -> Result<(), Unavailable> {
        let missing: Vec<&'static str> = self
            .provenance
            .instruction_set
            .iter()
            .copied()
            .filter(|feature| !features::detected(feature))
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Unavailable { missing })
        }
    }

    /// The oracle, loaded on the first call in the process and never unloaded.
    ///
    /// # Errors
    ///
    /// [`OracleError::Unavailable`] before any of its code runs; [`OracleError::Load`],
    /// [`OracleError::Mismatch`] or [`OracleError::WrongAnswer`] if it is not fit for use.
    pub fn load(&self) -> Result<Oracle, OracleError> {
        self.availability()
            .map_err(|unavailable| OracleError::Unavailable {
                oracle: self.id().to_owned(),
                unavailable,
            })?;
        // A panic while loading leaves `None` behind, which is a sound state.
        let mut loaded = self
            .loaded
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(oracle) = &*loaded {
            return Ok(oracle.clone());
        }
        let oracle = Oracle::new(library::load(self.id(), self.image)?)?;
        let description = oracle.description();
        if (description.id.as_str(), description.checksum.as_str())
            != (self.provenance.id, self.provenance.checksum)
        {
            return Err(OracleError::Mismatch {
                oracle: self.id().to_owned(),
                reason: format!(
                    "it calls itself {} of {}",
                    description.id, description.checksum
                ),
            });
        }
        Ok(loaded.insert(oracle).clone())
    }
}

impl fmt::Debug for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Build")
            .field("provenance", &self.provenance)
            .field("image_bytes", &self.image.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOGUS: Provenance = Provenance {
        id: "bogus/future",
        upstream: "bogus",
        version: "0",
        checksum: "",
        source: "nowhere",
        compiler: "none",
        flags: &[],
        instruction_set: &["avx9000", "tachyons"],
    };

    #[test]
    fn a_missing_feature_is_named_and_nothing_is_loaded() {
        // The image would not load: reaching the loader would be another error.
        let build = Build::new(BOGUS, b"not a shared object");
        let unavailable = build.availability().unwrap_err();
        assert_eq!(
            unavailable.to_string(),
            "needs avx9000, tachyons, which this CPU lacks"
        );
        let error = build.load().unwrap_err();
        assert!(matches!(error, OracleError::Unavailable { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "oracle bogus/future needs avx9000, tachyons, which this CPU lacks"
        );
    }

    #[test]
    fn an_image_that_is_no_shared_object_is_an_error() {
        let build = Build::new(
            Provenance {
                instruction_set: &[],
                ..BOGUS
            },
            b"not a shared object",
        );
        assert!(matches!(build.load(), Err(OracleError::Load { .. })));
    }

    #[test]
    fn a_build_that_does_not_know_itself_is_refused() {
        let runs = builds().iter().find(|build| build.availability().is_ok());
        let real = testing::require!(runs.ok_or("no oracle is compiled in for this CPU"));
        let build = Build::new(
            Provenance {
                instruction_set: &[],
                ..BOGUS
            },
            real.image(),
        );
        let error = build.load().unwrap_err();
        assert!(matches!(error, OracleError::Mismatch { .. }), "{error}");
    }

    #[test]
    fn a_broken_load_is_tried_again() {
        let build = Build::new(
            Provenance {
                instruction_set: &[],
                ..BOGUS
            },
            b"not a shared object",
        );
        assert!(build.load().is_err());
        assert!(build.load().is_err());
    }
}
