//! Oracles in worker processes: they give the same results as sessions in this process, and this process survives their
//! failures.

mod common;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::oracles::build;
use common::{ORACLE, generate};
use harness::inference::{Inference, InferenceError, InferenceParams, TracedNode};
use harness::participant::OracleImplementation;
use harness::participant::worker::{Worker, WorkerParams};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::{TempDir, tempdir, tempdir_in};
use testing::test;

const TOKENS: [u32; 5] = [1, 5, 7, 9, 100];

/// Parameters for workers of the command under test.
fn params() -> WorkerParams {
    WorkerParams {
        program: env!("CARGO_BIN_EXE_harness").into(),
        ..WorkerParams::default()
    }
}

/// A small model and a worker that has it open.
fn open(folder: &TempDir, params: &WorkerParams) -> (PathBuf, Worker) {
    let model = generate(
        "tiny-bitnet-i2_s",
        tempdir_in(folder).unwrap().keep().as_path(),
    );
    let worker = Worker::open(build().id(), &model, &InferenceParams::default(), params).unwrap();
    (model, worker)
}

fn send(worker: &Worker, signal: Signal) {
    let process = Pid::from_raw(worker.process() as i32).unwrap();
    kill_process(process, signal).unwrap();
}

/// Whether a process exists and is not a zombie that its new parent has not reaped yet.
fn lives(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The state follows the name, which is in parentheses.
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// How a worker was lost, and its last output.
#[track_caller]
fn lost(error: InferenceError) -> (String, String) {
    match error {
        InferenceError::Lost { how, stderr, .. } => (how, stderr),
        other => panic!("{other:?}"),
    }
}

/// A program instead of the command.
fn program(folder: &Path, script: &str) -> WorkerParams {
    let program = folder.join("program");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    WorkerParams {
        program,
        ..WorkerParams::default()
    }
}

/// The error of a worker that runs this script.
fn imposter(script: &str) -> InferenceError {
    let folder = tempdir().unwrap();
    let params = program(folder.path(), script);
    loop {
        let model = Path::new("model.gguf");
        let error = Worker::open("any", model, &InferenceParams::default(), &params).unwrap_err();
        // Another test may have forked while the program was being written, so that its child has it open for a moment.
        if !error.to_string().contains("Text file busy") {
            return error;
        }
    }
}

#[test(needs(ORACLE))]
fn a_worker_answers_as_a_session_of_this_process_does() {
    let folder = tempdir().unwrap();
    let (model, mut worker) = open(&folder, &params());
    let build = cpp_shim::builds()
        .iter()
        .find(|build| build.id() == worker.id());
    let here = OracleImplementation::new(build.unwrap().load().unwrap());
    let mut session = here
        .open_inference(&model, &InferenceParams::default())
        .unwrap();
    assert_eq!(worker.vocabulary(), session.vocabulary());
    let traced = |implementation: &mut dyn Inference| {
        let mut nodes: Vec<TracedNode> = Vec::new();
        let logits = implementation
            .decode(&TOKENS, Some(&mut |node| nodes.push(node)))
            .unwrap();
        (nodes, logits, implementation.decode(&[3, 2], None).unwrap())
    };
    let (nodes, logits, more) = traced(&mut worker);
    assert!(nodes.len() > 50 && nodes.iter().all(|node| !node.values.is_empty()));
    assert_eq!(logits.len(), TOKENS.len() * worker.vocabulary());
    assert_eq!((nodes, logits, more), traced(session.as_mut()));
    assert_eq!(worker.tokenize("text"), session.tokenize("text"));
}

#[test(needs(ORACLE))]
fn a_refusal_does_not_lose_the_worker() {
    let folder = tempdir().unwrap();
    let (model, mut worker) = open(&folder, &params());
    for tokens in [&[][..], &[1_000_000], &[1; 600]] {
        let error = worker.decode(tokens, None).unwrap_err();
        assert!(matches!(error, InferenceError::Refused { .. }), "{error:?}");
    }
    assert!(worker.decode(&TOKENS, None).is_ok());

    let open = |oracle: &str, model: &Path| {
        Worker::open(oracle, model, &InferenceParams::default(), &params()).unwrap_err()
    };
    let error = open(worker.id(), Path::new("no/such/model.gguf"));
    assert!(matches!(error, InferenceError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("no/such/model.gguf"), "{error}");
    let error = open("no/such/oracle", &model);
    assert!(matches!(error, InferenceError::Refused { .. }), "{error:?}");
}

#[test(needs(ORACLE))]
fn a_new_worker_works_after_a_killed_one() {
    let folder = tempdir().unwrap();
    for (signal, name) in [
        (Signal::KILL, "SIGKILL"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::ILL, "SIGILL"),
    ] {
        let (_, mut worker) = open(&folder, &params());
        send(&worker, signal);
        let error = worker.decode(&TOKENS, None).unwrap_err();
        assert!(
            error.to_string().contains("while decoding 5 tokens"),
            "{error}"
        );
        let (how, _) = lost(error.clone());
        assert!(how.contains(name), "{how}");
        assert_eq!(worker.decode(&TOKENS, None), Err(error));
        assert!(!lives(worker.process()));
    }
    let (_, mut worker) = open(&folder, &params());
    assert!(worker.decode(&TOKENS, None).is_ok());
}

#[test(needs(ORACLE))]
fn a_worker_killed_while_sending_nodes_is_lost() {
    let folder = tempdir().unwrap();
    let (_, mut worker) = open(&folder, &params());
    let process = Pid::from_raw(worker.process() as i32).unwrap();
    let mut nodes = 0;
    // More nodes than a pipe holds, so that the worker is sending them when it dies.
    let tokens = [1; 200];
    let mut sink = |_: TracedNode| {
        nodes += 1;
        if nodes == 3 {
            kill_process(process, Signal::KILL).unwrap();
        }
    };
    let error = worker.decode(&tokens, Some(&mut sink)).unwrap_err();
    assert!(lost(error).0.contains("SIGKILL"));
    assert!((3..20).contains(&nodes), "{nodes}");
}

#[test(needs(ORACLE))]
fn a_hanging_worker_is_killed_after_the_time_limit() {
    let folder = tempdir().unwrap();
    // Opened with the long limit, because the machine may be busy.
    let (_, mut worker) = open(&folder, &params());
    worker.set_limit(Duration::from_millis(500));
    send(&worker, Signal::STOP);
    let (how, _) = lost(worker.decode(&TOKENS, None).unwrap_err());
    assert_eq!(how, "gave no answer in 500ms and was killed");
    assert!(!lives(worker.process()));
}

#[test(needs(ORACLE))]
fn a_large_request_does_not_block_on_a_worker_that_does_not_read() {
    let folder = tempdir().unwrap();
    let (_, mut worker) = open(&folder, &params());
    worker.set_limit(Duration::from_millis(500));
    send(&worker, Signal::STOP);
    let text = "text ".repeat(1 << 18);
    let (how, _) = lost(worker.tokenize(&text).unwrap_err());
    assert!(how.starts_with("gave no answer"), "{how}");
}

#[test(needs(ORACLE))]
fn a_panicking_sink_loses_the_worker() {
    let folder = tempdir().unwrap();
    let (_, mut worker) = open(&folder, &params());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        worker.decode(&TOKENS, Some(&mut |_| panic!("on purpose")))
    }));
    assert!(panicked.is_err());
    assert_eq!(
        lost(worker.decode(&TOKENS, None).unwrap_err()).0,
        "was abandoned"
    );
}

