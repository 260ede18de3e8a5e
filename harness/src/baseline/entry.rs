//! Entries of a baseline.

use std::collections::BTreeMap;
use std::fmt;

use super::document::{Baseline, Target};
use crate::levels::Level;

/// Something that is covered on an architecture. Each entry has a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry<'a> {
    /// A kernel that executed. The count is 1.
    Kernel(&'a str),
    /// A ternary tensor that was read. The count is 1.
    Tensor {
        /// The model.
        model: ModelId<'a>,
        /// Name of the tensor.
        tensor: &'a str,
        /// Format, storage variant and shape.
        read_as: &'a str,
    },
    /// A candidate that was compared with an oracle. The count is the number of comparisons.
    Pair(Compared<'a>),
    /// Random cases. The count is the number of cases.
    Fuzz,
    /// A mutant of a kernel or of the forward pass. The count is 1.
    Mutant {
        /// Name of the mutant.
        mutant: &'a str,
        /// Format of the kernel; none for the forward pass.
        format: Option<&'a str>,
    },
}

/// A candidate and an oracle that were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Compared<'a> {
    /// The model.
    pub model: ModelId<'a>,
    /// The level.
    pub level: Level,
    /// Id of the candidate.
    pub candidate: &'a str,
    /// Id of the oracle.
    pub oracle: &'a str,
}

/// Identifies a model. Files of the same name may be different models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelId<'a> {
    /// SHA-256 of the file.
    pub sha256: &'a str,
    /// The recipe, or the name of the file.
    pub name: &'a str,
}

/// Counts by architecture and entry.
pub(super) type Entries<'a> = BTreeMap<(&'a str, Entry<'a>), u64>;

impl Baseline {
    /// All entries of all targets.
    pub(super) fn entries(&self) -> Entries<'_> {
        let of = |(arch, target)| of_target(target).map(move |(entry, n)| ((arch, entry), n));
        let targets = self.targets.iter();
        targets
            .map(|(arch, target)| (arch.as_str(), target))
            .flat_map(of)
            .collect()
    }
}

fn of_target(target: &Target) -> impl Iterator<Item = (Entry<'_>, u64)> {
    let kernels = target.kernels.iter().map(|id| (Entry::Kernel(id), 1));
    let models = target.models.iter().flat_map(|(sha256, covered)| {
        let model = ModelId {
            sha256,
            name: &covered.name,
        };
        let mut entries = Vec::new();
        for (tensor, read_as) in &covered.tensors {
            let entry = Entry::Tensor {
                model,
                tensor,
                read_as,
            };
            entries.push((entry, 1));
        }
        for (&level, candidates) in &covered.levels {
            for (candidate, oracles) in candidates {
                entries.extend(oracles.iter().map(|(oracle, &comparisons)| {
                    let pair = Compared {
                        model,
                        level,
                        candidate,
                        oracle,
                    };
                    (Entry::Pair(pair), comparisons)
                }));
            }
        }
        entries
    });
    let fuzz = target.fuzz.iter();
    let fuzz = fuzz.map(|campaign| (Entry::Fuzz, campaign.cases.saturating_add(campaign.timed)));
    let mutants = target.mutants.iter().flat_map(|(mutant, formats)| {
        let of_kernels = formats.iter().map(|format| Some(format.as_str()));
        let of_models = formats.is_empty().then_some(None);
        let formats = of_kernels.chain(of_models);
        formats.map(move |format| (Entry::Mutant { mutant, format }, 1))
    });
    kernels.chain(models).chain(fuzz).chain(mutants)
}

impl Entry<'_> {
    /// Names of the groups that the entry belongs to, the widest group first and the entry itself last. If all entries
    /// of a group are lost, only the group is reported.
    pub(super) fn groups(&self) -> Vec<String> {
        let mut groups = Vec::new();
        match self {
            Entry::Fuzz => {}
            Entry::Kernel(id) => {
                let format = id.rsplit_once('.').map(|(format, _)| format);
                groups.extend(format.map(|format| format!("kernels of format {format}")));
            }
            Entry::Tensor { model, .. } => groups.push(model.in_full()),
            Entry::Pair(pair) => {
                let (name, level, candidate) = (pair.model.name, pair.level, pair.candidate);
                groups.push(pair.model.in_full());
                groups.push(format!("oracle {}", pair.oracle));
                groups.push(format!("level {level} of model {name}"));
                if let Some((format, _)) = candidate.rsplit_once('.') {
                    groups.push(format!("format {format} of model {name}"));
                    groups.push(format!("kernel {candidate} on model {name}"));
                    groups.push(format!("level {level} of model {name}, format {format}"));
                }
                groups.push(format!("level {level} of model {name}, {candidate}"));
            }
            Entry::Mutant { mutant, .. } => {
                groups.push("mutants".into());
                groups.push(format!("mutant {mutant}"));
            }
        }
        groups.push(self.to_string());
        groups
    }
}

impl ModelId<'_> {
    fn in_full(&self) -> String {
        let sha256 = self.sha256.get(..12).unwrap_or(self.sha256);
        format!("model {} (SHA-256 {sha256}...)", self.name)
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Kernel(id) => write!(f, "kernel {id}"),
            Entry::Tensor {
                model,
                tensor,
                read_as,
            } => {
                write!(f, "tensor {tensor} of model {}, {read_as}", model.name)
            }
            Entry::Pair(pair) => {
                let (level, name, candidate) = (pair.level, pair.model.name, pair.candidate);
                write!(
                    f,
                    "level {level} of model {name}, {candidate} against {}",
                    pair.oracle
                )
            }
            Entry::Fuzz => f.write_str("random cases"),
            Entry::Mutant { mutant, format } => {
                write!(f, "mutant {mutant} in {}", format.unwrap_or("a model"))
            }
        }
    }
}
