//! Whether a receipt can be believed: facts that are possible, and everything else as it follows from them.
//!
//! This finds damage, careless edits and mistakes of the harness itself. It finds no forgery: who computes the checksum
//! again may write down any commit, model, time or number of samples that can be. That is trust, or a replay.

use qk256::kernel::Isa;

use super::commit::{self, is_sha256};
use super::document::{Receipt, SCHEMA_VERSION};
use super::figures::{of_finding, of_outcome};
use super::flaw::{Flaw, require, value};
use super::follow::{follow, seal};
use super::run::{Run, Section};
use super::section::{CheckSection, FuzzSection, Shards};
use crate::bench::report::medians;
use crate::bench::statistics::Median;

/// Holds a receipt against itself.
///
/// # Errors
///
/// The first field that cannot be as it is.
pub(super) fn verify(receipt: &Receipt) -> Result<(), Flaw> {
    of_this_harness(receipt)?;
    runs(receipt)?;
    if let Some(check) = &receipt.harness.check {
        of_check(check, "harness.check")?;
    }
    if let Some(fuzz) = &receipt.harness.fuzz {
        of_fuzz(fuzz, "harness.fuzz")?;
    }
    if let Some(bench) = &receipt.harness.bench {
        for (i, row) in bench.report.rows.iter().enumerate() {
            let at = format!("harness.bench.report.rows[{i}]");
            let medians = medians(&row.time, &row.oracles, &row.roofs);
            of_row(row.threads, medians, &at)?;
            let known = Isa::of_kernel(&row.kernel).is_some();
            require(known, &format!("{at}.kernel"), "is no id of a kernel")?;
        }
    }
    if let Some(bench) = &receipt.harness.bench_model {
        for (i, row) in bench.report.rows.iter().enumerate() {
            let at = format!("harness.bench_model.report.rows[{i}]");
            let medians = medians(&row.time, &row.oracles, &row.roofs);
            of_row(row.threads, medians, &at)?;
        }
    }
    let mut wanted = receipt.clone();
    follow(&mut wanted);
    if wanted != *receipt {
        let difference = Flaw::first_difference(&value(receipt)?, &value(&wanted)?);
        return Err(difference.unwrap_or_else(|| Flaw::new("harness", "does not follow")));
    }
    if receipt.harness.seal != seal(receipt) {
        let what = "is not the hash of the rest, which was edited after it was sealed";
        return Err(Flaw::new("harness.seal", what));
    }
    Ok(())
}

/// An error at the first figure that is no number: JSON would have `null` in its place.
pub(super) fn finite(receipt: &Receipt) -> Result<(), Flaw> {
    let written = value(receipt)?;
    let read: Receipt = serde_path_to_error::deserialize(&written)
        .map_err(|error| Flaw::new(error.path().to_string(), "is no number"))?;
    if read == *receipt {
        return Ok(());
    }
    // A NaN that became nothing stands in the words only.
    let (words, read) = (format!("{receipt:#?}"), format!("{read:#?}"));
    let lines: Vec<&str> = words.lines().collect();
    let at = read.lines().zip(&lines).position(|(a, b)| a != *b);
    Err(Flaw::new(
        fields_above(&lines, at.unwrap_or_default()),
        "is no number",
    ))
}

/// The fields that a line of a value's words stands in, told by its indentation.
fn fields_above(lines: &[&str], at: usize) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut fields = Vec::new();
    let mut below = usize::MAX;
    for line in lines[..=at].iter().rev().filter(|line| !line.is_empty()) {
        if depth(line) < below {
            below = depth(line);
            fields.extend(line.trim_start().split_once(": ").map(|(field, _)| field));
        }
    }
    fields.reverse();
    fields.join(".")
}

fn of_this_harness(receipt: &Receipt) -> Result<(), Flaw> {
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
    require(known, "schema_version", "is not that of this harness")?;
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
        "names no oracle: nothing was compared with",
    )?;
    let ascending = oracles.windows(2).all(|pair| pair[0].id < pair[1].id);
    require(
        ascending,
        "validation.oracles",
        "are not in the order of their ids, each once",
    )?;
    for (i, oracle) in oracles.iter().enumerate() {
        let at = format!("validation.oracles[{i}].checksum");
        require(is_sha256(&oracle.checksum), &at, "is no SHA-256")?;
    }
    if let Some(model) = model_info {
        require(
            is_sha256(&model.sha256),
            "model_info.sha256",
            "is no SHA-256",
        )?;
    }
    let with_model = harness.check.is_some();
    require(
        model_info.is_some() == with_model,
        "model_info",
        "goes with a check, and with nothing else",
    )?;
    let known = commit::is_commit(&harness.commit);
    require(known, "harness.commit", "is not the full hash of a commit")
}

