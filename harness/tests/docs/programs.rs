//! The programs that the pages run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::SystemTime;
use std::{env, ffi::OsString};

use super::common::{harness, stdout};
use super::page;

/// Folders of the command and of the examples.
pub(crate) struct Programs {
    pub(crate) bin: PathBuf,
    pub(crate) examples: PathBuf,
}

/// Source folders of the programs in the workspace.
const SOURCES: [&str; 5] = [
    "cpp-shim/include",
    "cpp-shim/src",
    "harness/examples",
    "harness/src",
    "rust-kernel/src",
];

/// Finds the built programs. An example that is missing or older than its sources is built.
pub(crate) fn find() -> Programs {
    static EXAMPLE: Once = Once::new();
    let harness = Path::new(env!("CARGO_BIN_EXE_harness"));
    let bin = harness.parent().expect("a program is in a folder");
    let programs = Programs {
        bin: bin.into(),
        examples: bin.join("examples"),
    };
    EXAMPLE.call_once(|| {
        let sources = SOURCES.map(|folder| page::root().join(folder));
        let changed = sources.iter().filter_map(|folder| newest(folder)).max();
        if written(&programs.examples.join("own_kernel")) < changed {
            build_example(bin);
        }
    });
    programs
}

fn written(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|data| data.modified()).ok()
}

/// The newest modification time of the files below a folder.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = folder.read_dir().ok()?.flatten().map(|entry| entry.path());
    entries
        .filter_map(|path| {
            if path.is_dir() {
                newest(&path)
            } else {
                written(&path)
            }
        })
        .max()
}

/// Builds an example, because `cargo test --test docs` does not build examples.
fn build_example(bin: &Path) {
    let target = bin.parent().expect("profiles are in the target folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--locked",
        "-p",
        "harness",
        "--example",
        "own_kernel",
    ]);
    cargo.arg("--target-dir").arg(target);
    if bin.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo starts");
    assert!(status.success(), "the example cannot be built");
}

impl Programs {
    /// `PATH` with both folders first.
    pub(crate) fn path(&self) -> OsString {
        let rest = env::var_os("PATH").unwrap_or_default();
        let rest = env::split_paths(&rest);
        let folders = [self.bin.clone(), self.examples.clone()].into_iter();
        env::join_paths(folders.chain(rest)).expect("folders without colons")
    }

    /// Whether there is a subcommand with this name.
    pub(crate) fn has_command(&self, name: &str) -> bool {
        harness(&[name, "--help"]).status.success()
    }

    /// The error of a command that is not run: a subcommand or an option that does not exist.
    pub(crate) fn trouble(&self, arguments: &[&str]) -> Option<String> {
        let [command, options @ ..] = arguments else {
            return Some("no subcommand".into());
        };
        let help = harness(&[command, "--help"]);
        if !help.status.success() {
            return Some(format!("no `harness {command}`"));
        }
        let help = stdout(&help);
        let known = |option: &str| {
            let end = |c: char| !(c.is_alphanumeric() || c == '-');
            help.split(end).any(|word| word == option)
        };
        let options = options.iter().filter(|option| option.starts_with('-'));
        let unknown = options.copied().find(|option| !known(option))?;
        Some(format!("`harness {command}` has no {unknown}"))
    }
}
