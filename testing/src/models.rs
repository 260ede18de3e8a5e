//! Models written by bitnet.cpp.

use std::path::{Path, PathBuf};

use crate::Need;

/// At least one of the models.
pub const MODELS: Need = Need {
    name: "models",
    check: || {
        let message = || format!("no *.gguf in {}; set QK256_MODELS_DIR", folder().display());
        (!found().is_empty()).then_some(()).ok_or_else(message)
    },
};

/// The GGUF files in the folder `QK256_MODELS_DIR`, or in `../shared/models` relative to the checkout, sorted by path.
///
/// # Panics
///
/// If there are none. A test that calls this function must declare the need [`MODELS`].
pub fn models() -> Vec<PathBuf> {
    let models = found();
    assert!(
        !models.is_empty(),
        "the test needs models but does not declare it"
    );
    models
}

fn folder() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    std::env::var_os("QK256_MODELS_DIR").map_or(default, PathBuf::from)
}

fn found() -> Vec<PathBuf> {
    let mut models: Vec<PathBuf> = std::fs::read_dir(folder())
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "gguf"))
        .collect();
    models.sort();
    models
}
