//! What follows from the facts of a receipt.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::commit;
use super::document::{Harness, Parity, Receipt, SCHEMA_VERSION, Skip, Validation, Work};
use super::error::ReceiptError;
use super::pool::pool;
use super::run::{Run, Section};
use super::section::CheckSection;
use super::subject::{ModelInfo, OracleInfo};
use crate::ladder::{self, RungReport};
use crate::measure::Measures;
use crate::outcome::{Outcome, Rung};
use crate::verdict::Verdict;

/// The sealed receipt of one run.
///
/// # Errors
///
/// [`ReceiptError::CommitUnknown`].
pub(super) fn receipt_of(
    run: Run,
    work: Work,
    model_info: Option<ModelInfo>,
    mut oracles: Vec<OracleInfo>,
) -> Result<Receipt, ReceiptError> {
    let commit = commit::built_from().ok_or(ReceiptError::CommitUnknown)?;
    oracles.sort_by(|a, b| a.id.cmp(&b.id));
    let mut harness = Harness {
        commit: commit.into(),
        verdict: Verdict::Skipped,
        runs: Vec::new(),
        skips: Vec::new(),
        check: None,
        fuzz: None,
        mistakes: None,
        bench: None,
        bench_model: None,
        seal: String::new(),
    };
    match work {
        Work::Check(section) => harness.check = Some(section),
        Work::Fuzz(section) => harness.fuzz = Some(section),
        Work::Mistakes(section) => harness.mistakes = Some(section),
        Work::Bench(section) => harness.bench = Some(section),
        Work::BenchModel(section) => harness.bench_model = Some(*section),
    }
    let environment = run.environment.clone();
    harness.runs.push(run);
    let mut receipt = Receipt {
        schema_version: SCHEMA_VERSION.into(),
        timestamp: String::new(),
        compute_path: "real".into(),
        backend: "rust".into(),
        kernels: Vec::new(),
        deterministic: false,
        environment,
        model_info,
        parity: Parity {
            cpp_available: false,
            cosine_similarity: None,
            exact_match_rate: None,
            status: Verdict::Skipped,
        },
        validation: Validation {
            backend: "cpp".into(),
            oracles,
        },
        harness,
    };
    follow(&mut receipt);
    receipt.harness.seal = seal(&receipt);
    Ok(receipt)
}

/// Sets everything that follows from facts, but for the seal.
pub(super) fn follow(receipt: &mut Receipt) {
    let harness = &mut receipt.harness;
    if let Some(check) = &mut harness.check {
        let model = harness.runs.iter().find_map(|run| run.model.as_deref());
        add_up(check, model.unwrap_or_default());
    }
    if let Some(fuzz) = &mut harness.fuzz {
        fuzz.add_up();
    }
    if let Some(mistakes) = &mut harness.mistakes {
        mistakes.add_up();
    }
    let runs = &harness.runs;
    let cores = |section| {
        let run = runs.iter().find(|run| run.section == section);
        run.map_or(1, |run| run.environment.threads)
    };
    if let Some(bench) = &mut harness.bench {
        bench.add_up(cores(Section::Bench));
    }
    if let Some(bench) = &mut harness.bench_model {
        bench.add_up(cores(Section::BenchModel));
    }
    harness.skips = skips(harness);
    let verdicts = Section::ALL.map(|section| harness.verdict_of(section));
    harness.verdict = Verdict::overall(verdicts.into_iter().flatten());
    let timestamps = harness.runs.iter().map(|run| &run.timestamp);
    receipt.timestamp = timestamps.max().cloned().unwrap_or_default();
    if let Some(first) = harness.runs.first() {
        receipt.environment = first.environment.clone();
    }
    if let (Some(info), Some(path)) = (
        &mut receipt.model_info,
        harness.runs.iter().find_map(|run| run.model.as_ref()),
    ) {
        info.path.clone_from(path);
    }
    let mut kernels: Vec<&String> = harness.runs.iter().flat_map(|r| r.calls.keys()).collect();
    kernels.sort_unstable();
    kernels.dedup();
    receipt.kernels = kernels.into_iter().cloned().collect();
    let timed = harness
        .fuzz
        .as_ref()
        .is_some_and(|fuzz| fuzz.parameters.seconds.is_some());
    receipt.deterministic = harness.bench.is_none() && harness.bench_model.is_none() && !timed;
    receipt.parity = parity(harness, !receipt.validation.oracles.is_empty());
}

/// The hash of a receipt, whatever its seal says.
pub(super) fn seal(receipt: &Receipt) -> String {
    let mut unsealed = receipt.clone();
    unsealed.harness.seal.clear();
    let text = serde_json::to_vec(&unsealed).expect("receipts have words for keys");
    let hash = Sha256::digest(text);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn add_up(check: &mut CheckSection, model: &str) {
    if check.parts.is_empty() {
        for report in &mut check.rungs {
            *report = RungReport::new(report.rung, std::mem::take(&mut report.outcomes));
        }
    } else {
        for report in check.parts.iter_mut().flat_map(|part| &mut part.rungs) {
            *report = RungReport::new(report.rung, std::mem::take(&mut report.outcomes));
        }
        check.shards.held = check.parts.iter().map(|part| part.shard).collect();
        check.rungs = pool(&check.parts);
    }
    check.verdict = ladder::verdict(&check.rungs, model);
}

fn parity(harness: &Harness, cpp_available: bool) -> Parity {
    // Against another build of the oracle no more is expected than to be within its noise.
    let held = |outcome: &&Outcome| {
        outcome.held_to_identity() && outcome.verdict != Verdict::KnownDivergence
    };
    let measured = harness
        .outcomes()
        .filter(held)
        .map(|outcome| outcome.measures);
    let all = measured.reduce(Measures::worst).unwrap_or_default();
    let (compared, differ) = (all.comparisons, all.mismatches);
    Parity {
        cpp_available,
        cosine_similarity: all.cosine_similarity,
        exact_match_rate: (compared > 0)
            .then(|| (compared.saturating_sub(differ)) as f64 / compared as f64),
        status: harness.verdict,
    }
}

/// Everything that was left out, each reason once.
fn skips(harness: &Harness) -> Vec<Skip> {
    let mut counts: BTreeMap<(Section, Option<Rung>, String), u64> = BTreeMap::new();
    let mut count =
        |section, rung, reason| *counts.entry((section, rung, reason)).or_default() += 1;
    if let Some(check) = &harness.check {
        for reason in &check.not_available {
            count(Section::Check, None, reason.clone());
        }
        for outcome in check.rungs.iter().flat_map(|report| &report.outcomes) {
            if let Some(omission) = &outcome.omitted {
                count(Section::Check, Some(outcome.rung), omission.to_string());
            }
        }
    }
    let fuzz = harness.fuzz.as_ref().map(|section| &section.not_available);
    let mistakes = harness
        .mistakes
        .as_ref()
        .map(|section| &section.not_available);
    let bench = harness
        .bench
        .as_ref()
        .map(|section| &section.report.skipped);
    let model = harness
        .bench_model
        .as_ref()
        .map(|section| &section.report.skipped);
    let others = [
        (Section::Fuzz, fuzz),
        (Section::Mistakes, mistakes),
        (Section::Bench, bench),
        (Section::BenchModel, model),
    ];
    for (section, reasons) in others {
        for reason in reasons.into_iter().flatten() {
            count(section, None, reason.clone());
        }
    }
    let skip = |((section, rung, reason), count): ((Section, Option<Rung>, String), u64)| Skip {
        section,
        rung,
        reason,
        count,
    };
    counts.into_iter().map(skip).collect()
}
