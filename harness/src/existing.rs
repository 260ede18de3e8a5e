//! What a command does with a file that is where it is to write one.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// What to do with a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it and fail.
    Refuse,
    /// Replace it.
    Replace,
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

    /// An error if there is a regular file at `path`, itself or behind a link, and it is not to be replaced. A device
    /// or a pipe is there to be written to.
    ///
    /// # Errors
    ///
    /// [`FileExists`].
    pub fn require(self, path: &Path) -> Result<(), FileExists> {
        if self == Existing::Refuse && path.is_file() {
            return Err(FileExists { path: path.into() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_refused_and_devices_are_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Existing::of(false).require(file.path()).unwrap_err();
        assert!(error.to_string().contains("--force"), "{error}");
        assert_eq!(Existing::of(true).require(file.path()), Ok(()));
        for other in ["/dev/null", "/no/such/file"] {
            assert_eq!(Existing::Refuse.require(Path::new(other)), Ok(()));
        }
    }
}
