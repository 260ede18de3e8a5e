//! JSON files that are whole or not there.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use tempfile::NamedTempFile;

/// Writes `value` beside its place and renames it there, so that no half of a file is ever found.
///
/// # Errors
///
/// What the operating system says.
pub fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")?;
    file.persist(path)?;
    Ok(())
}
