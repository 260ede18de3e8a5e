//! What a command does with a file that is where it is to write one.

use std::path::PathBuf;

use thiserror::Error;

/// What to do with a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it and fail.
    Refuse,
    /// Replace it.
    Replace,
    /// Write at its end.
    Append,
}

/// A file is there that was not to be replaced.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}: the file exists; --force replaces it", path.display())]
pub struct FileExists {
    /// The file.
    pub path: PathBuf,
}

impl Existing {
    /// As the option `--force` says.
    pub const fn of(force: bool) -> Existing {
        if force {
            Existing::Replace
        } else {
            Existing::Refuse
        }
    }
}
