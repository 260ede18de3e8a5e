//! Errors of building the oracles, with hints on how to fix them.

use std::path::{Path, PathBuf};

/// Maximum number of lines of another program's output in an error.
const SHOWN_LINES: usize = 15;

#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("{name} is not set: this program is a build script, run it through cargo")]
    NotUnderCargo { name: &'static str },

    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },

    #[error("{} does not parse: {reason}", path.display())]
    Syntax { path: PathBuf, reason: String },

    #[error("vendor/oracles.toml names upstream `{upstream}` but has no [upstream.\"{upstream}\"]")]
    UnknownUpstream { upstream: String },

    #[error(
        "vendor/oracles.toml has no flags for {architecture} in {table}\n\
         build for x86_64 or aarch64, or without the oracles: --no-default-features"
    )]
    Architecture { table: String, architecture: String },

    #[error(
        "the source of {package} is not available and could not be fetched\n\
         the first build downloads it, so it needs the network once; later builds work offline\n\
         without network: LLAMA_CPP_DIR=/path/to/a/bitnet.cpp/checkout, or no oracles at all:\n\
         --no-default-features\n\
         cargo output:\n{output}"
    )]
    Fetch { package: String, output: String },

    #[error(
        "{} does not match its Cargo.toml: it has no {package} with a checksum\n\
         restore the file, or run: cargo generate-lockfile --manifest-path vendor/{manifest}",
        path.display()
    )]
    Lock {
        path: PathBuf,
        package: String,
        manifest: String,
    },

    #[error(
        "LLAMA_CPP_DIR={} is not a bitnet.cpp checkout: {missing} is not there\n\
         expected: the root of a checkout of the vintage of {package}, with its submodules\n\
         (git submodule update --init), or no LLAMA_CPP_DIR at all for the pinned source",
        root.display()
    )]
    LocalSource {
        root: PathBuf,
        missing: String,
        package: String,
    },

    #[error("LLAMA_CPP_DIR={} must be an absolute path", root.display())]
    LocalRelative { root: PathBuf },

    #[error(
        "{} is missing from the source of {package}\n\
         the package in cargo's registry folder is damaged: delete {} and build again",
        file.display(), root.display()
    )]
    MissingFile {
        file: PathBuf,
        root: PathBuf,
        package: String,
    },

    #[error(
        "no {language} compiler: `{program}` cannot be run ({reason})\n\
         install one (Debian: apt-get install g++), or name yours in {variable}; \
         --no-default-features builds without the oracles"
    )]
    NoCompiler {
        language: &'static str,
        program: String,
        reason: String,
        variable: &'static str,
    },

    #[error("{what} failed ({status})\ncommand: {command}\ncompiler output:\n{output}")]
    Compiler {
        what: String,
        status: String,
        command: String,
        output: String,
    },
}

impl BuildError {
    pub(crate) fn io(
        action: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// The last lines of a program's output, indented. A note replaces the lines before them.
pub(crate) fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let skipped = lines.len().saturating_sub(SHOWN_LINES);
    let mut shown: Vec<String> = lines[skipped..]
        .iter()
        .map(|line| format!("    {line}"))
        .collect();
    if skipped > 0 {
        shown.insert(0, format!("    ... ({skipped} lines before)"));
    }
    if shown.is_empty() {
        shown.push("    (nothing)".into());
    }
    shown.join("\n")
}
