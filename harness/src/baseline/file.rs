//! Baselines as files.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::document::{BASELINE_VERSION, Baseline, Target};
use super::error::BaselineError;
use crate::destination::Destination;
use crate::input;
use crate::receipt::{Flaw, is_commit, is_sha256};

/// Longest file that is read: another file by mistake must not fill the memory.
const MOST_BYTES: u64 = 64 << 20;

#[derive(Deserialize)]
struct Known {
    baseline_version: Option<String>,
}

impl Baseline {
    /// Reads a baseline and verifies it.
    ///
    /// # Errors
    ///
    /// [`BaselineError`], which names the file.
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

    /// The baseline in the text of the file at `path`, verified.
    ///
    /// # Errors
    ///
    /// [`BaselineError`], which names the file.
    pub fn parse(text: &[u8], path: &Path) -> Result<Baseline, BaselineError> {
        let foreign = || BaselineError::Foreign { path: path.into() };
        let known: Known = serde_json::from_slice(text).map_err(|source| {
            if source.is_data() {
                return foreign();
            }
            BaselineError::Syntax {
                path: path.into(),
                source,
            }
        })?;
        let found = known.baseline_version.ok_or_else(foreign)?;
        if found != BASELINE_VERSION {
            return Err(BaselineError::Version {
                path: path.into(),
                found,
            });
        }
        let flawed = |flaw| BaselineError::Flawed {
            path: path.into(),
            flaw,
        };
        let mut reader = serde_json::Deserializer::from_slice(text);
        let baseline: Baseline =
            serde_path_to_error::deserialize(&mut reader).map_err(|error| {
                let at = error.path().to_string();
                flawed(Flaw::new(at, error.into_inner().to_string()))
            })?;
        baseline.verify().map_err(flawed)?;
        Ok(baseline)
    }

    /// Holds the baseline against itself.
    ///
    /// # Errors
    ///
    /// The first field that cannot be as it is.
    pub fn verify(&self) -> Result<(), Flaw> {
        if self.targets.is_empty() {
            // A gate that holds receipts to nothing would let everything pass.
            return Err(Flaw::new("targets", "names no architecture"));
        }
        for (arch, target) in &self.targets {
            of_target(target)
                .map_err(|flaw| Flaw::new(format!("targets.{arch}.{}", flaw.at), flaw.what))?;
        }
        Ok(())
    }

    /// Writes the baseline to where it was promised.
    ///
    /// # Errors
    ///
    /// [`BaselineError::Write`].
    pub fn write(&self, destination: Destination) -> Result<(), BaselineError> {
        let text = serde_json::to_string_pretty(self).expect("words and numbers become JSON");
        Ok(destination.write_text(&(text + "\n"))?)
    }
}

fn of_target(target: &Target) -> Result<(), Flaw> {
    let require = |holds: bool, at: &str, what: &str| match holds {
        true => Ok(()),
        false => Err(Flaw::new(at, what)),
    };
    require(
        is_commit(&target.commit),
        "commit",
        "is not the full hash of a commit",
    )?;
    for (sha256, model) in &target.models {
        let at = format!("models.{sha256}");
        require(is_sha256(sha256), &at, "is no SHA-256")?;
        let pairs = model
            .rungs
            .values()
            .flat_map(|candidates| candidates.values());
        let counted = pairs.flat_map(|oracles| oracles.values()).all(|&n| n > 0);
        require(
            counted,
            &format!("{at}.rungs"),
            "names a pair that was not compared",
        )?;
    }
    let ascending = target
        .speed
        .windows(2)
        .all(|pair| pair[0].key < pair[1].key);
    require(
        ascending,
        "speed",
        "is not in ascending order, each row once",
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
            "is no ratio with its interval",
        )?;
        let times = [speed.seconds, speed.oracle_seconds];
        require(
            times.iter().all(|time| *time > 0.0 && time.is_finite()),
            &format!("speed[{i}]"),
            "has no times",
        )?;
    }
    Ok(())
}
