//! The input of the criteria: receipts, their coverage, and the baseline.

use qk256::kernel::Isa;
use thiserror::Error;

use crate::baseline::{Baseline, Entry, OracleBuild};
use crate::receipt::{Environment, Receipt};

/// The input of the criteria.
#[derive(Debug)]
pub struct Case<'a> {
    /// The baseline that the receipts must cover.
    pub baseline: &'a Baseline,
    /// The entries that the receipts cover together.
    pub now: Baseline,
    /// The receipts without duplicates, in an order that does not depend on the order of the arguments.
    pub receipts: Vec<&'a Receipt>,
}

/// The reason why receipts cannot be judged together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaseError {
    /// There are none.
    #[error("no receipt to judge")]
    NoReceipts,
    /// They are of different commits, and a judgement applies to one.
    #[error("receipts are of different commits: {left} and {right}; give receipts of one commit")]
    Commits {
        /// One commit.
        left: String,
        /// Another one.
        right: String,
    },
}

impl<'a> Case<'a> {
    /// Creates the case of verified receipts.
    ///
    /// # Errors
    ///
    /// [`CaseError`] if there is none, or if they are of different commits.
    pub fn new(baseline: &'a Baseline, receipts: &'a [Receipt]) -> Result<Case<'a>, CaseError> {
        let mut receipts: Vec<&Receipt> = receipts.iter().collect();
        receipts.sort_unstable_by(|a, b| a.harness.digest.cmp(&b.harness.digest));
        receipts.dedup_by(|a, b| a.harness.digest == b.harness.digest);
        let mut commits: Vec<&String> = receipts.iter().map(|r| &r.harness.commit).collect();
        commits.sort_unstable();
        commits.dedup();
        match commits[..] {
            [] => return Err(CaseError::NoReceipts),
            [_] => {}
            [left, right, ..] => {
                let (left, right) = (left.clone(), right.clone());
                return Err(CaseError::Commits { left, right });
            }
        }
        let now = Baseline::of(receipts.iter().copied());
        Ok(Case {
            baseline,
            now,
            receipts,
        })
    }

    /// The commit of the receipts.
    pub fn commit(&self) -> &str {
        let first = self.receipts.first();
        first.map_or("", |receipt| &receipt.harness.commit)
    }

    /// The machines of an architecture on which the runs of the receipts took place.
    pub fn machines(&self, arch: &str) -> impl Iterator<Item = &'a Environment> {
        let receipts = self.receipts.iter();
        let runs = receipts.flat_map(|receipt| &receipt.harness.runs);
        let environments = runs.map(|run| &run.environment);
        environments.filter(move |environment| environment.arch == arch)
    }

    /// The reason why these machines cannot cover an entry of the baseline; none if they can.
    pub(super) fn unavailable(&self, arch: &str, entry: Entry<'_>) -> Option<String> {
        if !self.now.targets.contains_key(arch) {
            return Some(format!("no receipt is of {arch}"));
        }
        match entry {
            // Any of the machines could have run the kernel.
            Entry::Kernel(id) => {
                let needs = Isa::of_kernel(id)?.features();
                let lacks = self.machines(arch).map(|machine| missing(needs, machine));
                let lacks: Option<Vec<&str>> = lacks.collect();
                Some(format!("no {}", lacks?.first()?))
            }
            // Receipts do not record which machine had the work. It may be one that lacks a feature.
            Entry::Pair(pair) => {
                let of_kernel = Isa::of_kernel(pair.candidate).map_or(&[][..], Isa::features);
                let lacks = |needs: &[&str]| {
                    let mut machines = self.machines(arch);
                    machines.find_map(|machine| missing(needs, machine).map(String::from))
                };
                let feature =
                    lacks(of_kernel).or_else(|| lacks(&self.needs_of(arch, pair.oracle)))?;
                Some(format!("no {feature}"))
            }
            Entry::Tensor { .. } | Entry::Fuzz | Entry::Mutant { .. } => None,
        }
    }

    /// The CPU features that an oracle of the baseline was compiled for, among those that environments record.
    fn needs_of(&self, arch: &str, oracle: &str) -> Vec<&'a str> {
        let target = self.baseline.targets.get(arch);
        let build = target.and_then(|target| target.oracles.get(oracle));
        // An oracle that was built on these machines runs on them, even if the build of the baseline does not.
        let now = self.now.targets.get(arch);
        if now.is_some_and(|target| target.oracles.contains_key(oracle)) {
            return Vec::new();
        }
        let features = build.into_iter().flat_map(|b| b.instruction_set.split(' '));
        features
            .filter(|feature| cpp_shim::is_cpu_feature(feature))
            .collect()
    }

    /// Whether an oracle is the same build as that of the baseline, including the compiler.
    pub(super) fn is_same_build(&self, arch: &str, oracle: &str) -> bool {
        build(self.baseline, arch, oracle) == build(&self.now, arch, oracle)
    }

    /// Whether an oracle has the same source and the same CPU features as that of the baseline.
    pub(super) fn has_same_arithmetic(&self, arch: &str, oracle: &str) -> bool {
        let arithmetic = |baseline| {
            let build: Option<&OracleBuild> = build(baseline, arch, oracle);
            build.map(|build| (&build.checksum, &build.instruction_set))
        };
        arithmetic(self.baseline) == arithmetic(&self.now)
    }
}

fn build<'b>(baseline: &'b Baseline, arch: &str, oracle: &str) -> Option<&'b OracleBuild> {
    baseline.targets.get(arch)?.oracles.get(oracle)
}

/// The first feature that a machine lacks.
fn missing<'f>(needs: &[&'f str], machine: &Environment) -> Option<&'f str> {
    let has = |feature: &str| machine.cpu_features.iter().any(|found| found == feature);
    needs.iter().copied().find(|feature| !has(feature))
}
