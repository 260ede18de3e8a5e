//! Reads the receipts named on the command line: files, folders or standard input.

use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::CliError;
use crate::receipt::{self, Receipt, ReceiptError};

/// Path that means standard input.
const STDIN: &str = "-";

/// Reads and verifies receipts. A folder stands for the receipts that [`receipt::files`] finds in it.
///
/// # Errors
///
/// [`CliError::Receipt`] for the first file that is no valid receipt. [`CliError::Setup`] for a folder without any.
pub(super) fn read_all(named: &[PathBuf]) -> Result<Vec<Receipt>, CliError> {
    let files = files(named)?;
    let read: Vec<Result<Receipt, ReceiptError>> =
        files.par_iter().map(|path| read(path)).collect();
    Ok(read.into_iter().collect::<Result<_, _>>()?)
}

/// Paths of the receipts: the named files, and for folders those of [`receipt::files`].
///
/// # Errors
///
/// [`CliError`] for a folder that cannot be read or contains no receipt.
pub(super) fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in named {
        let found = receipt::files(path)?;
        if found.is_empty() {
            let path = path.display();
            return Err(CliError::Setup(format!(
                "{path}: no .json file in this folder"
            )));
        }
        files.extend(found);
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Receipt, ReceiptError> {
    if path == Path::new(STDIN) {
        return Receipt::read_from(io::stdin(), Path::new("standard input"));
    }
    Receipt::read(path)
}
