//! Verifies a receipt: the recorded entries are possible, and all other fields have the values derived from them.
//!
//! This detects damage, careless edits and faults of the harness. It does not detect forgery: with a new digest, any
//! possible commit, model, time or number of samples is accepted. Only a replay can check those.

use super::commit::{self, is_sha256};
use super::derive::{derive, digest};
use super::document::{Receipt, SCHEMA_VERSION};
use super::run::{Run, Section};
use super::section::Shards;
use super::validation::{At, ValidationError, value};

/// Verifies a receipt, except that its numbers are finite.
///
/// # Errors
///
/// The first inconsistent field.
pub(super) fn verify(receipt: &Receipt) -> Result<(), ValidationError> {
    of_this_harness(receipt)?;
    runs(receipt)?;
    for contents in receipt.harness.contents() {
        contents.verify(&At::root("harness").field(contents.section().name()))?;
    }
    let mut derived = receipt.clone();
    derive(&mut derived);
    if derived != *receipt {
        let difference = ValidationError::first_difference(&value(receipt)?, &value(&derived)?);
        return Err(difference.unwrap_or_else(|| {
            ValidationError::new("harness", "differs from the derived values")
        }));
    }
    if receipt.harness.digest != digest(receipt) {
        let what = "is not the digest of the other fields, which were edited afterwards";
        return Err(ValidationError::new("harness.digest", what));
    }
    Ok(())
}

/// Checks that all numbers are finite. JSON would store `null` in place of others.
pub(super) fn finite(receipt: &Receipt) -> Result<(), ValidationError> {
    let read: Receipt = serde_path_to_error::deserialize(&value(receipt)?)
        .map_err(|error| ValidationError::new(error.path().to_string(), "is not finite"))?;
    // In an optional field, `null` is read as an absent number and gives no error.
    let same = read == *receipt;
    At::root("harness").require(same, "has a number that is not finite")
}

fn of_this_harness(receipt: &Receipt) -> Result<(), ValidationError> {
    let Receipt {
        schema_version,
        compute_path,
        backend,
        validation,
        model_info,
        harness,
        ..
    } = receipt;
    let known = schema_version == SCHEMA_VERSION;
    At::root("schema_version").require(known, "is not the version of this harness")?;
    At::root("compute_path").require(compute_path == "real", "is not `real`")?;
    At::root("backend").require(backend == "rust", "is not `rust`")?;
    At::root("validation.backend").require(validation.backend == "cpp", "is not `cpp`")?;
    let oracles = &validation.oracles;
    At::root("validation.oracles").require(
        !oracles.is_empty(),
        "are empty: without an oracle, nothing was compared",
    )?;
    let ascending = oracles.windows(2).all(|pair| pair[0].id < pair[1].id);
    At::root("validation.oracles").require(ascending, "are not sorted by id without duplicates")?;
    for (i, oracle) in oracles.iter().enumerate() {
        let at = At::root("validation.oracles").item(i).field("checksum");
        at.require(is_sha256(&oracle.checksum), "is not a SHA-256")?;
    }
    if let Some(model) = model_info {
        At::root("model_info.sha256").require(is_sha256(&model.sha256), "is not a SHA-256")?;
    }
    let with_model = harness.check.is_some();
    At::root("model_info").require(
        model_info.is_some() == with_model,
        "must be present if there is a check, and absent otherwise",
    )?;
    let known = commit::is_commit(&harness.commit);
    At::root("harness.commit").require(known, "is not the full hash of a commit")
}

/// Checks that the runs match the sections, and that their times, calls and oracles are possible.
fn runs(receipt: &Receipt) -> Result<(), ValidationError> {
    let runs = &receipt.harness.runs;
    let order = |run: &Run| (run.section, run.shard.index);
    let ascending = runs
        .windows(2)
        .all(|pair| order(&pair[0]) < order(&pair[1]));
    At::root("harness.runs").require(
        ascending,
        "are not sorted by section and shard without duplicates",
    )?;
    let sections: Vec<(Section, Shards)> = receipt.harness.sections().collect();
    At::root("harness").require(!sections.is_empty(), "has no section")?;
    let (of_kernels, of_model) = (&receipt.harness.bench, &receipt.harness.bench_model);
    let in_place = of_kernels.iter().all(|bench| bench.report.model.is_none())
        && of_model.iter().all(|bench| bench.report.model.is_some());
    let what = "has a bench in the field of the other kind";
    At::root("harness").require(in_place, what)?;
    for (section, shards) in &sections {
        let at = At::root("harness").field(section.name()).field("shards");
        at.require(shards.are_possible(), "are impossible")?;
        let of_section = runs.iter().filter(|run| run.section == *section);
        let found = Shards::new(shards.count, of_section.clone().map(|run| run.shard.index));
        at.require(found == *shards, "differ from those of the runs")?;
        let counted = of_section
            .clone()
            .all(|run| run.shard.count == shards.count);
        at.require(counted, "have another count than the runs")?;
    }
    for (i, run) in runs.iter().enumerate() {
        let at = At::root("harness.runs").item(i);
        let there = sections.iter().any(|(section, _)| *section == run.section);
        at.field("section")
            .require(there, "is not in the receipt")?;
        let time = humantime::parse_rfc3339(&run.timestamp);
        at.field("timestamp")
            .require(time.is_ok(), "is not a time")?;
        let seconds = run.timings.iter().map(|timing| timing.seconds);
        let possible = seconds.chain([run.seconds]).all(|seconds| seconds >= 0.0);
        at.field("seconds").require(possible, "are below 0")?;
        let executed = run.calls.values().all(|&calls| calls > 0);
        at.field("calls")
            .require(executed, "contain a kernel without calls")?;
        at.field("oracles")
            .require(!run.oracles.is_empty(), "are empty")?;
        for id in &run.oracles {
            let described = receipt
                .validation
                .oracles
                .iter()
                .any(|oracle| oracle.id == *id);
            at.field("oracles")
                .require(described, "contain one that validation.oracles lacks")?;
        }
        let with_model = run.section == Section::Check;
        at.field("model").require(
            run.model.is_some() == with_model,
            "must be present for a check, and absent otherwise",
        )?;
    }
    Ok(())
}
