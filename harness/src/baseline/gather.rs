//! Computes the entries that receipts cover.

use std::collections::BTreeMap;

use super::document::{Baseline, Campaign, CoveredModel, OracleBuild, Target};
use super::speed::Speeds;
use crate::check::LevelReport;
use crate::known;
use crate::receipt::{CheckSection, ModelInfo, OracleInfo, Receipt, TensorInfo};
use crate::verdict::Verdict;

/// Results of the shards of one check, by the number of the shard. A shard that several receipts contain counts once.
type Shards<'a> = BTreeMap<u64, &'a [LevelReport]>;

/// Checks of one model, by their parameters and number of shards.
type Checks<'a> = BTreeMap<(String, u64), Shards<'a>>;

/// Shards of campaigns, by shard, parameters and number of shards: the number of cases, and whether it was requested.
type Campaigns = BTreeMap<(String, u64), (u64, bool)>;

impl Baseline {
    /// The entries that receipts cover together. The order of the receipts does not matter. Work that several of them
    /// contain counts once.
    pub fn of<'a>(receipts: impl IntoIterator<Item = &'a Receipt>) -> Baseline {
        let mut by_arch: BTreeMap<&str, Vec<&Receipt>> = BTreeMap::new();
        for receipt in receipts {
            let arch = receipt.environment.arch.as_str();
            by_arch.entry(arch).or_default().push(receipt);
        }
        let target = |(arch, mut receipts): (&str, Vec<&Receipt>)| {
            receipts.sort_unstable_by(|a, b| a.harness.digest.cmp(&b.harness.digest));
            (arch.to_owned(), target(&receipts))
        };
        Baseline {
            targets: by_arch.into_iter().map(target).collect(),
            ..Baseline::default()
        }
    }
}

fn target(receipts: &[&Receipt]) -> Target {
    let commit = receipts.iter().map(|receipt| &receipt.harness.commit).min();
    let mut target = Target {
        commit: commit.cloned().unwrap_or_default(),
        ..Target::default()
    };
    let mut checks: BTreeMap<&str, Checks<'_>> = BTreeMap::new();
    let mut campaigns = Campaigns::new();
    let mut speeds = Speeds::default();
    for receipt in receipts {
        for oracle in &receipt.validation.oracles {
            let build = OracleBuild::from(oracle);
            target.oracles.entry(oracle.id.clone()).or_insert(build);
        }
        target.kernels.extend(receipt.kernels.iter().cloned());
        let harness = &receipt.harness;
        if let (Some(check), Some(model)) = (&harness.check, &receipt.model_info) {
            model_of(&mut target, model);
            let checks = checks.entry(&model.sha256).or_default();
            add_check(checks, check);
        }
        if let Some(fuzz) = &harness.fuzz {
            let parameters = json(&fuzz.parameters);
            for part in &fuzz.parts {
                let key = (format!("{} of {parameters}", part.shard), fuzz.shards.count);
                let requested = fuzz.parameters.cases.is_some();
                let (cases, _) = campaigns.entry(key).or_insert((0, requested));
                *cases = part.cases.max(*cases);
            }
        }
        if let Some(section) = &harness.mutants {
            for row in &section.kernels {
                let formats = target.mutants.entry(row.mutant.clone()).or_default();
                formats.insert(row.format.clone());
            }
            for row in &section.models {
                target.mutants.entry(row.mutant.clone()).or_default();
            }
        }
        speeds.add(receipt);
    }
    for (sha256, checks) in checks {
        let model = target.models.get_mut(sha256);
        count_pairs(model.expect("each check has its model"), &checks);
    }
    target.fuzz = add_up(&campaigns);
    (target.speed, target.doubtful) = speeds.distinct();
    target
}

/// Parameters as a key.
fn json(parameters: &impl serde::Serialize) -> String {
    serde_json::to_string(parameters).expect("the keys of parameters are strings")
}

fn model_of(target: &mut Target, info: &ModelInfo) {
    let model = target
        .models
        .entry(info.sha256.clone())
        .or_insert_with(|| CoveredModel {
            name: info.name(),
            tensors: BTreeMap::new(),
            levels: BTreeMap::new(),
        });
    let read_as = |tensor: &TensorInfo| {
        let (format, variant, rows, cols) =
            (&tensor.format, &tensor.variant, tensor.rows, tensor.cols);
        (
            tensor.name.clone(),
            format!("{format} {variant} {rows}x{cols}"),
        )
    };
    model.tensors.extend(info.tensors.iter().map(read_as));
}

fn add_check<'a>(checks: &mut Checks<'a>, check: &'a CheckSection) {
    let key = (json(&check.parameters), check.shards.count);
    let shards = checks.entry(key).or_default();
    for (shard, levels) in check.results() {
        shards.entry(shard).or_insert(levels);
    }
}

/// Counts the comparisons of each pair: the sum over the shards of a check, and the maximum over checks with different
/// parameters.
fn count_pairs(model: &mut CoveredModel, checks: &Checks<'_>) {
    for shards in checks.values() {
        let mut counts = BTreeMap::new();
        let outcomes = shards.values().flat_map(|levels| levels.iter());
        for outcome in outcomes.flat_map(|report| &report.outcomes) {
            // A known divergence is a defect of an oracle and covers no candidate.
            let counted = outcome.measures.comparisons > 0
                && outcome.verdict != Verdict::KnownDivergence
                && !known::is_listed(&outcome.candidate);
            if counted {
                let pair = (outcome.level, &outcome.candidate, &outcome.reference);
                let count: &mut u64 = counts.entry(pair).or_default();
                *count = count.saturating_add(outcome.measures.comparisons);
            }
        }
        for ((level, candidate, oracle), comparisons) in counts {
            let levels = model.levels.entry(level).or_default();
            let oracles = levels.entry(candidate.clone()).or_default();
            let most = oracles.entry(oracle.clone()).or_default();
            *most = comparisons.max(*most);
        }
    }
}

fn add_up(campaigns: &Campaigns) -> Option<Campaign> {
    let sum = |requested| {
        let cases = campaigns.values().filter(|(_, is)| *is == requested);
        cases.fold(0, |sum: u64, (cases, _)| sum.saturating_add(*cases))
    };
    (!campaigns.is_empty()).then(|| Campaign {
        cases: sum(true),
        timed: sum(false),
    })
}

impl From<&OracleInfo> for OracleBuild {
    fn from(oracle: &OracleInfo) -> OracleBuild {
        OracleBuild {
            version: oracle.version.clone(),
            checksum: oracle.checksum.clone(),
            compiler: oracle.compiler.clone(),
            flags: oracle.flags.clone(),
            instruction_set: oracle.instruction_set.join(" "),
        }
    }
}
