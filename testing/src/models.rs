//! Models written by bitnet.cpp and llama.cpp.

use std::path::{Path, PathBuf};

use crate::Need;

/// At least one model that bitnet.cpp wrote.
pub const MODELS: Need = Need {
    name: "models",
    check: || check(&folder()),
};

/// At least one model that llama.cpp wrote.
pub const LLAMA_CPP_MODELS: Need = Need {
    name: "llama.cpp-models",
    check: || check(&folder().join(LLAMA_CPP)),
};

/// The folder of the models that llama.cpp wrote, in the folder of all models.
const LLAMA_CPP: &str = "llama.cpp";

/// The GGUF files in the folder `QK256_MODELS_DIR`, or in `../shared/models` relative to the checkout, sorted by path.
///
/// # Panics
///
/// If there are none. A test that calls this function must declare the need [`MODELS`].
pub fn models() -> Vec<PathBuf> {
    found_or_panic(&folder())
}

/// The GGUF files in the folder `llama.cpp` of the folder of [`models`], sorted by path.
///
/// # Panics
///
/// If there are none. A test that calls this function must declare the need [`LLAMA_CPP_MODELS`].
pub fn llama_cpp_models() -> Vec<PathBuf> {
    found_or_panic(&folder().join(LLAMA_CPP))
}

fn folder() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    std::env::var_os("QK256_MODELS_DIR").map_or(default, PathBuf::from)
}

fn check(folder: &Path) -> Result<(), String> {
    let message = || format!("no *.gguf in {}; set QK256_MODELS_DIR", folder.display());
    (!found(folder).is_empty())
        .then_some(())
        .ok_or_else(message)
}

fn found_or_panic(folder: &Path) -> Vec<PathBuf> {
    let models = found(folder);
    assert!(
        !models.is_empty(),
        "the test needs models but does not declare it"
    );
    models
}

fn found(folder: &Path) -> Vec<PathBuf> {
    let mut models: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "gguf"))
        .collect();
    models.sort();
    models
}
