//! Errors of synthetic models.

use std::io;
use std::path::PathBuf;

use qk256::format::ShapeError;
use qk256::gguf::WriteError;
use thiserror::Error;

use crate::destination::DestinationError;
use crate::existing::FileExists;
use crate::nearest;

/// Why a synthetic model cannot be made.
#[derive(Debug, Error)]
pub enum SynthError {
    /// There is no embedded recipe of this name.
    #[error(
        "no recipe is called `{name}`: {}; a recipe of your own is given by its path, ending in .toml",
        near_recipes(name, known)
    )]
    UnknownName {
        /// The requested name.
        name: String,
        /// Names of the embedded recipes.
        known: Vec<String>,
    },
    /// The recipe file cannot be read.
    #[error("{}: the recipe cannot be read: {source}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The recipe file is too large.
    #[error("{}: more than {most} bytes, so this is no recipe", path.display())]
    TooLong {
        /// Path of the file.
        path: PathBuf,
        /// Upper limit in bytes.
        most: u64,
    },
    /// The recipe is no TOML, or a field is unknown, missing or of another type.
    #[error("{origin}:{line}:{column}: {message}")]
    Syntax {
        /// Path of the file.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// The reason.
        message: String,
    },
    /// The value of a field is invalid.
    #[error("{origin}: {field}: {problem}")]
    Invalid {
        /// Path of the file.
        origin: String,
        /// The field, such as `sizes.heads`.
        field: String,
        /// The reason.
        problem: Problem,
    },
    /// The output file exists.
    #[error(transparent)]
    Exists(#[from] FileExists),
    /// The file cannot be created or renamed to its path.
    #[error("{}: the file cannot be written: {source}", path.display())]
    Create {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The folder for a temporary model cannot be created.
    #[error("no temporary folder can be created: {0}; TMPDIR sets its place")]
    Temporary(#[source] io::Error),
    /// The model does not fit the container, or its bytes cannot be written.
    #[error("{what}: {source}")]
    Container {
        /// Path of the file, or the recipe if there is no file yet.
        what: String,
        /// The reason.
        source: WriteError,
    },
    /// The output of the command cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// The recipes with similar names.
pub(crate) fn near_recipes(name: &str, known: &[String]) -> String {
    let known = known.iter().map(String::as_str);
    nearest::hint(name, known, Some("harness synth --list"))
}

/// Why the value of a field is invalid.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Problem {
    /// An integer is out of bounds.
    #[error("found {found}, expected {least} to {most}")]
    Count {
        /// The value.
        found: u64,
        /// Lower bound.
        least: u64,
        /// Upper bound.
        most: u64,
    },
    /// A number is out of bounds or NaN.
    #[error("found {found:?}, expected {least:?} to {most:?}")]
    Number {
        /// The value.
        found: f32,
        /// Lower bound.
        least: f32,
        /// Upper bound.
        most: f32,
    },
    /// The shares of codes are all zero, or too large for 16 bits.
    #[error("found shares that add up to {found}, expected 1 to {most}")]
    Shares {
        /// The sum of the shares.
        found: u64,
        /// Upper bound of the sum.
        most: u64,
    },
    /// A range ends before it starts.
    #[error("found the range {least:?} to {most:?}, expected the lesser number first")]
    Backwards {
        /// The first number.
        least: f32,
        /// The second number.
        most: f32,
    },
    /// An integer does not divide another one.
    #[error("found {found}, expected a divisor of {whole}, the {of}")]
    NoDivisor {
        /// The value.
        found: u32,
        /// The number that it must divide.
        whole: u32,
        /// Name of that number.
        of: &'static str,
    },
    /// The number of elements of a head is odd. Rotary position embedding rotates pairs.
    #[error("found heads of {found} elements, expected an even number: RoPE rotates pairs")]
    OddHead {
        /// Number of elements of a head.
        found: u32,
    },
    /// There is no such format.
    #[error("found `{found}`, expected one of {}", known.join(", "))]
    UnknownFormat {
        /// The id.
        found: String,
        /// All ids.
        known: Vec<&'static str>,
    },
    /// The format cannot hold a matrix.
    #[error("{tensor} is {rows} x {cols}: {source}")]
    Shape {
        /// Name of the matrix.
        tensor: &'static str,
        /// Rows.
        rows: usize,
        /// Columns.
        cols: usize,
        /// The reason.
        source: ShapeError,
    },
    /// The number of columns is no multiple of the block size.
    #[error("found rows of {found} elements, which the type stores in blocks of {multiple}")]
    Blocks {
        /// Number of columns.
        found: usize,
        /// Number of elements in a block.
        multiple: usize,
    },
    /// A code that the format's digits cannot store has a share.
    #[error("found a share for code 3, which {format} cannot hold; its largest code is 2")]
    Code {
        /// Format id.
        format: &'static str,
    },
    /// The matrices of the layers have no description, or two, or changes that only ternary ones have.
    #[error(
        "a recipe has either ternary matrices, in `weights` and `override`, or others, in `dense`"
    )]
    Matrices,
    /// The architecture's graph has no such tensors.
    #[error("the architecture {architecture} has no {what}; leave the field out")]
    NotInGraph {
        /// Name of the architecture.
        architecture: &'static str,
        /// Description of the tensors.
        what: &'static str,
    },
}

impl From<DestinationError> for SynthError {
    fn from(error: DestinationError) -> SynthError {
        match error {
            DestinationError::Exists(exists) => exists.into(),
            DestinationError::Write { path, source } => SynthError::Create { path, source },
            DestinationError::IsInput { ref path, .. } | DestinationError::Twice { ref path } => {
                let path = path.clone();
                let source = io::Error::other(error.to_string());
                SynthError::Create { path, source }
            }
        }
    }
}

impl SynthError {
    /// The error of the TOML parser with its position in the file.
    pub(super) fn syntax(origin: &str, text: &str, error: &toml::de::Error) -> SynthError {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        SynthError::Syntax {
            origin: origin.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: error.message().replace('\n', "; "),
        }
    }
}
