//! Generates Rust code: a table of the builds with their embedded shared objects.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::cache::write_whole;
use crate::error::BuildError;
use crate::oracle::Oracle;

/// Writes `registry.rs` to `out_dir`. `cpp-shim/src/registry.rs` includes it.
pub(crate) fn write(out_dir: &Path, oracles: &[Oracle]) -> Result<(), BuildError> {
    let mut table = format!("static BUILDS: [Build; {}] = [\n", oracles.len());
    let mut files = Vec::new();
    for oracle in oracles {
        let file = format!("oracle-{}.so", &oracle.key[..16]);
        place(&oracle.shared_object, &out_dir.join(&file))?;
        append(&mut table, oracle, &file);
        files.push(file);
    }
    table.push_str("];\n");
    sweep(out_dir, &files);
    let path = out_dir.join("registry.rs");
    fs::write(&path, table).map_err(BuildError::io("write", &path))
}

fn append(table: &mut String, oracle: &Oracle, file: &str) {
    let provenance = &oracle.provenance;
    // Writing to a `String` cannot fail.
    let _ = writeln!(
        table,
        "    // SAFETY: cpp-shim's build script compiled the image from a pinned upstream for these features.
    unsafe {{ Build::new(
        Provenance {{
            id: {:?},
            upstream: {:?},
            version: {:?},
            checksum: {:?},
            source: {:?},
            compiler: {:?},
            flags: &{:?},
            instruction_set: &{:?},
        }},
        include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\")),
    ) }},",
        provenance.id,
        provenance.upstream,
        provenance.version,
        provenance.checksum,
        provenance.origin,
        provenance.compiler,
        provenance.flags,
        provenance.features,
    );
}

/// Copies the shared object to `out_dir`, from where it is embedded. The crate then compiles without the cache.
fn place(from: &Path, to: &Path) -> Result<(), BuildError> {
    if to.is_file() {
        return Ok(());
    }
    write_whole(to, |path| {
        fs::copy(from, path)
            .map(drop)
            .map_err(BuildError::io("copy", from))
    })
}

/// Removes shared objects of earlier runs. Errors are ignored, since leftover files only use disk space.
fn sweep(out_dir: &Path, keep: &[String]) {
    for entry in fs::read_dir(out_dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("oracle-") && !keep.iter().any(|kept| *kept == name) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
