//! A folder of the user's with llama.cpp or a fork.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::BuildError;
use crate::source::{Files, GGML, LLAMA_HEADER, Source, version_in};
use crate::spec::Spec;

/// Folders of a checkout that may be the root of llama.cpp.
const ROOTS: [&str; 2] = ["", "3rdparty/llama.cpp"];

/// Folders with the headers of an installed library.
const INSTALLED: [&str; 2] = ["include", ""];

/// A folder with llama.cpp, a fork, or ggml alone.
#[derive(Debug)]
pub struct Checkout {
    /// The folder as given, canonical.
    pub folder: PathBuf,
    /// The root of llama.cpp, or the folder of the headers of an installed library.
    pub root: PathBuf,
    /// The upstream, as in `vendor/oracles.toml`.
    pub upstream: String,
    /// Whether the files are sources. Otherwise they are the headers of an installed library.
    pub has_sources: bool,
    /// Whether there is the inference library. Without it only ggml can be called.
    pub has_models: bool,
    /// Whether ggml has the operations of the CPU in a folder of their own, as since the end of 2024.
    pub split_cpu: bool,
    /// Version of ggml in its cmake file, or `unknown`.
    pub ggml_version: String,
    /// The checked-out commit, if the folder is the top of a git repository.
    pub commit: Option<Commit>,
}

/// A commit of a git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The hash, hexadecimal.
    pub hash: String,
    /// Date of the commit, `YYYY-MM-DD`.
    pub date: String,
    /// Whether files differ from the commit.
    pub dirty: bool,
}

impl Checkout {
    /// Finds out what is in a folder.
    ///
    /// # Errors
    ///
    /// [`BuildError::Checkout`] says what is missing.
    pub fn inspect(folder: &Path, spec: &Spec) -> Result<Checkout, BuildError> {
        let refused = |reason: String| BuildError::Checkout {
            folder: folder.to_path_buf(),
            reason,
        };
        let folder = folder
            .canonicalize()
            .map_err(|error| refused(format!("it cannot be opened: {error}")))?;
        let root = ROOTS.iter().map(|root| folder.join(root));
        if let Some(root) = root.into_iter().find(|root| root.join(GGML).is_file()) {
            let marked = |name: &&String| {
                let marks = &spec.upstream[*name].marks;
                !marks.is_empty() && marks.iter().all(|mark| root.join(mark).exists())
            };
            let unmarked = |name: &&String| spec.upstream[*name].marks.is_empty();
            let upstream = spec.upstream.keys().find(marked);
            let upstream = upstream.or_else(|| spec.upstream.keys().find(unmarked));
            let upstream = upstream.ok_or_else(|| refused("it is no known upstream".into()))?;
            return Ok(Checkout {
                upstream: upstream.clone(),
                has_sources: true,
                has_models: root.join(LLAMA_HEADER).is_file(),
                split_cpu: root.join("ggml/src/ggml-cpu").is_dir(),
                ggml_version: version_in(&root.join("ggml/CMakeLists.txt"), "GGML"),
                commit: commit(&folder),
                folder,
                root,
            });
        }
        if folder.join("ggml.c").is_file() {
            return Err(refused(missing(&folder)));
        }
        let installed = INSTALLED.iter().map(|part| folder.join(part));
        if let Some(root) = installed
            .into_iter()
            .find(|root| root.join("ggml.h").is_file())
        {
            return Ok(Checkout {
                upstream: "installed library".to_owned(),
                has_sources: false,
                has_models: root.join("llama.h").is_file(),
                split_cpu: root.join("ggml-cpu.h").is_file(),
                ggml_version: "unknown".to_owned(),
                commit: None,
                folder,
                root,
            });
        }
        Err(refused(missing(&folder)))
    }

    /// The error of compiling a folder that has no sources where they are expected.
    pub(crate) fn without_sources(&self) -> BuildError {
        let folder = self.folder.clone();
        if folder.join("src/ggml.c").is_file() {
            let reason = missing(&folder);
            return BuildError::Checkout { folder, reason };
        }
        BuildError::HeadersOnly { folder }
    }

    /// The source of an oracle that is compiled from the checkout.
    pub(crate) fn source(&self, checksum: String, common: String) -> Source {
        Source {
            common,
            root: self.root.clone(),
            version: self.version(),
            checksum,
            origin: self.folder.display().to_string(),
            name: "checkout".to_owned(),
        }
    }

