//! The JSON Schema of receipts.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::document::{Receipt, SCHEMA_VERSION};

/// The JSON Schema (draft 2020-12) of receipts, generated from their types.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let mut schema = generator.into_root_schema_for::<Receipt>();
    schema.insert("title".into(), format!("Receipt {SCHEMA_VERSION}").into());
    schema.to_value()
}