#[test(needs(ORACLE))]
fn dropping_a_worker_ends_its_process() {
    let folder = tempdir().unwrap();
    let (_, worker) = open(&folder, &params());
    let process = worker.process();
    assert!(lives(process));
    drop(worker);
    assert!(!Path::new(&format!("/proc/{process}")).exists());
}

#[test]
fn the_last_output_of_a_worker_is_reported() {
    let (how, stderr) = lost(imposter("#!/bin/sh\necho 'assertion failed' >&2\nexit 3\n"));
    assert_eq!(
        (how.as_str(), stderr.as_str()),
        ("died (exit status: 3)", "assertion failed")
    );
    let (how, _) = lost(imposter("#!/bin/sh\nkill -ABRT $$\n"));
    assert!(how.contains("SIGABRT"), "{how}");
}

#[test]
fn a_program_with_another_protocol_is_lost() {
    let (how, _) = lost(imposter("#!/bin/sh\nexec yes\n"));
    assert!(how.starts_with("sent an invalid message"), "{how}");
}

#[test]
fn a_program_that_cannot_start_is_reported() {
    let folder = tempdir().unwrap();
    let missing = WorkerParams {
        program: folder.path().join("missing"),
        ..WorkerParams::default()
    };
    let error = Worker::open("any", Path::new("m"), &InferenceParams::default(), &missing);
    let unsupported = |error: &InferenceError| matches!(error, InferenceError::Unsupported { .. });
    assert!(error.as_ref().is_err_and(unsupported), "{error:?}");
    // A program that this machine cannot run, and the behaviour of an emulator with one.
    for script in ["\x7fELF of another machine", "#!/bin/sh\nexit 127\n"] {
        let error = imposter(script);
        assert!(unsupported(&error), "{error:?}");
    }
}

/// Set for the process that [`a_worker_dies_with_its_parent`] starts.
const PARENT: &str = "HARNESS_TEST_PARENT";

/// The work of that process: it starts a worker, prints its id, and waits to be killed.
fn be_a_parent() {
    let folder = tempdir().unwrap();
    let (_, worker) = open(&folder, &params());
    println!("worker {}", worker.process());
    // Blocks, because nothing is written to the pipe.
    std::io::stdin().lines().for_each(drop);
}

#[test(needs(ORACLE))]
fn a_worker_dies_with_its_parent() {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .env(PARENT, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let worker = lines.map_while(Result::ok).find_map(|line| {
        let (_, process) = line.split_once("worker ")?;
        process.trim().parse().ok()
    });
    let worker = worker.expect("the parent names its worker");
    // Stopped, so that the worker cannot end by itself.
    let process = Pid::from_raw(worker as i32).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    assert!(lives(worker));
    parent.kill().unwrap();
    parent.wait().unwrap();
    let outlived = (0..2000).all(|_| {
        std::thread::sleep(Duration::from_millis(10));
        lives(worker)
    });
    if outlived {
        kill_process(process, Signal::KILL).unwrap();
        panic!("the worker has outlived its parent");
    }
}

fn main() -> std::process::ExitCode {
    if std::env::var_os(PARENT).is_some() {
        be_a_parent();
        return std::process::ExitCode::SUCCESS;
    }
    testing::main()
}
