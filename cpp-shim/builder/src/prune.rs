//! Removes files from the cache that no build needs any more.
//!
//! Several targets share a cache. Each has a list of the files that its latest build needs.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

/// Extension of the lists.
const LIST: &str = "needed";

/// Extensions of files that are removed if no list contains them. `partial` files are left by interrupted builds.
const PRUNED: [&str; 4] = ["o", "so", "cpp", "partial"];

/// Records the files in `folder` that the build for `target` needs, and removes those that no target needs. The caller
/// must hold the lock of the cache.
pub(crate) fn prune(folder: &Path, target: &str, needed: &BTreeSet<String>) -> io::Result<()> {
    let list: Vec<&str> = needed.iter().map(String::as_str).collect();
    fs::write(folder.join(format!("{target}.{LIST}")), list.join("\n"))?;

    let has_extension = |path: &Path, extensions: &[&str]| {
        let extension = path.extension().and_then(OsStr::to_str);
        extension.is_some_and(|extension| extensions.contains(&extension))
    };
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut all = BTreeSet::new();
    for entry in &entries {
        if has_extension(&entry.path(), &[LIST]) {
            let list = fs::read_to_string(entry.path())?;
            all.extend(list.lines().map(str::to_owned));
        }
    }
    for entry in &entries {
        let path = entry.path();
        let name = entry.file_name();
        if has_extension(&path, &PRUNED) && !name.to_str().is_some_and(|name| all.contains(name)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "prune/tests.rs"]
mod tests;
