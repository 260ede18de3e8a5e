//! Where a run took place.

use std::fs;

use qk256::kernel::SumOrder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The machine and the build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Operating system.
    pub os: String,
    /// Architecture.
    pub arch: String,
    /// Name of the CPU, as the operating system tells it.
    pub cpu: String,
    /// CPU features found at run time, of those that kernels or oracles can use.
    pub cpu_features: Vec<String>,
    /// Threads that the machine can run at once.
    pub threads: usize,
    /// The compiler of this program.
    pub rustc: String,
    /// Version of this program.
    pub harness: String,
    /// The order in which blocks with scales of their own are added up, which follows the reference on this target.
    pub sum_order: String,
}

impl Environment {
    /// What is known of this machine and this build.
    pub fn here() -> Environment {
        Environment {
            os: std::env::consts::OS.into(),
            arch: std::env::consts::ARCH.into(),
            cpu: cpu_name().unwrap_or_else(|| std::env::consts::ARCH.into()),
            cpu_features: cpu_features().into_iter().map(String::from).collect(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            rustc: env!("HARNESS_RUSTC").into(),
            harness: env!("CARGO_PKG_VERSION").into(),
            sum_order: SumOrder::REFERENCE.name().into(),
        }
    }
}

/// The first model name of `/proc/cpuinfo`.
fn cpu_name() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().into())
}

/// CPU features that are looked for, of those that kernels or oracles can use, for each architecture.
macro_rules! features_of {
    (x86_64: $with:ident) => {
        $with!("sse4.2" "avx" "avx2" "fma" "f16c" "bmi2" "avxvnni"
            "avx512f" "avx512bw" "avx512dq" "avx512vl" "avx512vnni" "avx512vbmi" "avx512bf16")
    };
    (aarch64: $with:ident) => {
        $with!("neon" "dotprod" "i8mm" "fp16" "sve")
    };
}

macro_rules! names {
    ($($feature:tt)*) => { &[$($feature),*] };
}

/// Whether an environment names this CPU feature where the CPU has it.
pub fn is_looked_for(feature: &str) -> bool {
    const X86_64: &[&str] = features_of!(x86_64: names);
    const AARCH64: &[&str] = features_of!(aarch64: names);
    X86_64.contains(&feature) || AARCH64.contains(&feature)
}

#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<&'static str> {
    macro_rules! detected {
        ($($feature:tt)*) => { [$(($feature, is_x86_feature_detected!($feature))),*] };
    }
    found(&features_of!(x86_64: detected))
}

#[cfg(target_arch = "aarch64")]
fn cpu_features() -> Vec<&'static str> {
    macro_rules! detected {
        ($($feature:tt)*) => { [$(($feature, std::arch::is_aarch64_feature_detected!($feature))),*] };
    }
    found(&features_of!(aarch64: detected))
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_features() -> Vec<&'static str> {
    found(&[])
}

fn found(features: &[(&'static str, bool)]) -> Vec<&'static str> {
    let there = features.iter().filter(|&&(_, there)| there);
    there.map(|&(name, _)| name).collect()
}
