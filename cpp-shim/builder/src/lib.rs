//! Compiles oracles: a version of llama.cpp or of a fork, together with the C++ files of `cpp-shim`, becomes one shared
//! object that exports one symbol.
//!
//! The build script of `cpp-shim` compiles the builds of `vendor/oracles.toml` from pinned registry packages
//! ([`pinned`]). A program compiles a folder of the user's ([`checkout`]). Object files are cached under a hash of all
//! their inputs.

mod cache;
mod checkout;
mod compiler;
mod error;
mod features;
mod headers;
mod libraries;
mod oracle;
mod pattern;
mod plan;
mod progress;
mod prune;
mod source;
mod spec;

use std::path::PathBuf;

pub use checkout::{Arithmetic, Checkout, CheckoutBuild, Commit};
pub use error::BuildError;
pub use features::{cpu_features, detected, is_cpu_feature};
pub use oracle::{Oracle, Provenance, checkout, pinned};
pub use progress::{Event, Report};
pub use spec::Spec;

/// Where and for what oracles are compiled.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The folder with `include/` and `src/` of the shim.
    pub shim: PathBuf,
    /// The folder of the cache. It is created if it does not exist.
    pub cache: PathBuf,
    /// The architecture with its name in `vendor/oracles.toml`, such as `x86_64`.
    pub architecture: String,
    /// Target triple of the code.
    pub target: String,
    /// Target triple of the compiling machine.
    pub host: String,
    /// Number of compilers that run at once, at least 1.
    pub jobs: usize,
}
