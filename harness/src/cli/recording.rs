//! Runs that leave a receipt, and runs that end early.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, Output, watched};
use crate::destination::{Destination, Destinations};
use crate::interrupt;
use crate::receipt::{self, Receipt, ReceiptError};

/// Where the receipt goes.
#[derive(Debug, Args)]
pub(super) struct ReceiptOption {
    /// Write what ran, on what, and what came out to this file, as JSON; `-` is standard output
    #[arg(long = "receipt", value_name = "FILE")]
    path: Option<PathBuf>,
}

/// A run whose receipt has a place to go, if one is wanted.
#[derive(Debug)]
pub(super) struct Recording {
    destination: Option<Destination>,
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
    /// [`CliError`] if no receipt can be written.
    pub(super) fn prepare(
        &self,
        mut destinations: Destinations,
        out: &mut Output<'_>,
    ) -> Result<Recording, CliError> {
        // Before the first signal can come.
        if let Some(path) = &self.path {
            interrupt::not_written(path.display().to_string());
        }
        watched(interrupt::watch_steps(interrupt::GRACE))?;
        let mut destination = None;
        if let Some(path) = &self.path {
            receipt::built_from().ok_or(ReceiptError::CommitUnknown)?;
            destination = Some(destinations.file(path)?);
        }
        out.share(&destinations)?;
        Ok(Recording { destination })
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

impl Recording {
    /// Writes the receipt, if one was made.
    ///
    /// # Errors
    ///
    /// [`CliError::Receipt`].
    pub(super) fn write(self, receipt: Option<&Receipt>) -> Result<(), CliError> {
        if let (Some(destination), Some(receipt)) = (self.destination, receipt) {
            receipt.write_to(destination)?;
            interrupt::written();
        }
        Ok(())
    }
}
