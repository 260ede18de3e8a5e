//! Errors in the fields of receipts and baselines.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// A field with an impossible or inconsistent value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationError {
    /// The field, such as `harness.check.levels[0].verdict`.
    pub at: String,
    /// What is wrong with it.
    pub what: String,
}

impl ValidationError {
    /// An error `what` in the field `at`.
    pub fn new(at: impl Into<String>, what: impl Into<String>) -> ValidationError {
        ValidationError {
            at: at.into(),
            what: what.into(),
        }
    }

    /// The first field in which `found` differs from the `derived` value.
    pub(super) fn first_difference(found: &Value, derived: &Value) -> Option<ValidationError> {
        let words = |found: &str, derived: &str| format!("is {found}, but must be {derived}");
        ValidationError::between(found, derived, &words)
    }

    /// The first field in which two values differ. `words` formats the message from both values of this field.
    pub fn between(
        left: &Value,
        right: &Value,
        words: &dyn Fn(&str, &str) -> String,
    ) -> Option<ValidationError> {
        difference(String::new(), left, right, words)
    }
}

/// Returns a validation error `what` of the field `at` unless `holds` is true.
///
/// # Errors
///
/// The validation error.
pub(crate) fn require(holds: bool, at: &str, what: &str) -> Result<(), ValidationError> {
    if holds {
        return Ok(());
    }
    Err(ValidationError::new(at, what))
}

/// Converts a value to JSON. NaN and infinities become `null`.
///
/// # Errors
///
/// A validation error if the value cannot be represented. All types in use can.
pub(super) fn value(of: &impl Serialize) -> Result<Value, ValidationError> {
    serde_json::to_value(of).map_err(|error| ValidationError::new("receipt", error.to_string()))
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

fn difference(
    at: String,
    left: &Value,
    right: &Value,
    words: &dyn Fn(&str, &str) -> String,
) -> Option<ValidationError> {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let dot = if at.is_empty() { "" } else { "." };
            let only_right = right.keys().filter(|key| !left.contains_key(*key));
            left.keys().chain(only_right).find_map(|key| {
                let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                difference(format!("{at}{dot}{key}"), &of(left), &of(right), words)
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let mut pairs = left.iter().zip(right).enumerate();
            pairs
                .find_map(|(i, (left, right))| difference(format!("{at}[{i}]"), left, right, words))
        }
        _ if left == right => None,
        _ => Some(ValidationError::new(at, words(&short(left), &short(right)))),
    }
}

/// A value as text. Lists and objects are abbreviated.
fn short(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("a list of {}", values.len()),
        Value::Object(_) => "an object".into(),
        value => value.to_string(),
    }
}
