//! Reads and writes baselines.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::document::{BASELINE_VERSION, Baseline, Target};
use super::error::{BaselineError, BaselineFault};
use crate::destination::Destination;
use crate::input;
use crate::receipt::{self, At, ValidationError, is_commit, is_sha256};

/// Maximal length of a baseline in bytes. A wrong path, such as a model file, must not fill the memory.
pub(super) const MOST_BYTES: u64 = 64 << 20;

/// The field that identifies a baseline and its version. It is read before all others.
#[derive(Deserialize)]
struct Header {
    baseline_version: Option<String>,
}

impl Baseline {
    /// Reads a baseline and verifies it.
    ///
    /// # Errors
    ///
    /// [`BaselineError`], which contains the path of the file.
    pub fn read(path: &Path) -> Result<Baseline, BaselineError> {
        let text = || {
            let mut text = Vec::new();
            let mut file = input::open(path)?.take(MOST_BYTES + 1);
            match file.read_to_end(&mut text)? as u64 {
                ..=MOST_BYTES => Ok(text),
                _ => Err(BaselineFault::TooLong),
            }
        };
        of_file(path, text().and_then(|text| parsed(&text)))
    }

    /// Parses and verifies the baseline in `text`, the contents of the file at `path`.
    ///
    /// # Errors
    ///
    /// [`BaselineError`], which contains the path of the file.
    pub fn parse(text: &[u8], path: &Path) -> Result<Baseline, BaselineError> {
        of_file(path, parsed(text))
    }

    /// Checks the consistency of the baseline.
    ///
    /// # Errors
    ///
    /// The first inconsistent field.
    pub fn verify(&self) -> Result<(), ValidationError> {
        if self.targets.is_empty() {
            // All receipts would pass a gate with an empty baseline.
            return Err(ValidationError::new("targets", "contain no architecture"));
        }
        for (arch, target) in &self.targets {
            of_target(target, &At::root("targets").field(arch))?;
        }
        Ok(())
    }

    /// Writes the baseline to a reserved destination.
    ///
    /// # Errors
    ///
    /// [`BaselineError::Write`].
    pub fn write(&self, destination: Destination) -> Result<(), BaselineError> {
        let text = serde_json::to_string_pretty(self).expect("strings and numbers become JSON");
        Ok(destination.write_text(&(text + "\n"))?)
    }
}

/// Adds the path of the file to its fault.
fn of_file(path: &Path, read: Result<Baseline, BaselineFault>) -> Result<Baseline, BaselineError> {
    read.map_err(|fault| BaselineError::File {
        path: path.into(),
        fault,
    })
}

fn parsed(text: &[u8]) -> Result<Baseline, BaselineFault> {
    let header: Header = serde_json::from_slice(text).map_err(|error| match error.is_data() {
        true => BaselineFault::Foreign,
        false => BaselineFault::Syntax(error),
    })?;
    let found = header.baseline_version.ok_or(BaselineFault::Foreign)?;
    if found != BASELINE_VERSION {
        return Err(BaselineFault::Version(found));
    }
    let baseline: Baseline = receipt::parsed(text).map_err(BaselineFault::Invalid)?;
    baseline.verify().map_err(BaselineFault::Invalid)?;
    Ok(baseline)
}

fn of_target(target: &Target, at: &At) -> Result<(), ValidationError> {
    let is_known = is_commit(&target.commit);
    at.field("commit")
        .require(is_known, "is not the full hash of a commit")?;
    for (sha256, model) in &target.models {
        let at = at.field("models").field(sha256);
        at.require(is_sha256(sha256), "is not a SHA-256")?;
        let pairs = model
            .levels
            .values()
            .flat_map(|candidates| candidates.values());
        let counted = pairs.flat_map(|oracles| oracles.values()).all(|&n| n > 0);
        at.field("levels")
            .require(counted, "contain a pair without comparisons")?;
    }
    let ascending = target.speed.is_sorted_by(|a, b| a.key < b.key);
    let what = "is not in ascending order without duplicates";
    at.field("speed").require(ascending, what)?;
    for (i, speed) in target.speed.iter().enumerate() {
        let ratio = &speed.ratio;
        let ordered = 0.0 < ratio.low && ratio.low <= ratio.value && ratio.value <= ratio.high;
        let possible = ordered
            && ratio.high.is_finite()
            && (0.0..=1.0).contains(&ratio.confidence)
            && ratio.samples > 0;
        let at = at.field("speed").item(i);
        at.field("ratio")
            .require(possible, "is not a ratio within its interval")?;
        let times = [speed.seconds, speed.oracle_seconds];
        let possible = times.iter().all(|time| *time > 0.0 && time.is_finite());
        at.require(possible, "has an impossible time")?;
    }
    Ok(())
}
