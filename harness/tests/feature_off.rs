//! Without the cargo feature `i2s-qk256-kernel`, I2_S tensors are refused with the name of the feature.

#![cfg(not(feature = "i2s-qk256-kernel"))]

mod common;

use common::{assert_code, generate, harness, stderr};
use harness::model::Model;
use harness::participant::reference_layout;
use tempfile::tempdir;

#[test]
fn loading_an_i2_s_tensor_fails_closed_and_names_the_feature() {
    let folder = tempdir().unwrap();
    let model = Model::open(&generate("tiny-bitnet-i2_s", folder.path())).unwrap();
    let error = model
        .ternary_tensors(reference_layout())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("i2s-qk256-kernel") && error.contains("blk.0."),
        "{error}"
    );
}

#[test]
fn other_types_load() {
    let folder = tempdir().unwrap();
    let model = Model::open(&generate("tiny-llama-tq2_0", folder.path())).unwrap();
    assert!(
        !model
            .ternary_tensors(reference_layout())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn logits_need_no_oracle() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-llama-tq2_0", folder.path());
    let file = folder.path().join("logits.npy");
    let (model, path) = (model.to_str().unwrap(), file.to_str().unwrap());
    let args = ["logits", model, "--tokens", "1,5,7", "--out", path];
    assert_code(&harness(&args), 0);
    let data = std::fs::read(&file).unwrap();
    let values = data[data.len() - 3 * 320 * 4..].as_chunks().0;
    let logits = values.iter().map(|&bytes| f32::from_le_bytes(bytes));
    assert!(logits.clone().all(f32::is_finite) && logits.clone().any(|logit| logit != 0.0));

    if cpp_shim::builds().is_empty() {
        let args = [&args[..], &["--backend", "bitnet.cpp/strict"]].concat();
        let output = harness(&args);
        assert_code(&output, 2);
        assert!(
            stderr(&output).contains("there are: rust"),
            "{}",
            stderr(&output)
        );
    }
}
