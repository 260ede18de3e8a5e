//! `harness oracle add`: compiles a checkout as an oracle, and checks its known answers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use cpp_shim::Check;
use oracle_builder::{Arithmetic, BuildError, Checkout, CheckoutBuild, Environment, Event, Spec};

use super::wrapped;
use crate::cli::terminal::bold;
use crate::cli::{CliError, Output, style};
use crate::exit::Exit;
use crate::oracles::known_models::{self, Answer};
use crate::oracles::{self, Record, Refused, RefusedBy};
use crate::participant::worker::{Excerpt, WorkerParams};
use crate::progress::Progress;

/// Name of the folder of compiled objects, beside the added oracles. No oracle can have it.
const OBJECTS: &str = ".objects";

/// Compile a checkout of llama.cpp or of a fork as an oracle, or link libraries that you compiled
///
/// The checkout may be of any time since August 2024. The shared object and its provenance are kept in the user's cache
/// folder; an oracle of the same name is replaced. Types whose known answers are wrong are refused.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness oracle add mine ~/src/llama.cpp
  harness oracle add mine-fma ~/src/llama.cpp --build fma
  harness oracle add mine-native ~/src/llama.cpp --build native --flags=\"-funroll-loops\"
  harness oracle add shipped ~/src/llama.cpp --lib ~/src/llama.cpp/build
  harness oracle add installed /usr/local --lib /usr/local/lib")]
pub(super) struct AddArgs {
    /// Name of the oracle, for `--oracle` and `--candidate`
    name: String,
    /// The checkout; with --lib, the checkout or the folder with the headers of the libraries
    path: PathBuf,
    /// Instruction set and contraction of products and sums
    #[arg(long, value_name = "BUILD", value_enum, default_value_t = Arithmetic::Strict.into(), conflicts_with = "libraries")]
    build: BuildName,
    /// Additional compiler flags of the files with arithmetic, separated by spaces
    #[arg(
        long,
        value_name = "FLAGS",
        allow_hyphen_values = true,
        conflicts_with = "libraries"
    )]
    flags: Option<String>,
    /// Link the libraries in this folder of a cmake build or of an installation, and compile nothing of the checkout
    #[arg(long = "lib", value_name = "DIR")]
    libraries: Option<PathBuf>,
}

/// [`Arithmetic`] on the command line.
#[derive(Debug, Clone, Copy)]
struct BuildName(Arithmetic);

impl From<Arithmetic> for BuildName {
    fn from(arithmetic: Arithmetic) -> BuildName {
        BuildName(arithmetic)
    }
}

impl ValueEnum for BuildName {
    fn value_variants<'a>() -> &'a [BuildName] {
        const ALL: [BuildName; 4] = [
            BuildName(Arithmetic::Strict),
            BuildName(Arithmetic::Fma),
            BuildName(Arithmetic::Scalar),
            BuildName(Arithmetic::Native),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self.0 {
            Arithmetic::Strict => "AVX2 as the intrinsics are written, without contraction",
            Arithmetic::Fma => "with contraction to fused multiply-adds, as release builds have it",
            Arithmetic::Scalar => "the generic C functions, if the checkout has them",
            Arithmetic::Native => "for the CPU of this machine",
        };
        Some(PossibleValue::new(self.0.name()).help(help))
    }
}

pub(super) fn run(args: &AddArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    oracles::require_name(&args.name)?;
    let spec = Spec::parse(cpp_shim::spec()).map_err(failed)?;
    let checkout = Checkout::inspect(&args.path, &spec).map_err(failed)?;
    anstream::eprintln!("found {checkout} in {}", checkout.folder.display());
    let folder = oracles::folder()?;
    let previous = oracles::record(&args.name).map(|record| record.version.clone());
    let environment = environment(&folder)?;
    let build = CheckoutBuild {
        id: args.name.clone(),
        arithmetic: args.build.0,
        flags: args
            .flags
            .iter()
            .flat_map(|flags| flags.split_whitespace())
            .map(String::from)
            .collect(),
        libraries: args.libraries.clone(),
    };
    let bar = style::bar();
    let report = |event: &Event| match event {
        Event::Compiling {
            file,
            position,
            total,
            ..
        } => {
            bar.set_length(*total as u64);
            bar.set_position(*position as u64 - 1);
            bar.set_message(format!("compile {file}"));
        }
        other => bar.set_message(other.to_string()),
    };
    let compiled = oracle_builder::checkout(&environment, &spec, &checkout, &build, &report);
    bar.finish_and_clear();
    let compiled = compiled.map_err(failed)?;
    let mut record = Record::new(
        &compiled.provenance,
        args.libraries.is_some(),
        checkout.has_models,
    );
    let stored = oracles::store(&mut record, &compiled.shared_object)?;
    let added = check(&mut record);
    if let Err(error) = added {
        oracles::remove(&record.name)?;
        return Err(error);
    }
    let checked = added?;
    record.checked = true;
    oracles::update(&record)?;
    out.document(|| &record)?;
    let text = out.text();
    writeln!(text, "{}", bold(&record.name))?;
    let lines = [
        ("upstream", record.upstream.clone()),
        ("version", record.version.clone()),
        ("flags", record.flags.join(" ")),
        ("types", wrapped(&checked.types, 13)),
        ("unchecked", wrapped(&checked.unchecked, 13)),
        (
            "models",
            if record.opens_models {
                wrapped(&checked.models, 13)
            } else {
                "none: no inference library".into()
            },
        ),
        ("kept in", stored.display().to_string()),
    ];
    for (label, value) in lines {
        if !value.is_empty() {
            writeln!(text, "  {label:<10} {value}")?;
        }
    }
    for refused in &record.refused {
        writeln!(
            text,
            "  {:<10} {}: {}",
            "refused", refused.format, refused.reason
        )?;
    }
    for (format, reason) in &checked.unopened {
        writeln!(text, "  {:<10} models of {format}: {reason}", "not opened")?;
    }
    if let Some(previous) = previous {
        writeln!(
            text,
            "it replaces an oracle of the same name, version {previous}"
        )?;
    }
    Ok(Exit::Agreement)
}

fn failed(error: BuildError) -> CliError {
    CliError::Setup(error.to_string())
}

/// Writes the shim's sources to the cache, from where they are compiled.
fn environment(folder: &Path) -> Result<Environment, CliError> {
    let cache = folder.join(OBJECTS);
    let shim = cache.join("shim");
    for (file, text) in cpp_shim::shim_files() {
        let path = shim.join(file);
        let write = || {
            std::fs::create_dir_all(path.parent().unwrap_or(&shim))?;
            std::fs::write(&path, text)
        };
        write().map_err(|source| CliError::Write {
            path: path.clone(),
            source,
        })?;
    }
    let architecture = std::env::consts::ARCH.to_owned();
    let target = format!("{architecture}-unknown-linux-gnu");
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Environment {
        shim,
        cache,
        architecture,
        host: target.clone(),
        target,
        jobs,
    })
}

