//! Repeats the work of a receipt from its parameters.

use std::path::PathBuf;

use serde_json::Value;

use super::CliError;
use super::bench::BenchArgs;
use super::check::CheckArgs;
use super::fuzz::FuzzArgs;
use super::mutants::MutantsArgs;
use super::{bench, check, fuzz, mutants};
use crate::fuzz::Limit;
use crate::interrupt;
use crate::receipt::{self, Contents, Receipt, Run, Section, ValidationError};
use crate::scratch::ScratchFolder;

/// Fields that differ between repetitions, such as times, paths and the environment. All others must be equal.
const NOT_REPEATED: [&str; 16] = [
    "timestamp",
    "environment",
    "commit",
    "command",
    "seconds",
    "timings",
    "model",
    "path",
    "reproduce",
    "digest",
    "call_costs",
    "last_level_cache",
    "time",
    "ratio",
    "roofs",
    "residence",
];

/// Repeats all work of a receipt and makes a new receipt. A check uses the model at `model` if that is given.
///
/// # Errors
///
/// [`CliError`] if the work cannot be repeated on this machine.
pub(super) fn repeat(receipt: &Receipt, model: Option<&PathBuf>) -> Result<Receipt, CliError> {
    let mut repeated: Option<Receipt> = None;
    for run in &receipt.harness.runs {
        let again = again(receipt, run, model)?;
        let again = again.ok_or_else(|| {
            interrupt::not_done(format!("{} {}", run.section, run.shard));
            CliError::Interrupted(interrupt::message())
        })?;
        repeated = Some(match repeated {
            None => again,
            Some(others) => receipt::merge(others, again)
                .map_err(|error| CliError::Merge(format!("repeated runs: {error}")))?,
        });
    }
    repeated.ok_or_else(|| CliError::Setup("the receipt has no run to repeat".into()))
}

/// The first difference between two receipts of the same work, except in [`NOT_REPEATED`].
pub(super) fn difference(receipt: &Receipt, repeated: &Receipt) -> Option<ValidationError> {
    let without_times = |receipt: &Receipt| {
        let mut value = serde_json::to_value(receipt).expect("receipts become JSON");
        strip(&mut value);
        value
    };
    let words = |was: &str, is: &str| format!("was {was}, and is {is} now");
    ValidationError::between(&without_times(receipt), &without_times(repeated), &words)
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // The number of timed calls depends on the speed of the kernel.
            let timed = fields.get("section").and_then(Value::as_str);
            if timed.is_some_and(|section| section.starts_with(Section::Bench.name())) {
                fields.remove("calls");
            }
            NOT_REPEATED.iter().for_each(|field| {
                fields.remove(*field);
            });
            fields.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Repeats the work of one run. None if it was interrupted or if the receipt lacks its section.
fn again(
    receipt: &Receipt,
    run: &Run,
    model: Option<&PathBuf>,
) -> Result<Option<Receipt>, CliError> {
    let harness = &receipt.harness;
    Ok(match run.section {
        Section::Check => {
            let Some(section) = &harness.check else {
                return Ok(None);
            };
            let recorded = run.model.as_ref().filter(|path| !path.is_empty());
            let model = model.cloned().or(recorded.map(PathBuf::from));
            let args = CheckArgs::recorded(&section.parameters, run.shard, model)?;
            check::check(&args, true)?.receipt
        }
        Section::Fuzz => {
            let Some(section) = &harness.fuzz else {
                return Ok(None);
            };
            let scratch = ScratchFolder::new()?;
            let args = FuzzArgs::recorded(&section.parameters, run.shard, scratch.path());
            // The same number of cases, without a time limit.
            let part = section
                .parts
                .iter()
                .find(|part| part.shard == run.shard.index);
            let limit = Limit {
                cases: part.map(|part| part.cases),
                time: None,
            };
            fuzz::fuzz(&args, limit, true)?.receipt
        }
        Section::Mutants => match &harness.mutants {
            Some(section) => {
                mutants::run_mutants(&MutantsArgs::recorded(&section.parameters), true)?.receipt
            }
            None => None,
        },
        Section::Bench | Section::BenchModel => {
            let mut benches = harness.benches();
            match benches.find(|bench| bench.section() == run.section) {
                Some(bench) => bench::time(&BenchArgs::recorded(&bench.parameters)?, true)?.receipt,
                None => None,
            }
        }
    })
}
