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
    /// No embedded recipe of this name.
    #[error(
        "no recipe is called `{name}`: {}; a recipe of your own is given by its path, ending in .toml",
        near_recipes(name, known)
    )]
    UnknownName {
        /// The name asked for.
        name: String,
        /// The embedded recipes.
        known: Vec<String>,
    },
    /// The recipe file cannot be read.
    #[error("{}: the recipe cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The recipe file is larger than any recipe.
    #[error("{}: more than {most} bytes, so this is no recipe", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        most: u64,
    },
    /// The recipe is no TOML, or a field is unknown, missing or of another type.
    #[error("{origin}:{line}:{column}: {message}")]
    Syntax {
        /// The file.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// The value of a field makes no model.
    #[error("{origin}: {field}: {problem}")]
    Invalid {
        /// The file.
        origin: String,
        /// The field, such as `sizes.heads`.
        field: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The file to write is there already.
    #[error(transparent)]
    Exists(#[from] FileExists),
    /// The file cannot be created, or not put in its place.
    #[error("{}: the file cannot be written: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is no folder for a model that is generated for one run.
    #[error("no temporary folder can be made: {0}; TMPDIR says where")]
    Temporary(#[source] io::Error),
    /// The container refused the model, or the disk its bytes.
    #[error("{what}: {source}")]
    Container {
        /// The file, or the recipe before there is one.
        what: String,
        /// What is wrong.
        source: WriteError,
    },
    /// The results cannot be told.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// The recipes that may have been meant.
pub(crate) fn near_recipes(name: &str, known: &[String]) -> String {
    let known = known.iter().map(String::as_str);
    nearest::hint(name, known, Some("harness synth --list"))
}

/// What is wrong with the value of a field.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Problem {
    /// A count outside its bounds.
    #[error("found {found}, expected {least} to {most}")]
    Count {
        /// The value.
        found: u64,
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// A number outside its bounds, or not a number.
    #[error("found {found:?}, expected {least:?} to {most:?}")]
    Number {
        /// The value.
        found: f32,
        /// The least that is allowed.
        least: f32,
        /// The most that is allowed.
        most: f32,
    },
    /// Shares of codes of which there are none, or too many to draw by 16 bits.
    #[error("found shares that add up to {found}, expected 1 to {most}")]
    Shares {
        /// The sum of the shares.
        found: u64,
        /// The greatest sum that is allowed.
        most: u64,
    },
    /// A range that ends before it starts.
    #[error("found the range {least:?} to {most:?}, expected the lesser number first")]
    Backwards {
        /// The first number.
        least: f32,
        /// The second number.
        most: f32,
    },
    /// A count that must divide another one.
    #[error("found {found}, expected a divisor of {whole}, the {of}")]
    NoDivisor {
        /// The value.
        found: u32,
        /// What it must divide.
        whole: u32,
        /// What that is.
        of: &'static str,
    },
    /// Rotary position embedding turns pairs.
    #[error("found heads of {found} elements, expected an even number: RoPE turns pairs")]
    OddHead {
        /// Elements of a head.
        found: u32,
    },
    /// No such format.
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
        /// Why not.
        source: ShapeError,
    },
    /// Rows of the width of the embedding are no whole number of blocks.
    #[error("found rows of {found} elements, which the type stores in blocks of {multiple}")]
    Blocks {
        /// Width of the embedding.
        found: usize,
        /// Elements of a block.
        multiple: usize,
    },
    /// A code that the format's digits cannot hold is given a share.
    #[error("found a share for code 3, which {format} cannot hold; its largest code is 2")]
    Code {
        /// Format id.
        format: &'static str,
    },
    /// The architecture's graph has no such tensors.
    #[error("the architecture {architecture} has no {what}; leave the field out")]
    NotInGraph {
        /// Name of the architecture.
        architecture: &'static str,
        /// The tensors.
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
    /// The reader's error, with its place in the file.
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
