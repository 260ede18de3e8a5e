//! Loading a shared object and finding its entry point.

use std::error::Error;
use std::ffi::c_int;
use std::io;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW, Symbol};

use crate::error::OracleError;
use crate::ffi::{ORACLE_ABI_VERSION, oracle_api};
use crate::image::Staged;
use crate::table::Table;

/// Now, so that a missing symbol is an error here and not an abort later; local, so that two
/// oracles do not see each other.
const FLAGS: c_int = RTLD_NOW | RTLD_LOCAL;

type Entry = unsafe extern "C" fn(abi_version: u32) -> *const oracle_api;
type Stage = fn(&[u8]) -> io::Result<Staged>;

/// Loads `image` for the life of the process.
///
/// It is never unloaded: threads keep buffers of its own, whose destructors are code in it.
pub(crate) fn load(oracle: &str, image: &[u8]) -> Result<Table, OracleError> {
    load_by(oracle, image, &[Staged::in_memory, Staged::on_disk])
}

/// Tries one way of staging after the other; the error tells of all of them.
fn load_by(oracle: &str, image: &[u8], ways: &[Stage]) -> Result<Table, OracleError> {
    let mut reasons = Vec::new();
    for stage in ways {
        match stage(image)
            .map_err(|error| error.to_string())
            .and_then(open)
        {
            Ok(library) => return table(oracle, library),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(OracleError::Load {
        oracle: oracle.to_owned(),
        reason: reasons.join("; "),
    })
}

fn open(staged: Staged) -> Result<Library, String> {
    // SAFETY: this runs the initialisers of the image: C++ static constructors of files that are
    // compiled for the baseline instruction set, and the caller has checked the CPU for the rest.
    let library = unsafe { Library::open(Some(staged.path()), FLAGS) };
    let library = library.map_err(|error| with_causes(&error))?;
    if let Staged::Memory { .. } = staged {
        // The descriptor's number is part of the path, and must not be given to another image.
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
    // SAFETY: takes any version, and is loaded for good.
    let api = unsafe { entry(ORACLE_ABI_VERSION) };
    // SAFETY: NULL or a static table of a library that is never unloaded.
    let api = unsafe { api.as_ref() }.ok_or_else(|| OracleError::Mismatch {
        oracle: oracle.to_owned(),
        reason: format!("it does not serve version {ORACLE_ABI_VERSION} of the ABI"),
    })?;
    // SAFETY: the oracle vouches for its functions by serving this version of the ABI.
    unsafe { Table::new(oracle, api) }
}

/// The error and what caused it, on one line: the linker's own words are a cause.
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
            let table = load_by(build.id(), build.image(), &[stage]).unwrap();
            assert_eq!(table.describe().unwrap().id, build.id());
        }
    }

    #[test]
    fn the_next_way_is_tried_and_all_reasons_are_told() {
        let broken: Stage = |_| Err(io::Error::other("no such way"));
        let error = load_by("x", b"neither", &[broken, Staged::on_disk])
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
