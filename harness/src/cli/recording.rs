//! Runs that write a receipt, and their interruption.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, Output, watched};
use crate::destination::{Destination, Destinations};
use crate::interrupt;
use crate::receipt::{self, Receipt, ReceiptError};

/// The option for the receipt.
#[derive(Debug, Default, Args)]
pub(super) struct ReceiptOption {
    /// Write a receipt (what ran, its inputs and its results) to this file as JSON; `-` means standard output
    #[arg(long = "receipt", value_name = "FILE")]
    path: Option<PathBuf>,
}

/// A prepared run with the destination of its receipt, if one was requested.
#[derive(Debug)]
pub(super) struct Recording {
    destination: Option<Destination>,
}

impl ReceiptOption {
    /// Whether a receipt was requested.
    pub(super) fn is_wanted(&self) -> bool {
        self.path.is_some()
    }

    /// Prepares a run: checks that the receipt can be written later, and makes Ctrl-C end the work between two steps.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no receipt can be written.
    pub(super) fn prepare(
        &self,
        mut destinations: Destinations,
        out: &mut Output<'_>,
    ) -> Result<Recording, CliError> {
        // Before the signal handling is installed, which reports this file.
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

    /// Returns an error that names the missing work, if the run was interrupted.
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
    /// Writes the receipt if one was made.
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
