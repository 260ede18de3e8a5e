//! Limits of the system that a command may run into, as errors instead of signals and panics.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rayon::ThreadPoolBuilder;
use signal_hook::consts::SIGXFSZ;
use signal_hook::flag;

use super::CliError;
use crate::limit;

/// From now on a write beyond the limit of file sizes is an error of that write, and no signal that ends the process:
/// with a handler, whatever it does, the write fails as any other does.
///
/// # Errors
///
/// What the operating system says.
pub(super) fn catch_file_size() -> Result<(), CliError> {
    flag::register(SIGXFSZ, Arc::default())?;
    Ok(())
}

/// Starts the threads that share the work, which would otherwise start in the midst of it, and panic if they cannot.
///
/// # Errors
///
/// [`CliError::Setup`].
pub(super) fn start_threads() -> Result<(), CliError> {
    let pool = ThreadPoolBuilder::new().build_global();
    pool.map_err(|error| {
        CliError::Setup(format!(
            "cannot start the threads that share the work: {}",
            explained(&error)
        ))
    })
}

/// An error, and the limit of the system that it comes from, if it is one.
pub(super) fn explained(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let system = causes.filter_map(|error| error.downcast_ref::<io::Error>());
    match system.filter_map(limit::of_error).next() {
        Some(limit) => format!("{error} ({limit})"),
        None => error.to_string(),
    }
}
