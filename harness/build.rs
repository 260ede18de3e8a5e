//! Notes which compiler builds the harness, for its receipts.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var_os("RUSTC").expect("cargo sets RUSTC for build scripts");
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("the compiler that cargo uses runs");
    println!(
        "cargo::rustc-env=HARNESS_RUSTC={}",
        String::from_utf8_lossy(&version.stdout).trim()
    );
}
