//! Why there is no report.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::destination::DestinationError;
use crate::receipt::ReceiptError;

/// Why receipts do not become a report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A receipt cannot be read or believed.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// A folder cannot be read.
    #[error("cannot read {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is nothing to report on.
    #[error("{}: no receipt (*.json); receipts are made with `--receipt FILE`", listed(.paths))]
    NoReceipt {
        /// Where one was looked for.
        paths: Vec<PathBuf>,
    },
    /// A figure cannot be drawn.
    #[error("cannot draw {figure}: {reason}; this is an error of the harness")]
    Draw {
        /// Which.
        figure: String,
        /// What the drawing library said.
        reason: String,
    },
    /// A document cannot be written out.
    #[error("cannot fill in the page: {0}; this is an error of the harness")]
    Template(#[from] askama::Error),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] DestinationError),
}

fn listed(paths: &[PathBuf]) -> String {
    let words: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    words.join(", ")
}
