//! Verifies a receipt: the recorded entries are possible, and all other fields have the values derived from them.
//!
//! This detects damage, careless edits and faults of the harness. It does not detect forgery: with a new digest, any
//! possible commit, model, time or number of samples is accepted. Only a replay can check those.

use super::commit::{self, is_sha256};
use super::derive::{derive, digest};
use super::document::{Receipt, SCHEMA_VERSION};
use super::run::{Run, Section};
use super::section::Shards;
use super::validation::{ValidationError, require, value};

/// Verifies a receipt, except that its numbers are finite.
///
/// # Errors
///
/// The first inconsistent field.
pub(super) fn verify(receipt: &Receipt) -> Result<(), ValidationError> {
    of_this_harness(receipt)?;
    runs(receipt)?;
    for contents in receipt.harness.contents() {
        contents.verify(&format!("harness.{}", contents.section()))?;
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
    require(same, "harness", "has a number that is not finite")
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
    require(
        known,
        "schema_version",
        "is not the version of this harness",
    )?;
    require(compute_path == "real", "compute_path", "is not `real`")?;
    require(backend == "rust", "backend", "is not `rust`")?;
    require(
        validation.backend == "cpp",
        "validation.backend",
        "is not `cpp`",
    )?;
    let oracles = &validation.oracles;
    require(
        !oracles.is_empty(),
        "validation.oracles",
        "are empty: without an oracle, nothing was compared",
    )?;
    let ascending = oracles.windows(2).all(|pair| pair[0].id < pair[1].id);
    require(
        ascending,
        "validation.oracles",
        "are not sorted by id without duplicates",
    )?;
    for (i, oracle) in oracles.iter().enumerate() {
        let at = format!("validation.oracles[{i}].checksum");
        require(is_sha256(&oracle.checksum), &at, "is not a SHA-256")?;
    }
    if let Some(model) = model_info {
        require(
            is_sha256(&model.sha256),
            "model_info.sha256",
            "is not a SHA-256",
        )?;
    }
    let with_model = harness.check.is_some();
    require(
        model_info.is_some() == with_model,
        "model_info",
        "must be present if there is a check, and absent otherwise",
    )?;
    let known = commit::is_commit(&harness.commit);
    require(known, "harness.commit", "is not the full hash of a commit")
}

/// Checks that the runs match the sections, and that their times, calls and oracles are possible.
fn runs(receipt: &Receipt) -> Result<(), ValidationError> {
    let runs = &receipt.harness.runs;
    let order = |run: &Run| (run.section, run.shard.index);
    let ascending = runs
        .windows(2)
        .all(|pair| order(&pair[0]) < order(&pair[1]));
    require(
        ascending,
        "harness.runs",
        "are not sorted by section and shard without duplicates",
    )?;
    let sections: Vec<(Section, Shards)> = receipt.harness.sections().collect();
    require(!sections.is_empty(), "harness", "has no section")?;
    for (section, shards) in &sections {
        let at = format!("harness.{section}.shards");
        require(shards.are_possible(), &at, "are impossible")?;
        let of_section = runs.iter().filter(|run| run.section == *section);
        let found = Shards::new(shards.count, of_section.clone().map(|run| run.shard.index));
        require(found == *shards, &at, "differ from those of the runs")?;
        let counted = of_section
            .clone()
            .all(|run| run.shard.count == shards.count);
        require(counted, &at, "have another count than the runs")?;
    }
    for (i, run) in runs.iter().enumerate() {
        let at = |field: &str| format!("harness.runs[{i}].{field}");
        let there = sections.iter().any(|(section, _)| *section == run.section);
        require(there, &at("section"), "is not in the receipt")?;
        let time = humantime::parse_rfc3339(&run.timestamp);
        require(time.is_ok(), &at("timestamp"), "is not a time")?;
        let seconds = run.timings.iter().map(|timing| timing.seconds);
        let possible = seconds.chain([run.seconds]).all(|seconds| seconds >= 0.0);
        require(possible, &at("seconds"), "are below 0")?;
        let executed = run.calls.values().all(|&calls| calls > 0);
        require(executed, &at("calls"), "contain a kernel without calls")?;
        require(!run.oracles.is_empty(), &at("oracles"), "are empty")?;
        for id in &run.oracles {
            let described = receipt
                .validation
                .oracles
                .iter()
                .any(|oracle| oracle.id == *id);
            require(
                described,
                &at("oracles"),
                "contain one that validation.oracles lacks",
            )?;
        }
        let with_model = run.section == Section::Check;
        require(
            run.model.is_some() == with_model,
            &at("model"),
            "must be present for a check, and absent otherwise",
        )?;
    }
    Ok(())
}
