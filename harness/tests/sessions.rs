//! Sessions of the oracles on generated models: one for each test, and two hundred in a row.

mod common;

use std::sync::Mutex;

use common::oracles::oracles;
use common::{ORACLE, generate};
use cpp_shim::{Oracle, SessionParams};
use harness::model::Model;
use harness::participant::missing_types;
use tempfile::tempdir;
use testing::test;

/// One test at a time: each looks at the memory of the process, or fills it.
static MEMORY: Mutex<()> = Mutex::new(());

fn params() -> SessionParams {
    SessionParams {
        n_ctx: 64,
        n_batch: 64,
        n_ubatch: 64,
        threads: 1,
        ..SessionParams::default()
    }
}

#[test(needs(ORACLE))]
fn a_generated_model_decodes_the_same_in_every_build() {
    let _alone = MEMORY.lock();
    let folder = tempdir().unwrap();
    for recipe in ["tiny-bitnet-i2_s", "tiny-llama-tq2_0"] {
        let model = generate(recipe, folder.path());
        let opened = Model::open(&model).unwrap();
        let has_types = |oracle: &Oracle| missing_types(oracle.description(), &opened).is_empty();
        for oracle in oracles().into_iter().filter(has_types) {
            let mut session = oracle.open(&model, &params()).unwrap();
            session.decode(&[1, 5, 7]).unwrap();
            let logits = session.logits(2).unwrap();
            assert_eq!(logits.len(), session.n_vocab());
            assert!(
                logits.iter().all(|logit| logit.is_finite()),
                "{}",
                oracle.id()
            );
        }
    }
}

#[test(needs(ORACLE))]
fn two_hundred_sessions_in_a_row_leave_memory_flat() {
    let _alone = MEMORY.lock();
    let folder = tempdir().unwrap();
    let model = generate("tiny-bitnet-i2_s", folder.path());
    let oracle = cpp_shim::builds()[0].load().unwrap();
    let round = || {
        let mut session = oracle.open(&model, &params()).unwrap();
        session.decode(&[1, 5]).unwrap();
    };
    // The first rounds fill the allocator's caches.
    (0..20).for_each(|_| round());
    let before = resident_bytes();
    (0..200).for_each(|_| round());
    let grown = resident_bytes().saturating_sub(before);
    // A session of this model takes about 3 MB, so a leak of even one in a hundred would show.
    assert!(grown < 4 << 20, "200 sessions left {grown} bytes behind");
}

/// Resident memory of this process, from `/proc`.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    let pages: usize = statm
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("statm");
    pages * 4096
}

fn main() -> std::process::ExitCode {
    testing::main()
}
