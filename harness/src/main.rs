//! The command `harness`: parses, runs, and maps errors to exit codes.

use harness::cli::Cli;
use harness::exit::Exit;

fn main() -> Exit {
    Cli::of_this_process().conclude()
}
