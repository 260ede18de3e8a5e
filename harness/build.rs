//! Notes which compiler builds the harness, and from which commit, for its receipts.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What is compiled into the harness, from the root of the workspace: where this differs from the commit, the build is
/// not of that commit. Whatever else changes, documents or tests, changes no receipt.
const COMPILED: [&str; 15] = [
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
    "corpus",
    "vendor",
    "cpp-shim/Cargo.toml",
    "cpp-shim/builder/Cargo.toml",
    "cpp-shim/builder/src",
    "cpp-shim/include",
    "cpp-shim/src",
    "harness/Cargo.toml",
    "harness/build.rs",
    "harness/src",
    "rust-kernel/Cargo.toml",
    "rust-kernel/src",
];

/// Says the commit where there is no repository, such as in an unpacked archive.
const VARIABLE: &str = "HARNESS_COMMIT";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let rustc = std::env::var_os("RUSTC").expect("cargo sets RUSTC for build scripts");
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("the compiler that cargo uses runs");
    println!(
        "cargo::rustc-env=HARNESS_RUSTC={}",
        String::from_utf8_lossy(&version.stdout).trim()
    );
    let crate_root = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let root = PathBuf::from(crate_root).join("..");
    for path in COMPILED {
        let path = root.join(path);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    // Without a commit the harness works, and refuses to write a receipt.
    let commit = of_repository(&root).or_else(|| std::env::var(VARIABLE).ok());
    println!("cargo::rustc-env={VARIABLE}={}", commit.unwrap_or_default());
}

/// The commit of the repository whose root this is, `-dirty` after it if what is compiled differs.
fn of_repository(root: &Path) -> Option<String> {
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    // An archive that was unpacked inside another project's repository is not of its commits.
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    // Commits, checkouts and resets all write the log of HEAD; where none is kept, HEAD and what it stands for.
    for file in ["HEAD", "logs/HEAD", "packed-refs"] {
        watch(root, file);
    }
    if let Some(branch) = git(root, &["symbolic-ref", "--quiet", "HEAD"]) {
        watch(root, &branch);
    }
    let commit = git(root, &["rev-parse", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(COMPILED);
    let dirty = if git(root, &status)?.is_empty() {
        ""
    } else {
        "-dirty"
    };
    Some(commit + dirty)
}

/// Runs this script again when a file of the repository changes, if it is there.
fn watch(root: &Path, file: &str) {
    if let Some(path) = git(root, &["rev-parse", "--git-path", file]) {
        let path = root.join(path);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

/// What git says, if there is git and a repository. The index is left alone: others may be using it.
fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("--no-optional-locks")
        .arg("-C")
        .arg(root)
        .args(args)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
