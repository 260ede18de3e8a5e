//! Handling of output files that already exist.

use std::path::PathBuf;

use thiserror::Error;

/// What to do if the output file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave the file unchanged and fail.
    Refuse,
    /// Replace the file.
    Replace,
    /// Append to the file.
    Append,
}

/// The output file exists and replacing it was not requested.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}: the file exists; --force replaces it", path.display())]
pub struct FileExists {
    /// Path of the file.
    pub path: PathBuf,
}

impl Existing {
    /// The mode for the option `--force`.
    pub const fn of(force: bool) -> Existing {
        if force {
            Existing::Replace
        } else {
            Existing::Refuse
        }
    }
}
