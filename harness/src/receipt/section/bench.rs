//! Sections with times of kernels and of whole models.

use qk256::kernel::Isa;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Contents;
use crate::bench::doubt::Conditions;
use crate::bench::report::{Computation, Report};
use crate::bench::statistics::Median;
use crate::bench::timing::Versus;
use crate::levels::Level;
use crate::outcome::Omission;
use crate::receipt::Environment;
use crate::receipt::run::{Run, Section};
use crate::receipt::validation::{At, ValidationError};
use crate::verdict::Verdict;

/// Results of a bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BenchSection {
    /// Parameters that repeat the run.
    pub parameters: BenchParameters,
    /// `exact` if all results were identical to those of the oracles, `within_noise_floor` if their error was within the
    /// limit of llama.cpp's own tests. A bench checks nothing else.
    pub verdict: Verdict,
    /// The measurements.
    pub report: Report,
}

/// Parameters that repeat a bench.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BenchParameters {
    /// Requested oracles. If empty, all that can run.
    pub oracles: Vec<String>,
    /// The model, a file or a recipe, if a model was timed.
    pub model: Option<String>,
    /// Requested kernels, in addition to the fastest of each format.
    pub kernels: Vec<String>,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// Whether the run was reduced to little work and a short time.
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
        let quick = self.parameters.quick;
        self.report.doubt(Conditions { quick, cores });
        let of = |versus: &Versus| match versus.nmse {
            Some(0.0) => Verdict::Exact,
            _ if versus.agrees() => Verdict::WithinNoiseFloor,
            _ => Verdict::Divergent,
        };
        let oracles = self.report.rows.iter().flat_map(|row| &row.oracles);
        self.verdict = Verdict::overall(oracles.map(of));
    }
}

impl Contents for BenchSection {
    fn section(&self) -> Section {
        match self.report.model {
            Some(_) => Section::BenchModel,
            None => Section::Bench,
        }
    }

    fn parameters(&self) -> Value {
        super::json(&self.parameters)
    }

    /// A bench only detects large errors, so any agreement counts as exact. The levels check results precisely.
    fn verdict(&self) -> Verdict {
        match self.verdict {
            Verdict::WithinNoiseFloor => Verdict::Exact,
            verdict => verdict,
        }
    }

    fn comparisons(&self) -> u64 {
        let rows = self.report.rows.iter();
        rows.map(|row| row.oracles.len() as u64).sum()
    }

    fn omissions(&self) -> Vec<(Option<Level>, &Omission)> {
        super::without_level(&self.report.omitted)
    }

    fn derive(&mut self, runs: &[&Run]) {
        self.derive_for(runs.first().map_or(1, |run| run.environment.threads));
    }

    fn verify(&self, at: &At) -> Result<(), ValidationError> {
        for (i, row) in self.report.rows.iter().enumerate() {
            let at = at.field("report.rows").item(i);
            at.field("threads").require(row.threads > 0, "are 0")?;
            let possible = row.medians().all(Median::is_possible);
            let what = "has a median without samples, or outside its interval";
            at.require(possible, what)?;
            let of_section = match &row.computation {
                Computation::Product(product) => {
                    self.report.model.is_none() && Isa::of_kernel(&product.kernel).is_some()
                }
                Computation::Evaluation(_) => self.report.model.is_some(),
            };
            let what = "is not by a known kernel or of the model of the report";
            at.field("computation").require(of_section, what)?;
        }
        Ok(())
    }
}