    /// The commit, or the version of ggml if there is none.
    pub fn version(&self) -> String {
        match &self.commit {
            Some(commit) => commit.to_string(),
            None => format!("no commit, ggml {}", self.ggml_version),
        }
    }

    /// The source files.
    pub(crate) fn files(
        &self,
        spec: &Spec,
        architecture: Option<&str>,
    ) -> Result<Files, BuildError> {
        let upstream = spec.upstream(&self.upstream)?;
        Files::list(
            &self.root,
            &spec.layout,
            upstream,
            architecture,
            self.has_models,
        )
    }
}

impl fmt::Display for Checkout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.upstream)?;
        if let Some(commit) = &self.commit {
            write!(f, ", commit {commit} of {}", commit.date)?;
        }
        if self.ggml_version != "unknown" {
            write!(f, ", ggml {}", self.ggml_version)?;
        }
        let cpu = if self.split_cpu { "with" } else { "without" };
        write!(f, ", {cpu} a CPU backend of its own")?;
        if !self.has_models {
            write!(f, ", without the inference library (llama.h)")?;
        }
        Ok(())
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dirty = if self.dirty { " (with changes)" } else { "" };
        write!(f, "{}{dirty}", self.hash)
    }
}

/// Which instruction set and which contraction a checkout is compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// The intrinsics as written, without contraction of products and sums.
    Strict,
    /// With contraction to fused multiply-adds.
    Fma,
    /// The generic C functions, without intrinsics.
    Scalar,
    /// For the CPU of this machine.
    Native,
}

impl Arithmetic {
    /// All variants.
    pub const ALL: [Arithmetic; 4] = [
        Arithmetic::Strict,
        Arithmetic::Fma,
        Arithmetic::Scalar,
        Arithmetic::Native,
    ];

    /// Name on the command line and in the ids of builds.
    pub const fn name(self) -> &'static str {
        match self {
            Arithmetic::Strict => "strict",
            Arithmetic::Fma => "fma",
            Arithmetic::Scalar => "scalar",
            Arithmetic::Native => "native",
        }
    }
}

/// How a checkout is compiled.
#[derive(Clone, Debug)]
pub struct CheckoutBuild {
    /// Id of the oracle.
    pub id: String,
    /// Instruction set and contraction.
    pub arithmetic: Arithmetic,
    /// Additional compiler flags.
    pub flags: Vec<String>,
    /// The folder of compiled libraries that are linked in place of the checkout's sources.
    pub libraries: Option<PathBuf>,
}

/// What a folder without ggml lacks.
fn missing(folder: &Path) -> String {
    if folder.join("ggml.c").is_file() {
        return "its files have the layout of before June 2024 (ggml.c at the top), which is not supported".into();
    }
    if folder.join("src/ggml.c").is_file() {
        return "it is ggml without llama.cpp around it; link its compiled libraries with --lib, and give the folder \
                that its headers are installed in"
            .into();
    }
    for submodule in ["3rdparty/llama.cpp", "vendor/llama.cpp"] {
        let path = folder.join(submodule);
        if path.is_dir() && !path.join(GGML).is_file() {
            return format!(
                "{submodule} is empty; fetch it with: git submodule update --init --recursive"
            );
        }
    }
    format!("it has neither {GGML} (a checkout) nor include/ggml.h (an installed library)")
}

/// The checked-out commit, if `folder` is the top of a git repository.
fn commit(folder: &Path) -> Option<Commit> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["--no-optional-locks", "-C"])
            .arg(folder)
            .args(arguments)
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    // A folder inside another project's repository is not of its commits.
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != folder {
        return None;
    }
    let shown = git(&["log", "-1", "--format=%H %cs"])?;
    let (hash, date) = shown.split_once(' ')?;
    Some(Commit {
        hash: hash.to_owned(),
        date: date.to_owned(),
        dirty: !git(&[
            "status",
            "--porcelain",
            "--",
            "include",
            "ggml",
            "src",
            "3rdparty",
        ])?
        .is_empty(),
    })
}

#[cfg(test)]
#[path = "checkout/tests.rs"]
mod tests;
