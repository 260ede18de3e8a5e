//! The gate: judges whether the sources of receipts may be merged.
//!
//! # Glossary
//!
//! - **case**: the receipts, the entries that they cover, and the baseline that they must cover.
//! - **criterion**: one check of a case. [`CRITERIA`] lists all of them.
//! - **point**: one result of a criterion: passed, failed, skipped, unsupported, or not available on the machines of the
//!   receipts. Only a failed point fails the gate, and only passed points count as passed.
//!
//! Receipts are verified when they are read. The gate judges their contents.

mod accept;
mod case;
mod complete;
mod coverage;
mod kernels;
mod outcomes;
mod point;
mod sections;
mod speed;

use serde::Serialize;

pub use accept::{Accepted, Refusal, SpeedChange, accept};
pub use case::{Case, CaseError};
pub use point::{Point, Status};

use crate::exit::Exit;

/// One check of a case.
#[derive(Debug, Serialize)]
pub struct Criterion {
    /// Stable name, used for the suite in JUnit.
    pub name: &'static str,
    /// The criterion as a question, for users.
    #[serde(rename = "asks")]
    pub question: &'static str,
    #[serde(skip)]
    judge: fn(&Case<'_>) -> Vec<Point>,
}

macro_rules! criteria {
    ($($name:literal $judge:path: $question:literal;)*) => {
        /// All criteria, in the order of the output.
        pub static CRITERIA: &[Criterion] = &[$(
            Criterion { name: $name, question: $question, judge: $judge },
        )*];
    };
}

criteria! {
    "levels" outcomes::levels: "do all candidates agree with all oracles on every level?";
    "fuzz" sections::fuzz: "did random cases find no difference?";
    "mutants" sections::mutants: "is every mutant caught and located?";
    "bench" sections::bench: "did timed kernels and oracles compute the same results?";
    "known-divergences" outcomes::known: "does every known divergence of an oracle still reproduce?";
    "completeness" complete::judge: "did every run compare something, and is no shard missing?";
    "kernels" kernels::judge: "did every kernel of the baseline execute?";
    "coverage" coverage::judge: "is every entry of the baseline covered?";
    "speed" speed::judge: "is nothing slower against the oracles than in the baseline?";
    "skips" outcomes::skips: "what was omitted, entirely or in part?";
}

/// The results of one criterion.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// The criterion.
    #[serde(flatten)]
    pub criterion: &'static Criterion,
    /// Its points.
    pub points: Vec<Point>,
}

/// The results of all criteria.
#[derive(Debug)]
pub struct Judgement {
    /// The answers, in the order of [`CRITERIA`].
    pub answers: Vec<Answer>,
}

/// Judges a case by every criterion.
pub fn judge(case: &Case<'_>) -> Judgement {
    let answers = CRITERIA.iter().map(|criterion| Answer {
        criterion,
        points: (criterion.judge)(case),
    });
    Judgement {
        answers: answers.collect(),
    }
}

impl Answer {
    /// Points with a status.
    pub fn of(&self, status: Status) -> impl Iterator<Item = &Point> {
        let points = self.points.iter();
        points.filter(move |point| point.status == status)
    }
}

impl Judgement {
    /// Points that failed, with their criteria.
    pub fn failures(&self) -> impl Iterator<Item = (&'static Criterion, &Point)> {
        self.answers.iter().flat_map(|answer| {
            let failed = answer.of(Status::Failed);
            failed.map(|point| (answer.criterion, point))
        })
    }

    /// Whether nothing failed.
    pub fn is_passed(&self) -> bool {
        self.failures().next().is_none()
    }
}

impl From<&Judgement> for Exit {
    fn from(judgement: &Judgement) -> Exit {
        if judgement.is_passed() {
            Exit::Agreement
        } else {
            Exit::Divergence
        }
    }
}
