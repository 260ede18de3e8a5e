//! `harness check`: climbs the ladder and says what it comes to.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::decoding::DecodingSelection;
use super::select::{KernelSelection, OracleSelection, open_model};
use super::{CliError, style};
use crate::exit::Exit;
use crate::ladder::{self, Climb};
use crate::outcome::{Outcome, Rung};
use crate::receipt::{Receipt, write_json};
use crate::side::{Forward, Sides, reference_layout};
use crate::task::Task;
use crate::verdict::Verdict;

/// Compare kernels and forward pass with every oracle, rung by rung, on the tensors of a model and on the whole of it
///
/// Without MODEL the default synthetic model is generated and checked. A kernel or an oracle that this machine cannot
/// run is skipped, with its reason; skips never add up to agreement. Where kernels are named, the forward pass
/// multiplies with those. Oracles run the model in processes of their own: one that dies or hangs differs, and the run
/// goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness check
  harness check model.gguf --receipt receipt.json
  harness check model.gguf --rung node,logits --tokens 1,5,7,9 --threads 2
  harness check model.gguf --rung logits --prompt \"The capital of France is\"
  harness check model.gguf --rung block,tensor --kernel i2_s.group128.scalar --oracle bitnet.cpp/strict")]
pub(super) struct CheckArgs {
    /// GGUF file with I2_S, TQ2_0 or TQ1_0 tensors
    model: Option<PathBuf>,
    /// Rungs to climb, separated by commas
    #[arg(long = "rung", value_name = "RUNG", value_enum, value_delimiter = ',', default_values_t = Rung::ALL)]
    rungs: Vec<Rung>,
    #[command(flatten)]
    oracles: OracleSelection,
    #[command(flatten)]
    kernels: KernelSelection,
    #[command(flatten)]
    decoding: DecodingSelection,
    /// Write what was found as JSON
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Seed of pseudo-random inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let candidates = args.kernels.candidates()?;
    let mut oracles = args.oracles.load()?;
    oracles.references = args.decoding.isolate(oracles.references);
    let open = open_model(args.model.as_ref())?;
    let tensors = open.model.ternary_tensors(reference_layout())?;
    let asked = |format| {
        let of = crate::side::reference_format;
        tensors
            .iter()
            .any(|tensor| of(tensor.weights.format()) == of(format))
    };
    let candidates = candidates
        .into_iter()
        .filter(|candidate| asked(candidate.format))
        .collect();
    let runs_model = args.rungs.iter().any(|rung| Rung::OF_MODELS.contains(rung));
    let decoding = if runs_model {
        args.decoding.of(&open.model, &oracles.references)?
    } else {
        Err("no rung that runs the model was asked for".into())
    };
    let sides = Sides {
        references: oracles.references,
        candidates,
        engines: vec![Box::new(Forward::new(args.kernels.named()?))],
    };
    let task = Task {
        model: open.argument.clone(),
        tensors: tensors.clone(),
        decoding,
        seed: args.seed,
        progress: style::progress(),
    };
    let climb = ladder::climb(&args.rungs, &sides, &task);
    if let Some(path) = &args.receipt {
        let receipt = Receipt::of_check(&climb, &sides, &task, &open.model, &oracles.skipped)?;
        write_json(path, &receipt).map_err(|source| CliError::Write {
            path: path.clone(),
            source,
        })?;
    }
    print(&climb, &oracles.skipped, out)?;
    Ok(climb.verdict.into())
}

fn print(climb: &Climb, skipped: &[String], out: &mut dyn Write) -> Result<(), CliError> {
    let headings = [
        "rung",
        "candidate",
        "reference",
        "verdict",
        "compared",
        "differ",
        "cosine",
        "nmse",
        "max ulp",
    ];
    let mut table = style::table(&headings, 4..9);
    let outcomes = || climb.rungs.iter().flat_map(|report| &report.outcomes);
    for outcome in outcomes() {
        let Outcome {
            rung,
            candidate,
            reference,
            verdict,
            measures,
            ..
        } = outcome;
        let mut row = vec![
            rung.name().to_owned(),
            candidate.clone(),
            reference.clone(),
            verdict.name().to_owned(),
        ];
        row.extend(match measures.comparisons {
            0 => ["-"; 5].map(String::from),
            n => [
                style::count(n),
                style::count(measures.mismatches),
                style::measure(measures.cosine_similarity),
                measures.nmse.map_or("-".into(), style::measure),
                style::count(measures.max_ulp),
            ],
        });
        table.add_row(row);
    }
    writeln!(out, "{table}")?;

    let mut reasons: Vec<String> = skipped.to_vec();
    for outcome in outcomes() {
        if let Some(reason) = &outcome.skipped {
            let all_or_part = if outcome.verdict == Verdict::Skipped {
                ""
            } else {
                " in part"
            };
            reasons.push(format!(
                "{} {}{all_or_part}: {reason}",
                outcome.rung, outcome.candidate
            ));
        }
    }
    reasons.dedup();
    for reason in &reasons {
        writeln!(out, "skipped: {reason}")?;
    }
    for outcome in outcomes() {
        print_findings(outcome, out)?;
    }
    for outcome in outcomes().filter(|o| o.verdict == Verdict::KnownDivergence) {
        let seen = style::count(outcome.measures.mismatches);
        writeln!(
            out,
            "known divergence: {} is wrong in {seen} dots, as {} says, which still reproduces",
            outcome.reference, outcome.candidate
        )?;
    }
    for outcome in outcomes() {
        if let Some(logits) = &outcome.logits {
            style::logits(outcome, logits, out)?;
        }
    }
    for report in &climb.rungs {
        let verdict = style::verdict(report.verdict);
        let compared = style::count(report.measures.comparisons);
        writeln!(
            out,
            "{:>8}: {verdict} ({compared} comparisons)",
            report.rung
        )?;
    }
    writeln!(out, "{:>8}: {}", "verdict", style::verdict(climb.verdict))?;
    Ok(())
}

fn print_findings(outcome: &Outcome, out: &mut dyn Write) -> Result<(), CliError> {
    if outcome.verdict != Verdict::Divergent {
        return Ok(());
    }
    let Outcome {
        rung,
        candidate,
        reference,
        measures,
        findings,
        ..
    } = outcome;
    writeln!(
        out,
        "\n{rung}: {candidate} against {reference}: {} of {} differ",
        style::count(measures.mismatches),
        style::count(measures.comparisons)
    )?;
    for finding in findings {
        style::finding(finding, &finding.reproduce, out)?;
    }
    Ok(())
}
