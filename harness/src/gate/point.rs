//! One result of a criterion.

use serde::Serialize;

use crate::finding::Finding;
use crate::outcome::{Omission, OmissionKind};

/// The status of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Passed.
    Passed,
    /// Failed.
    Failed,
    /// Not available on the machines of the receipts. Neither a failure nor a pass.
    NotHere,
    /// Omitted because of the machine. Neither a failure nor a pass.
    Skipped,
    /// Omitted because a participant does not support it. Neither a failure nor a pass.
    Unsupported,
}

impl From<OmissionKind> for Status {
    fn from(kind: OmissionKind) -> Status {
        match kind {
            OmissionKind::Skipped => Status::Skipped,
            OmissionKind::Unsupported => Status::Unsupported,
        }
    }
}

/// One result of a criterion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// What was judged.
    pub what: String,
    /// The status.
    pub status: Status,
    /// The reason for the status. If the point passed, a note that may be empty.
    pub reason: String,
    /// The differences, if there are any.
    pub findings: Vec<Finding>,
}

impl Point {
    /// A point without findings.
    pub(super) fn new(what: impl Into<String>, status: Status, reason: impl Into<String>) -> Point {
        Point {
            what: what.into(),
            status,
            reason: reason.into(),
            findings: Vec::new(),
        }
    }

    /// A point that was omitted.
    pub(super) fn omitted(what: impl Into<String>, omission: &Omission) -> Point {
        Point::new(what, omission.kind.into(), omission.to_string())
    }
}
