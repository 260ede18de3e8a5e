//! The gate: green on what is as it was, red on each way not to be, and never green on what cannot be believed.

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
