//! Receipts: their schema, verification, merging, and interrupted runs.

#[path = "../common/mod.rs"]
mod common;

mod generated;
mod interruption;
mod merging;
mod real;
mod refusal;
mod schema;

fn main() -> std::process::ExitCode {
    testing::main()
}
