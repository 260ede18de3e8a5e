//! JUnit output of the gate: a suite for each criterion, a test case for each point.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::plain;
use crate::gate::{Answer, Judgement, Point, Status};
use crate::printable;

/// XML cannot represent most control characters, and the library drops them. They are escaped here instead.
pub(super) fn write(judgement: &Judgement, out: &mut dyn Write) -> io::Result<()> {
    let mut report = Report::new("harness gate");
    for Answer { criterion, points } in &judgement.answers {
        let mut suite = TestSuite::new(criterion.name);
        for point in points {
            suite.add_test_case(case(criterion.name, point)?);
        }
        report.add_test_suite(suite);
    }
    report.serialize(out).map_err(io::Error::other)
}

fn case(criterion: &str, point: &Point) -> io::Result<TestCase> {
    let reason = &point.reason;
    let status = match point.status {
        Status::Passed => TestCaseStatus::success(),
        Status::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let mut causes = point
                .findings
                .iter()
                .filter_map(|finding| finding.cause.as_ref());
            let cause = causes.next().map(|cause| format!("; cause: {cause}"));
            let message = format!("{reason}{}", cause.unwrap_or_default());
            status.set_message(printable::line(&message));
            status.set_type(criterion);
            let findings: io::Result<Vec<String>> = point.findings.iter().map(plain).collect();
            let description = format!("{reason}\n{}", findings?.concat());
            status.set_description(printable::text(&description));
            status
        }
        Status::NotHere => skipped(&format!("not here: {reason}")),
        Status::Skipped => skipped(reason),
        Status::Unsupported => skipped(&format!("unsupported: {reason}")),
    };
    let mut case = TestCase::new(printable::line(&point.what), status);
    case.set_classname(criterion);
    if point.status == Status::Passed && !reason.is_empty() {
        case.set_system_out(printable::text(reason));
    }
    Ok(case)
}

fn skipped(reason: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(printable::line(reason));
    status
}
