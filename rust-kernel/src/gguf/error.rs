//! Errors of the reader.

use std::fmt::{self, Display};
use std::io;
use std::path::PathBuf;

use super::problem::Problem;
use super::value_type::ValueType;

/// Why a GGUF file, or a part of it, cannot be read.
///
/// The message is one line. For a malformed file it names the field and its byte offset.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The file cannot be opened or mapped.
    #[error("{}: cannot be opened: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// The file at this path is not a valid GGUF file.
    #[error("{}: {cause}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// Why it is not valid.
        cause: Box<GgufError>,
    },
    /// A field of the file is invalid.
    #[error("{field}{} at byte {offset}: {problem}", OfEntry(entry))]
    Malformed {
        /// Path of the field, such as `tensor_infos[3].dims[1]`.
        field: String,
        /// Key or tensor name of the entry that contains the field, if it was read before the field. Long names are
        /// shortened.
        entry: Option<String>,
        /// Position of the field in the file, in bytes.
        offset: u64,
        /// What was found and what was expected.
        problem: Problem,
    },
    /// A metadata key that the caller needs is missing.
    #[error("metadata key {key:?} is missing, expected a value of type {expected}")]
    MissingKey {
        /// The key.
        key: String,
        /// The type that the caller requested.
        expected: &'static str,
    },
    /// A metadata value has another type than the caller requested.
    #[error("metadata key {key:?}: found a value of type {found}, expected {expected}")]
    WrongType {
        /// The key.
        key: String,
        /// The type in the file.
        found: ValueType,
        /// The type that the caller requested.
        expected: &'static str,
    },
    /// A tensor that the caller needs is missing.
    #[error("tensor {name:?} is missing, expected it in the file")]
    MissingTensor {
        /// Its name.
        name: String,
    },
}

struct OfEntry<'a>(&'a Option<String>);

impl Display for OfEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, " of {name:?}"),
            None => Ok(()),
        }
    }
}

/// A name from a file, truncated for use in a message.
pub(super) fn shortened(name: &str) -> String {
    const MOST: usize = 96;
    match name.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

impl GgufError {
    /// An error about the field `field`. [`within`](Self::within) adds the path to it.
    pub(super) fn malformed(field: &str, offset: usize, problem: Problem) -> Self {
        Self::Malformed {
            field: field.to_owned(),
            entry: None,
            offset: offset as u64,
            problem,
        }
    }

    /// Prepends `outer` to the path of the field. An index such as `[3]` is appended without a dot.
    pub(super) fn within(mut self, outer: impl Display) -> Self {
        if let Self::Malformed { field, .. } = &mut self {
            let mut path = outer.to_string();
            if !path.is_empty() && !field.is_empty() && !field.starts_with('[') {
                path.push('.');
            }
            *field = path + field;
        }
        self
    }

    /// Adds the key or tensor name of the entry that contains the field.
    pub(super) fn of_entry(mut self, name: &str) -> Self {
        if let Self::Malformed { entry, .. } = &mut self {
            *entry = Some(shortened(name));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_field_reads_as_one_line_with_path_and_offset() {
        let error = GgufError::malformed("dims", 40, Problem::ZeroDimension)
            .within("tensor_infos[3]")
            .of_entry("blk.0.attn_q.weight");
        assert_eq!(
            error.to_string(),
            "tensor_infos[3].dims of \"blk.0.attn_q.weight\" at byte 40: \
             found a dimension of 0, expected at least 1"
        );
        let nested = GgufError::malformed("", 7, Problem::ZeroDimension)
            .within("[1]")
            .within("[0]");
        assert!(
            nested
                .within("value")
                .to_string()
                .starts_with("value[0][1] at byte 7: ")
        );
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(shortened("token_embd.weight"), "token_embd.weight");
        let cut = shortened(&"é".repeat(500));
        assert_eq!(cut, format!("{}...", "é".repeat(96)));
    }
}
