//! From receipts to a new baseline.

use thiserror::Error;

use super::{Case, CaseError, Judgement, judge};
use crate::baseline::{
    Baseline, Change, CoveredModel, DoubtfulSpeed, Fact, Group, Speed, SpeedKey, Target, changes,
    groups,
};
use crate::receipt::{DIRTY, Receipt};

/// A baseline that may take the place of the old one, and what changes by that.
#[derive(Debug)]
pub struct Accepted {
    /// The new baseline.
    pub baseline: Baseline,
    /// What is kept from the old one, since the machines of the receipts cannot tell, with reasons.
    pub kept: Vec<String>,
    /// What is no longer covered, or less.
    pub lost: Vec<Group>,
    /// What is covered that was not, or more.
    pub gained: Vec<Group>,
    /// Rows whose ratio is new or another: what it was, and what it is.
    pub speed: Vec<(SpeedKey, Option<Speed>, Option<Speed>)>,
    /// Rows whose times are not accepted, with reasons.
    pub left_out: Vec<DoubtfulSpeed>,
}

/// Why receipts make no baseline.
#[derive(Debug, Error)]
pub enum Refusal {
    /// They are no case.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// A gate would be red, whatever it held them to.
    #[error("the receipts are red: a baseline is made of green ones")]
    Red(Judgement),
    /// They cover less.
    #[error(
        "the new baseline would cover less; if that is meant, repeat with --allow-loss, else give all receipts that \
         the old one was made of"
    )]
    Loss(Box<Accepted>),
    /// They cover less, and nobody can check out what they were made of.
    #[error(
        "the receipts are of sources that were not committed, and cover less: commit, and repeat the runs"
    )]
    DirtyLoss(Box<Accepted>),
}

/// The baseline of verified receipts, in place of the `old` one. What their machines cannot tell is kept.
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
    // Held to nothing: what is red now is red by itself.
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

/// Takes over from the old baseline what the machines cannot tell, and says what.
fn keep(case: &Case<'_>, baseline: &mut Baseline) -> Vec<String> {
    let mut kept = Vec::new();
    for (arch, old) in &case.baseline.targets {
        let Some(target) = baseline.targets.get_mut(arch) else {
            baseline.targets.insert(arch.clone(), old.clone());
            kept.push(format!("all of {arch}: no receipt is of it"));
            continue;
        };
        let timed = |row: &crate::baseline::Speed| {
            target.speed.iter().any(|new| new.key.cpu == row.key.cpu)
        };
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
        let reason = case.excuse(change.arch, change.fact);
        let (Some(reason), Some(target)) = (reason, baseline.targets.get_mut(change.arch)) else {
            continue;
        };
        if !case.now.targets.contains_key(change.arch) {
            continue;
        }
        put_back(target, &case.baseline.targets[change.arch], change);
        if let Fact::Kernel(_) = change.fact {
            kept.push(format!("{} on {}: {reason}", change.fact, change.arch));
        }
    }
    kept
}

fn put_back(target: &mut Target, old: &Target, change: &Change<'_>) {
    match change.fact {
        Fact::Kernel(id) => {
            target.kernels.insert(id.into());
        }
        Fact::Pair {
            model,
            rung,
            candidate,
            oracle,
        } => {
            let covered = target.models.get_mut(model.sha256);
            // A model that was not checked at all is lost, whatever one kernel of it needs.
            let Some(CoveredModel { rungs, .. }) = covered else {
                return;
            };
            let oracles = rungs
                .entry(rung)
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
        Fact::Tensor { .. } | Fact::Fuzz | Fact::Mistake { .. } => {}
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
