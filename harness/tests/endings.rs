//! Runs ended by a signal at any time: no files are left, and files of a killed run are removed by the next one.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;
use testing::test;

use common::{
    ORACLE, assert_code, catches_interrupts, child_of, generate, harness_in, heeding_signals,
    stderr,
};

/// A recipe whose model takes seconds to write and longer to check.
const LARGE: &str = "2b-4t-small-vocab";

/// Starts a command with a folder for temporary files. It handles signals even if these tests ignore them.
fn start(folder: &Path, temporary: &Path, args: &[&str]) -> Child {
    heeding_signals(&mut Command::new(env!("CARGO_BIN_EXE_harness")))
        .args(args)
        .current_dir(folder)
        .env("TMPDIR", temporary)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}

/// Waits until a condition of the command holds.
fn until<T>(child: &mut Child, mut there: impl FnMut(&Child) -> Option<T>) -> T {
    loop {
        if let Some(there) = there(child) {
            return there;
        }
        let status = child.try_wait().unwrap();
        assert!(status.is_none(), "the command has ended: {status:?}");
        sleep(Duration::from_millis(1));
    }
}

fn entries(folder: &Path) -> usize {
    folder.read_dir().unwrap().count()
}

/// Starts to write a large model and sends a signal when a part of it is written.
fn interrupted_synth(folder: &Path, signal: Signal) -> Output {
    let args = ["synth", LARGE, "-o", "model.gguf"];
    let mut child = start(folder, folder, &args);
    until(&mut child, |child| {
        (entries(folder) > 0 && catches_interrupts(child)).then_some(())
    });
    let to = match signal {
        // Killed, so that nothing is cleaned up.
        Signal::KILL => child_of(child.id()).unwrap(),
        _ => child.id(),
    };
    kill_process(pid(to), signal).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_incomplete_model_is_removed_with_the_run() {
    let folder = tempdir().unwrap();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let output = interrupted_synth(folder.path(), signal);
        assert_code(&output, 130);
        let printed = stderr(&output);
        assert!(printed.contains("error: interrupted"), "{printed}");
        assert!(printed.contains("model.gguf was not written"), "{printed}");
        assert_eq!(entries(folder.path()), 0);
    }
}

#[test]
fn files_of_a_killed_run_are_removed_by_the_next_run() {
    let folder = tempdir().unwrap();
    interrupted_synth(folder.path(), Signal::KILL);
    assert_eq!(entries(folder.path()), 1);
    let args = ["synth", "tiny-llama-tq2_0", "-o", "tiny.gguf"];
    assert_code(&harness_in(folder.path(), &args), 0);
    assert_eq!(entries(folder.path()), 1);
    assert!(folder.path().join("tiny.gguf").is_file());
}

#[test(needs(ORACLE))]
fn temporary_models_are_removed_after_one_signal_and_after_two() {
    for signals in [&[Signal::TERM][..], &[Signal::INT, Signal::INT]] {
        let (folder, temporary) = (tempdir().unwrap(), tempdir().unwrap());
        let args = ["check", LARGE, "--receipt", "check.json"];
        let mut child = start(folder.path(), temporary.path(), &args);
        until(&mut child, |child| {
            (entries(temporary.path()) > 0 && catches_interrupts(child)).then_some(())
        });
        for &signal in signals {
            kill_process(pid(child.id()), signal).ok();
        }
        let output = child.wait_with_output().unwrap();
        assert_code(&output, 130);
        let printed = stderr(&output);
        assert!(
            printed.contains("not done: level lut, block, tensor, node, logits"),
            "{printed}"
        );
        assert!(printed.contains("check.json was not written"), "{printed}");
        assert_eq!((entries(folder.path()), entries(temporary.path())), (0, 0));
    }
}

/// The worker of the process that does the work, when it has the model open.
fn worker_of(process: u32) -> Option<u32> {
    let worker = child_of(process)?;
    let of_worker = |file: &str| fs::read_to_string(format!("/proc/{worker}/{file}")).ok();
    let opened = of_worker("maps")?.contains(".gguf");
    // Before it executes its program, it has the memory of its parent with the same model.
    (opened && of_worker("cmdline")?.contains("worker")).then_some(worker)
}

#[test(needs(ORACLE))]
fn a_hanging_worker_does_not_delay_the_end_and_is_killed() {
    let (folder, temporary) = (tempdir().unwrap(), tempdir().unwrap());
    generate("tiny-llama-tq2_0", folder.path());
    let tokens = vec!["7"; 400].join(",");
    let args = [
        "check",
        "tiny-llama-tq2_0.gguf",
        "--level=logits",
        "--tokens",
        &tokens,
    ];
    let mut child = start(folder.path(), temporary.path(), &args);
    let id = child.id();
    let worker = until(&mut child, |_| worker_of(child_of(id)?));
    kill_process(pid(worker), Signal::STOP).unwrap();
    kill_process(pid(id), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_code(&output, 130);
    assert!(stderr(&output).contains("not done: level logits"));
    // A zombie that its new parent has not reaped yet is dead too.
    let stat = || fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
    let lives = |stat: &str| !stat.is_empty() && !stat.contains(") Z");
    let mut last = stat();
    for _ in 0..5000 {
        if !lives(&last) {
            break;
        }
        sleep(Duration::from_millis(1));
        last = stat();
    }
    assert!(!lives(&last), "{last}");
    assert_eq!((entries(folder.path()), entries(temporary.path())), (1, 0));
}

fn main() -> std::process::ExitCode {
    testing::main()
}
