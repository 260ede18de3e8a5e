//! The work of a receipt once more, from its parameters.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use serde_json::Value;

use super::CliError;
use super::bench::BenchArgs;
use super::check::CheckArgs;
use super::fuzz::FuzzArgs;
use super::mistakes::MistakesArgs;
use super::{bench, check, fuzz, mistakes};
use crate::fuzz::Limit;
use crate::interrupt;
use crate::receipt::{self, Flaw, Receipt, Section};
use crate::scratch::ScratchFolder;
use crate::shard::Shard;

/// What is never the same twice: times, places, and who did it. What is left has to be.
const NOT_REPEATED: [&str; 17] = [
    "timestamp",
    "environment",
    "commit",
    "command",
    "seconds",
    "timings",
    "model",
    "path",
    "reproduce",
    "seal",
    "call_costs",
    "last_level_cache",
    "time",
    "ratio",
    "roofs",
    "tokens_per_second",
    "residence",
];

/// Options of one command alone.
#[derive(Debug, Parser)]
struct Only<A: Args> {
    #[command(flatten)]
    args: A,
}

/// Options as a command line has them.
struct Line(Vec<String>);

impl Line {
    fn new() -> Line {
        Line(vec!["harness".into()])
    }

    fn option(mut self, name: &str, values: impl IntoIterator<Item = impl ToString>) -> Line {
        for value in values {
            self.0.push(format!("--{name}={}", value.to_string()));
        }
        self
    }

    fn parse<A: Args>(self) -> Result<A, CliError> {
        let parsed = Only::<A>::try_parse_from(self.0);
        let usage = |error: clap::Error| CliError::Usage(error.to_string());
        Ok(parsed.map_err(usage)?.args)
    }
}

/// Runs all work of a receipt again, a check on the model at `model` if one is given, and makes a receipt of that.
///
/// # Errors
///
/// [`CliError`] if it cannot be run here.
pub(super) fn repeat(receipt: &Receipt, model: Option<&PathBuf>) -> Result<Receipt, CliError> {
    let mut repeated: Option<Receipt> = None;
    for run in &receipt.harness.runs {
        let again = match run.section {
            Section::Check => {
                let given = model.map(|path| path.display().to_string());
                let recorded = run.model.clone().filter(|path| !path.is_empty());
                again_check(receipt, run.shard, given.or(recorded))?
            }
            Section::Fuzz => again_fuzz(receipt, run.shard)?,
            Section::Mistakes => again_mistakes(receipt)?,
            Section::Bench => again_bench(receipt)?,
            Section::BenchModel => again_bench_model(receipt)?,
        };
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

/// Where two receipts of the same work differ, times and places aside.
pub(super) fn difference(receipt: &Receipt, repeated: &Receipt) -> Option<Flaw> {
    let without_times = |receipt: &Receipt| {
        let mut value = serde_json::to_value(receipt).expect("receipts become JSON");
        strip(&mut value);
        value
    };
    let words = |was: &str, is: &str| format!("was {was}, and is {is} now");
    Flaw::between(&without_times(receipt), &without_times(repeated), &words)
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // How often a kernel is timed depends on how fast it is.
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

fn again_check(
    receipt: &Receipt,
    shard: Shard,
    model: Option<String>,
) -> Result<Option<Receipt>, CliError> {
    let Some(section) = &receipt.harness.check else {
        return Ok(None);
    };
    let parameters = &section.parameters;
    let tokens = parameters.tokens.as_ref().map(|tokens| {
        let tokens: Vec<String> = tokens.iter().map(ToString::to_string).collect();
        tokens.join(",")
    });
    let mut line = Line::new()
        .option("rung", &parameters.rungs)
        .option("oracle", &parameters.oracles)
        .option("kernel", &parameters.kernels)
        .option("tokens", tokens)
        .option("prompt", &parameters.prompt)
        .option("threads", [parameters.threads])
        .option("seed", [parameters.seed])
        .option("shard", [shard]);
    line.0.push("--".into());
    line.0.extend(model);
    let args: CheckArgs = line.parse()?;
    Ok(check::check(&args, true)?.receipt)
}

fn again_fuzz(receipt: &Receipt, shard: Shard) -> Result<Option<Receipt>, CliError> {
    let Some(section) = &receipt.harness.fuzz else {
        return Ok(None);
    };
    let parameters = &section.parameters;
    let time = parameters.seconds.map(|seconds| {
        let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        humantime::format_duration(time).to_string()
    });
    let scratch = ScratchFolder::new()?;
    let args: FuzzArgs = Line::new()
        .option("seed", [parameters.seed])
        .option("start", [parameters.start])
        .option("cases", parameters.cases)
        .option("time", time)
        .option("oracle", &parameters.oracles)
        .option("kernel", &parameters.kernels)
        .option("shard", [shard])
        .option("out", [scratch.path().display()])
        .parse()?;
    // As many cases as there were, however long they take now.
    let part = section.parts.iter().find(|part| part.shard == shard.index);
    let limit = Limit {
        cases: part.map(|part| part.cases),
        time: None,
    };
    Ok(fuzz::fuzz(&args, limit, true)?.receipt)
}

fn again_mistakes(receipt: &Receipt) -> Result<Option<Receipt>, CliError> {
    let Some(section) = &receipt.harness.mistakes else {
        return Ok(None);
    };
    let args: MistakesArgs = Line::new()
        .option("oracle", &section.parameters.oracles)
        .option("seed", [section.parameters.seed])
        .parse()?;
    Ok(mistakes::plant(&args, true)?.receipt)
}

fn again_bench(receipt: &Receipt) -> Result<Option<Receipt>, CliError> {
    let Some(section) = &receipt.harness.bench else {
        return Ok(None);
    };
    let parameters = &section.parameters;
    let mut line = Line::new()
        .option("oracle", &parameters.oracles)
        .option("kernel", &parameters.kernels)
        .option("threads", &parameters.threads);
    line.0.extend(parameters.quick.then(|| "--quick".into()));
    bench::receipt(&line.parse::<BenchArgs>()?)
}

fn again_bench_model(receipt: &Receipt) -> Result<Option<Receipt>, CliError> {
    let Some(section) = &receipt.harness.bench_model else {
        return Ok(None);
    };
    let parameters = &section.parameters;
    let mut line = Line::new()
        .option("oracle", &parameters.oracles)
        .option("model", [&parameters.name])
        .option("threads", &parameters.threads);
    line.0.extend(parameters.quick.then(|| "--quick".into()));
    bench::receipt(&line.parse::<BenchArgs>()?)
}
