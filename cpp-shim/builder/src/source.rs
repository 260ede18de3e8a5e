//! The files of an upstream: those of the package pinned in `vendor/`, or of a checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;

use crate::Environment;
use crate::cache::Key;
use crate::error::{BuildError, tail};
use crate::headers::{Header, cmake_value, cxx_standard, generate, substituted};
use crate::pattern::{matches, matching, sources};
use crate::spec::{Layout, Pin, Upstream};

/// The file that every vintage has.
pub(crate) const GGML: &str = "ggml/src/ggml.c";

/// The header of the inference library.
pub(crate) const LLAMA_HEADER: &str = "include/llama.h";

/// The source of an upstream.
#[derive(Debug)]
pub(crate) struct Source {
    /// The root of llama.cpp.
    pub(crate) root: PathBuf,
    pub(crate) version: String,
    /// sha256 of the registry package, or of the compiled files of a checkout.
    pub(crate) checksum: String,
    /// Hash of what every object depends on besides its own file: of the package, or of the headers of a checkout.
    pub(crate) common: String,
    /// The package or the folder, for display.
    pub(crate) origin: String,
    /// Name in messages of assertions, in place of the root.
    pub(crate) name: String,
}

/// Source files relative to the root of llama.cpp.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// Files with arithmetic, compiled for each build.
    pub(crate) arithmetic: Vec<String>,
    /// Files with arithmetic that replaces the plain one, compiled with the macros of each build but without its
    /// instruction set.
    pub(crate) inactive: Vec<String>,
    /// All other files, compiled once.
    pub(crate) neutral: Vec<String>,
    /// Neutral files that are compiled as one, in groups.
    pub(crate) together: Vec<Vec<String>>,
}

impl Files {
    /// The same files without groups.
    pub(crate) fn ungrouped(mut self) -> Files {
        self.neutral.extend(self.together.drain(..).flatten());
        self
    }

    /// The files below `root` of a vintage. Without `with_models`, those of ggml alone. A `generic` build has no files
    /// for one architecture.
    pub(crate) fn list(
        root: &Path,
        layout: &Layout,
        upstream: &Upstream,
        architecture: Option<&str>,
        with_models: bool,
    ) -> Result<Files, BuildError> {
        let excluded = |file: &String| layout.exclude.iter().any(|pattern| matches(pattern, file));
        let listed = |patterns: &[String]| -> Result<Vec<String>, BuildError> {
            let mut files = sources(root, patterns)?;
            files.retain(|file| !excluded(file));
            Ok(files)
        };
        let mut arithmetic = listed(&layout.arithmetic)?;
        if let Some(patterns) = architecture.and_then(|name| layout.arithmetic_of.get(name)) {
            arithmetic.extend(listed(patterns)?);
        }
        arithmetic.extend(listed(&upstream.arithmetic)?);
        let is_inactive = |file: &String| layout.inactive.iter().any(|p| matches(p, file));
        let (inactive, arithmetic): (Vec<_>, Vec<_>) =
            arithmetic.into_iter().partition(is_inactive);
        let mut neutral = listed(&layout.neutral)?;
        if with_models {
            neutral.extend(listed(&layout.models)?);
        }
        neutral.retain(|file| !arithmetic.contains(file));
        let in_group = |file: &String| layout.together.iter().any(|pattern| matches(pattern, file));
        let (grouped, neutral): (Vec<_>, Vec<_>) = neutral.into_iter().partition(in_group);
        let together = grouped.chunks(layout.group.max(1)).map(<[_]>::to_vec);
        Ok(Files {
            arithmetic,
            inactive,
            neutral,
            together: together.collect(),
        })
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        let grouped = self.together.iter().flatten();
        let own = [&self.arithmetic, &self.inactive, &self.neutral];
        own.into_iter().flatten().chain(grouped)
    }

    /// sha256 of the files and of everything that they may include.
    pub(crate) fn checksum(&self, root: &Path, include: &[String]) -> Result<String, BuildError> {
        let files = self.all().cloned().collect();
        Ok(hash(root, files)?.with(headers(root, include)?).hex())
    }
}

/// Hash of the headers in the folders of `include`.
pub(crate) fn headers(root: &Path, include: &[String]) -> Result<String, BuildError> {
    let mut files = Vec::new();
    for folder in include {
        for pattern in ["*.h", "*.hpp", "*.inc", "*/*.h", "*/*.hpp"] {
            files.extend(matching(root, &format!("{folder}/{pattern}"))?);
        }
    }
    Ok(hash(root, files)?.hex())
}

