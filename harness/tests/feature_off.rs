//! Without the cargo feature `i2s-qk256-kernel`, I2_S tensors are refused by name.

#![cfg(not(feature = "i2s-qk256-kernel"))]

mod common;

use common::generate;
use harness::model::Model;
use harness::side::reference_layout;
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
