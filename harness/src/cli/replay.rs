//! `harness replay`: cases again.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::select::{KernelSelection, OracleSelection};
use super::{CliError, Output, style};
use crate::case::Case;
use crate::diagnose::Examinations;
use crate::exit::Exit;
use crate::finding::Finding;
use crate::fuzz::{Difference, Regression, RegressionError, try_case};
use crate::printable;
use crate::receipt::{Receipt, ReceiptError};
use crate::side::Sides;

/// Run a case that was kept on every kernel, every oracle and the arbiter
///
/// FILE is a case as `harness fuzz` and `harness check --findings` write it, or a receipt: then the input of each of its
/// findings is run that has one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness replay corpus/regressions/i2_s.group128-dots-int16-wrap.json
  harness replay receipt.json --kernel i2_s.group128.scalar")]
pub(super) struct ReplayArgs {
    /// A file of corpus/regressions, or a receipt
    file: PathBuf,
    #[command(flatten)]
    oracles: OracleSelection,
    #[command(flatten)]
    kernels: KernelSelection,
}

/// What a replay came to, for programs.
#[derive(Default, Serialize)]
struct ReplayResult {
    comparisons: u64,
    known: u64,
    differences: Vec<ReplayDifference>,
}

#[derive(Serialize)]
struct ReplayDifference {
    case: String,
    candidate: String,
    reference: String,
    finding: Finding,
}

/// A case with what it shows, in words.
type Told = (String, Case);

pub(super) fn run(args: &ReplayArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let candidates = args.kernels.candidates()?;
    let cases = cases(&args.file)?;
    let oracles = args.oracles.load()?;
    let sides = Sides {
        references: oracles.references,
        candidates,
        engines: Vec::new(),
    };
    let command = format!("harness replay {}", args.file.display());
    let mut examinations = Examinations::new(&sides);
    let mut result = ReplayResult::default();
    for (story, case) in &cases {
        let mut trial = try_case(case, &sides.candidates, &sides.references)?;
        writeln!(out.text(), "{}", printable::line(story))?;
        for difference in &mut trial.differences {
            let Difference {
                candidate,
                reference,
                finding,
            } = difference;
            finding.cause = examinations.of_case(finding, candidate, reference, case);
            let pair = format!("{candidate} against {reference}");
            writeln!(out.text(), "{pair}")?;
            style::finding(finding, &command, out.text())?;
            out.annotate(format_args!("{pair} differs"), story);
        }
        result.comparisons += trial.comparisons;
        result.known += trial.known;
        let differences = trial.differences.into_iter();
        result
            .differences
            .extend(differences.map(|difference| ReplayDifference {
                case: story.clone(),
                candidate: difference.candidate,
                reference: difference.reference,
                finding: difference.finding,
            }));
    }
    writeln!(
        out.verdict(),
        "{} block comparisons, {} known divergences, {} differences",
        style::count(result.comparisons),
        style::count(result.known),
        result.differences.len(),
    )?;
    out.document(|| &result)?;
    Ok(match (result.comparisons, result.differences.len()) {
        (_, 1..) => Exit::Divergence,
        (0, _) => {
            let file = args.file.display();
            out.nothing_compared(match cases.len() {
                0 => format!("{file} holds no case"),
                n => format!("no two sides are defined on any of the {n} cases of {file}"),
            });
            Exit::NothingCompared
        }
        _ => Exit::Agreement,
    })
}

/// The case of a file, or all that a receipt has.
fn cases(file: &Path) -> Result<Vec<Told>, CliError> {
    let harness = match Receipt::read(file) {
        Ok(receipt) => receipt.harness,
        Err(ReceiptError::Foreign { .. }) => {
            let regression = Regression::read(file)?;
            let case = regression.case(file)?;
            return Ok(vec![(regression.story, case)]);
        }
        Err(error) => return Err(error.into()),
    };
    let of_check = harness.outcomes().flat_map(|o| {
        let pair = format!("{} against {} on rung {}", o.candidate, o.reference, o.rung);
        o.findings
            .iter()
            .map(move |finding| (pair.clone(), finding))
    });
    let of_fuzz = harness
        .fuzz
        .iter()
        .flat_map(|fuzz| &fuzz.findings)
        .map(|f| {
            let pair = format!("{} against {} in case {}", f.candidate, f.reference, f.case);
            (pair, &f.finding)
        });
    of_check
        .chain(of_fuzz)
        .filter_map(|(pair, finding)| told(pair, finding, file))
        .collect()
}

fn told(pair: String, finding: &Finding, file: &Path) -> Option<Result<Told, CliError>> {
    let input = finding.input.as_ref()?;
    let story = format!("{pair}: {}, {}", finding.subject, finding.place);
    let case = input.case().map_err(|source| RegressionError::Case {
        path: file.into(),
        source,
    });
    Some(case.map(|case| (story, case)).map_err(CliError::from))
}