/// Hash of the names and the contents of files.
fn hash(root: &Path, mut files: Vec<String>) -> Result<Key, BuildError> {
    files.sort();
    files.dedup();
    files.iter().try_fold(Key::default(), |key, file| {
        key.with(file).with_file(&root.join(file))
    })
}

impl Source {
    /// The headers that upstream's cmake would generate.
    pub(crate) fn generated(&self, layout: &Layout) -> Result<Vec<Header>, BuildError> {
        let versions = self.versions();
        generate(&self.root, &layout.templates, &values(&versions))
    }

    /// The macros of all files. Some vintages get their version from the command line.
    pub(crate) fn defines(&self, layout: &Layout) -> Vec<String> {
        let versions = self.versions();
        let defines = layout.defines.iter();
        defines
            .map(|define| substituted(define, &values(&versions)))
            .collect()
    }

    /// The newest standard of C++ that the files of cmake ask for.
    pub(crate) fn cxx_standard(&self) -> Option<u32> {
        const FILES: [&str; 4] = ["", "ggml/", "ggml/src/", "src/"];
        let text = |folder: &&str| {
            fs::read_to_string(self.root.join(format!("{folder}CMakeLists.txt")))
                .unwrap_or_default()
        };
        FILES
            .iter()
            .filter_map(|folder| cxx_standard(&text(folder)))
            .max()
    }

    /// Versions of ggml and of llama.cpp. The commit is left out, so that a commit compiles only changed files anew.
    fn versions(&self) -> [String; 2] {
        [
            version_in(&self.root.join("ggml/CMakeLists.txt"), "GGML"),
            version_in(&self.root.join("CMakeLists.txt"), "LLAMA"),
        ]
    }
}

fn values([ggml, llama]: &[String; 2]) -> [(&str, &str); 2] {
    [("GGML_VERSION", ggml), ("LLAMA_VERSION", llama)]
}

/// The version `major.minor.patch` in a file of cmake, or `unknown`.
pub(crate) fn version_in(path: &Path, project: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let number = |part: &str| cmake_value(&text, &format!("{project}_VERSION_{part}"));
    match (number("MAJOR"), number("MINOR"), number("PATCH")) {
        (Some(major), Some(minor), Some(patch)) => format!("{major}.{minor}.{patch}"),
        _ => "unknown".to_owned(),
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

/// The source in the registry package of an upstream, unpacked by `cargo`.
pub(crate) fn pinned(
    environment: &Environment,
    vendor: &Path,
    cargo: &str,
    pin: &Pin,
) -> Result<Source, BuildError> {
    let manifest = vendor.join(&pin.manifest);
    let lock = read_lock(&manifest, pin)?;
    let checksum = lock.checksum.unwrap_or_default();
    let package = format!("{} {}", pin.package, lock.version);

    // First without network: the registry folder usually has the package, and then this is fast.
    let mut output = metadata(environment, cargo, &manifest, &["--offline"])?;
    if !output.status.success() {
        output = metadata(environment, cargo, &manifest, &[])?;
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
        .find(|found| found.name == pin.package && found.version == lock.version)
        .and_then(|found| found.manifest_path.parent().map(Path::to_path_buf))
        .ok_or_else(|| lock_error(&manifest, pin))?;
    let root = folder.join(&pin.root);
    if !root.join(GGML).is_file() {
        return Err(BuildError::MissingFile {
            file: root.join(GGML),
            root: folder,
            package,
        });
    }
    Ok(Source {
        root,
        version: lock.version,
        common: checksum.clone(),
        checksum,
        origin: format!("registry package {package}"),
        name: pin.package.clone(),
    })
}

fn metadata(
    environment: &Environment,
    cargo: &str,
    manifest: &Path,
    options: &[&str],
) -> Result<Output, BuildError> {
    Command::new(cargo)
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

fn read_lock(manifest: &Path, pin: &Pin) -> Result<LockPackage, BuildError> {
    let path = manifest.with_file_name("Cargo.lock");
    let text = fs::read_to_string(&path).map_err(BuildError::io("read", &path))?;
    let lock: Lock = toml::from_str(&text).map_err(|error| BuildError::Syntax {
        path,
        reason: error.to_string(),
    })?;
    lock.package
        .into_iter()
        .find(|package| package.name == pin.package && package.checksum.is_some())
        .ok_or_else(|| lock_error(manifest, pin))
}

fn lock_error(manifest: &Path, pin: &Pin) -> BuildError {
    BuildError::Lock {
        path: manifest.with_file_name("Cargo.lock"),
        package: pin.package.clone(),
        manifest: pin.manifest.clone(),
    }
}
