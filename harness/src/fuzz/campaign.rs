//! A campaign: runs random cases until a limit is reached.

use std::time::{Duration, Instant};

use qk256::format::Format;

use super::draft::Draft;
use super::shrink::smallest;
use super::trial::{Difference, Trial, try_case};
use crate::case::{Case, CaseError};
use crate::interrupt;
use crate::participant::Participants;
use crate::progress::Progress;
use crate::shard::Shard;

/// The limits of a campaign.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limit {
    /// Number of cases.
    pub cases: Option<u64>,
    /// Time.
    pub time: Option<Duration>,
}

/// Parameters of a campaign.
pub struct Campaign<'a> {
    /// The participants.
    pub participants: &'a Participants,
    /// Seed of all cases.
    pub seed: u64,
    /// Index of the first case.
    pub start: u64,
    /// The shard of the cases from `start` on.
    pub shard: Shard,
    /// The limits.
    pub limit: Limit,
}

/// The results of a campaign.
#[derive(Debug, Default)]
pub struct Summary {
    /// Number of cases tried.
    pub cases: u64,
    /// Index at which the same campaign would continue.
    pub next: u64,
    /// Number of block comparisons.
    pub comparisons: u64,
    /// Number of oracle results that a known divergence explains.
    pub known: u64,
    /// Duration of the campaign.
    pub elapsed: Duration,
    /// Shrunk cases with their differences and the indices of the original cases.
    pub findings: Vec<(u64, Case, Difference)>,
}

/// Number of findings after which a campaign ends. More would show little new.
const MOST_FINDINGS: usize = 8;

/// Index of the `n`th case, from 0, of a shard of a campaign. None if no index of 64 bits would be left to continue
/// after it.
pub fn case_index(start: u64, shard: Shard, n: u64) -> Option<u64> {
    let done = n.checked_mul(shard.count)?.checked_add(start)?;
    done.checked_add(shard.count)?;
    Some(done + shard.index - 1)
}

impl Campaign<'_> {
    /// Runs cases until the limit is reached or eight pairs of implementations differ. Further differences of a pair
    /// are not shrunk.
    ///
    /// # Errors
    ///
    /// [`CaseError`] if a case cannot be made. No such case is known.
    pub fn run(&self, progress: &Progress) -> Result<Summary, CaseError> {
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
        progress.finish();
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
        for candidate in &self.participants.candidates {
            if !formats.contains(&candidate.format) {
                formats.push(candidate.format);
            }
        }
        formats
    }

    fn trial(&self, case: &Case) -> Result<Trial, CaseError> {
        try_case(
            case,
            &self.participants.candidates,
            &self.participants.references,
        )
    }

    /// The smallest case in which the same implementations differ, with its difference.
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
