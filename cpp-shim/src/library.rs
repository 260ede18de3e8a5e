//! Loading a shared object and finding its entry point.

use std::error::Error;
use std::ffi::c_int;
use std::io;
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW, Symbol};

use crate::error::OracleError;
use crate::ffi::{ORACLE_ABI_VERSION, oracle_api};
use crate::image::Staged;
use crate::table::Table;

/// With `RTLD_NOW`, a missing symbol is an error here instead of an abort later. With `RTLD_LOCAL`, oracles do not
/// share symbols.
const FLAGS: c_int = RTLD_NOW | RTLD_LOCAL;

type Entry = unsafe extern "C" fn(abi_version: u32) -> *const oracle_api;
type Stage = fn(&[u8]) -> io::Result<Staged>;

/// Loads `image` until the end of the process.
///
/// It is never unloaded, because it has thread-local buffers, whose destructors are in its code.
///
/// # Safety
///
/// `image` must meet the requirements of [`Build::new`](crate::Build::new), and this CPU must have its features.
pub(crate) unsafe fn load(oracle: &str, image: &[u8]) -> Result<Table, OracleError> {
    // SAFETY: the function has the same contract as this one.
    unsafe { load_by(oracle, image, &[Staged::in_memory, Staged::on_disk]) }
}

/// Loads the shared object at `path` until the end of the process.
///
/// # Safety
///
/// The file must meet the requirements of [`Build::in_file`](crate::Build::in_file), and this CPU must have its
/// features.
pub(crate) unsafe fn load_file(oracle: &str, path: &Path) -> Result<Table, OracleError> {
    // SAFETY: this runs the initializers of the file, which are sound on this CPU by this function's contract.
    let library = unsafe { Library::open(Some(path), FLAGS) };
    let library = library.map_err(|error| OracleError::Load {
        oracle: oracle.to_owned(),
        reason: with_causes(&error),
    })?;
    table(oracle, library)
}

/// Tries each way of staging in order. The error contains the reasons of all failures.
///
/// # Safety
///
/// As [`load`].
unsafe fn load_by(oracle: &str, image: &[u8], ways: &[Stage]) -> Result<Table, OracleError> {
    let mut reasons = Vec::new();
    for stage in ways {
        let staged = stage(image).map_err(|error| error.to_string());
        // SAFETY: `open` has the same contract as this function.
        match staged.and_then(|staged| unsafe { open(staged) }) {
            Ok(library) => return table(oracle, library),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(OracleError::Load {
        oracle: oracle.to_owned(),
        reason: reasons.join("; "),
    })
}

/// # Safety
///
/// As [`load`].
unsafe fn open(staged: Staged) -> Result<Library, String> {
    // SAFETY: this runs the initializers of the image. By this function's contract, they are sound on this CPU.
    let library = unsafe { Library::open(Some(staged.path()), FLAGS) };
    let library = library.map_err(|error| with_causes(&error))?;
    if let Staged::Memory { .. } = staged {
        // The number of the descriptor is part of the path and must not be reused for another image.
        std::mem::forget(staged);
    }
    Ok(library)
}

fn table(oracle: &str, library: Library) -> Result<Table, OracleError> {
    // SAFETY: `oracle_entry` has this type in `oracle.h`.
    let entry: Result<Symbol<Entry>, _> = unsafe { library.get(b"oracle_entry\0") };
    let entry = *entry.map_err(|error| OracleError::Load {
        oracle: oracle.to_owned(),
        reason: with_causes(&error),
    })?;
    std::mem::forget(library);
    // SAFETY: the function accepts any version, and the library is never unloaded.
    let api = unsafe { entry(ORACLE_ABI_VERSION) };
    // SAFETY: the pointer is NULL or a static table of a library that is never unloaded.
    let api = unsafe { api.as_ref() }.ok_or_else(|| OracleError::Mismatch {
        oracle: oracle.to_owned(),
        reason: format!("it does not serve version {ORACLE_ABI_VERSION} of the ABI"),
    })?;
    // SAFETY: by returning a table for this version of the ABI, the oracle guarantees that its functions follow it.
    unsafe { Table::new(oracle, api) }
}

/// The error and its causes on one line. The message of the linker is a cause.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::builds;

    #[test]
    fn every_way_of_staging_loads() {
        let runs = builds().iter().find(|build| build.availability().is_ok());
        let build = testing::require!(runs.ok_or("no oracle is compiled in for this CPU"));
        for stage in [Staged::in_memory as Stage, Staged::on_disk] {
            // SAFETY: the image is that of a build whose features this CPU has.
            let table = unsafe { load_by(build.id(), build.image().unwrap(), &[stage]) }.unwrap();
            assert_eq!(table.describe().unwrap().id, build.id());
        }
    }

    #[test]
    fn the_next_way_is_tried_and_all_reasons_are_reported() {
        let broken: Stage = |_| Err(io::Error::other("no such way"));
        // SAFETY: the image is not a shared object.
        let error = unsafe { load_by("x", b"neither", &[broken, Staged::on_disk]) }
            .err()
            .unwrap();
        let text = error.to_string();
        assert!(text.contains("no such way; "), "{text}");
        assert!(text.contains("oracle-"), "{text}");
    }

    #[test]
    fn a_staged_file_is_removed() {
        let staged = Staged::on_disk(b"image").unwrap();
        let path = staged.path().to_path_buf();
        assert_eq!(std::fs::read(&path).unwrap(), b"image");
        drop(staged);
        assert!(!path.exists());
    }
}
