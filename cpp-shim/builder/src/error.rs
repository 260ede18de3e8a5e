//! Errors of building the oracles, with hints on how to fix them.

use std::path::{Path, PathBuf};

/// Maximum number of lines of another program's output in an error.
const SHOWN_LINES: usize = 15;

/// Why an oracle could not be compiled. The messages say what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "a message documents its variant")]
pub enum BuildError {
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
         to build without the oracles: --no-default-features\n\
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
        "vendor/oracles.toml has a build of `{upstream}`, which has no [upstream.\"{upstream}\".pin]"
    )]
    NotPinned { upstream: String },

    #[error("vendor/oracles.toml names the part `{part}` of the shim but has no such list")]
    UnknownPart { part: String },

    #[error(
        "{} cannot be compiled as an oracle: {reason}\n\
         expected: a checkout of llama.cpp since August 2024 or of a fork, with its submodules; \
         or with --lib, a folder with the headers of its libraries",
        folder.display()
    )]
    Checkout { folder: PathBuf, reason: String },

    #[error(
        "{} has no {missing}.so and no {missing}.a, nor have its folders bin, lib, lib64, src and ggml/src\n\
         expected: the folder of a cmake build, or of an installation",
        folder.display()
    )]
    Library { folder: PathBuf, missing: String },

    #[error(
        "{} has headers but no sources\n\
         give the folder of its compiled libraries with --lib",
        folder.display()
    )]
    HeadersOnly { folder: PathBuf },

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

    #[error(
        "{what} failed ({status})\n{}command: {command}\ncompiler output:\n{output}",
        line_of(first)
    )]
    Compiler {
        what: String,
        status: String,
        /// The first error with its place.
        first: Option<String>,
        command: String,
        output: String,
    },

    #[error(
        "the shim does not compile against {}: this vintage lacks a declaration that the shim needs, or has it \
         with another name or other parameters\n\
         cpp-shim/src/vintage.hpp and vintage_llama.hpp have the names of other vintages\n{cause}",
        folder.display()
    )]
    Shim {
        folder: PathBuf,
        cause: Box<BuildError>,
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

fn line_of(first: &Option<String>) -> String {
    first
        .as_ref()
        .map(|first| format!("{first}\n"))
        .unwrap_or_default()
}

/// The first line of a compiler's output that is an error, with file and line.
pub(crate) fn first_error(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let mut lines = text.lines();
    let line = lines.find(|line| {
        [": error: ", ": fatal error: ", "undefined reference"]
            .iter()
            .any(|sign| line.contains(sign))
    })?;
    Some(line.trim().to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_shown_with_its_place() {
        let output = b"In file included from a.c:1:\na.h:3:1: warning: w\na.h:7:9: error: unknown type\nb.c:1: error: x\n";
        assert_eq!(
            first_error(output).as_deref(),
            Some("a.h:7:9: error: unknown type")
        );
        let linker = b"ld: x.o: in function f:\nx.c:9: undefined reference to `g'\n";
        assert_eq!(
            first_error(linker).as_deref(),
            Some("x.c:9: undefined reference to `g'")
        );
        assert_eq!(first_error(b"fine\n"), None);
    }
}
