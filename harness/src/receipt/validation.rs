//! Errors in the fields of receipts and baselines.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
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

/// A field with its parents, such as `harness.check.levels[0].verdict`.
#[derive(Debug, Clone)]
pub struct At(String);

impl At {
    /// A field without parents.
    pub(crate) fn root(field: &str) -> At {
        At(field.into())
    }

    /// A field of this field.
    pub(crate) fn field(&self, name: &str) -> At {
        At(format!("{}.{name}", self.0))
    }

    /// An item of this list.
    pub(crate) fn item(&self, index: usize) -> At {
        At(format!("{}[{index}]", self.0))
    }

    /// The error that something is wrong with the field.
    pub(crate) fn error(&self, what: impl Into<String>) -> ValidationError {
        ValidationError::new(&self.0, what)
    }

    /// Returns an error unless `holds` is true.
    ///
    /// # Errors
    ///
    /// The error that `what` is wrong with the field.
    pub(crate) fn require(&self, holds: bool, what: &str) -> Result<(), ValidationError> {
        match holds {
            true => Ok(()),
            false => Err(self.error(what)),
        }
    }
}

/// Parses a file, whose error names the first field that has a wrong type, is missing, or is unknown.
///
/// # Errors
///
/// The validation error.
pub(crate) fn parsed<T: DeserializeOwned>(text: &[u8]) -> Result<T, ValidationError> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let at = error.path().to_string();
        ValidationError::new(at, error.into_inner().to_string())
    })
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
