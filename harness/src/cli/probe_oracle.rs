//! `harness probe-oracle`, which only `harness oracle add` calls: it checks an oracle in a process of its own, because
//! a wrong kernel may crash.

use clap::Args;

use super::{CliError, Output};
use crate::exit::Exit;
use crate::oracles;

/// List the types that an oracle claims, or check the known answers of one and print how
#[derive(Debug, Args)]
pub(super) struct ProbeOracleArgs {
    /// Id of the oracle
    id: String,
    /// Name of the type
    type_name: Option<String>,
}

pub(super) fn run(args: &ProbeOracleArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let build = oracles::find(&args.id).map_err(|error| CliError::Setup(error.to_string()))?;
    let build = build.ok_or_else(|| CliError::Usage(format!("no oracle `{}`", args.id)))?;
    match &args.type_name {
        None => {
            for format in build.claimed()? {
                writeln!(out.text(), "{format}")?;
            }
        }
        Some(name) => {
            let check = build.check(cpp_shim::Format::named(name))?;
            writeln!(out.text(), "{}", check.name())?;
        }
    }
    Ok(Exit::Agreement)
}
