//! Shrinks the inputs of a run's findings and writes them to files.

use std::path::{Path, PathBuf};
use std::slice;

use super::regression::{Regression, RegressionError};
use super::shrink::smallest;
use super::trial::{Difference, try_case};
use crate::case::Case;
use crate::case_record::CaseRecord;
use crate::finding::Finding;
use crate::outcome::Outcome;
use crate::participant::{Candidate, Participants};
use crate::rerun::Rerun;
use crate::verdict::Verdict;

/// Shrinks the cases of an outcome's findings. If a folder is given, writes them there and sets the command of each
/// finding to replay its file. Returns the paths of the files.
///
/// Findings without a case keep their command: those of a table of slots, of a whole model, or of activations that must
/// be refused, which no case can hold. So do findings whose case alone shows no difference.
///
/// # Errors
///
/// [`RegressionError::Io`] if a file cannot be written.
pub fn keep(
    outcome: &mut Outcome,
    participants: &Participants,
    folder: Option<&Path>,
) -> Result<Vec<PathBuf>, RegressionError> {
    let mut files = Vec::new();
    let is_divergent = outcome.verdict == Verdict::Divergent;
    let (level, candidate, reference) = (outcome.level, &outcome.candidate, &outcome.reference);
    for finding in &mut outcome.findings {
        let case = finding.case.take().filter(|_| is_divergent);
        let shrunk =
            case.and_then(|case| shrunk(finding, case, candidate, reference, participants));
        let Some((case, difference)) = shrunk else {
            continue;
        };
        if let Some(folder) = folder {
            let description = format!("{candidate} against {reference} on level {level}, shrunk");
            let file = Regression::new(description, &case, Some(&difference)).write(folder)?;
            finding.reproduce = Rerun::Replay {
                file: file.display().to_string(),
            };
            files.push(file);
        }
        finding.input = Some(CaseRecord::from(&case));
    }
    Ok(files)
}

/// The smallest case in which the candidate or the oracle still differs, with the cause of the finding.
fn shrunk(
    finding: &Finding,
    case: Case,
    candidate: &str,
    reference: &str,
    participants: &Participants,
) -> Option<(Case, Difference)> {
    if !case.is_finite() {
        return None;
    }
    let is_candidate =
        |c: &&Candidate| c.implementation.id() == candidate && c.format == case.format;
    let candidates = participants
        .candidates
        .iter()
        .find(is_candidate)
        .map(slice::from_ref)?;
    let mut references = participants.references.iter();
    // The reference model is not among the oracles. It judges every case.
    let references = references
        .find(|r| r.implementation.id() == reference)
        .map_or(&[][..], slice::from_ref);
    let differ = |case: &Case| {
        let trial = try_case(case, candidates, references).ok()?;
        let mut differences = trial.differences.into_iter();
        differences.find(|other| other.finding.attribution == finding.attribution)
    };
    let (case, mut difference) = smallest(case, differ)?;
    difference.finding.cause = finding.cause.clone();
    Some((case, difference))
}
