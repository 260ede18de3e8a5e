//! System limits, and the death of the working process: exit code 3 and a one-line error with the reason.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::oracles::build;
use common::{ORACLE, assert_code, stderr};
use harness::implementation::Implementation;
use harness::participant::OracleImplementation;
use libc::{RLIMIT_AS, RLIMIT_FSIZE, RLIMIT_NPROC};
use qk256::format::{Storage, StorageVariant, TQ2_0, Weights};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::tempdir;
use testing::{Need, test};

/// Sets a limit of this process.
fn limit(resource: libc::__rlimit_resource_t, most: u64) -> std::io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: most,
        rlim_max: most,
    };
    // SAFETY: the structure is only read during the call.
    match unsafe { libc::setrlimit(resource, &limit) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// The command `harness` in a folder, without environment variables that add to panics.
fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .args(args)
        .current_dir(folder)
        .env_remove("RUST_BACKTRACE");
    command
}

/// Asserts exit code 3 and a one-line error with these words.
#[track_caller]
fn assert_one_line(output: &Output, words: &[&str]) {
    assert_code(output, 3);
    let printed = stderr(output);
    assert_eq!(printed.lines().count(), 1, "{printed}");
    for words in words {
        assert!(printed.contains(words), "{words}: {printed}");
    }
}

#[test]
fn a_limit_of_file_sizes_is_an_error_and_leaves_no_file() {
    let folder = tempdir().unwrap();
    let mut synth = command(
        folder.path(),
        &["synth", "tiny-llama-tq2_0", "-o", "m.gguf"],
    );
    // SAFETY: the closure makes only a system call, which is allowed between fork and exec.
    unsafe { synth.pre_exec(|| limit(RLIMIT_FSIZE, 1 << 10)) };
    assert_one_line(&synth.output().unwrap(), &["m.gguf", "ulimit -f"]);
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

/// The user `nobody`, because the limit of processes does not apply to root, and processes are counted for each user.
const NOBODY: u32 = 65534;

/// Other users may lack permission to execute the build.
const EXECUTION: Need = Need {
    name: "execution",
    check: || {
        let mut version = Command::new(env!("CARGO_BIN_EXE_harness"));
        as_nobody(version.arg("--version").stdout(Stdio::null()));
        match version.status() {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("user {NOBODY} cannot execute the command: {error}")),
        }
    },
};

/// Runs the command as a user to whom limits apply.
fn as_nobody(command: &mut Command) -> &mut Command {
    match geteuid().is_root() {
        true => command.uid(NOBODY).gid(NOBODY),
        false => command,
    }
}

#[test(needs(EXECUTION, ORACLE))]
fn a_limit_of_processes_is_an_error() {
    let folder = tempdir().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let limited = |most: u64| {
        let args = ["check", "tiny-llama-tq2_0", "--level=logits"];
        let mut check = command(folder.path(), &args);
        as_nobody(&mut check);
        // SAFETY: the closure makes only a system call, which is allowed between fork and exec.
        unsafe { check.pre_exec(move || limit(RLIMIT_NPROC, most)) };
        check.output().unwrap()
    };
    assert_one_line(&limited(1), &["cannot start a process", "ulimit -u"]);
    // Any thread of the harness, worker or thread of a worker may be the first that cannot start. The loop ends when
    // all can, or when this user runs more processes.
    let enough = (2..200).find(|&most| {
        let output = limited(most);
        let limit = output.status.code() == Some(3);
        if limit {
            assert_one_line(&output, &["ulimit -u"]);
        } else {
            assert_code(&output, 0);
        }
        !limit
    });
    assert!(enough > Some(4), "{enough:?} processes and threads");
}

/// The process that a `harness` process supervises.
fn child_of(supervisor: u32) -> Pid {
    // The parent follows the name, which is in parentheses, and the state.
    let parent = |stat: String| Some(stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse());
    loop {
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let stat = fs::read_to_string(process.path().join("stat")).ok();
            if stat.and_then(parent) == Some(Ok(supervisor)) {
                let id = process.file_name().to_string_lossy().parse().unwrap();
                return Pid::from_raw(id).unwrap();
            }
        }
        sleep(Duration::from_millis(2));
    }
}

#[test(needs(ORACLE))]
fn the_death_of_the_working_process_is_an_error() {
    let folder = tempdir().unwrap();
    for (signal, name) in [
        (Signal::ABORT, "SIGABRT"),
        (Signal::ILL, "SIGILL"),
        (Signal::KILL, "SIGKILL"),
    ] {
        let run = command(folder.path(), &["fuzz", "--cases", "100000000"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        kill_process(child_of(run.id()), signal).unwrap();
        let output = run.wait_with_output().unwrap();
        assert_one_line(&output, &["the run was ended by", name]);
    }
}

/// Set for the process that [`an_oracle_without_threads_says_so_and_starts_no_debugger`] starts.
const WITHOUT_THREADS: &str = "HARNESS_TEST_WITHOUT_THREADS";

/// The work of that process: products on one thread, and on several without memory for a stack.
fn be_without_threads() {
    let implementation = OracleImplementation::new(build().load().unwrap());
    let storage = Storage::new(TQ2_0, StorageVariant::Blocks, 32, 256).unwrap();
    let bytes = vec![0; storage.bytes()];
    let weights = Weights::new(storage, &bytes).unwrap();
    let mut out = vec![0.0; 32];
    let mut run = |threads| {
        implementation
            .products(&weights, &[1.0; 256], threads, &mut out)
            .unwrap()
    };
    run(1);
    let status = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').next().unwrap().parse().unwrap();
    limit(RLIMIT_AS, (pages << 12) + (1 << 20)).unwrap();
    run(4);
}

#[test(needs(ORACLE))]
fn an_oracle_without_threads_says_so_and_starts_no_debugger() {
    let folder = tempdir().unwrap();
    let gdb = folder.path().join("gdb");
    fs::write(&gdb, "#!/bin/sh\necho a debugger >&2\n").unwrap();
    fs::set_permissions(&gdb, PermissionsExt::from_mode(0o755)).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .env(WITHOUT_THREADS, "1")
        .env("PATH", folder.path())
        .output()
        .unwrap();
    let printed = stderr(&output);
    assert_eq!(output.status.code(), None, "{printed}");
    let id = build().id();
    let starts = format!("{id} cannot start a thread: ");
    assert!(
        printed.contains(&starts) && printed.contains("ulimit -u"),
        "{printed}"
    );
    assert!(printed.contains(&format!("{id} aborts")), "{printed}");
    assert!(!printed.contains("a debugger"), "{printed}");
}

fn main() -> std::process::ExitCode {
    if std::env::var_os(WITHOUT_THREADS).is_some() {
        be_without_threads();
        return std::process::ExitCode::SUCCESS;
    }
    testing::main()
}
