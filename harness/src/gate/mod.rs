//! The gate: judges whether the sources of receipts may be merged.
//!
//! # Glossary
//!
//! - **case**: the receipts, the entries that they cover, and the baseline that they must cover.
//! - **criterion**: one check of a case. Each has its own file. [`CRITERIA`] lists all of them.
//! - **point**: one result of a criterion: passed, failed, skipped, or not available on the machines of the receipts.
//!   Only a failed point fails the gate, and only passed points count as passed.
//!
//! Receipts are verified when they are read. The gate judges their contents.

mod accept;
mod bench;
mod case;
mod complete;
mod coverage;
mod fuzz;
mod kernels;
mod known;
mod levels;
mod mutants;
mod point;
mod skips;
mod speed;

use std::fmt;

pub use accept::{Accepted, Refusal, accept};
pub use case::{Case, CaseError};
pub use point::{Point, Status};

use crate::exit::Exit;

/// One check of a case.
pub struct Criterion {
    /// Stable name, used for the suite in JUnit.
    pub name: &'static str,
    /// The criterion as a question, for users.
    pub question: &'static str,
    judge: fn(&Case<'_>) -> Vec<Point>,
}

impl fmt::Debug for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// All criteria, in the order of the output.
pub static CRITERIA: [Criterion; 10] = [
    levels::CRITERION,
    fuzz::CRITERION,
    mutants::CRITERION,
    bench::CRITERION,
    known::CRITERION,
    complete::CRITERION,
    kernels::CRITERION,
    coverage::CRITERION,
    speed::CRITERION,
    skips::CRITERION,
];

/// The results of all criteria.
#[derive(Debug)]
pub struct Judgement {
    /// Each criterion with its points, in the order of [`CRITERIA`].
    pub answers: Vec<(&'static Criterion, Vec<Point>)>,
}

/// Judges a case by every criterion.
pub fn judge(case: &Case<'_>) -> Judgement {
    let answer = |criterion: &'static Criterion| (criterion, (criterion.judge)(case));
    Judgement {
        answers: CRITERIA.iter().map(answer).collect(),
    }
}

impl Judgement {
    /// Points that failed, with their criteria.
    pub fn failures(&self) -> impl Iterator<Item = (&'static Criterion, &Point)> {
        let points = self.answers.iter();
        let points =
            points.flat_map(|(criterion, points)| points.iter().map(move |p| (*criterion, p)));
        points.filter(|(_, point)| point.status.is_failure())
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
