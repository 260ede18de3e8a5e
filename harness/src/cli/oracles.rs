//! `harness oracles`: lists the oracles.

use clap::Args;
use cpp_shim::Build;
use serde::Serialize;

use super::terminal::bold;
use super::{CliError, Output};
use crate::exit::Exit;

/// List the oracles, how each was built, and which of them this CPU can run
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  harness oracles\n  harness check --oracle bitnet.cpp/strict")]
pub(super) struct OraclesArgs {}

/// JSON output for an oracle.
#[derive(Serialize)]
struct OracleEntry {
    id: &'static str,
    /// The reason why the oracle is unavailable, if it is.
    unavailable: Option<String>,
    upstream: &'static str,
    version: &'static str,
    source: &'static str,
    sha256: &'static str,
    compiler: &'static str,
    flags: &'static [&'static str],
    instruction_set: &'static [&'static str],
}

impl OracleEntry {
    fn of(build: &'static Build) -> OracleEntry {
        let provenance = build.provenance();
        OracleEntry {
            id: build.id(),
            unavailable: unavailable(build),
            upstream: provenance.upstream,
            version: provenance.version,
            source: provenance.source,
            sha256: provenance.checksum,
            compiler: provenance.compiler,
            flags: provenance.flags,
            instruction_set: provenance.instruction_set,
        }
    }
}

/// The reason why an oracle is unavailable: this CPU lacks a feature, or the oracle fails its self-test.
fn unavailable(build: &Build) -> Option<String> {
    if let Err(missing) = build.availability() {
        return Some(format!("skipped: {missing}"));
    }
    build.load().err().map(|error| format!("refused: {error}"))
}

pub(super) fn run(_args: &OraclesArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let builds = cpp_shim::builds();
    out.document(|| builds.iter().map(OracleEntry::of).collect::<Vec<_>>())?;
    let out = out.text();
    if builds.is_empty() {
        writeln!(
            out,
            "no oracle: this build lacks the cargo feature `oracle`"
        )?;
    }
    for build in builds {
        let provenance = build.provenance();
        let available = match unavailable(build) {
            Some(reason) => reason,
            None => "yes, and it gave the known answers".into(),
        };
        writeln!(out, "{}", bold(build.id()))?;
        for (label, value) in [
            ("available", available),
            ("upstream", provenance.upstream.into()),
            ("version", provenance.version.into()),
            ("source", provenance.source.into()),
            ("sha256", provenance.checksum.into()),
            ("compiler", provenance.compiler.into()),
            ("flags", provenance.flags.join(" ")),
            ("instruction set", provenance.instruction_set.join(" ")),
        ] {
            writeln!(out, "  {label:<16} {value}")?;
        }
    }
    Ok(Exit::Agreement)
}
