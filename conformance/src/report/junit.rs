//! For continuous integration.

use crate::case::{Group, Report, Status};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

/// JUnit's XML, a suite for each group.
pub fn render(target: &str, reports: &[Report]) -> Result<String, String> {
    let mut all = quick_junit::Report::new(format!("duologue-conformance {target}"));
    for group in Group::ALL {
        let mut suite = TestSuite::new(group.name());
        for report in reports.iter().filter(|report| report.case.group == group) {
            suite.add_test_case(case(report));
        }
        all.add_test_suite(suite);
    }
    all.to_string().map_err(|error| error.to_string())
}

fn case(report: &Report) -> TestCase {
    let mut status = match report.status {
        Status::Passed => TestCaseStatus::success(),
        Status::Skipped | Status::Expected => TestCaseStatus::skipped(),
        Status::Failed | Status::Unexpected => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Status::Broken => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if !report.why.is_empty() {
        status.set_message(report.why.as_str());
    }
    let mut case = TestCase::new(report.case.id.as_str(), status);
    case.set_classname(report.case.group.name());
    case.set_time(report.took);
    let lines = report.transcript.iter();
    let text: Vec<String> = lines
        .map(|line| format!("{:>6} ms {} {}", line.at, line.side, line.text))
        .collect();
    case.set_system_out(text.join("\n"));
    case
}
