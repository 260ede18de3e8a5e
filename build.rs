//! Build script of `cpp-shim`. It compiles the oracles of `vendor/oracles.toml` and generates the tables that the crate
//! embeds: the builds, and what is needed to compile other oracles at run time.
//!
//! The cache of objects is the folder `oracles` of the target folder. All cargo profiles share it.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use oracle_builder::{Environment, Event, Oracle, Spec};

/// Files that cargo creates at the top of a target folder. It creates the first only in a folder that it has created.
const MARKS: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];

type Failure = Box<dyn std::error::Error>;

fn variable(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|_| {
        format!("{name} is not set: this program is a build script, run it through cargo").into()
    })
}

/// `<target folder>/oracles`, or `<out_dir>/oracles` if no target folder is found above `out_dir`.
fn cache(out_dir: &Path) -> PathBuf {
    out_dir
        .ancestors()
        .find(|ancestor| MARKS.iter().any(|mark| ancestor.join(mark).is_file()))
        .unwrap_or(out_dir)
        .join("oracles")
}

/// Cargo shows the output of a build script only if the script fails, so events are written to the terminal if there is
/// one. Errors are ignored: the build does not depend on progress messages.
fn print(terminal: Option<&Mutex<File>>, event: &Event) {
    match terminal {
        Some(terminal) => {
            if let Ok(mut terminal) = terminal.lock() {
                // The cursor is in cargo's status line, which is overwritten.
                let _ = writeln!(terminal, "\r\x1b[K{event}");
            }
        }
        None => eprintln!("{event}"),
    }
}

fn run() -> Result<(), Failure> {
    let shim = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let vendor = shim.join("../vendor").canonicalize()?;
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let text = fs::read_to_string(vendor.join("oracles.toml"))?;
    let spec = Spec::parse(&text)?;
    for folder in [&vendor, &shim.join("src"), &shim.join("include")] {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    write_sources(&shim, &vendor, &spec, &out_dir)?;
    if std::env::var_os("CARGO_FEATURE_VENDORED").is_none() {
        return write_registry(&out_dir, &[]);
    }
    let environment = Environment {
        cache: cache(&out_dir),
        architecture: variable("CARGO_CFG_TARGET_ARCH")?,
        target: variable("TARGET")?,
        host: variable("HOST")?,
        jobs: variable("NUM_JOBS")?.parse().unwrap_or(1).max(1),
        shim,
    };
    let terminal = OpenOptions::new()
        .write(true)
        .open("/dev/tty")
        .ok()
        .map(Mutex::new);
    let report = |event: &Event| print(terminal.as_ref(), event);
    let cargo = variable("CARGO")?;
    let oracles = oracle_builder::pinned(&environment, &vendor, &cargo, &spec, &report)?;
    write_registry(&out_dir, &oracles)
}

/// Writes `sources.rs`, which embeds the specification and the files of the shim.
fn write_sources(shim: &Path, vendor: &Path, spec: &Spec, out_dir: &Path) -> Result<(), Failure> {
    let spec_path = vendor.join("oracles.toml");
    let mut text = format!("static SPEC: &str = include_str!({spec_path:?});\n");
    text.push_str("static SHIM_FILES: &[(&str, &str)] = &[\n");
    for file in spec.shim_files(shim)? {
        writeln!(
            text,
            "    ({file:?}, include_str!({:?})),",
            shim.join(&file)
        )?;
    }
    text.push_str("];\n");
    Ok(fs::write(out_dir.join("sources.rs"), text)?)
}

/// Writes `registry.rs`, a table of the builds with their embedded shared objects.
fn write_registry(out_dir: &Path, oracles: &[Oracle]) -> Result<(), Failure> {
    let mut table = format!("static BUILDS: [Build; {}] = [\n", oracles.len());
    let mut files = Vec::new();
    for oracle in oracles {
        let file = format!("oracle-{}.so", &oracle.key[..16]);
        let provenance = &oracle.provenance;
        place(&oracle.shared_object, &out_dir.join(&file))?;
        writeln!(
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
            identity: {:?},
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
            provenance.identity,
        )?;
        files.push(file);
    }
    table.push_str("];\n");
    sweep(out_dir, &files);
    Ok(fs::write(out_dir.join("registry.rs"), table)?)
}

/// Copies the shared object to `out_dir`, from where it is embedded. The crate then compiles without the cache.
fn place(from: &Path, to: &Path) -> Result<(), Failure> {
    if !to.is_file() {
        let partial = to.with_extension("partial");
        fs::copy(from, &partial)?;
        fs::rename(&partial, to)?;
    }
    Ok(())
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

fn main() {
    // Cargo fails the build for `cargo::error` and shows only these lines. With an exit code other than 0 it would
    // print all output of this program.
    if let Err(error) = run() {
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
    }
}
