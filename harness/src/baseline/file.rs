//! Reads and writes baselines.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::document::{BASELINE_VERSION, Baseline, Target};
use super::error::BaselineError;
use crate::destination::Destination;
use crate::input;
use crate::receipt::{ValidationError, is_commit, is_sha256, require};

/// Maximal length of a baseline in bytes. A wrong path, such as a model file, must not fill the memory.
const MOST_BYTES: u64 = 64 << 20;

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
        let io = |source| BaselineError::Read {
            path: path.into(),
            source,
        };
        let mut text = Vec::new();
        let file = input::open(path).map_err(io)?;
        let read = file.take(MOST_BYTES + 1).read_to_end(&mut text);
        if read.map_err(io)? as u64 > MOST_BYTES {
            return Err(BaselineError::TooLong {
                path: path.into(),
                most: MOST_BYTES,
            });
        }
        Baseline::parse(&text, path)
    }

    /// Parses and verifies the baseline in `text`, the contents of the file at `path`.
    ///
    /// # Errors
    ///
    /// [`BaselineError`], which contains the path of the file.
    pub fn parse(text: &[u8], path: &Path) -> Result<Baseline, BaselineError> {
        let foreign = || BaselineError::Foreign { path: path.into() };
        let header: Header = serde_json::from_slice(text).map_err(|source| {
            if source.is_data() {
                return foreign();
            }
            BaselineError::Syntax {
                path: path.into(),
                source,
            }
        })?;
        let found = header.baseline_version.ok_or_else(foreign)?;
        if found != BASELINE_VERSION {
            return Err(BaselineError::Version {
                path: path.into(),
                found,
            });
        }
        let invalid = |validation_error| BaselineError::Invalid {
            path: path.into(),
            validation_error,
        };
        let mut reader = serde_json::Deserializer::from_slice(text);
        let baseline: Baseline =
            serde_path_to_error::deserialize(&mut reader).map_err(|error| {
                let at = error.path().to_string();
                invalid(ValidationError::new(at, error.into_inner().to_string()))
            })?;
        baseline.verify().map_err(invalid)?;
        Ok(baseline)
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
            of_target(target).map_err(|validation_error| {
                ValidationError::new(
                    format!("targets.{arch}.{}", validation_error.at),
                    validation_error.what,
                )
            })?;
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

fn of_target(target: &Target) -> Result<(), ValidationError> {
    require(
        is_commit(&target.commit),
        "commit",
        "is not the full hash of a commit",
    )?;
    for (sha256, model) in &target.models {
        let at = format!("models.{sha256}");
        require(is_sha256(sha256), &at, "is not a SHA-256")?;
        let pairs = model
            .levels
            .values()
            .flat_map(|candidates| candidates.values());
        let counted = pairs.flat_map(|oracles| oracles.values()).all(|&n| n > 0);
        require(
            counted,
            &format!("{at}.levels"),
            "contain a pair without comparisons",
        )?;
    }
    let ascending = target
        .speed
        .windows(2)
        .all(|pair| pair[0].key < pair[1].key);
    require(
        ascending,
        "speed",
        "is not in ascending order without duplicates",
    )?;
    for (i, speed) in target.speed.iter().enumerate() {
        let ratio = &speed.ratio;
        let ordered = 0.0 < ratio.low && ratio.low <= ratio.value && ratio.value <= ratio.high;
        let possible = ordered
            && ratio.high.is_finite()
            && (0.0..=1.0).contains(&ratio.confidence)
            && ratio.samples > 0;
        require(
            possible,
            &format!("speed[{i}].ratio"),
            "is not a ratio within its interval",
        )?;
        let times = [speed.seconds, speed.oracle_seconds];
        require(
            times.iter().all(|time| *time > 0.0 && time.is_finite()),
            &format!("speed[{i}]"),
            "has an impossible time",
        )?;
    }
    Ok(())
}
