//! The source of an upstream: the package pinned in `vendor/`, or the checkout in `LLAMA_CPP_DIR`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;

use crate::cache::Key;
use crate::error::{BuildError, tail};
use crate::spec::Upstream;
use crate::{Environment, variable};

pub(crate) struct Source {
    /// The root folder, with the layout of a checkout of the upstream.
    pub(crate) root: PathBuf,
    pub(crate) version: String,
    /// sha256 of the registry package, or of the compiled sources of a checkout.
    pub(crate) checksum: String,
    /// The package or the folder, for display.
    pub(crate) origin: String,
}

impl Source {
    pub(crate) fn locate(
        environment: &Environment,
        upstream: &Upstream,
    ) -> Result<Self, BuildError> {
        println!("cargo::rerun-if-env-changed=LLAMA_CPP_DIR");
        match std::env::var_os("LLAMA_CPP_DIR").filter(|folder| !folder.is_empty()) {
            Some(folder) => local(Path::new(&folder), upstream),
            None => pinned(environment, upstream),
        }
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    version: String,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<LockPackage>,
}

#[derive(Deserialize)]
struct LockPackage {
    name: String,
    version: String,
    checksum: Option<String>,
}

fn pinned(environment: &Environment, upstream: &Upstream) -> Result<Source, BuildError> {
    let manifest = environment.vendor.join(&upstream.manifest);
    let lock = read_lock(&manifest, upstream)?;
    let checksum = lock.checksum.unwrap_or_default();
    let package = format!("{} {}", upstream.package, lock.version);

    // First without network: the registry folder usually has the package, and then this is fast.
    let mut output = metadata(environment, &manifest, &["--offline"])?;
    if !output.status.success() {
        output = metadata(environment, &manifest, &[])?;
    }
    if !output.status.success() {
        return Err(BuildError::Fetch {
            package,
            output: tail(&output.stderr),
        });
    }
    let found: Metadata =
        serde_json::from_slice(&output.stdout).map_err(|error| BuildError::Syntax {
            path: "cargo metadata".into(),
            reason: error.to_string(),
        })?;
    let folder = found
        .packages
        .into_iter()
        .find(|found| found.name == upstream.package && found.version == lock.version)
        .and_then(|found| found.manifest_path.parent().map(Path::to_path_buf))
        .ok_or_else(|| lock_error(&manifest, upstream))?;
    let root = folder.join(&upstream.root);
    if let Some(file) = upstream
        .files()
        .map(|file| root.join(file))
        .find(|file| !file.is_file())
    {
        return Err(BuildError::MissingFile {
            file,
            root: folder,
            package,
        });
    }
    Ok(Source {
        root,
        version: lock.version,
        checksum,
        origin: format!("registry package {package}"),
    })
}

fn metadata(
    environment: &Environment,
    manifest: &Path,
    options: &[&str],
) -> Result<Output, BuildError> {
    let cargo = variable("CARGO")?;
    Command::new(&cargo)
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
        ])
        .arg(&environment.target)
        .arg("--manifest-path")
        .arg(manifest)
        .args(options)
        .output()
        .map_err(BuildError::io("run", cargo))
}

fn read_lock(manifest: &Path, upstream: &Upstream) -> Result<LockPackage, BuildError> {
    let path = manifest.with_file_name("Cargo.lock");
    let text = std::fs::read_to_string(&path).map_err(BuildError::io("read", &path))?;
    let lock: Lock = toml::from_str(&text).map_err(|error| BuildError::Syntax {
        path,
        reason: error.to_string(),
    })?;
    lock.package
        .into_iter()
        .find(|package| package.name == upstream.package && package.checksum.is_some())
        .ok_or_else(|| lock_error(manifest, upstream))
}

fn lock_error(manifest: &Path, upstream: &Upstream) -> BuildError {
    BuildError::Lock {
        path: manifest.with_file_name("Cargo.lock"),
        package: upstream.package.clone(),
        manifest: upstream.manifest.clone(),
    }
}

fn local(root: &Path, upstream: &Upstream) -> Result<Source, BuildError> {
    if root.is_relative() {
        return Err(BuildError::LocalRelative {
            root: root.to_path_buf(),
        });
    }
    let missing = |missing: &str| BuildError::LocalSource {
        root: root.to_path_buf(),
        missing: missing.to_owned(),
        package: upstream.package.clone(),
    };
    if let Some(file) = upstream.files().find(|file| !root.join(file).is_file()) {
        return Err(missing(file));
    }
    let mut files: Vec<PathBuf> = upstream.files().map(PathBuf::from).collect();
    for folder in &upstream.include {
        let entries = std::fs::read_dir(root.join(folder)).map_err(|_| missing(folder))?;
        files.extend(
            entries
                .filter_map(|entry| Some(Path::new(folder).join(entry.ok()?.file_name())))
                .filter(|file| {
                    file.extension()
                        .is_some_and(|end| end == "h" || end == "hpp")
                }),
        );
    }
    files.sort();
    files.dedup();
    let mut key = Key::default();
    for file in &files {
        let path = root.join(file);
        println!("cargo::rerun-if-changed={}", path.display());
        key = key
            .with(file.as_os_str().as_encoded_bytes())
            .with_file(&path)?;
    }
    let version = match commit(root) {
        Some(commit) => format!("local {commit}"),
        None => "local".to_owned(),
    };
    Ok(Source {
        root: root.to_path_buf(),
        version,
        checksum: key.hex(),
        origin: root.display().to_string(),
    })
}

/// The checked-out commit, if `root` is the top of a git repository.
fn commit(root: &Path) -> Option<String> {
    if !root.join(".git").exists() {
        return None;
    }
    // Every commit and checkout changes this file.
    let log = root.join(".git/logs/HEAD");
    if log.is_file() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["rev-parse", "HEAD"])
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
