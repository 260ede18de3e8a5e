//! What is covered, one by one.

use std::collections::BTreeMap;
use std::fmt;

use super::document::{Baseline, Target};
use crate::outcome::Rung;

/// Something that is covered on an architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact<'a> {
    /// A kernel executed.
    Kernel(&'a str),
    /// A ternary tensor was read.
    Tensor {
        /// The model.
        model: ModelId<'a>,
        /// Its name.
        tensor: &'a str,
        /// Format, flavour and shape.
        read_as: &'a str,
    },
    /// A candidate was compared with an oracle; the count is that of comparisons.
    Pair {
        /// The model.
        model: ModelId<'a>,
        /// The rung.
        rung: Rung,
        /// Id of the candidate.
        candidate: &'a str,
        /// Id of the oracle.
        oracle: &'a str,
    },
    /// Random cases were tried; the count is theirs.
    Fuzz,
    /// A mistake was planted: in a kernel of a format, or in a model.
    Mistake {
        /// Its name.
        mistake: &'a str,
        /// The format, if it is one of kernels.
        format: Option<&'a str>,
    },
}

/// A model: files of the same name are not the same model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelId<'a> {
    /// SHA-256 of the file.
    pub sha256: &'a str,
    /// The recipe, or the name of the file.
    pub name: &'a str,
}

/// Facts with their counts, by architecture.
pub(super) type Facts<'a> = BTreeMap<(&'a str, Fact<'a>), u64>;

impl Baseline {
    /// All facts of all targets.
    pub(super) fn facts(&self) -> Facts<'_> {
        let of = |(arch, target)| of_target(target).map(move |(fact, n)| ((arch, fact), n));
        let targets = self
            .targets
            .iter()
            .map(|(arch, target)| (arch.as_str(), target));
        targets.flat_map(of).collect()
    }
}

fn of_target(target: &Target) -> impl Iterator<Item = (Fact<'_>, u64)> {
    let kernels = target.kernels.iter().map(|id| (Fact::Kernel(id), 1));
    let models = target.models.iter().flat_map(|(sha256, covered)| {
        let model = ModelId {
            sha256,
            name: &covered.name,
        };
        let tensors = covered.tensors.iter().map(move |(tensor, read_as)| {
            let fact = Fact::Tensor {
                model,
                tensor,
                read_as,
            };
            (fact, 1)
        });
        let pairs = covered.rungs.iter().flat_map(move |(&rung, candidates)| {
            candidates.iter().flat_map(move |(candidate, oracles)| {
                oracles.iter().map(move |(oracle, &comparisons)| {
                    let fact = Fact::Pair {
                        model,
                        rung,
                        candidate,
                        oracle,
                    };
                    (fact, comparisons)
                })
            })
        });
        tensors.chain(pairs)
    });
    let fuzz = target.fuzz.iter();
    let fuzz = fuzz.map(|campaign| (Fact::Fuzz, campaign.cases.saturating_add(campaign.timed)));
    let mistakes = target.mistakes.iter().flat_map(|(mistake, formats)| {
        let of_kernels = formats.iter().map(move |format| Fact::Mistake {
            mistake,
            format: Some(format),
        });
        let of_models = formats.is_empty().then_some(Fact::Mistake {
            mistake,
            format: None,
        });
        of_kernels.chain(of_models).map(|fact| (fact, 1))
    });
    kernels.chain(models).chain(fuzz).chain(mistakes)
}

impl Fact<'_> {
    /// What it belongs to, the widest first and itself last: where all of a group is gone, the group is what is gone.
    pub(super) fn groups(&self) -> Vec<String> {
        let mut groups = Vec::new();
        match self {
            Fact::Fuzz => {}
            Fact::Kernel(id) => {
                let format = id.rsplit_once('.').map(|(format, _)| format);
                groups.extend(format.map(|format| format!("kernels of format {format}")));
            }
            Fact::Tensor { model, .. } => groups.push(model.in_full()),
            Fact::Pair {
                model,
                rung,
                candidate,
                oracle,
            } => {
                let name = model.name;
                groups.push(model.in_full());
                groups.push(format!("oracle {oracle}"));
                groups.push(format!("rung {rung} of model {name}"));
                if let Some((format, _)) = candidate.rsplit_once('.') {
                    groups.push(format!("format {format} of model {name}"));
                    groups.push(format!("kernel {candidate} on model {name}"));
                    groups.push(format!("rung {rung} of model {name}, format {format}"));
                }
                groups.push(format!("rung {rung} of model {name}, {candidate}"));
            }
            Fact::Mistake { mistake, .. } => {
                groups.push("planted mistakes".into());
                groups.push(format!("planted mistake {mistake}"));
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

impl fmt::Display for Fact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Kernel(id) => write!(f, "kernel {id}"),
            Fact::Tensor {
                model,
                tensor,
                read_as,
            } => write!(f, "tensor {tensor} of model {}, {read_as}", model.name),
            Fact::Pair {
                model,
                rung,
                candidate,
                oracle,
            } => write!(
                f,
                "rung {rung} of model {}, {candidate} against {oracle}",
                model.name
            ),
            Fact::Fuzz => f.write_str("random cases"),
            Fact::Mistake {
                mistake,
                format: Some(format),
            } => write!(f, "planted mistake {mistake} in {format}"),
            Fact::Mistake {
                mistake,
                format: None,
            } => write!(f, "planted mistake {mistake} in a model"),
        }
    }
}
