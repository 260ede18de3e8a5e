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
    /// What tells one CPU from another where times are compared: its name, which virtual machines share, and its features.
    pub fn cpu_in_full(&self) -> String {
        match &self.cpu_features[..] {
            [] => self.cpu.clone(),
            features => format!("{} with {}", self.cpu, features.join(" ")),
        }
    }

    /// What is known of this machine and this build.
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

    /// A kernel that the baseline has and a machine lacks is told from one that was lost by these names.
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
