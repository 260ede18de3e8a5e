//! Merges receipts of the same work. The recorded entries of both are united, and all other fields are derived again.
//!
//! The order of merging does not change the result, because parts are kept in order and all totals are derived from
//! them.

use super::document::Receipt;
use super::error::{MergeError, same};
use super::run::Run;
use super::section::Contents;
use super::subject::{ModelInfo, OracleInfo};

/// Unites two receipts: sections that one of them has, and shards of sections that both have.
///
/// # Errors
///
/// [`MergeError`] if commit, oracles, model or parameters differ, or if both contain the same work.
pub fn merge(left: Receipt, right: Receipt) -> Result<Receipt, MergeError> {
    same("the commit", &left.harness.commit, &right.harness.commit)?;
    same(
        "the schema version",
        &left.schema_version,
        &right.schema_version,
    )?;
    let mut merged = left;
    let Receipt {
        model_info,
        validation,
        harness,
        ..
    } = right;
    unite_oracles(&mut merged.validation.oracles, validation.oracles)?;
    unite_models(&mut merged.model_info, model_info)?;
    for run in &harness.runs {
        let known = merged.harness.runs.iter();
        for other in known.filter(|known| known.section == run.section) {
            shares_work(other, run)?;
        }
    }
    let into = &mut merged.harness;
    unite(&mut into.check, harness.check)?;
    unite(&mut into.fuzz, harness.fuzz)?;
    unite(&mut into.mutants, harness.mutants)?;
    unite(&mut into.bench, harness.bench)?;
    unite(&mut into.bench_model, harness.bench_model)?;
    into.runs.extend(harness.runs);
    into.runs.sort_by_key(|run| (run.section, run.shard.index));
    merged.renew_digest();
    Ok(merged)
}

/// Checks that two runs are different shards of the same work, with the same oracles.
fn shares_work(left: &Run, right: &Run) -> Result<(), MergeError> {
    let section = left.section;
    let what = |what: &str| format!("{what} of {section}");
    let (count, other) = (left.shard.count, right.shard.count);
    same(&what("the number of shards"), &count, &other)?;
    same(&what("the oracles"), &left.oracles, &right.oracles)?;
    if left.shard == right.shard {
        let shard = left.shard;
        return Err(MergeError::Overlap { section, shard });
    }
    Ok(())
}

/// Adds the section of the other receipt, which has other shards of the same work.
fn unite<S: Contents>(into: &mut Option<S>, other: Option<S>) -> Result<(), MergeError> {
    match (into.as_mut(), other) {
        (Some(into), Some(other)) => {
            let what = format!("the parameters of {}", into.section());
            same(&what, &into.parameters(), &other.parameters())?;
            into.unite(other)
        }
        (None, other) => {
            *into = other;
            Ok(())
        }
        (Some(_), None) => Ok(()),
    }
}

fn unite_oracles(into: &mut Vec<OracleInfo>, others: Vec<OracleInfo>) -> Result<(), MergeError> {
    for other in others {
        match into.iter().find(|known| known.id == other.id) {
            Some(known) => same(&format!("the oracle {}", other.id), known, &other)?,
            None => into.push(other),
        }
    }
    into.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(())
}

/// Unites the models of two receipts. Their paths may differ, because machines store the file in different places.
fn unite_models(into: &mut Option<ModelInfo>, other: Option<ModelInfo>) -> Result<(), MergeError> {
    match (into.as_ref(), other) {
        (Some(known), Some(other)) => {
            same("the model's hash", &known.sha256, &other.sha256)?;
            let path = known.path.clone();
            same("the model", known, &ModelInfo { path, ..other })
        }
        (None, Some(other)) => {
            *into = Some(other);
            Ok(())
        }
        (_, None) => Ok(()),
    }
}
