//! Sections with times of kernels and of whole models.

use qk256::kernel::Isa;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Contents;
use crate::bench::doubt::Conditions;
use crate::bench::model::report::ModelReport;
use crate::bench::report::{Report, Versus};
use crate::bench::statistics::Median;
use crate::bench::timing::{Timed, TimedReport};
use crate::levels::Level;
use crate::outcome::Omission;
use crate::receipt::Environment;
use crate::receipt::run::{Run, Section};
use crate::receipt::validation::{ValidationError, require};
use crate::verdict::Verdict;

/// Results of a bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "{R}Section")]
pub struct TimedSection<P, R> {
    /// Parameters that repeat the run.
    pub parameters: P,
    /// `exact` if all results were identical to those of the oracles, `within_noise_floor` if their error was within the
    /// limit of llama.cpp's own tests. A bench checks nothing else.
    pub verdict: Verdict,
    /// The measurements.
    pub report: R,
}

/// Results of a bench of kernels.
pub type BenchSection = TimedSection<BenchParameters, Report>;

/// Results of a bench of a whole model.
pub type ModelBenchSection = TimedSection<ModelBenchParameters, ModelReport>;

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

/// What distinguishes the kinds of benches.
pub trait Kind {
    /// The parameters of a run.
    type Parameters: Serialize;

    /// The section of a receipt.
    const SECTION: Section;

    /// Whether the run was reduced.
    fn is_quick(parameters: &Self::Parameters) -> bool;

    /// Id of the kernel of a row, if the row is of one kernel.
    fn kernel(&self, row: usize) -> Option<&str>;
}

impl Kind for Report {
    type Parameters = BenchParameters;
    const SECTION: Section = Section::Bench;

    fn is_quick(parameters: &BenchParameters) -> bool {
        parameters.quick
    }

    fn kernel(&self, row: usize) -> Option<&str> {
        Some(&self.rows[row].kernel)
    }
}

impl Kind for ModelReport {
    type Parameters = ModelBenchParameters;
    const SECTION: Section = Section::BenchModel;

    fn is_quick(parameters: &ModelBenchParameters) -> bool {
        parameters.quick
    }

    fn kernel(&self, _row: usize) -> Option<&str> {
        None
    }
}

impl<R: Kind + TimedReport> TimedSection<R::Parameters, R> {
    /// Creates the section for a report of this machine.
    pub fn new(parameters: R::Parameters, report: R) -> Self {
        let mut section = TimedSection {
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
            quick: R::is_quick(&self.parameters),
            cores,
        });
        let of = |versus: &Versus| match versus.nmse {
            Some(0.0) => Verdict::Exact,
            _ if versus.agrees() => Verdict::WithinNoiseFloor,
            _ => Verdict::Divergent,
        };
        let oracles = self.report.rows().iter().flat_map(Timed::oracles);
        self.verdict = Verdict::overall(oracles.map(of));
    }
}

impl<R: Kind + TimedReport> Contents for TimedSection<R::Parameters, R> {
    fn section(&self) -> Section {
        R::SECTION
    }

    fn parameters(&self) -> Value {
        super::json(&self.parameters)
    }

    /// A bench only detects large errors, so any agreement counts as exact. The levels check results precisely.
    fn verdict(&self) -> Verdict {
        exact_if_agreeing(self.verdict)
    }

    fn comparisons(&self) -> u64 {
        let rows = self.report.rows().iter();
        rows.map(|row| row.oracles().len() as u64).sum()
    }

    fn omissions(&self) -> Vec<(Option<Level>, &Omission)> {
        super::without_level(self.report.omitted())
    }

    fn derive(&mut self, runs: &[&Run]) {
        self.derive_for(runs.first().map_or(1, |run| run.environment.threads));
    }

    fn verify(&self, at: &str) -> Result<(), ValidationError> {
        for (i, row) in self.report.rows().iter().enumerate() {
            let at = format!("{at}.report.rows[{i}]");
            require(row.threads() > 0, &format!("{at}.threads"), "are 0")?;
            let possible = row.medians().all(Median::is_possible);
            let what = "has a median without samples, or outside its interval";
            require(possible, &at, what)?;
            let kernel = self.report.kernel(i);
            let known = kernel.is_none_or(|id| Isa::of_kernel(id).is_some());
            require(known, &format!("{at}.kernel"), "is not the id of a kernel")?;
        }
        Ok(())
    }
}

fn exact_if_agreeing(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::WithinNoiseFloor => Verdict::Exact,
        verdict => verdict,
    }
}
