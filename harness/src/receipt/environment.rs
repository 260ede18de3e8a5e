//! The machine and the build of a run.

use std::fs;

use qk256::kernel::SumOrder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The machine and the build of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Operating system.
    pub os: String,
    /// Architecture.
    pub arch: String,
    /// Name of the CPU, as the operating system reports it.
    pub cpu: String,
    /// CPU features detected at run time, among those that kernels or oracles can use.
    pub cpu_features: Vec<String>,
    /// Number of threads that the machine runs in parallel.
    pub threads: usize,
    /// The compiler of this program.
    pub rustc: String,
    /// Version of this program.
    pub harness: String,
    /// Order in which blocks with their own scales are added: that of the oracle on this target.
    pub sum_order: String,
}

impl Environment {
    /// Identifies the CPU when times are compared: its name and its features. The name is not enough, because virtual
    /// machines on different CPUs report the same one.
    pub fn cpu_in_full(&self) -> String {
        match &self.cpu_features[..] {
            [] => self.cpu.clone(),
            features => format!("{} with {}", self.cpu, features.join(" ")),
        }
    }

    /// Describes this machine and this build.
    pub fn here() -> Environment {
        Environment {
            os: std::env::consts::OS.into(),
            arch: std::env::consts::ARCH.into(),
            cpu: cpu_name().unwrap_or_else(|| std::env::consts::ARCH.into()),
            cpu_features: cpp_shim::cpu_features().map(String::from).collect(),
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

#[cfg(test)]
mod tests {
    use qk256::kernel::Isa;

    use super::*;

    /// The gate needs these names to distinguish a kernel that a machine cannot run from a lost one.
    #[test]
    fn a_receipt_names_every_feature_that_kernels_and_oracles_need() {
        let here = Environment::here().cpu_features;
        for isa in Isa::ALL {
            for feature in isa.features() {
                assert!(cpp_shim::is_cpu_feature(feature), "{feature}");
            }
            let found = |feature: &&str| here.iter().any(|found| found == feature);
            let all = isa.features().iter().all(found);
            assert_eq!(isa.availability().is_ok(), all, "{}", isa.name());
        }
        for build in cpp_shim::builds() {
            for feature in build.provenance().instruction_set {
                assert!(cpp_shim::is_cpu_feature(feature), "{feature}");
            }
        }
    }
}