/// The types of a checked oracle.
struct Checked {
    /// Types whose products are right, or not checked.
    types: Vec<String>,
    /// Types without known answers.
    unchecked: Vec<String>,
    /// Types whose models are right.
    models: Vec<String>,
    /// Types whose models the oracle does not open, with the reason.
    unopened: Vec<(String, String)>,
}

/// Checks every type that the oracle claims, each in a process of its own, and records those that must not be used.
fn check(record: &mut Record) -> Result<Checked, CliError> {
    let mut checked = Checked {
        types: Vec::new(),
        unchecked: Vec::new(),
        models: Vec::new(),
        unopened: Vec::new(),
    };
    let bar = style::bar();
    bar.set_message("check the known answers");
    let claimed = probe(&record.name, None)
        .map_err(|reason| CliError::Setup(format!("{} cannot be loaded: {reason}", record.name)))?;
    for format in claimed.lines() {
        match probe(&record.name, Some(format)) {
            Ok(how) => {
                checked.types.push(format.to_owned());
                if how.trim_end() == Check::None.name() {
                    checked.unchecked.push(format.to_owned());
                }
            }
            Err(reason) => record.refused.push(Refused {
                format: format.to_owned(),
                by: RefusedBy::Products,
                reason,
            }),
        }
    }
    if record.opens_models {
        // The workers load the oracle without the types that it must not be loaded with.
        oracles::update(record)?;
        let workers = WorkerParams::default();
        for format in &checked.types {
            let silent = Progress::silent();
            match known_models::check(&record.name, format, &checked.types, &workers, &silent)? {
                None => {}
                Some(Answer::Right) => checked.models.push(format.clone()),
                Some(Answer::NotOpened(reason)) => {
                    checked.unopened.push((format.clone(), reason));
                }
                Some(Answer::Wrong(reason)) => record.refused.push(Refused {
                    format: format.clone(),
                    by: RefusedBy::Models,
                    reason,
                }),
            }
        }
    }
    bar.finish_and_clear();
    Ok(checked)
}

/// Runs `harness probe-oracle` in a process of its own. Returns its output, or why it failed.
fn probe(name: &str, format: Option<&str>) -> Result<String, String> {
    let output = Command::new(WorkerParams::default().program)
        .arg("probe-oracle")
        .arg(name)
        .args(format)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut excerpt = Excerpt::default();
    // Reading from memory does not fail.
    _ = Excerpt::each_line(&output.stderr[..], |line| excerpt.add(line));
    let said = excerpt.text().replace('\n', "; ");
    Err(match output.status.code() {
        Some(_) => said.trim_start_matches("error: ").to_owned(),
        None => format!("its check ended the process ({}): {said}", output.status),
    })
}
