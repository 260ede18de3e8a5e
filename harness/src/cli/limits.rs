//! Turns system limits into errors instead of signals and panics.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rayon::ThreadPoolBuilder;
use signal_hook::consts::SIGXFSZ;
use signal_hook::flag;

use super::CliError;
use crate::limit;

/// Handles SIGXFSZ, so that a write beyond the limit of file sizes returns an error instead of ending the process. Any
/// handler has this effect.
///
/// # Errors
///
/// The operating system's error.
pub(super) fn catch_file_size() -> Result<(), CliError> {
    flag::register(SIGXFSZ, Arc::default())?;
    Ok(())
}

/// Starts the thread pool before the work, because a failure to start it later would panic.
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

/// The text of an error, followed by the system limit that explains it, if any.
pub(super) fn explained(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let system = causes.filter_map(|error| error.downcast_ref::<io::Error>());
    match system.filter_map(limit::of_error).next() {
        Some(limit) => format!("{error} ({limit})"),
        None => error.to_string(),
    }
}
