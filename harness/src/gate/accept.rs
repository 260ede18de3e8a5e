//! Creates a new baseline from receipts.

use thiserror::Error;

use super::{Case, CaseError, Judgement, judge};
use crate::baseline::{
    Baseline, Change, CoveredModel, DoubtfulSpeed, Entry, Group, Speed, SpeedKey, Target, changes,
    groups,
};
use crate::receipt::{DIRTY, Receipt};

/// A baseline that may replace the old one, and the changes.
#[derive(Debug)]
pub struct Accepted {
    /// The new baseline.
    pub baseline: Baseline,
    /// Entries kept from the old one, because the machines of the receipts cannot cover them, with reasons.
    pub kept: Vec<String>,
    /// Entries that are lost, or whose count decreased.
    pub lost: Vec<Group>,
    /// Entries that are new, or whose count increased.
    pub gained: Vec<Group>,
    /// Rows whose ratio changed, with the old and the new one.
    pub speed: Vec<(SpeedKey, Option<Speed>, Option<Speed>)>,
    /// Rows whose times are not accepted, with reasons.
    pub left_out: Vec<DoubtfulSpeed>,
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
    let nothing = Baseline::empty();
    let old = old.unwrap_or(&nothing);
    let case = Case::new(&nothing, receipts)?;
    // Without a baseline, only failures of the receipts themselves remain.
    let judgement = judge(&case);
    if !judgement.is_passed() {
        return Err(Refusal::Red(judgement));
    }
    let case = Case::new(old, receipts)?;
    let mut baseline = case.now.clone();
    for target in baseline.targets.values_mut() {
        target.doubtful.clear();
        if let Some(campaign) = &mut target.fuzz {
            campaign.timed = 0;
        }
    }
    let kept = keep(&case, &mut baseline);
    let all = changes(old, &baseline);
    let (losses, gains): (Vec<&Change<'_>>, Vec<&Change<'_>>) =
        all.iter().partition(|change| change.is_loss());
    let accepted = Accepted {
        lost: groups(losses, &baseline),
        gained: groups(gains, old),
        speed: speeds(old, &baseline),
        left_out: left_out(&case.now),
        kept,
        baseline: baseline.clone(),
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
        let others: Vec<_> = old
            .speed
            .iter()
            .filter(|row| !timed(row))
            .cloned()
            .collect();
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
        Entry::Pair {
            model,
            level,
            candidate,
            oracle,
        } => {
            let covered = target.models.get_mut(model.sha256);
            // A model that was not checked at all is lost. A missing CPU feature does not explain that.
            let Some(CoveredModel { levels, .. }) = covered else {
                return;
            };
            let oracles = levels
                .entry(level)
                .or_default()
                .entry(candidate.into())
                .or_default();
            oracles.insert(oracle.into(), change.was);
            if let Some(build) = old.oracles.get(oracle) {
                target
                    .oracles
                    .entry(oracle.into())
                    .or_insert_with(|| build.clone());
            }
        }
        Entry::Tensor { .. } | Entry::Fuzz | Entry::Mutant { .. } => {}
    }
}

fn left_out(now: &Baseline) -> Vec<DoubtfulSpeed> {
    let targets = now.targets.values();
    targets
        .flat_map(|target| target.doubtful.iter().cloned())
        .collect()
}

fn speeds(old: &Baseline, new: &Baseline) -> Vec<(SpeedKey, Option<Speed>, Option<Speed>)> {
    let rows = |baseline: &Baseline| {
        let rows = baseline.targets.values().flat_map(|target| &target.speed);
        rows.map(|row| (row.key.clone(), row.clone()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let (old, new) = (rows(old), rows(new));
    let keys: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let row = |key: &SpeedKey| (key.clone(), old.get(key).cloned(), new.get(key).cloned());
    keys.into_iter()
        .map(row)
        .filter(|(_, was, is)| was != is)
        .collect()
}
