//! The command `harness`: parses, runs, and maps errors to exit codes.

use harness::cli::{self, Cli};
use harness::exit::Exit;

fn main() -> Exit {
    let cli = Cli::of_this_process();
    cli::conclude(|out| cli.run(out))
}
