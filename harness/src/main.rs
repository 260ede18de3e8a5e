//! The command `harness`: parses, runs, and maps errors to exit codes.

use std::io::Write;

use clap::Parser;
use harness::cli::Cli;
use harness::exit::Exit;

fn main() -> Exit {
    let mut out = anstream::AutoStream::auto(std::io::stdout()).lock();
    let result = Cli::parse().run(&mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    result.unwrap_or_else(|error| {
        let exit = error.exit();
        if exit != Exit::Agreement {
            anstream::eprintln!("\x1b[1;31merror:\x1b[0m {error}");
        }
        exit
    })
}
