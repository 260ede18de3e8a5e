//! Build script of `cpp-shim`. It compiles the oracles of `vendor/oracles.toml` and generates the table of builds that
//! the crate embeds.
//!
//! Each build is one shared object that exports one symbol. Object files are cached in the folder `oracles` of the
//! target folder, under a hash of all their inputs. All cargo profiles share this cache.

#[path = "cpp-shim/build/cache.rs"]
mod cache;
#[path = "cpp-shim/build/compiler.rs"]
mod compiler;
#[path = "cpp-shim/build/error.rs"]
mod error;
#[path = "cpp-shim/src/features.rs"]
#[allow(dead_code, reason = "the detection is for the crate")]
mod features;
#[path = "cpp-shim/build/oracle.rs"]
mod oracle;
#[path = "cpp-shim/build/plan.rs"]
mod plan;
#[path = "cpp-shim/build/progress.rs"]
mod progress;
#[path = "cpp-shim/build/prune.rs"]
mod prune;
#[path = "cpp-shim/build/registry.rs"]
mod registry;
#[path = "cpp-shim/build/source.rs"]
mod source;
#[path = "cpp-shim/build/spec.rs"]
mod spec;

use std::path::PathBuf;

use error::BuildError;

/// The environment of a build script, as set by cargo.
struct Environment {
    /// `cpp-shim/`, with the C++ sources of the shim.
    shim: PathBuf,
    /// `vendor/`, with the pins and `oracles.toml`.
    vendor: PathBuf,
    out_dir: PathBuf,
    /// The architecture with its name in `vendor/oracles.toml`, such as `x86_64`.
    architecture: String,
    target: String,
    jobs: usize,
}

impl Environment {
    fn read() -> Result<Self, BuildError> {
        let shim = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
        let vendor = shim
            .join("../vendor")
            .canonicalize()
            .map_err(BuildError::io("open", "vendor"))?;
        Ok(Self {
            vendor,
            out_dir: variable("OUT_DIR")?.into(),
            architecture: variable("CARGO_CFG_TARGET_ARCH")?,
            target: variable("TARGET")?,
            jobs: variable("NUM_JOBS")?.parse().unwrap_or(1).max(1),
            shim,
        })
    }
}

fn variable(name: &'static str) -> Result<String, BuildError> {
    std::env::var(name).map_err(|_| BuildError::NotUnderCargo { name })
}

fn run() -> Result<(), BuildError> {
    let environment = Environment::read()?;
    if std::env::var_os("CARGO_FEATURE_VENDORED").is_none() {
        println!("cargo::rerun-if-changed=../build.rs");
        return registry::write(&environment.out_dir, &[]);
    }
    let spec = spec::Spec::read(&environment.vendor)?;
    println!("cargo::rerun-if-changed={}", environment.vendor.display());
    for file in spec.shim.files() {
        println!(
            "cargo::rerun-if-changed={}",
            environment.shim.join(file).display()
        );
    }
    let oracles = oracle::build_all(&environment, &spec)?;
    registry::write(&environment.out_dir, &oracles)
}

fn main() {
    // Cargo fails the build for `cargo::error` and shows only these lines. With an exit code other than 0 it would
    // print all output of this program.
    if let Err(error) = run() {
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
    }
}
