//! Ctrl-C: the run ends between two steps, says what was not done, and leaves nothing half done.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::tempdir;

use crate::common::{ORACLE, assert_code, catches_interrupts, heeding_signals, stderr, stdout};
use testing::test;

/// Who gets the signal.
#[derive(Clone, Copy)]
enum To {
    /// The process that was started.
    Process,
    /// Its group, as from a terminal.
    Group,
}

/// Starts a command, and interrupts it as soon as it answers to that.
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
    // SAFETY: the process is our child, and has not been waited for; it leads a group of its own.
    assert_eq!(unsafe { libc::kill(to, libc::SIGINT) }, 0);
    child.wait_with_output().unwrap()
}

#[test(needs(ORACLE))]
#[cfg(target_os = "linux")]
fn an_interrupted_campaign_says_where_to_go_on_and_leaves_no_receipt() {
    let folder = tempdir().unwrap();
    let args = ["fuzz", "--cases", "100000000", "--receipt", "fuzz.json"];
    let output = interrupted(To::Process, folder.path(), &args);
    assert_code(&output, 130);
    let told = stderr(&output);
    assert!(
        told.contains("interrupted") && told.contains("of 100000000 cases"),
        "{told}"
    );
    assert!(told.contains("fuzz.json was not written"), "{told}");
    assert!(
        stdout(&output).contains("goes on with: harness fuzz"),
        "{}",
        stdout(&output)
    );
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test(needs(ORACLE))]
#[cfg(target_os = "linux")]
fn an_interrupted_check_names_the_rungs_that_were_not_climbed() {
    let folder = tempdir().unwrap();
    let output = interrupted(
        To::Group,
        folder.path(),
        &["check", "--receipt", "check.json"],
    );
    assert_code(&output, 130);
    let told = stderr(&output);
    assert!(
        told.contains("not done: rung ") && told.contains("logits"),
        "{told}"
    );
    assert!(told.contains("check.json was not written"), "{told}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
