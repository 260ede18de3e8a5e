//! `harness replay`: runs recorded cases again.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::select::{KernelSelection, OracleSelection};
use super::{CliError, Output, style};
use crate::case::Case;
use crate::diagnose::Diagnosis;
use crate::exit::Exit;
use crate::finding::Finding;
use crate::fuzz::{Difference, Regression, RegressionError, try_case};
use crate::participant::Participants;
use crate::printable;
use crate::receipt::{Receipt, ReceiptError, ReceiptFault};

/// Run a recorded case on every kernel, every oracle and the reference model
///
/// FILE is a case written by `harness fuzz` or `harness check --findings`, or a receipt. For a receipt, the inputs of
/// all its findings are run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness replay corpus/regressions/i2_s.group128-dots-int16-wrap.json
  harness replay receipt.json --kernel i2_s.group128.scalar")]
pub(super) struct ReplayArgs {
    /// File with a case, such as those in corpus/regressions, or a receipt
    file: PathBuf,
    #[command(flatten)]
    oracles: OracleSelection,
    #[command(flatten)]
    kernels: KernelSelection,
}

/// JSON output of a replay.
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

/// A description and its case.
type DescribedCase = (String, Case);

pub(super) fn run(args: &ReplayArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let candidates = args.kernels.candidates()?;
    let cases = cases(&args.file)?;
    let oracles = args.oracles.load()?;
    let participants = Participants {
        references: oracles.references,
        candidates,
        engines: Vec::new(),
        upstream: None,
    };
    let command = format!("harness replay {}", args.file.display());
    let mut diagnosis = Diagnosis::new(&participants);
    let mut result = ReplayResult::default();
    for (description, case) in &cases {
        let mut trial = try_case(case, &participants.candidates, &participants.references)?;
        writeln!(out.text(), "{}", printable::line(description))?;
        for difference in &mut trial.differences {
            let Difference {
                candidate,
                reference,
                finding,
            } = difference;
            finding.cause = diagnosis.of_case(finding, candidate, reference, case);
            let pair = format!("{candidate} against {reference}");
            writeln!(out.text(), "{pair}")?;
            style::finding(finding, &command, out.text())?;
            out.annotate(format_args!("{pair} differs"), description);
        }
        result.comparisons += trial.comparisons;
        result.known += trial.known;
        let differences = trial.differences.into_iter();
        result
            .differences
            .extend(differences.map(|difference| ReplayDifference {
                case: description.clone(),
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
                n => {
                    format!("no two implementations are defined on any of the {n} cases of {file}")
                }
            });
            Exit::NothingCompared
        }
        _ => Exit::Agreement,
    })
}

/// The case of a file, or all cases of a receipt.
fn cases(file: &Path) -> Result<Vec<DescribedCase>, CliError> {
    let harness = match Receipt::read(file) {
        Ok(receipt) => receipt.harness,
        Err(ReceiptError::File {
            fault: ReceiptFault::Foreign(_),
            ..
        }) => {
            let regression = Regression::read(file)?;
            let case = regression.case(file)?;
            return Ok(vec![(regression.description, case)]);
        }
        Err(error) => return Err(error.into()),
    };
    let of_check = harness.outcomes().flat_map(|o| {
        let pair = format!(
            "{} against {} on level {}",
            o.candidate, o.reference, o.level
        );
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

fn told(pair: String, finding: &Finding, file: &Path) -> Option<Result<DescribedCase, CliError>> {
    let input = finding.input.as_ref()?;
    let description = format!("{pair}: {}, {}", finding.subject, finding.place);
    let case = input.case().map_err(|source| RegressionError::Case {
        path: file.into(),
        source,
    });
    Some(case.map(|case| (description, case)).map_err(CliError::from))
}
