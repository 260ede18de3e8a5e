//! Creates a new baseline from receipts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use thiserror::Error;

use super::{Case, CaseError, Judgement, judge};
use crate::baseline::{
    Baseline, Change, DoubtfulSpeed, Entry, Group, Speed, SpeedKey, Target, changes, groups,
};
use crate::receipt::{DIRTY, Receipt};

/// A baseline that may replace the old one, and the changes.
#[derive(Debug, Default, Serialize)]
pub struct Accepted {
    /// The new baseline.
    #[serde(skip)]
    pub baseline: Baseline,
    /// Entries that are lost, or whose count decreased.
    pub lost: Vec<Group>,
    /// Entries that are new, or whose count increased.
    pub gained: Vec<Group>,
    /// Entries kept from the old one, because the machines of the receipts cannot cover them, with reasons.
    pub kept: Vec<String>,
    /// Rows whose ratio changed.
    pub speed: Vec<SpeedChange>,
    /// Rows whose times are not accepted, with reasons.
    pub left_out: Vec<DoubtfulSpeed>,
}

/// A row whose ratio changed.
#[derive(Debug, Serialize)]
pub struct SpeedChange {
    /// Identity of the row.
    #[serde(flatten)]
    pub key: SpeedKey,
    /// The old ratio.
    pub was: Option<Speed>,
    /// The new ratio.
    pub is: Option<Speed>,
}

/// The reason why receipts are not accepted as a baseline.
#[derive(Debug, Error)]
pub enum Refusal {
    /// They cannot be judged together.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// They fail the gate even without a baseline.
    #[error("the receipts fail the gate: a baseline requires receipts that pass")]
    Red(Judgement),
    /// They cover less than the old baseline.
    #[error(
        "the new baseline would cover less; if that is intended, repeat with --allow-loss, else give receipts of all \
         commands that the old one covers"
    )]
    Loss(Box<Accepted>),
    /// They cover less, and their sources cannot be checked out.
    #[error(
        "the receipts cover less, and their sources were not committed: commit, and repeat the runs"
    )]
    DirtyLoss(Box<Accepted>),
}

/// Creates the baseline of verified receipts, which replaces the `old` one. Entries that their machines cannot cover
/// are kept.
///
/// # Errors
///
/// [`Refusal`] if the receipts are red, or if they cover less and that is not allowed.
pub fn accept(
    old: Option<&Baseline>,
    receipts: &[Receipt],
    allow_loss: bool,
) -> Result<Accepted, Refusal> {
    let nothing = Baseline::default();
    let old = old.unwrap_or(&nothing);
    let case = Case::new(&nothing, receipts)?;
    // Without a baseline, only failures of the receipts themselves remain.
    let judgement = judge(&case);
    if !judgement.is_passed() {
        return Err(Refusal::Red(judgement));
    }
    let case = Case::new(old, receipts)?;
    let mut baseline = case.now.clone();
    let mut left_out = Vec::new();
    for target in baseline.targets.values_mut() {
        left_out.append(&mut target.doubtful);
        if let Some(campaign) = &mut target.fuzz {
            campaign.timed = 0;
        }
    }
    let kept = keep(&case, &mut baseline);
    let all = changes(old, &baseline);
    let accepted = Accepted {
        lost: groups(all.iter().filter(|change| change.is_loss()), &baseline),
        gained: groups(all.iter().filter(|change| !change.is_loss()), old),
        speed: speeds(old, &baseline),
        left_out,
        kept,
        baseline,
    };
    if accepted.lost.is_empty() {
        return Ok(accepted);
    }
    if case.commit().ends_with(DIRTY) {
        return Err(Refusal::DirtyLoss(Box::new(accepted)));
    }
    if !allow_loss {
        return Err(Refusal::Loss(Box::new(accepted)));
    }
    Ok(accepted)
}

/// Copies entries that the machines cannot cover from the old baseline. Returns their descriptions.
fn keep(case: &Case<'_>, baseline: &mut Baseline) -> Vec<String> {
    let mut kept = Vec::new();
    for (arch, old) in &case.baseline.targets {
        let Some(target) = baseline.targets.get_mut(arch) else {
            baseline.targets.insert(arch.clone(), old.clone());
            kept.push(format!("all of {arch}: no receipt is of this architecture"));
            continue;
        };
        let timed = |row: &Speed| target.speed.iter().any(|new| new.key.cpu == row.key.cpu);
        let others = old.speed.iter().filter(|row| !timed(row));
        let others: Vec<_> = others.cloned().collect();
        if !others.is_empty() {
            kept.push(format!(
                "{} times on {arch}: not timed in these receipts, or on another CPU",
                others.len()
            ));
        }
        target.speed.extend(others);
        target.speed.sort_by(|a, b| a.key.cmp(&b.key));
    }
    let all = changes(case.baseline, &case.now);
    for change in all.iter().filter(|change| change.is == 0) {
        let reason = case.unavailable(change.arch, change.entry);
        let (Some(reason), Some(target)) = (reason, baseline.targets.get_mut(change.arch)) else {
            continue;
        };
        if !case.now.targets.contains_key(change.arch) {
            continue;
        }
        put_back(target, &case.baseline.targets[change.arch], change);
        if let Entry::Kernel(_) = change.entry {
            kept.push(format!("{} on {}: {reason}", change.entry, change.arch));
        }
    }
    kept
}

fn put_back(target: &mut Target, old: &Target, change: &Change<'_>) {
    match change.entry {
        Entry::Kernel(id) => {
            target.kernels.insert(id.into());
        }
        Entry::Pair(pair) => {
            // A model that was not checked at all is lost. A missing CPU feature does not explain that.
            let Some(covered) = target.models.get_mut(pair.model.sha256) else {
                return;
            };
            let candidates = covered.levels.entry(pair.level).or_default();
            let oracles = candidates.entry(pair.candidate.into()).or_default();
            oracles.insert(pair.oracle.into(), change.was);
            if let Some(build) = old.oracles.get(pair.oracle) {
                let known = target.oracles.entry(pair.oracle.into());
                known.or_insert_with(|| build.clone());
            }
        }
        Entry::Tensor { .. } | Entry::Fuzz | Entry::Mutant { .. } => {}
    }
}

fn speeds(old: &Baseline, new: &Baseline) -> Vec<SpeedChange> {
    let rows = |baseline: &Baseline| -> BTreeMap<SpeedKey, Speed> {
        let rows = baseline.targets.values().flat_map(|target| &target.speed);
        rows.map(|row| (row.key.clone(), row.clone())).collect()
    };
    let (old, new) = (rows(old), rows(new));
    let keys: BTreeSet<&SpeedKey> = old.keys().chain(new.keys()).collect();
    let changes = keys.into_iter().map(|key| SpeedChange {
        key: key.clone(),
        was: old.get(key).cloned(),
        is: new.get(key).cloned(),
    });
    changes.filter(|change| change.was != change.is).collect()
}
