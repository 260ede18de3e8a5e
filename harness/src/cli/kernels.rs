//! `harness kernels`: what there is on the Rust side.

use std::io::Write;

use clap::Args;
use qk256::kernel;

use super::{CliError, style};
use crate::exit::Exit;

/// List the kernels of the Rust side, and which of them this CPU can run
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  harness kernels\n  harness check --kernel i2_s.group128.scalar"
)]
pub(super) struct KernelsArgs {}

pub(super) fn run(_args: &KernelsArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let mut table = style::table(&["kernel", "format", "instruction set", "available"], 0..0);
    for kernel in kernel::all() {
        let available = match kernel.availability() {
            Ok(()) if kernel::best(kernel.format()).id() == kernel.id() => "yes, chosen".into(),
            Ok(()) => "yes".into(),
            Err(missing) => format!("skipped: {missing}"),
        };
        table.add_row([
            kernel.id(),
            kernel.format().id,
            kernel.isa().name(),
            &available,
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(Exit::Agreement)
}
