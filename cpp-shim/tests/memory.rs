//! Opening and closing sessions does not leak memory. The test has its own binary, because other tests would affect the
//! measurement.

mod common;

use common::{ORACLE, TOKENS, models_of, oracles, params};
use cpp_shim::{Graph, SessionParams, Status};
use testing::{MODELS, test};

/// Allowed growth in pages after the first rounds. Leaking a context of the smallest model would use 200 times 100
/// pages.
const SLACK_PAGES: u64 = 512;

/// Resident pages of memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test(needs(ORACLE, MODELS))]
fn two_hundred_rounds_leave_memory_flat() {
    for oracle in oracles() {
        for model in models_of(&oracle) {
            for graph in [Graph::Auto, Graph::Ops] {
                let params = SessionParams { graph, ..params() };
                let round = || match oracle.open(&model, &params) {
                    Ok(mut session) => session.decode(&TOKENS).unwrap(),
                    // The architecture is not of the family. Memory of the rejected file is freed as well.
                    Err(error) => assert_eq!(error.status(), Some(Status::Unsupported), "{error}"),
                };
                for _ in 0..10 {
                    round();
                }
                let before = resident();
                for _ in 0..200 {
                    round();
                }
                let grown = resident().saturating_sub(before);
                assert!(
                    grown <= SLACK_PAGES,
                    "{} {graph:?}: {grown} pages more",
                    model.display()
                );
            }
        }
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
