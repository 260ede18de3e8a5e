//! Errors of reports.

use std::path::PathBuf;

use thiserror::Error;

use crate::destination::DestinationError;
use crate::receipt::ReceiptError;

/// An error in creating a report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A receipt cannot be read or verified.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// There are no receipts in these paths.
    #[error("{}: no receipt (*.json); `--receipt FILE` writes a receipt", listed(.0))]
    NoReceipt(Vec<PathBuf>),
    /// A figure cannot be drawn.
    #[error("cannot draw {figure}: {reason}; this is an error of the harness")]
    Draw {
        /// Title of the figure.
        figure: String,
        /// Message of the drawing library.
        reason: String,
    },
    /// The HTML template cannot be rendered.
    #[error("cannot render the page: {0}; this is an error of the harness")]
    Template(#[from] askama::Error),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] DestinationError),
}

fn listed(paths: &[PathBuf]) -> String {
    let words = paths.iter().map(|path| path.display().to_string());
    words.collect::<Vec<_>>().join(", ")
}
