//! `harness oracle`: lists, adds and removes oracles.

mod add;

use clap::{Args, Subcommand};
use cpp_shim::{Build, Check, Oracle};
use serde::Serialize;

use super::terminal::bold;
use super::{CliError, Output};
use crate::exit::Exit;
use crate::nearest;
use crate::oracles::{self, Refused};

/// Show the oracles, or add one: any checkout of llama.cpp or of a fork
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness oracle list
  harness oracle add mine ~/src/llama.cpp
  harness check --oracle mine
  harness check --candidate mine --oracle llama.cpp/strict")]
pub(super) struct OracleArgs {
    #[command(subcommand)]
    command: OracleCommand,
}

#[derive(Debug, Subcommand)]
enum OracleCommand {
    /// List the oracles, how each was built, and which of them this CPU can run
    #[command(after_help = "Examples:\n  harness oracle list\n  harness oracle list --format json")]
    List,
    /// Show one oracle
    #[command(after_help = "Examples:\n  harness oracle show llama.cpp/strict")]
    Show {
        /// Id of the oracle
        id: String,
    },
    Add(add::AddArgs),
    /// Remove an added oracle
    #[command(after_help = "Examples:\n  harness oracle remove mine")]
    Remove {
        /// Name of the oracle
        name: String,
    },
}

/// JSON output for an oracle.
#[derive(Serialize)]
struct OracleEntry {
    id: &'static str,
    /// Whether the user added it. Otherwise it is embedded in the binary.
    added: bool,
    /// Whether candidates must have the same results, bit for bit.
    identity: bool,
    /// The reason why the oracle is unavailable, if it is.
    unavailable: Option<String>,
    /// The supported types, if it is available.
    types: Vec<&'static str>,
    /// Those without known answers.
    unchecked: Vec<&'static str>,
    /// Types that it claims and computes wrong.
    refused: Vec<Refused>,
    upstream: &'static str,
    version: &'static str,
    source: &'static str,
    sha256: &'static str,
    compiler: &'static str,
    flags: &'static [&'static str],
    instruction_set: &'static [&'static str],
    arithmetic: &'static str,
}

impl OracleEntry {
    fn of(build: &'static Build) -> OracleEntry {
        let provenance = build.provenance();
        let (unavailable, description) = match loaded(build) {
            Ok(oracle) => (None, Some(oracle.description().clone())),
            Err(reason) => (Some(reason), None),
        };
        let (formats, failed) = match description {
            Some(description) => (description.formats, description.refused),
            None => (Vec::new(), Vec::new()),
        };
        let unchecked = formats.iter().filter(|info| info.check == Check::None);
        let record = oracles::record(build.id());
        let refused = match record {
            Some(record) => record.refused.clone(),
            None => failed.iter().map(Refused::of_products).collect(),
        };
        OracleEntry {
            id: provenance.id,
            added: record.is_some(),
            identity: provenance.identity,
            unavailable,
            unchecked: unchecked.map(|info| info.format.name()).collect(),
            types: formats.iter().map(|info| info.format.name()).collect(),
            refused,
            upstream: provenance.upstream,
            version: provenance.version,
            source: provenance.source,
            sha256: provenance.checksum,
            compiler: provenance.compiler,
            flags: provenance.flags,
            instruction_set: provenance.instruction_set,
            arithmetic: oracles::arithmetic(provenance.id),
        }
    }

    fn print(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let available = match &self.unavailable {
            Some(reason) => reason.clone(),
            None => "yes, and it gave the known answers".into(),
        };
        writeln!(out, "{}", bold(self.id))?;
        for (label, value) in [
            ("available", available),
            ("types", wrapped(&self.types, 19)),
            ("unchecked", wrapped(&self.unchecked, 19)),
            ("upstream", self.upstream.into()),
            ("version", self.version.into()),
            ("source", self.source.into()),
            ("sha256", self.sha256.into()),
            ("compiler", self.compiler.into()),
            ("flags", self.flags.join(" ")),
            ("instruction set", self.instruction_set.join(" ")),
            ("arithmetic", self.arithmetic.into()),
        ] {
            if !value.is_empty() {
                writeln!(out, "  {label:<16} {value}")?;
            }
        }
        for refused in &self.refused {
            writeln!(
                out,
                "  {:<16} {}: {}",
                "refused", refused.format, refused.reason
            )?;
        }
        Ok(())
    }
}

/// The loaded oracle, or the reason why it is unavailable: this CPU lacks a feature, or the oracle fails its self-test.
fn loaded(build: &Build) -> Result<Oracle, String> {
    build
        .availability()
        .map_err(|missing| format!("skipped: {missing}"))?;
    build.load().map_err(|error| format!("refused: {error}"))
}

/// Words on lines of at most 100 columns. All lines but the first start with `indent` spaces.
fn wrapped<S: AsRef<str>>(words: &[S], indent: usize) -> String {
    let (mut text, mut column) = (String::new(), indent);
    for word in words.iter().map(AsRef::as_ref) {
        if column > indent && column + 1 + word.len() > 100 {
            text += &format!("\n{:indent$}", "");
            column = indent;
        } else if column > indent {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += word.len();
    }
    text
}

pub(super) fn run(args: &OracleArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    match &args.command {
        OracleCommand::List => list(out),
        OracleCommand::Show { id } => show(id, out),
        OracleCommand::Add(args) => add::run(args, out),
        OracleCommand::Remove { name } => remove(name, out),
    }
}

fn list(out: &mut Output<'_>) -> Result<Exit, CliError> {
    let entries: Vec<OracleEntry> = oracles::all().map(OracleEntry::of).collect();
    out.document(|| &entries)?;
    let text = out.text();
    if entries.is_empty() {
        writeln!(
            text,
            "no oracle: this build lacks the cargo feature `oracle`"
        )?;
    }
    for entry in &entries {
        entry.print(text)?;
    }
    for error in oracles::damaged() {
        anstream::eprintln!("warning: {error}");
    }
    Ok(Exit::Agreement)
}

fn show(id: &str, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let entry = OracleEntry::of(named(id)?);
    out.document(|| &entry)?;
    entry.print(out.text())?;
    Ok(Exit::Agreement)
}

/// The oracle with this id.
///
/// # Errors
///
/// [`CliError::Usage`] for an unknown id, and [`CliError::Setup`] for a damaged oracle.
pub(super) fn named(id: &str) -> Result<&'static Build, CliError> {
    let found = oracles::find(id).map_err(|error| CliError::Setup(error.to_string()))?;
    found.ok_or_else(|| {
        let ids = oracles::all().map(Build::id);
        let hint = nearest::hint(id, ids, Some("harness oracle list"));
        CliError::Usage(format!("no oracle `{id}`: {hint}"))
    })
}

fn remove(name: &str, out: &mut Output<'_>) -> Result<Exit, CliError> {
    if cpp_shim::builds().iter().any(|build| build.id() == name) {
        let reason = format!("{name} is embedded in this binary and cannot be removed");
        return Err(CliError::Usage(reason));
    }
    if !oracles::remove(name)? {
        let added = oracles::added().iter().flatten();
        let hint = nearest::hint(name, added.map(|added| added.build.id()), None);
        return Err(CliError::Usage(format!("no added oracle `{name}`: {hint}")));
    }
    out.document(|| serde_json::json!({ "removed": name }))?;
    writeln!(out.text(), "removed {name}")?;
    Ok(Exit::Agreement)
}
