//! `harness completions` and `harness man`: shell completions and manual pages.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use super::{CliError, Output, command};
use crate::exit::Exit;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness completions bash > ~/.local/share/bash-completion/completions/harness
  harness completions zsh > \"${fpath[1]}/_harness\"
  harness completions fish > ~/.config/fish/completions/harness.fish")]
pub(super) struct CompletionsArgs {
    /// Shell to generate the script for
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    out.require_text()?;
    // Written to memory first, because the generator panics if the output cannot be written.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "harness", &mut script);
    out.verdict().write_all(&script)?;
    Ok(Exit::Agreement)
}

/// Write the manual pages of all commands into a folder
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Folder to write to; created if missing
    folder: PathBuf,
}

pub(super) fn man(args: &ManArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    out.require_text()?;
    let write = || {
        std::fs::create_dir_all(&args.folder)?;
        clap_mangen::generate_to(command(), &args.folder)
    };
    write().map_err(|source| CliError::Write {
        path: args.folder.clone(),
        source,
    })?;
    Ok(Exit::Agreement)
}
