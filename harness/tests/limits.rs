//! Limits of the system, and deaths of the process that does the work: exit code 3, and one line that says what it was.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{ORACLE, assert_code, stderr};
use harness::implementation::Implementation;
use harness::side::OracleSide;
use libc::{RLIMIT_AS, RLIMIT_FSIZE, RLIMIT_NPROC};
use qk256::format::{Flavour, Storage, TQ2_0, Weights};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::tempdir;
use testing::{Need, test};

/// Changes a limit of this process.
fn limit(resource: libc::__rlimit_resource_t, most: u64) -> std::io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: most,
        rlim_max: most,
    };
    // SAFETY: the structure is read during the call alone.
    match unsafe { libc::setrlimit(resource, &limit) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// The command `harness` in a folder, without what the environment adds to panics.
fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .args(args)
        .current_dir(folder)
        .env_remove("RUST_BACKTRACE");
    command
}

/// Asserts exit code 3 with one line of these words.
#[track_caller]
fn assert_one_line(output: &Output, words: &[&str]) {
    assert_code(output, 3);
    let said = stderr(output);
    assert_eq!(said.lines().count(), 1, "{said}");
    for words in words {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_limit_of_file_sizes_is_an_error_that_leaves_nothing() {
    let folder = tempdir().unwrap();
    let mut synth = command(
        folder.path(),
        &["synth", "tiny-llama-tq2_0", "-o", "m.gguf"],
    );
    // SAFETY: a system call, which is all that may happen between fork and exec.
    unsafe { synth.pre_exec(|| limit(RLIMIT_FSIZE, 1 << 10)) };
    assert_one_line(&synth.output().unwrap(), &["m.gguf", "ulimit -f"]);
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

/// The limit of processes does not bind the superuser; the processes of this user are counted apart.
const NOBODY: u32 = 65534;

/// The files of the build may be their owner's alone.
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

/// Has the command run by somebody whom limits bind.
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
        let args = ["check", "tiny-llama-tq2_0", "--rung=logits"];
        let mut check = command(folder.path(), &args);
        as_nobody(&mut check);
        // SAFETY: a system call, which is all that may happen between fork and exec.
        unsafe { check.pre_exec(move || limit(RLIMIT_NPROC, most)) };
        check.output().unwrap()
    };
    assert_one_line(&limited(1), &["cannot start a process", "ulimit -u"]);
    // Whatever is the first that cannot start, a thread of the harness, a worker or a thread of a worker: until all can,
    // unless this user runs more.
    for most in 2..200 {
        let output = limited(most);
        if output.status.code() != Some(3) {
            assert_code(&output, 0);
            assert!(most > 4, "{most} processes and threads are enough");
            return;
        }
        assert_one_line(&output, &["ulimit -u"]);
    }
    panic!("200 processes and threads are not enough");
}

/// The process that a `harness` supervises.
fn child_of(supervisor: u32) -> Pid {
    // The parent follows the name, which stands in parentheses, and the state.
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
fn the_death_of_the_process_that_works_is_an_error() {
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

/// An oracle that runs here.
fn oracle() -> &'static cpp_shim::Build {
    let mut builds = cpp_shim::builds().iter();
    let oracle = builds.find(|build| build.availability().is_ok());
    oracle.expect("an oracle runs here")
}

/// What that process does: products on one thread, and on several where there is no room for a stack.
fn be_without_threads() {
    let side = OracleSide::new(oracle().load().unwrap());
    let storage = Storage::new(TQ2_0, Flavour::Blocks, 32, 256).unwrap();
    let bytes = vec![0; storage.bytes()];
    let weights = Weights::new(storage, &bytes).unwrap();
    let mut out = vec![0.0; 32];
    let mut run = |threads| {
        side.products(&weights, &[1.0; 256], threads, &mut out)
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
    let said = stderr(&output);
    assert_eq!(output.status.code(), None, "{said}");
    let id = oracle().id();
    let starts = format!("{id} cannot start a thread: ");
    assert!(
        said.contains(&starts) && said.contains("ulimit -u"),
        "{said}"
    );
    assert!(said.contains(&format!("{id} aborts")), "{said}");
    assert!(!said.contains("a debugger"), "{said}");
}

fn main() -> std::process::ExitCode {
    if std::env::var_os(WITHOUT_THREADS).is_some() {
        be_without_threads();
        return std::process::ExitCode::SUCCESS;
    }
    testing::main()
}
