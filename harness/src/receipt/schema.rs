//! JSON Schemas of files.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::document::{Receipt, SCHEMA_VERSION};

/// The JSON Schema (draft 2020-12) of receipts, generated from their types.
pub fn schema() -> Value {
    schema_of::<Receipt>(format!("Receipt {SCHEMA_VERSION}"))
}

/// The JSON Schema (draft 2020-12) of a type, with a title.
pub(crate) fn schema_of<T: JsonSchema>(title: String) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    schema.to_value()
}
