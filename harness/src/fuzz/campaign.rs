//! A campaign: cases one after the other, until enough were tried.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use qk256::format::Format;

use super::draft::Draft;
use super::shrink::smallest;
use super::trial::{Difference, Trial, try_case};
use crate::case::{Case, CaseError};
use crate::interrupt;
use crate::shard::Shard;
use crate::side::Sides;

/// When a campaign ends, unless it has found enough.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limit {
    /// After so many cases.
    pub cases: Option<u64>,
    /// After so long.
    pub time: Option<Duration>,
}

/// What is tried.
pub struct Campaign<'a> {
    /// Candidates, references.
    pub sides: &'a Sides,
    /// Seed of all cases.
    pub seed: u64,
    /// Index of the first case.
    pub start: u64,
    /// Which of the cases from there on.
    pub shard: Shard,
    /// When to end.
    pub limit: Limit,
}

/// What a campaign came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// Cases tried.
    pub cases: u64,
    /// Index from which the same campaign would go on.
    pub next: u64,
    /// Block comparisons.
    pub comparisons: u64,
    /// Results of references that a known divergence explains.
    pub known: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Shrunk cases, each with the index of the case that it came from and its difference.
    pub findings: Vec<(u64, Case, Difference)>,
}

/// After so many findings a campaign ends: what is broken is broken.
const MOST_FINDINGS: usize = 8;

/// Index of the `n`th case, from 0, of a shard of a campaign. None if the campaign could not go on after it, since
/// indices have 64 bits.
pub fn case_index(start: u64, shard: Shard, n: u64) -> Option<u64> {
    let done = n.checked_mul(shard.count)?.checked_add(start)?;
    done.checked_add(shard.count)?;
    Some(done + shard.index - 1)
}

impl Campaign<'_> {
    /// Tries cases until the limit is reached, or until eight pairs of sides have differed. A pair that has differed is
    /// not shrunk again.
    ///
    /// # Errors
    ///
    /// [`CaseError`] if a case cannot be made; none is known.
    pub fn run(&self, progress: &ProgressBar) -> Result<Summary, CaseError> {
        let formats = self.formats();
        let begun = Instant::now();
        let mut summary = Summary {
            next: self.start,
            ..Summary::default()
        };
        if formats.is_empty() {
            return Ok(summary);
        }
        progress.set_length(match self.limit {
            Limit {
                cases: Some(cases), ..
            } => cases,
            Limit { time, .. } => time.unwrap_or_default().as_secs(),
        });
        while !self.is_over(&summary, begun.elapsed())
            && let Some(index) = case_index(self.start, self.shard, summary.cases)
        {
            let case = Draft::of(self.seed, index).case(&formats)?;
            let trial = self.trial(&case)?;
            summary.comparisons += trial.comparisons;
            summary.known += trial.known;
            for difference in trial.differences {
                let is_new = |(_, _, known): &(u64, Case, Difference)| {
                    known.candidate != difference.candidate
                        || known.reference != difference.reference
                };
                if summary.findings.iter().all(is_new) {
                    let (case, difference) = self.smallest(case.clone(), difference);
                    summary.findings.push((index, case, difference));
                }
            }
            summary.cases += 1;
            summary.next = self.start + summary.cases * self.shard.count;
            if summary.cases.is_multiple_of(64) {
                match self.limit.cases {
                    Some(_) => progress.set_position(summary.cases),
                    None => progress.set_position(begun.elapsed().as_secs()),
                }
            }
        }
        summary.elapsed = begun.elapsed();
        progress.finish_and_clear();
        Ok(summary)
    }

    fn is_over(&self, summary: &Summary, elapsed: Duration) -> bool {
        interrupt::asked()
            || summary.findings.len() >= MOST_FINDINGS
            || self.limit.cases.is_some_and(|cases| summary.cases >= cases)
            || self.limit.time.is_some_and(|time| elapsed >= time)
    }

    /// The formats of the candidates that this CPU can run.
    fn formats(&self) -> Vec<&'static Format> {
        let mut formats: Vec<&'static Format> = Vec::new();
        for candidate in &self.sides.candidates {
            if !formats.contains(&candidate.format) {
                formats.push(candidate.format);
            }
        }
        formats
    }

    fn trial(&self, case: &Case) -> Result<Trial, CaseError> {
        try_case(case, &self.sides.candidates, &self.sides.references)
    }

    /// The smallest case in which the same sides differ, and how they do there.
    fn smallest(&self, case: Case, difference: Difference) -> (Case, Difference) {
        let same = |other: &Difference| {
            other.candidate == difference.candidate && other.reference == difference.reference
        };
        let differ = |case: &Case| {
            let trial = self.trial(case).unwrap_or_default();
            trial.differences.into_iter().find(|other| same(other))
        };
        smallest(case.clone(), differ).unwrap_or((case, difference.clone()))
    }
}
