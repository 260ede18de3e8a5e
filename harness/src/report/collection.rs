//! The receipts of a report. For each piece of work, the newest receipt is kept. Of older ones, only the data of the
//! trend are kept.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::error::ReportError;
use super::history::Point;
use crate::receipt::{self, Contents, Receipt, Run, Section};
use crate::verdict::Verdict;

/// Receipts without duplicates, in an order that does not depend on the order of the arguments.
///
/// A piece of work is a section of a receipt with its model, parameters, shards and machine. If several receipts
/// contain the same piece, the newest is current. With equal times, the one with the worse verdict is current. Only the
/// trend shows the others.
#[derive(Debug, Default)]
pub struct Collection {
    current: BTreeMap<Key, Arc<Receipt>>,
    points: BTreeMap<Age, Point>,
}

/// Identity of a piece of work: section, model, and parameters, shards, machines and oracles as JSON.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    section: Section,
    model: String,
    rest: String,
}

/// Timestamp, verdict and digest of a receipt. The greater of two is current.
type Age = (String, Verdict, String);

impl Collection {
    /// Reads and verifies receipts from files and folders. In folders, all `*.json` are read, recursively except for
    /// folders named [`FINDINGS`](receipt::FINDINGS).
    ///
    /// # Errors
    ///
    /// [`ReportError`] for the first path, in the order of the list, that is not a receipt.
    pub fn read(paths: &[PathBuf]) -> Result<Collection, ReportError> {
        let files: Result<Vec<Vec<PathBuf>>, _> =
            paths.iter().map(|path| receipt::files(path)).collect();
        let files = files?.concat();
        if files.is_empty() {
            return Err(ReportError::NoReceipt(paths.to_vec()));
        }
        // Older receipts are dropped while reading, because a year of nightly receipts may exceed the memory.
        let read = files.par_iter().enumerate().map(|(i, file)| {
            let receipt = Receipt::read(file);
            receipt.map(Collection::of).map_err(|error| (i, error))
        });
        let united = read.reduce(
            || Ok(Collection::default()),
            |left, right| match (left, right) {
                (Ok(left), Ok(right)) => Ok(left.and(right)),
                (Err(left), Err(right)) => Err(if left.0 < right.0 { left } else { right }),
                (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
            },
        );
        united.map_err(|(_, error)| error.into())
    }

    /// A collection of one receipt.
    pub fn of(receipt: Receipt) -> Collection {
        let receipt = Arc::new(receipt);
        let sections = receipt.harness.sections();
        let keys = sections.map(|(section, _)| Key::of(&receipt, section));
        Collection {
            current: keys.map(|key| (key, Arc::clone(&receipt))).collect(),
            points: BTreeMap::from([(age(&receipt), Point::of(&receipt))]),
        }
    }

    /// The union of two collections. Their order does not matter.
    pub fn and(mut self, other: Collection) -> Collection {
        for (key, receipt) in other.current {
            match self.current.get(&key) {
                Some(known) if age(known) >= age(&receipt) => {}
                _ => {
                    self.current.insert(key, receipt);
                }
            }
        }
        self.points.extend(other.points);
        self
    }

    /// The current receipts of a section, sorted by model.
    pub fn current(&self, section: Section) -> impl Iterator<Item = &Receipt> {
        let all = self.current.iter();
        let of_section = all.filter(move |(key, _)| key.section == section);
        of_section.map(|(_, receipt)| receipt.as_ref())
    }

    /// All current receipts without duplicates, sorted by digest.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        let receipts = self.current.values().map(Arc::as_ref);
        let by_digest = receipts.map(|receipt: &Receipt| (&receipt.harness.digest, receipt));
        by_digest.collect::<BTreeMap<_, _>>().into_values()
    }

    /// A point for each receipt, the oldest first.
    pub fn points(&self) -> impl ExactSizeIterator<Item = &Point> {
        self.points.values()
    }
}

fn age(receipt: &Receipt) -> Age {
    let (verdict, digest) = (receipt.harness.verdict, receipt.harness.digest.clone());
    (receipt.timestamp.clone(), verdict, digest)
}

impl Key {
    fn of(receipt: &Receipt, section: Section) -> Key {
        let harness = &receipt.harness;
        let runs = || harness.runs.iter().filter(|run| run.section == section);
        let machines = runs().map(|Run { environment: e, .. }| json!([e.arch, e.cpu]));
        let machines: Vec<Value> = machines.collect();
        let oracles: Vec<&Vec<String>> = runs().map(|run| &run.oracles).collect();
        let contents = harness.contents_of(section);
        let (parameters, shards) = (
            contents.map(Contents::parameters),
            contents.map(Contents::shards),
        );
        let rest = json!([parameters, shards, machines, oracles]);
        Key {
            section,
            model: receipt.model_of(section),
            rest: rest.to_string(),
        }
    }
}
