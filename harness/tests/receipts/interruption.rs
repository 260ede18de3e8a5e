//! Ctrl-C: the run ends between two steps, prints what was not done, and leaves no incomplete file.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::tempdir;

use crate::common::{ORACLE, assert_code, catches_interrupts, heeding_signals, stderr, stdout};
use testing::test;

/// The receiver of the signal.
#[derive(Clone, Copy)]
enum To {
    /// The started process.
    Process,
    /// The process group, as for a signal from a terminal.
    Group,
}

/// Starts a command and interrupts it as soon as it handles the signal.
#[cfg(target_os = "linux")]
fn interrupted(to: To, folder: &Path, args: &[&str]) -> Output {
    let child = heeding_signals(&mut Command::new(env!("CARGO_BIN_EXE_harness")))
        .args(args)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    while !catches_interrupts(&child) {
        sleep(Duration::from_millis(5));
    }
    let id = libc::pid_t::try_from(child.id()).unwrap();
    let to = match to {
        To::Process => id,
        To::Group => -id,
    };
    // SAFETY: the process is a child of this one that has not been waited for, and leads its own group.
    assert_eq!(unsafe { libc::kill(to, libc::SIGINT) }, 0);
    child.wait_with_output().unwrap()
}

#[test(needs(ORACLE))]
#[cfg(target_os = "linux")]
fn an_interrupted_campaign_prints_the_next_index_and_writes_no_receipt() {
    let folder = tempdir().unwrap();
    let args = ["fuzz", "--cases", "100000000", "--receipt", "fuzz.json"];
    let output = interrupted(To::Process, folder.path(), &args);
    assert_code(&output, 130);
    let printed = stderr(&output);
    assert!(
        printed.contains("interrupted") && printed.contains("of 100000000 cases"),
        "{printed}"
    );
    assert!(printed.contains("fuzz.json was not written"), "{printed}");
    assert!(
        stdout(&output).contains("goes on with: harness fuzz"),
        "{}",
        stdout(&output)
    );
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test(needs(ORACLE))]
#[cfg(target_os = "linux")]
fn an_interrupted_check_names_the_levels_that_were_not_run() {
    let folder = tempdir().unwrap();
    let output = interrupted(
        To::Group,
        folder.path(),
        &["check", "--receipt", "check.json"],
    );
    assert_code(&output, 130);
    let printed = stderr(&output);
    assert!(
        printed.contains("not done: level ") && printed.contains("logits"),
        "{printed}"
    );
    assert!(printed.contains("check.json was not written"), "{printed}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
