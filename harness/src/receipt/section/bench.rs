//! Times of kernels, and of whole models.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bench::doubt::Conditions;
use crate::bench::model::report::ModelReport;
use crate::bench::report::{Report, Versus};
use crate::receipt::Environment;
use crate::verdict::Verdict;

/// What a bench of kernels came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BenchSection {
    /// What runs it again.
    pub parameters: BenchParameters,
    /// `exact` if all products were those of the oracles, `within_noise_floor` if they were as near as llama.cpp's own
    /// tests ask for, which is all that a bench looks at.
    pub verdict: Verdict,
    /// What was measured.
    pub report: Report,
}

/// What runs a bench of kernels again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BenchParameters {
    /// Oracles that were asked for; all that can run if none.
    pub oracles: Vec<String>,
    /// Kernels that were asked for beside the fastest of each format.
    pub kernels: Vec<String>,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// Whether a few shapes were timed for a short time.
    pub quick: bool,
}

/// What a bench of a whole model came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelBenchSection {
    /// What runs it again.
    pub parameters: ModelBenchParameters,
    /// As that of [`BenchSection`], of logits.
    pub verdict: Verdict,
    /// What was measured.
    pub report: ModelReport,
}

/// What runs a bench of a model again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelBenchParameters {
    /// Oracles that were asked for; all that can run if none.
    pub oracles: Vec<String>,
    /// The model: a file, or a recipe.
    pub name: String,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// Whether a short prompt was timed for a short time.
    pub quick: bool,
}

impl BenchSection {
    /// The section of a report of this machine.
    pub fn new(parameters: BenchParameters, report: Report) -> BenchSection {
        let mut section = BenchSection {
            parameters,
            verdict: Verdict::Skipped,
            report,
        };
        section.add_up(Environment::here().threads);
        section
    }

    /// Sets the verdict by the rows, and the doubts of these on a machine that can run so many threads at once.
    pub fn add_up(&mut self, cores: usize) {
        self.report.doubt(Conditions {
            quick: self.parameters.quick,
            cores,
        });
        self.verdict = verdict(self.report.rows.iter().flat_map(|row| &row.oracles));
    }
}

impl ModelBenchSection {
    /// The section of a report of this machine.
    pub fn new(parameters: ModelBenchParameters, report: ModelReport) -> ModelBenchSection {
        let mut section = ModelBenchSection {
            parameters,
            verdict: Verdict::Skipped,
            report,
        };
        section.add_up(Environment::here().threads);
        section
    }

    /// Sets the verdict by the rows, and the doubts of these on a machine that can run so many threads at once.
    pub fn add_up(&mut self, cores: usize) {
        self.report.doubt(Conditions {
            quick: self.parameters.quick,
            cores,
        });
        self.verdict = verdict(self.report.rows.iter().flat_map(|row| &row.oracles));
    }
}

fn verdict<'a>(all: impl Iterator<Item = &'a Versus>) -> Verdict {
    let of = |versus: &Versus| match versus.nmse {
        Some(0.0) => Verdict::Exact,
        _ if versus.agrees() => Verdict::WithinNoiseFloor,
        _ => Verdict::Divergent,
    };
    Verdict::overall(all.map(of))
}
