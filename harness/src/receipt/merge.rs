//! Merges receipts of the same work. The recorded entries of both are united, and all other fields are derived again.
//!
//! The order of merging does not change the result, because parts are kept in order and all totals are derived from
//! them.

use std::fmt::Debug;

use thiserror::Error;

use super::document::Receipt;
use super::run::{Run, Section};
use super::section::{CheckSection, FormatLut, FuzzSection};
use super::subject::{ModelInfo, OracleInfo};
use crate::outcome::Omission;
use crate::shard::Shard;

/// The reason why two receipts cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MergeError {
    /// They differ in something that must be the same.
    #[error("they differ in {what}: {left} and {right}; merge only receipts of the same work")]
    Different {
        /// What differs.
        what: String,
        /// Its value in the first receipt.
        left: String,
        /// Its value in the second receipt.
        right: String,
    },
    /// They contain the same work.
    #[error("both contain {section} {shard}; omit one of them")]
    Overlap {
        /// The section.
        section: Section,
        /// The shard of the section.
        shard: Shard,
    },
}

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
    into.check = unite(into.check.take(), harness.check, unite_checks)?;
    into.fuzz = unite(into.fuzz.take(), harness.fuzz, unite_campaigns)?;
    // These sections have a single shard, so two of them overlap, which was refused above.
    into.mutants = into.mutants.take().or(harness.mutants);
    into.bench = into.bench.take().or(harness.bench);
    into.bench_model = into.bench_model.take().or(harness.bench_model);
    into.runs.extend(harness.runs);
    into.runs.sort_by_key(|run| (run.section, run.shard.index));
    merged.renew_digest();
    Ok(merged)
}

fn different(what: &str, left: &impl Debug, right: &impl Debug) -> MergeError {
    let words = |value: String| match value.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value,
    };
    MergeError::Different {
        what: what.into(),
        left: words(format!("{left:?}")),
        right: words(format!("{right:?}")),
    }
}

fn same<T: PartialEq + Debug>(what: &str, left: &T, right: &T) -> Result<(), MergeError> {
    if left == right {
        Ok(())
    } else {
        Err(different(what, left, right))
    }
}

/// Checks that two runs are different shards of the same work, with the same oracles.
fn shares_work(left: &Run, right: &Run) -> Result<(), MergeError> {
    let section = left.section;
    let counts = (left.shard.count, right.shard.count);
    same(
        &format!("the number of shards of {section}"),
        &counts.0,
        &counts.1,
    )?;
    same(
        &format!("the oracles of {section}"),
        &left.oracles,
        &right.oracles,
    )?;
    if left.shard == right.shard {
        let shard = left.shard;
        return Err(MergeError::Overlap { section, shard });
    }
    Ok(())
}

fn unite<T>(
    left: Option<T>,
    right: Option<T>,
    both: fn(T, T) -> Result<T, MergeError>,
) -> Result<Option<T>, MergeError> {
    match (left, right) {
        (Some(left), Some(right)) => both(left, right).map(Some),
        (left, right) => Ok(left.or(right)),
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

fn unite_checks(left: CheckSection, right: CheckSection) -> Result<CheckSection, MergeError> {
    same(
        "the parameters of check",
        &left.parameters,
        &right.parameters,
    )?;
    same("how the model was run", &left.inference, &right.inference)?;
    let mut layouts = left.layouts.clone();
    for layout in &right.layouts {
        let key = |known: &&FormatLut| {
            known.format == layout.format && known.implementation == layout.implementation
        };
        match left.layouts.iter().find(key) {
            Some(known) => same("a layout", known, layout)?,
            None => layouts.push(layout.clone()),
        }
    }
    layouts.sort_by(|a, b| (&a.format, &a.implementation).cmp(&(&b.format, &b.implementation)));
    let mut parts = left.parts();
    parts.extend(right.parts());
    parts.sort_by_key(|part| part.shard);
    Ok(CheckSection {
        parts,
        layouts,
        input_fault: left.input_fault.or(right.input_fault),
        omitted: both(left.omitted, right.omitted),
        ..left
    })
}

fn unite_campaigns(left: FuzzSection, right: FuzzSection) -> Result<FuzzSection, MergeError> {
    same(
        "the parameters of fuzz",
        &left.parameters,
        &right.parameters,
    )?;
    let (mut parts, mut findings) = (left.parts, left.findings);
    parts.extend(right.parts);
    parts.sort_by_key(|part| part.shard);
    findings.extend(right.findings);
    findings.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(FuzzSection {
        parts,
        findings,
        omitted: both(left.omitted, right.omitted),
        ..left
    })
}

/// The entries of both lists, sorted and without duplicates.
fn both(mut left: Vec<Omission>, right: Vec<Omission>) -> Vec<Omission> {
    left.extend(right);
    left.sort_unstable();
    left.dedup();
    left
}
