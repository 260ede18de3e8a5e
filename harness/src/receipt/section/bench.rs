//! Sections with times of kernels and of whole models.

use qk256::kernel::Isa;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Contents;
use crate::bench::doubt::Conditions;
use crate::bench::model::report::ModelReport;
use crate::bench::report::{Report, Versus, medians};
use crate::bench::statistics::Median;
use crate::levels::Level;
use crate::receipt::Environment;
use crate::receipt::run::{Run, Section};
use crate::receipt::validation::{ValidationError, require};
use crate::verdict::Verdict;

/// Results of a bench of kernels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BenchSection {
    /// Parameters that repeat the run.
    pub parameters: BenchParameters,
    /// `exact` if all products were identical to those of the oracles, `within_noise_floor` if their error was within
    /// the limit of llama.cpp's own tests. A bench checks nothing else.
    pub verdict: Verdict,
    /// The measurements.
    pub report: Report,
}

/// Parameters that repeat a bench of kernels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BenchParameters {
    /// Requested oracles. If empty, all that can run.
    pub oracles: Vec<String>,
    /// Requested kernels, in addition to the fastest of each format.
    pub kernels: Vec<String>,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// Whether the run was reduced to few shapes and a short time.
    pub quick: bool,
}

/// Results of a bench of a whole model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelBenchSection {
    /// Parameters that repeat the run.
    pub parameters: ModelBenchParameters,
    /// Like the verdict of [`BenchSection`], for logits.
    pub verdict: Verdict,
    /// The measurements.
    pub report: ModelReport,
}

/// Parameters that repeat a bench of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelBenchParameters {
    /// Requested oracles. If empty, all that can run.
    pub oracles: Vec<String>,
    /// The model: a file or a recipe.
    pub name: String,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// Whether the run was reduced to a short prompt and a short time.
    pub quick: bool,
}

impl BenchSection {
    /// Creates the section for a report of this machine.
    pub fn new(parameters: BenchParameters, report: Report) -> BenchSection {
        let mut section = BenchSection {
            parameters,
            verdict: Verdict::Skipped,
            report,
        };
        section.derive_for(Environment::here().threads);
        section
    }

    /// Derives the verdict, and the doubts of the rows on a machine with this number of cores.
    fn derive_for(&mut self, cores: usize) {
        self.report.doubt(Conditions {
            quick: self.parameters.quick,
            cores,
        });
        self.verdict = verdict(self.report.rows.iter().flat_map(|row| &row.oracles));
    }
}

impl Contents for BenchSection {
    fn section(&self) -> Section {
        Section::Bench
    }

    fn parameters(&self) -> Value {
        super::json(&self.parameters)
    }

    /// A bench only detects large errors, so any agreement counts as exact. The levels check results precisely.
    fn verdict(&self) -> Verdict {
        exact_if_agreeing(self.verdict)
    }

    fn comparisons(&self) -> u64 {
        let rows = self.report.rows.iter();
        rows.map(|row| row.oracles.len() as u64).sum()
    }

    fn omissions(&self) -> Vec<(Option<Level>, String)> {
        super::without_level(&self.report.skipped)
    }

    fn derive(&mut self, runs: &[&Run]) {
        self.derive_for(runs.first().map_or(1, |run| run.environment.threads));
    }

    fn verify(&self, at: &str) -> Result<(), ValidationError> {
        for (i, row) in self.report.rows.iter().enumerate() {
            let at = format!("{at}.report.rows[{i}]");
            let medians = medians(&row.time, &row.oracles, &row.roofs);
            of_row(row.threads, medians, &at)?;
            let known = Isa::of_kernel(&row.kernel).is_some();
            require(known, &format!("{at}.kernel"), "is not the id of a kernel")?;
        }
        Ok(())
    }
}

impl ModelBenchSection {
    /// Creates the section for a report of this machine.
    pub fn new(parameters: ModelBenchParameters, report: ModelReport) -> ModelBenchSection {
        let mut section = ModelBenchSection {
            parameters,
            verdict: Verdict::Skipped,
            report,
        };
        section.derive_for(Environment::here().threads);
        section
    }

    /// Derives the verdict, and the doubts of the rows on a machine with this number of cores.
    fn derive_for(&mut self, cores: usize) {
        self.report.doubt(Conditions {
            quick: self.parameters.quick,
            cores,
        });
        self.verdict = verdict(self.report.rows.iter().flat_map(|row| &row.oracles));
    }
}

impl Contents for ModelBenchSection {
    fn section(&self) -> Section {
        Section::BenchModel
    }

    fn parameters(&self) -> Value {
        super::json(&self.parameters)
    }

    /// A bench only detects large errors, so any agreement counts as exact. The levels check results precisely.
    fn verdict(&self) -> Verdict {
        exact_if_agreeing(self.verdict)
    }

    fn comparisons(&self) -> u64 {
        let rows = self.report.rows.iter();
        rows.map(|row| row.oracles.len() as u64).sum()
    }

    fn omissions(&self) -> Vec<(Option<Level>, String)> {
        super::without_level(&self.report.skipped)
    }

    fn derive(&mut self, runs: &[&Run]) {
        self.derive_for(runs.first().map_or(1, |run| run.environment.threads));
    }

    fn verify(&self, at: &str) -> Result<(), ValidationError> {
        for (i, row) in self.report.rows.iter().enumerate() {
            let at = format!("{at}.report.rows[{i}]");
            let medians = medians(&row.time, &row.oracles, &row.roofs);
            of_row(row.threads, medians, &at)?;
        }
        Ok(())
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

fn exact_if_agreeing(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::WithinNoiseFloor => Verdict::Exact,
        verdict => verdict,
    }
}

/// Checks that the times of a row are possible.
fn of_row<'a>(
    threads: usize,
    mut medians: impl Iterator<Item = &'a Median>,
    at: &str,
) -> Result<(), ValidationError> {
    require(threads > 0, &format!("{at}.threads"), "are 0")?;
    let possible = medians.all(Median::is_possible);
    require(
        possible,
        at,
        "has a median without samples, or outside its interval",
    )
}
