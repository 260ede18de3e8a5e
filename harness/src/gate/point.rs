//! One result of a criterion.

use crate::finding::Finding;

/// The status of a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Passed, with a note that may be empty.
    Passed(String),
    /// Failed, with the reason.
    Failed(String),
    /// Not available on the machines of the receipts, with the reason. Neither a failure nor a pass.
    NotHere(String),
    /// Omitted, with the reason. Neither a failure nor a pass.
    Skipped(String),
}

impl Status {
    /// Whether this fails the gate.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Status::Failed(_))
    }
}

/// One result of a criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// What was judged.
    pub what: String,
    /// The status.
    pub status: Status,
    /// The differences, if there are any.
    pub findings: Vec<Finding>,
}

impl Point {
    /// A point without findings.
    pub(super) fn new(what: impl Into<String>, status: Status) -> Point {
        Point {
            what: what.into(),
            status,
            findings: Vec::new(),
        }
    }

    /// A passed point without a note.
    pub(super) fn passed(what: impl Into<String>) -> Point {
        Point::new(what, Status::Passed(String::new()))
    }

    /// A failed point with a reason.
    pub(super) fn failed(what: impl Into<String>, why: impl Into<String>) -> Point {
        Point::new(what, Status::Failed(why.into()))
    }
}
