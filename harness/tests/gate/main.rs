//! The gate: passes unchanged receipts, fails on each kind of change, and never passes invalid receipts.

#[path = "../common/mod.rs"]
mod common;
#[path = "../receipts/generated.rs"]
#[allow(dead_code, reason = "the tests of receipts use the rest")]
mod generated;

mod accepting;
mod command;
mod criteria;
mod made;
mod planted;

fn main() -> std::process::ExitCode {
    testing::main()
}
