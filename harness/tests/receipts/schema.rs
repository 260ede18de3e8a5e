//! The published schema matches the types, and receipts are valid by it.

use std::path::PathBuf;

use harness::receipt::{Receipt, SCHEMA_VERSION, merge, schema};
use harness::shard::Shard;
use serde_json::Value;

use crate::generated;
use testing::test;

fn published() -> PathBuf {
    let major = SCHEMA_VERSION
        .split('.')
        .next()
        .expect("a version has numbers");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/schema");
    PathBuf::from(folder).join(format!("receipt-{major}.json"))
}

/// Asserts that a receipt is valid by the schema.
#[track_caller]
pub(crate) fn assert_valid(receipt: &Value) {
    let errors = errors(receipt);
    assert!(errors.is_empty(), "{errors:#?}");
}

fn errors(receipt: &Value) -> Vec<String> {
    let schema = std::fs::read_to_string(published()).expect("the schema is published");
    let schema: Value = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    validator
        .iter_errors(receipt)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn the_published_schema_matches_the_types() {
    let generated = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(published(), &generated).unwrap();
    }
    let found = std::fs::read_to_string(published()).unwrap_or_default();
    assert!(
        found == generated,
        "{} is not current: UPDATE_SCHEMA=1 cargo test -p harness --test receipts schema",
        published().display()
    );
}

#[test]
fn receipts_are_valid_by_the_schema() {
    let whole: Receipt = generated::rich_check();
    let merged = merge(whole, generated::fuzz(Shard { index: 2, count: 3 })).unwrap();
    let merged = merge(merged, generated::mutants()).unwrap();
    assert_valid(&serde_json::to_value(merged).unwrap());
}

#[test]
fn unknown_fields_are_invalid_by_the_schema() {
    let mut receipt = serde_json::to_value(generated::mutants()).unwrap();
    receipt["remarks"] = "none".into();
    let errors = errors(&receipt).concat();
    assert!(errors.contains("remarks"), "{errors}");
}

#[test]
fn null_is_no_number_by_the_schema() {
    let mut receipt = serde_json::to_value(generated::rich_check()).unwrap();
    receipt["harness"]["check"]["levels"][0]["outcomes"][0]["measures"]["comparisons"] =
        Value::Null;
    let errors = errors(&receipt).concat();
    assert!(errors.contains("comparisons"), "{errors}");
}
