//! The gate: whether receipts are good enough to merge what they were made of.
//!
//! # Glossary
//!
//! - **case**: the receipts, what they cover, and the baseline that they are held to.
//! - **criterion**: one question to a case; each has a file, and [`CRITERIA`] has all of them.
//! - **point**: one answer: passed, failed, skipped, or not to be had on the machines that the receipts are of. Only
//!   failures make the gate red, and only what passed is counted as passed.
//!
//! Receipts were verified when they were read. What is judged here is what they truthfully say.

mod accept;
mod bench;
mod case;
mod complete;
mod coverage;
mod fuzz;
mod kernels;
mod known;
mod ladder;
mod mistakes;
mod point;
mod skips;
mod speed;

use std::fmt;

pub use accept::{Accepted, Refusal, accept};
pub use case::{Case, CaseError};
pub use point::{Point, Status};

use crate::exit::Exit;

/// A question to a case.
pub struct Criterion {
    /// Stable name: a suite in JUnit.
    pub name: &'static str,
    /// The question.
    pub asks: &'static str,
    judge: fn(&Case<'_>) -> Vec<Point>,
}

impl fmt::Debug for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// All criteria, in the order in which they are told.
pub static CRITERIA: [Criterion; 10] = [
    ladder::CRITERION,
    fuzz::CRITERION,
    mistakes::CRITERION,
    bench::CRITERION,
    known::CRITERION,
    complete::CRITERION,
    kernels::CRITERION,
    coverage::CRITERION,
    speed::CRITERION,
    skips::CRITERION,
];

/// What all criteria come to.
#[derive(Debug)]
pub struct Judgement {
    /// Each criterion with its points, in the order of [`CRITERIA`].
    pub answers: Vec<(&'static Criterion, Vec<Point>)>,
}

/// Puts every criterion to a case.
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
