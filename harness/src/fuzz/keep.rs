//! Findings of a climb with small inputs that show them again.

use std::path::{Path, PathBuf};
use std::slice;

use super::regression::{Regression, RegressionError};
use super::shrink::smallest;
use super::trial::{Difference, try_case};
use crate::case::Case;
use crate::case_record::CaseRecord;
use crate::finding::Finding;
use crate::outcome::Outcome;
use crate::side::{Candidate, Sides};
use crate::verdict::Verdict;

/// Makes the cases of an outcome's findings as small as they will go. With a folder they are written there too, and each
/// finding names the command that replays its file. Gives the files.
///
/// A finding without a case keeps its command: one of a table of slots, of a whole model, or of activations that have to
/// be refused, which no case that is compared can hold. So does one whose case alone shows no difference.
///
/// # Errors
///
/// [`RegressionError::Io`] if a file cannot be written.
pub fn keep(
    outcome: &mut Outcome,
    sides: &Sides,
    folder: Option<&Path>,
) -> Result<Vec<PathBuf>, RegressionError> {
    let mut files = Vec::new();
    let is_divergent = outcome.verdict == Verdict::Divergent;
    let (rung, candidate, reference) = (outcome.rung, &outcome.candidate, &outcome.reference);
    for finding in &mut outcome.findings {
        let case = finding.case.take().filter(|_| is_divergent);
        let shrunk = case.and_then(|case| shrunk(finding, case, candidate, reference, sides));
        let Some((case, difference)) = shrunk else {
            continue;
        };
        if let Some(folder) = folder {
            let story = format!("{candidate} against {reference} on rung {rung}, shrunk");
            let file = Regression::new(story, &case, Some(&difference)).write(folder)?;
            finding.reproduce = format!("harness replay {}", file.display());
            files.push(file);
        }
        finding.input = Some(CaseRecord::from(&case));
    }
    Ok(files)
}

/// The smallest case in which one of both sides still differs, with the cause that the finding has.
fn shrunk(
    finding: &Finding,
    case: Case,
    candidate: &str,
    reference: &str,
    sides: &Sides,
) -> Option<(Case, Difference)> {
    if !case.is_finite() {
        return None;
    }
    let is_candidate = |c: &&Candidate| c.side.id() == candidate && c.format == case.format;
    let candidates = sides
        .candidates
        .iter()
        .find(is_candidate)
        .map(slice::from_ref)?;
    let mut references = sides.references.iter();
    // The arbiter, which judges every case, is not among the references.
    let references = references
        .find(|r| r.side.id() == reference)
        .map_or(&[][..], slice::from_ref);
    let differ = |case: &Case| {
        let trial = try_case(case, candidates, references).ok()?;
        let mut differences = trial.differences.into_iter();
        differences.find(|other| other.finding.blame == finding.blame)
    };
    let (case, mut difference) = smallest(case, differ)?;
    difference.finding.cause = finding.cause.clone();
    Some((case, difference))
}
