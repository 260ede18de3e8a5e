//! One answer of a criterion.

use crate::finding::Finding;

/// What a point comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// As it should be; with a note, or nothing.
    Passed(String),
    /// Not as it should be, and why.
    Failed(String),
    /// The machines that the receipts are of cannot tell, and why. No failure, and no pass.
    NotHere(String),
    /// Left out, and why. No failure, and no pass.
    Skipped(String),
}

impl Status {
    /// Whether this makes the gate red.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Status::Failed(_))
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// What was looked at.
    pub what: String,
    /// What it comes to.
    pub status: Status,
    /// The differences, where there are any.
    pub findings: Vec<Finding>,
}

impl Point {
    /// An answer without findings.
    pub(super) fn new(what: impl Into<String>, status: Status) -> Point {
        Point {
            what: what.into(),
            status,
            findings: Vec::new(),
        }
    }

    /// Passed, with nothing to add.
    pub(super) fn passed(what: impl Into<String>) -> Point {
        Point::new(what, Status::Passed(String::new()))
    }

    /// Failed, for this reason.
    pub(super) fn failed(what: impl Into<String>, why: impl Into<String>) -> Point {
        Point::new(what, Status::Failed(why.into()))
    }
}
