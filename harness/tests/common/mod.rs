//! What the integration tests share: the command, generated models, and the models that bitnet.cpp itself wrote.

#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod draft;
pub(crate) mod forward;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use draft::Edit;
use harness::rewrite::ModelDraft;
use harness::side::Forward;
use harness::synth;
use qk256::gguf::{GgufFile, Value};

/// Runs the command `harness` in `folder`.
pub(crate) fn harness_in(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(args)
        .current_dir(folder)
        .output()
        .expect("the harness starts")
}

/// Runs the command `harness`.
pub(crate) fn harness(args: &[&str]) -> Output {
    harness_in(Path::new("."), args)
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the output is UTF-8")
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The exit code, with what was printed if it is not the wanted one.
#[track_caller]
pub(crate) fn assert_code(output: &Output, wanted: i32) {
    let (out, err) = (stdout(output), stderr(output));
    assert_eq!(
        output.status.code(),
        Some(wanted),
        "stdout:\n{out}\nstderr:\n{err}"
    );
}

/// Writes the model of an embedded recipe into `folder`.
pub(crate) fn generate(recipe: &str, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{recipe}.gguf"));
    let plan = synth::Plan::new(synth::find(recipe).expect("the recipe is embedded"));
    synth::create(
        &plan.expect("the recipe is valid"),
        &path,
        synth::Existing::Refuse,
    )
    .expect("the model can be written");
    path
}

/// The models in the folder that `QK256_MODELS_DIR` names, or in `shared/models` beside the checkout. None, with a line
/// that says so, where there is no such folder.
pub(crate) fn shared_models() -> Vec<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    let folder = std::env::var_os("QK256_MODELS_DIR").map_or(beside, PathBuf::from);
    let Ok(entries) = folder.read_dir() else {
        eprintln!("skipped: no models in {}", folder.display());
        return Vec::new();
    };
    let mut models: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "gguf")
        })
        .collect();
    models.sort();
    assert!(!models.is_empty(), "{} holds no model", folder.display());
    models
}

/// Whether at least one oracle runs here; says so where none does.
pub(crate) fn oracle_runs() -> bool {
    let runs = cpp_shim::builds()
        .iter()
        .any(|build| build.availability().is_ok());
    if !runs {
        eprintln!("skipped: no oracle can run on this machine");
    }
    runs
}

/// Whether the oracle runs here whose arithmetic the forward pass follows; says so where it does not.
pub(crate) fn strict_is_avx2() -> bool {
    let followed = cpp_shim::builds().iter().any(|build| {
        build.id() == Forward::FOLLOWS
            && build.availability().is_ok()
            && build
                .provenance()
                .instruction_set
                .contains(&Forward::FEATURE)
    });
    if !followed {
        eprintln!(
            "skipped: {} does not run here as {} code",
            Forward::FOLLOWS,
            Forward::FEATURE
        );
    }
    followed
}

/// Writes the model at `original` anew with other metadata.
pub(crate) fn with_metadata(original: &Path, copy: &Path, metadata: &[(&str, Value<'_>)]) {
    let original = GgufFile::open(original).expect("a model");
    let mut draft = ModelDraft::of(&original.view());
    draft
        .metadata
        .retain(|(key, _)| metadata.iter().all(|(changed, _)| changed != key));
    for &(key, value) in metadata {
        draft = draft.add(key, value);
    }
    draft.save(copy);
}
