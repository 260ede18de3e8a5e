//! `harness kernels`: lists the kernels of the Rust implementation.

use clap::Args;
use qk256::kernel::{self, Kernel};
use serde::Serialize;

use super::{CliError, Output, style};
use crate::exit::Exit;

/// List the kernels of the Rust implementation and which of them this CPU can run
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  harness kernels\n  harness check --kernel i2_s.group128.scalar"
)]
pub(super) struct KernelsArgs {}

/// JSON output for a kernel.
#[derive(Serialize)]
struct KernelEntry {
    id: &'static str,
    format: &'static str,
    instruction_set: &'static str,
    /// Whether this CPU uses the kernel for the format.
    chosen: bool,
    /// The reason why this CPU cannot run the kernel, if it cannot.
    skipped: Option<String>,
}

impl KernelEntry {
    fn of(kernel: &Kernel) -> KernelEntry {
        KernelEntry {
            id: kernel.id(),
            format: kernel.format().id,
            instruction_set: kernel.isa().name(),
            chosen: kernel::best(kernel.format()).id() == kernel.id(),
            skipped: kernel
                .availability()
                .err()
                .map(|missing| missing.to_string()),
        }
    }
}

pub(super) fn run(_args: &KernelsArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
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
    writeln!(out.text(), "{table}")?;
    out.document(|| {
        kernel::all()
            .iter()
            .map(KernelEntry::of)
            .collect::<Vec<_>>()
    })?;
    Ok(Exit::Agreement)
}
