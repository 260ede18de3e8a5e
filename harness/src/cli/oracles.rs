//! `harness oracles`: what there is to compare with.

use std::io::Write;

use clap::Args;

use super::CliError;
use crate::exit::Exit;

/// List the oracles, how each was built, and which of them this CPU can run
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  harness oracles\n  harness check --oracle bitnet.cpp/strict")]
pub(super) struct OraclesArgs {}

pub(super) fn run(_args: &OraclesArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let builds = cpp_shim::builds();
    if builds.is_empty() {
        writeln!(
            out,
            "no oracle: this build lacks the cargo feature `oracle`"
        )?;
    }
    for build in builds {
        let provenance = build.provenance();
        let available = match (
            build.availability(),
            build.availability().and(Ok(build.load())),
        ) {
            (Err(missing), _) => format!("skipped: {missing}"),
            (Ok(()), Ok(Err(error))) => format!("refused: {error}"),
            (Ok(()), _) => "yes, and it gave the known answers".into(),
        };
        writeln!(out, "\x1b[1m{}\x1b[0m", build.id())?;
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
