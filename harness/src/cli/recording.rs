//! Runs that leave a receipt, and runs that end early.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{CliError, watched};
use crate::interrupt;
use crate::receipt::{self, Receipt, ReceiptError};

/// Where the receipt goes.
#[derive(Debug, Args)]
pub(super) struct ReceiptOption {
    /// Write what ran, on what, and what came out to this file, as JSON
    #[arg(long = "receipt", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl ReceiptOption {
    /// Whether one is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        self.path.is_some()
    }

    /// Before the work: what would keep the receipt from being written after it, and from here on Ctrl-C ends the work
    /// between two steps.
    ///
    /// # Errors
    ///
    /// [`CliError::Receipt`] if no receipt can be written.
    pub(super) fn prepare(&self) -> Result<(), CliError> {
        // Before the first signal can come.
        if let Some(path) = &self.path {
            interrupt::not_written(path.display().to_string());
        }
        watched(interrupt::watch_steps(interrupt::GRACE))?;
        let Some(path) = &self.path else {
            return Ok(());
        };
        receipt::built_from().ok_or(ReceiptError::CommitUnknown)?;
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        if folder.is_some_and(|folder| !folder.is_dir()) {
            let source = io::Error::new(io::ErrorKind::NotFound, "there is no such folder");
            let path = path.clone();
            return Err(ReceiptError::Write { path, source }.into());
        }
        Ok(())
    }

    /// Writes the receipt, if one was made.
    ///
    /// # Errors
    ///
    /// [`CliError::Receipt`].
    pub(super) fn write(&self, receipt: Option<&Receipt>) -> Result<(), CliError> {
        if let (Some(path), Some(receipt)) = (&self.path, receipt) {
            receipt.write(path)?;
            interrupt::written();
        }
        Ok(())
    }

    /// An error that says what was not done, if the work was interrupted.
    ///
    /// # Errors
    ///
    /// [`CliError::Interrupted`].
    pub(super) fn require_done(&self, not_done: impl FnOnce() -> String) -> Result<(), CliError> {
        if !interrupt::asked() {
            return Ok(());
        }
        interrupt::not_done(not_done());
        Err(CliError::Interrupted(interrupt::message()))
    }
}
