//! The oracles that run on this machine. Tests that use them need an oracle.

use cpp_shim::{Build, Oracle};
use harness::participant::{BuildKind, OracleImplementation, Reference};

/// The builds whose CPU features this machine has.
pub(crate) fn builds() -> impl Iterator<Item = &'static Build> {
    let builds = cpp_shim::builds().iter();
    builds.filter(|build| build.availability().is_ok())
}

/// The first of them.
#[track_caller]
pub(crate) fn build() -> &'static Build {
    builds().next().expect("the test needs an oracle")
}

/// All of them, loaded.
pub(crate) fn oracles() -> Vec<Oracle> {
    let load = |build: &Build| build.load().expect("an available oracle loads");
    builds().map(load).collect()
}

/// All of them as references that candidates are compared with.
pub(crate) fn references() -> Vec<Reference> {
    let reference = |build: &Build| {
        let oracle = build.load().expect("an available oracle loads");
        let implementation = OracleImplementation::new(oracle);
        let kind = if build.provenance().identity {
            BuildKind::Identity
        } else {
            BuildKind::Embedded
        };
        Reference::oracle(implementation, true, kind)
    };
    builds().map(reference).collect()
}
