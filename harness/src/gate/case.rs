//! The receipts, what they cover, and what they are held to.

use qk256::kernel::Isa;
use thiserror::Error;

use crate::baseline::{Baseline, Fact, OracleBuild, model_name};
use crate::receipt::{Environment, Receipt};

/// What the criteria look at.
#[derive(Debug)]
pub struct Case<'a> {
    /// What is asked for.
    pub baseline: &'a Baseline,
    /// What the receipts cover together.
    pub now: Baseline,
    /// The receipts, each once, in an order that does not depend on the one that they were given in.
    pub receipts: Vec<&'a Receipt>,
}

/// What the model of a receipt is called; nothing if it has none.
pub(super) fn model_of(receipt: &Receipt) -> String {
    receipt
        .model_info
        .as_ref()
        .map(model_name)
        .unwrap_or_default()
}

/// Why receipts are no case.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaseError {
    /// There are none.
    #[error("no receipt to judge")]
    NoReceipts,
    /// They are of different sources, so that nobody knows which of them are judged.
    #[error("receipts are of different commits: {left} and {right}; give those of one")]
    Commits {
        /// One commit.
        left: String,
        /// Another one.
        right: String,
    },
}

impl<'a> Case<'a> {
    /// The case of verified receipts.
    ///
    /// # Errors
    ///
    /// [`CaseError`] if there is none, or if they are of different commits.
    pub fn new(baseline: &'a Baseline, receipts: &'a [Receipt]) -> Result<Case<'a>, CaseError> {
        let mut receipts: Vec<&Receipt> = receipts.iter().collect();
        receipts.sort_unstable_by(|a, b| a.harness.seal.cmp(&b.harness.seal));
        receipts.dedup_by(|a, b| a.harness.seal == b.harness.seal);
        let mut commits: Vec<&String> = receipts.iter().map(|r| &r.harness.commit).collect();
        commits.sort_unstable();
        commits.dedup();
        match commits[..] {
            [] => return Err(CaseError::NoReceipts),
            [_] => {}
            [left, right, ..] => {
                return Err(CaseError::Commits {
                    left: left.clone(),
                    right: right.clone(),
                });
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

    /// The machines of an architecture that runs of the receipts took place on.
    pub fn machines(&self, arch: &str) -> impl Iterator<Item = &'a Environment> {
        let runs = self
            .receipts
            .iter()
            .flat_map(|receipt| &receipt.harness.runs);
        let environments = runs.map(|run| &run.environment);
        environments.filter(move |environment| environment.arch == arch)
    }

    /// Why a fact of the baseline cannot be had from these machines; none if it can.
    pub(super) fn excuse(&self, arch: &str, fact: Fact<'_>) -> Option<String> {
        if !self.now.targets.contains_key(arch) {
            return Some(format!("no receipt is of {arch}"));
        }
        match fact {
            // It could have run on any of them.
            Fact::Kernel(id) => {
                let needs = Isa::of_kernel(id)?.features();
                let lacks = self.machines(arch).map(|machine| missing(needs, machine));
                let lacks: Option<Vec<&str>> = lacks.collect();
                Some(format!("no {}", lacks?.first()?))
            }
            // It could have been compared on the one that had the work, which may be any of them.
            Fact::Pair {
                candidate, oracle, ..
            } => {
                let of_kernel = Isa::of_kernel(candidate).map_or(&[][..], Isa::features);
                let lacks = |needs: &[&str]| {
                    let mut machines = self.machines(arch);
                    machines.find_map(|machine| missing(needs, machine).map(String::from))
                };
                let feature = lacks(of_kernel).or_else(|| lacks(&self.needs_of(arch, oracle)))?;
                Some(format!("no {feature}"))
            }
            Fact::Tensor { .. } | Fact::Fuzz | Fact::Mistake { .. } => None,
        }
    }

    /// The CPU features that an oracle of the baseline was compiled for, of those that environments name.
    fn needs_of(&self, arch: &str, oracle: &str) -> Vec<&'a str> {
        let target = self.baseline.targets.get(arch);
        let build = target.and_then(|target| target.oracles.get(oracle));
        // What was built on these machines runs on them, whatever it was built for elsewhere.
        let there = self.now.targets.get(arch);
        if there.is_some_and(|target| target.oracles.contains_key(oracle)) {
            return Vec::new();
        }
        let features = build.into_iter().flat_map(|b| b.instruction_set.split(' '));
        features
            .filter(|feature| cpp_shim::is_cpu_feature(feature))
            .collect()
    }

    /// Whether an oracle is the same build as that of the baseline, to the compiler.
    pub(super) fn is_same_build(&self, arch: &str, oracle: &str) -> bool {
        build(self.baseline, arch, oracle) == build(&self.now, arch, oracle)
    }

    /// Whether an oracle is of the same source and for the same CPU features as that of the baseline.
    pub(super) fn computes_the_same(&self, arch: &str, oracle: &str) -> bool {
        let what = |baseline| {
            let build: Option<&OracleBuild> = build(baseline, arch, oracle);
            build.map(|build| (&build.checksum, &build.instruction_set))
        };
        what(self.baseline) == what(&self.now)
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
