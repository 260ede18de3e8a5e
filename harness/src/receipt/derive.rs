//! Derives the fields of a receipt that are functions of its other fields: totals, verdicts, skips and the digest.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::commit;
use super::document::{Harness, Parity, Receipt, SCHEMA_VERSION, Skip, Validation, Work};
use super::error::ReceiptError;
use super::run::{Run, Section};
use super::section::Contents;
use super::subject::{ModelInfo, OracleInfo};
use crate::levels::Level;
use crate::measure::Measures;
use crate::outcome::{Omission, Outcome};
use crate::verdict::Verdict;

/// Creates the receipt of one run, with its digest.
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
        mutants: None,
        bench: None,
        bench_model: None,
        digest: String::new(),
    };
    match work {
        Work::Check(section) => harness.check = Some(*section),
        Work::Fuzz(section) => harness.fuzz = Some(section),
        Work::Mutants(section) => harness.mutants = Some(section),
        Work::Bench(section) => match section.report.model {
            Some(_) => harness.bench_model = Some(*section),
            None => harness.bench = Some(*section),
        },
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
    derive(&mut receipt);
    receipt.harness.digest = digest(&receipt);
    Ok(receipt)
}

/// Sets all derived fields except the digest.
pub(super) fn derive(receipt: &mut Receipt) {
    let harness = &mut receipt.harness;
    harness.derive_contents();
    harness.skips = skips(harness);
    harness.verdict = Verdict::overall(harness.contents().map(Contents::verdict));
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
    receipt.deterministic = harness.benches().next().is_none() && !timed;
    receipt.parity = parity(harness, !receipt.validation.oracles.is_empty());
}

/// Computes the digest of a receipt. The stored digest is ignored.
pub(super) fn digest(receipt: &Receipt) -> String {
    let mut without = receipt.clone();
    without.harness.digest.clear();
    let text = serde_json::to_vec(&without).expect("the keys of receipts are strings");
    let hash = Sha256::digest(text);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parity(harness: &Harness, cpp_available: bool) -> Parity {
    // Results against another build of the oracle may differ by the noise floor.
    let must_be_identical = |outcome: &&Outcome| {
        outcome.held_to_identity() && outcome.verdict != Verdict::KnownDivergence
    };
    let measured = harness
        .outcomes()
        .filter(must_be_identical)
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

/// The omissions of all sections, counted by section, level and omission.
fn skips(harness: &Harness) -> Vec<Skip> {
    let mut counts: BTreeMap<(Section, Option<Level>, &Omission), u64> = BTreeMap::new();
    for contents in harness.contents() {
        for (level, omission) in contents.omissions() {
            let key = (contents.section(), level, omission);
            *counts.entry(key).or_default() += 1;
        }
    }
    let counts = counts.into_iter();
    let skips = counts.map(|((section, level, omission), count)| Skip {
        section,
        level,
        omission: omission.clone(),
        count,
    });
    skips.collect()
}
