//! Receipts: their schema, what verification refuses, what merging keeps, and what an interrupted run leaves.

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
