//! Helpers of the integration tests: the command, generated models, and models that bitnet.cpp itself wrote.

#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod draft;
pub(crate) mod forward;
#[path = "../../../cpp-shim/tests/common/needs.rs"]
mod needs;
pub(crate) mod oracles;

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use cpp_shim::Build;
use draft::Edit;
use harness::participant::Forward;
use harness::rewrite::ModelDraft;
use harness::synth;
use qk256::gguf::{GgufFile, Value};
use testing::Need;

#[allow(unused_imports, reason = "each test file uses its own part")]
pub(crate) use needs::ORACLE;

/// An oracle whose bits the forward pass has: an identity build, compiled for the CPU feature that determines them.
pub(crate) const IDENTITY: Need = Need {
    name: "identity-oracle",
    check: || {
        let build =
            identity().ok_or_else(|| format!("no identity build of {} code", Forward::FEATURE))?;
        build
            .availability()
            .map_err(|missing| format!("{} {missing}", build.id()))
    },
};

/// The builds of [`IDENTITY`], one of each upstream, whether this CPU can run them or not.
pub(crate) fn identities() -> impl Iterator<Item = &'static Build> {
    cpp_shim::builds().iter().filter(|build| {
        let provenance = build.provenance();
        provenance.identity && provenance.instruction_set.contains(&Forward::FEATURE)
    })
}

/// The first of [`identities`].
pub(crate) fn identity() -> Option<&'static Build> {
    identities().next()
}

/// Runs the command `harness` in `folder`.
pub(crate) fn harness_in(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(args)
        .current_dir(folder)
        .output()
        .expect("the harness starts")
}

/// Whether the process has a handler for SIGINT, according to the kernel.
#[cfg(target_os = "linux")]
pub(crate) fn catches_interrupts(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.expect("the process ended before it was interrupted");
    u64::from_str_radix(caught.trim(), 16).unwrap() >> (libc::SIGINT - 1) & 1 == 1
}

/// Resets ignored signals of the command, because a shell's `&` and `nohup` start processes that ignore some.
pub(crate) fn heeding_signals(command: &mut Command) -> &mut Command {
    let heed = || {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: setting a disposition is async-signal-safe, and so allowed between fork and exec. No handler is
            // set.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: the closure calls only `signal`.
    unsafe { command.pre_exec(heed) }
}

/// Runs the command `harness`.
pub(crate) fn harness(args: &[&str]) -> Output {
    harness_in(Path::new("."), args)
}

/// A program whose standard output is a pipe with a closed reader.
pub(crate) fn unread(program: impl AsRef<OsStr>) -> Command {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(program);
    command.stdout(writer).stderr(Stdio::piped());
    command
}

/// Runs the command `harness` in `folder` with a closed standard output.
pub(crate) fn harness_unread(folder: &Path, args: &[&str]) -> Output {
    let mut command = unread(env!("CARGO_BIN_EXE_harness"));
    let child = command.args(args).current_dir(folder).spawn();
    let child = child.expect("the harness starts");
    child.wait_with_output().expect("the harness ends")
}

/// The first child of a process, if there is one. Until it executes another program, it has the memory of its parent.
pub(crate) fn child_of(process: u32) -> Option<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    tasks.flatten().find_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).ok()?;
        children.split(' ').next()?.parse().ok()
    })
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the output is UTF-8")
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts the exit code and prints the output if it is another one.
#[track_caller]
pub(crate) fn assert_code(output: &Output, wanted: i32) {
    let (out, err) = (stdout(output), stderr(output));
    assert_eq!(
        output.status.code(),
        Some(wanted),
        "stdout:\n{out}\nstderr:\n{err}"
    );
}

/// Writes the model of an embedded recipe into `folder`.
pub(crate) fn generate(recipe: &str, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{recipe}.gguf"));
    let plan = synth::Plan::new(synth::find(recipe).expect("the recipe is embedded"));
    synth::create(
        &plan.expect("the recipe is valid"),
        &path,
        synth::Existing::Refuse,
    )
    .expect("the model can be written");
    path
}

/// Writes a copy of the model at `original` with other metadata.
pub(crate) fn with_metadata(original: &Path, copy: &Path, metadata: &[(&str, Value<'_>)]) {
    let original = GgufFile::open(original).expect("a model");
    let mut draft = ModelDraft::of(&original.view());
    draft
        .metadata
        .retain(|(key, _)| metadata.iter().all(|(changed, _)| changed != key));
    for &(key, value) in metadata {
        draft = draft.add(key, value);
    }
    draft.save(copy);
}
