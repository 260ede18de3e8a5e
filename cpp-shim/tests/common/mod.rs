//! What the tests share: the oracles of this binary and the models that upstream wrote.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};

use cpp_shim::{Oracle, OracleError, Session, SessionParams, Status, builds};

/// The tokens of the reference logits, one a position.
pub(crate) const TOKENS: [i32; 8] = [1, 5, 7, 9, 100, 31, 2, 8];

/// Every oracle that this CPU can run; the others are said to be skipped.
///
/// # Panics
///
/// If an oracle that can run does not load.
pub(crate) fn oracles() -> Vec<Oracle> {
    let mut oracles = Vec::new();
    for build in builds() {
        match build.load() {
            Ok(oracle) => oracles.push(oracle),
            Err(OracleError::Unavailable { unavailable, .. }) => {
                println!("skipped: {} {unavailable}", build.id());
            }
            Err(error) => panic!("{error}"),
        }
    }
    if builds().is_empty() {
        println!("skipped: built without the feature `vendored`");
    }
    oracles
}

/// The oracle of that id, if it is built and can run.
pub(crate) fn oracle(id: &str) -> Option<Oracle> {
    oracles().into_iter().find(|oracle| oracle.id() == id)
}

/// GGUF files in `QK256_MODELS_DIR`, or else in `shared/models` beside the repository. Empty, and
/// said so, if there are none.
pub(crate) fn models() -> Vec<PathBuf> {
    let folder = std::env::var_os("QK256_MODELS_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models"),
        PathBuf::from,
    );
    let mut models: Vec<PathBuf> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "gguf")
        })
        .collect();
    models.sort();
    if models.is_empty() {
        println!(
            "skipped: no *.gguf in {}, set QK256_MODELS_DIR",
            folder.display()
        );
    }
    models
}

/// A small context, on one thread.
pub(crate) fn params() -> SessionParams {
    SessionParams {
        n_ctx: 64,
        n_batch: 64,
        n_ubatch: 64,
        ..SessionParams::default()
    }
}

/// The logits of all positions decoded so far.
///
/// # Panics
///
/// If the session cannot give them.
pub(crate) fn all_logits(session: &Session) -> Vec<f32> {
    (0..session.decoded())
        .flat_map(|position| session.logits(position).unwrap())
        .copied()
        .collect()
}

/// Bits, so that a comparison tells -0.0 from 0.0 and a NaN equals itself.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Weights -1, 0, +1, -1, ... times `scale`.
pub(crate) fn ternary(n: usize, scale: f32) -> Vec<f32> {
    (0..n)
        .map(|i| (i % 3) as f32 - 1.0)
        .map(|weight| weight * scale)
        .collect()
}

/// The status that the oracle refused a call with.
///
/// # Panics
///
/// If it did not.
pub(crate) fn status<T: std::fmt::Debug>(result: Result<T, OracleError>) -> Status {
    let error = result.unwrap_err();
    error
        .status()
        .unwrap_or_else(|| panic!("not refused by the oracle: {error}"))
}
