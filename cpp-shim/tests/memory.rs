//! Opening and closing sessions does not use up memory. In a binary of its own: other tests would
//! disturb the figure.

mod common;

use common::{ORACLE, TOKENS, oracles, params};
use cpp_shim::{Graph, SessionParams, Status};
use testing::{MODELS, models, test};

/// Pages beyond what the first rounds took. A leaked context of the smallest model would take 100
/// times 200.
const SLACK_PAGES: u64 = 512;

/// Pages of memory that are resident.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test(needs(ORACLE, MODELS))]
fn two_hundred_rounds_leave_memory_flat() {
    for oracle in oracles() {
        for model in models() {
            for graph in [Graph::Auto, Graph::Ops] {
                let params = SessionParams { graph, ..params() };
                let round = || match oracle.open(&model, &params) {
                    Ok(mut session) => session.decode(&TOKENS).unwrap(),
                    // Not of the family; what was read to find that out is freed as well.
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