/// The runs are those that the sections need, and say when and where.
fn runs(receipt: &Receipt) -> Result<(), Flaw> {
    let runs = &receipt.harness.runs;
    let order = |run: &Run| (run.section, run.shard.index);
    let ascending = runs
        .windows(2)
        .all(|pair| order(&pair[0]) < order(&pair[1]));
    require(
        ascending,
        "harness.runs",
        "are not in the order of section and shard, each once",
    )?;
    let sections = receipt.harness.sections();
    require(!sections.is_empty(), "harness", "has no section")?;
    for (section, shards) in &sections {
        let at = format!("harness.{section}.shards");
        require(shards.are_possible(), &at, "are no shards")?;
        let of_section = runs.iter().filter(|run| run.section == *section);
        let found = Shards::new(shards.count, of_section.clone().map(|run| run.shard.index));
        require(found == *shards, &at, "are not those of the runs")?;
        let counted = of_section
            .clone()
            .all(|run| run.shard.count == shards.count);
        require(counted, &at, "are not as many as the runs say")?;
    }
    for (i, run) in runs.iter().enumerate() {
        let at = |field: &str| format!("harness.runs[{i}].{field}");
        let there = sections.iter().any(|(section, _)| *section == run.section);
        require(there, &at("section"), "is not in the receipt")?;
        let time = humantime::parse_rfc3339(&run.timestamp);
        require(time.is_ok(), &at("timestamp"), "is no time")?;
        let seconds = run.timings.iter().map(|timing| timing.seconds);
        let possible = seconds.chain([run.seconds]).all(|seconds| seconds >= 0.0);
        require(possible, &at("seconds"), "are below 0")?;
        let executed = run.calls.values().all(|&calls| calls > 0);
        require(
            executed,
            &at("calls"),
            "names a kernel that was never called",
        )?;
        require(!run.oracles.is_empty(), &at("oracles"), "names none")?;
        for id in &run.oracles {
            let described = receipt
                .validation
                .oracles
                .iter()
                .any(|oracle| oracle.id == *id);
            require(described, &at("oracles"), "names one that is not described")?;
        }
        let with_model = run.section == Section::Check;
        require(
            run.model.is_some() == with_model,
            &at("model"),
            "goes with a check, and with nothing else",
        )?;
    }
    Ok(())
}

/// Times that somebody can have measured.
fn of_row<'a>(
    threads: usize,
    mut medians: impl Iterator<Item = &'a Median>,
    at: &str,
) -> Result<(), Flaw> {
    require(threads > 0, &format!("{at}.threads"), "are none")?;
    let possible = medians.all(Median::is_possible);
    require(
        possible,
        at,
        "has a median without samples, or outside its interval",
    )
}

fn of_check(check: &CheckSection, at: &str) -> Result<(), Flaw> {
    for (i, layout) in check.layouts.iter().enumerate() {
        let at = format!("{at}.layouts[{i}].slots");
        require(layout.lut().is_some(), &at, "are not 256 slots")?;
    }
    let parts = check.parts.iter().enumerate();
    let lists = parts.map(|(i, part)| (format!("{at}.parts[{i}].rungs"), &part.rungs));
    for (at, rungs) in lists.chain([(format!("{at}.rungs"), &check.rungs)]) {
        let climbed = rungs.iter().map(|report| report.rung);
        let asked = check.parameters.rungs.iter().copied();
        require(climbed.eq(asked), &at, "are not those that were asked for")?;
        for (i, report) in rungs.iter().enumerate() {
            for (j, outcome) in report.outcomes.iter().enumerate() {
                let at = format!("{at}[{i}].outcomes[{j}]");
                require(
                    outcome.rung == report.rung,
                    &format!("{at}.rung"),
                    "is not that of its report",
                )?;
                of_outcome(outcome, &at)?;
            }
        }
    }
    let ascending = check
        .parts
        .windows(2)
        .all(|pair| pair[0].shard < pair[1].shard);
    require(
        ascending,
        &format!("{at}.parts"),
        "are not in order, each once",
    )
}

fn of_fuzz(fuzz: &FuzzSection, at: &str) -> Result<(), Flaw> {
    let ascending = fuzz
        .parts
        .windows(2)
        .all(|pair| pair[0].shard < pair[1].shard);
    require(
        ascending,
        &format!("{at}.parts"),
        "are not in order, each once",
    )?;
    let ordered = fuzz
        .findings
        .windows(2)
        .all(|pair| pair[0].order() <= pair[1].order());
    require(ordered, &format!("{at}.findings"), "are not in order")?;
    for (i, part) in fuzz.parts.iter().enumerate() {
        let at = format!("{at}.parts[{i}].cases");
        let most = fuzz.parameters.cases.unwrap_or(u64::MAX);
        require(part.cases <= most, &at, "are more than were asked for")?;
    }
    for (i, finding) in fuzz.findings.iter().enumerate() {
        let at = format!("{at}.findings[{i}].case");
        let tried = finding
            .case
            .checked_sub(fuzz.parameters.start)
            .is_some_and(|offset| {
                let count = fuzz.shards.count.max(1);
                let of_shard = fuzz
                    .parts
                    .iter()
                    .find(|part| part.shard == offset % count + 1);
                of_shard.is_some_and(|part| offset / count < part.cases)
            });
        require(tried, &at, "was not tried")?;
        of_finding(
            &finding.finding,
            &format!("harness.fuzz.findings[{i}].finding"),
        )?;
    }
    Ok(())
}
