//! The receipts of a report: of each piece of work the newest, of all others what a trend shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::error::ReportError;
use super::history::Point;
use crate::receipt::{Receipt, Run, Section};
use crate::verdict::Verdict;

/// Folders of this name hold inputs that show a difference, and no receipts.
pub const FINDINGS: &str = "findings";

/// Receipts, each once, in an order of their own.
///
/// A piece of work is a section of a receipt with its model, parameters, shards and machine. Where several receipts hold
/// the same piece, the newest is current (of two of the same second the worse), and the others are history: they show
/// in the trend and count nowhere else.
#[derive(Debug, Default)]
pub struct Collection {
    current: BTreeMap<Key, Arc<Receipt>>,
    points: BTreeMap<Age, Point>,
}

/// Which work: section, model, and everything else that makes it another piece of work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    section: Section,
    model: String,
    rest: String,
}

/// When, how bad and which: the greater of two is the one that counts.
type Age = (String, Verdict, String);

impl Collection {
    /// Reads and verifies receipts: files, and all `*.json` in folders and the folders there but for [`FINDINGS`].
    ///
    /// # Errors
    ///
    /// [`ReportError`] for the first path, in the order of the list, that is no receipt.
    pub fn read(paths: &[PathBuf]) -> Result<Collection, ReportError> {
        let mut files = Vec::new();
        for path in paths {
            if path.is_dir() {
                find(path, &mut files)?;
            } else {
                files.push(path.clone());
            }
        }
        if files.is_empty() {
            let paths = paths.to_vec();
            return Err(ReportError::NoReceipt { paths });
        }
        // What is superseded goes as soon as that is known: a year of nights need not fit into memory.
        let read = files
            .par_iter()
            .enumerate()
            .map(|(i, file)| match Receipt::read(file) {
                Ok(receipt) => Ok(Collection::of(receipt)),
                Err(error) => Err((i, error)),
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

    /// One receipt.
    pub fn of(receipt: Receipt) -> Collection {
        let receipt = Arc::new(receipt);
        let sections = receipt.harness.sections().into_iter();
        let keys = sections.map(|(section, _)| Key::of(&receipt, section));
        Collection {
            current: keys.map(|key| (key, Arc::clone(&receipt))).collect(),
            points: BTreeMap::from([(age(&receipt), Point::of(&receipt))]),
        }
    }

    /// Both, whichever way round.
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

    /// The current receipts of a section, by model.
    pub fn current(&self, section: Section) -> impl Iterator<Item = &Receipt> {
        let of_section = self
            .current
            .iter()
            .filter(move |(key, _)| key.section == section);
        of_section.map(|(_, receipt)| receipt.as_ref())
    }

    /// All current receipts, each once, by seal.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        let by_seal: BTreeMap<&str, &Receipt> = self
            .current
            .values()
            .map(|receipt| (receipt.harness.seal.as_str(), receipt.as_ref()))
            .collect();
        by_seal.into_values()
    }

    /// A point for each receipt, the oldest first.
    pub fn points(&self) -> impl ExactSizeIterator<Item = &Point> {
        self.points.values()
    }
}

fn age(receipt: &Receipt) -> Age {
    let (verdict, seal) = (receipt.harness.verdict, receipt.harness.seal.clone());
    (receipt.timestamp.clone(), verdict, seal)
}

impl Key {
    fn of(receipt: &Receipt, section: Section) -> Key {
        let harness = &receipt.harness;
        let runs: Vec<&Run> = harness
            .runs
            .iter()
            .filter(|run| run.section == section)
            .collect();
        let shards = harness
            .sections()
            .into_iter()
            .find(|(known, _)| *known == section);
        let parameters = match section {
            Section::Check => json!(harness.check.as_ref().map(|check| &check.parameters)),
            Section::Fuzz => json!(harness.fuzz.as_ref().map(|fuzz| &fuzz.parameters)),
            Section::Mistakes => json!(harness.mistakes.as_ref().map(|all| &all.parameters)),
            Section::Bench => json!(harness.bench.as_ref().map(|bench| &bench.parameters)),
            Section::BenchModel => json!(harness.bench_model.as_ref().map(|b| &b.parameters)),
        };
        let machines: Vec<Value> = runs
            .iter()
            .map(|run| json!([run.environment.arch, run.environment.cpu]))
            .collect();
        let oracles: Vec<&Vec<String>> = runs.iter().map(|run| &run.oracles).collect();
        let rest = json!([
            parameters,
            shards.map(|(_, shards)| shards),
            machines,
            oracles
        ]);
        Key {
            section,
            model: model_of(receipt, section),
            rest: rest.to_string(),
        }
    }
}

/// What the work of a section was done on, in words.
pub(super) fn model_of(receipt: &Receipt, section: Section) -> String {
    match section {
        Section::Check => match receipt.model_info.as_ref().map(|info| info.path.as_str()) {
            Some("") | None => "the default model".into(),
            Some(path) => name_of(path).into(),
        },
        Section::BenchModel => {
            let bench = receipt.harness.bench_model.as_ref();
            bench
                .map_or("", |bench| name_of(&bench.parameters.name))
                .into()
        }
        Section::Fuzz | Section::Mistakes | Section::Bench => String::new(),
    }
}

/// A recipe, or the name of a file wherever it lies.
fn name_of(model: &str) -> &str {
    model.rsplit(['/', '\\']).next().unwrap_or(model)
}

/// All `*.json` below a folder, sorted. Links to folders are not followed, so that there is an end.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ReportError> {
    let failed = |source| ReportError::Folder {
        path: folder.into(),
        source,
    };
    let mut entries = fs::read_dir(folder)
        .map_err(failed)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            if entry.file_name() != FINDINGS {
                find(&path, files)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    Ok(())
}
