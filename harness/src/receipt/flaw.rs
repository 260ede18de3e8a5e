//! What is wrong with a receipt, and where.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// A field that cannot be as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The field, such as `harness.check.rungs[0].verdict`.
    pub at: String,
    /// What is wrong with it.
    pub what: String,
}

impl Flaw {
    /// `what` is wrong at `at`.
    pub fn new(at: impl Into<String>, what: impl Into<String>) -> Flaw {
        Flaw {
            at: at.into(),
            what: what.into(),
        }
    }

    /// The first field in which `found` is not as it follows to be.
    pub(super) fn first_difference(found: &Value, follows: &Value) -> Option<Flaw> {
        let words = |found: &str, follows: &str| format!("is {found}, but {follows} follows");
        Flaw::between(found, follows, &words)
    }

    /// The first field in which two values differ, in `words` of what both say.
    pub fn between(
        left: &Value,
        right: &Value,
        words: &dyn Fn(&str, &str) -> String,
    ) -> Option<Flaw> {
        difference(String::new(), left, right, words)
    }
}

/// A flaw `at` a field unless something `holds`.
///
/// # Errors
///
/// The flaw.
pub(super) fn require(holds: bool, at: &str, what: &str) -> Result<(), Flaw> {
    if holds {
        return Ok(());
    }
    Err(Flaw::new(at, what))
}

/// Something as JSON. What is no number becomes nothing.
///
/// # Errors
///
/// A flaw if it has no form in JSON; none is known.
pub(super) fn value(of: &impl Serialize) -> Result<Value, Flaw> {
    serde_json::to_value(of).map_err(|error| Flaw::new("receipt", error.to_string()))
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

fn difference(
    at: String,
    left: &Value,
    right: &Value,
    words: &dyn Fn(&str, &str) -> String,
) -> Option<Flaw> {
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
        _ => Some(Flaw::new(at, words(&short(left), &short(right)))),
    }
}

/// A value in few words.
fn short(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("a list of {}", values.len()),
        Value::Object(_) => "an object".into(),
        value => value.to_string(),
    }
}
