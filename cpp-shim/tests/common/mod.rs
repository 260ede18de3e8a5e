//! Common code of the tests: the oracles of this binary and models written by upstream.

#![allow(dead_code, reason = "each test binary uses its part")]

mod needs;

use std::path::PathBuf;

use cpp_shim::{Format, FormatInfo, Oracle, OracleError, Session, SessionParams, Status, builds};

pub(crate) use needs::ORACLE;

/// The tokens of the reference logits, one per position.
pub(crate) const TOKENS: [i32; 8] = [1, 5, 7, 9, 100, 31, 2, 8];

/// All oracles that this CPU can run, for tests that need [`ORACLE`].
///
/// # Panics
///
/// If an oracle that can run does not load, or if none can run.
pub(crate) fn oracles() -> Vec<Oracle> {
    let mut oracles = Vec::new();
    for build in builds() {
        match build.load() {
            Ok(oracle) => oracles.push(oracle),
            Err(OracleError::Unavailable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        !oracles.is_empty(),
        "the test needs an oracle but does not declare it"
    );
    oracles
}

/// All oracles that have a type; see [`oracles`].
pub(crate) fn oracles_with(format: Format) -> Vec<Oracle> {
    let has = |oracle: &Oracle| oracle.description().format(format).is_some();
    oracles().into_iter().filter(has).collect()
}

/// Those of the formats that an oracle has.
pub(crate) fn supported<'a>(
    oracle: &'a Oracle,
    formats: &'a [Format],
) -> impl Iterator<Item = Format> + 'a {
    let formats = formats.iter().copied();
    formats.filter(|&format| oracle.description().format(format).is_some())
}

/// The models written by upstream whose type an oracle has. Their names end with it.
///
/// # Panics
///
/// If there are none.
pub(crate) fn models_of(oracle: &Oracle) -> Vec<PathBuf> {
    let has = |model: &PathBuf| {
        let name = model.file_stem().unwrap().to_string_lossy();
        let (_, format) = name.rsplit_once('-').unwrap();
        oracle.description().format(Format::named(format)).is_some()
    };
    let models: Vec<PathBuf> = testing::models().into_iter().filter(has).collect();
    assert!(!models.is_empty(), "no model for {}", oracle.id());
    models
}

/// Parameters of a small context on one thread.
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
/// If the session cannot return them.
pub(crate) fn all_logits(session: &Session) -> Vec<f32> {
    (0..session.decoded())
        .flat_map(|position| session.logits(position).unwrap())
        .copied()
        .collect()
}

/// Bits for comparisons: -0.0 differs from 0.0, and a NaN equals itself.
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

/// Rows of random blocks of a format whose values are finite and not larger than a million, and these values.
pub(crate) fn random_rows(
    oracle: &Oracle,
    info: &FormatInfo,
    rows: usize,
    cols: usize,
) -> (Vec<u8>, Vec<f32>) {
    let block_bytes = info.block_bytes.expect("a type of blocks");
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4]
    };
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    while values.len() < rows * cols {
        let block: Vec<u8> = (0..block_bytes).map(|_| byte()).collect();
        let mut floats = vec![0.0; info.block];
        oracle
            .dequantize(info.format, info.block, &block, 1, 0, &mut floats)
            .unwrap();
        if floats.iter().all(|value| value.abs() <= 1e6) {
            bytes.extend(block);
            values.extend(floats);
        }
    }
    (bytes, values)
}

/// The status with which the oracle rejected a call.
///
/// # Panics
///
/// If the oracle did not reject it.
pub(crate) fn status<T: std::fmt::Debug>(result: Result<T, OracleError>) -> Status {
    let error = result.unwrap_err();
    error
        .status()
        .unwrap_or_else(|| panic!("not refused by the oracle: {error}"))
}
