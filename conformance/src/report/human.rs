//! For the terminal.

use crate::case::{Group, Report, Status};
use crate::run::count;
use std::fmt::Write as _;

/// The cases that need attention, a table of the groups, and the last line.
pub fn render(reports: &[Report]) -> String {
    let mut out = String::new();
    for report in reports {
        if report.status.is_failure() || report.status == Status::Expected {
            failure(&mut out, report);
        }
    }
    let _ = writeln!(
        out,
        "{:<12} {:>7} {:>7} {:>8} {:>8}",
        "group", "passed", "failed", "skipped", "expected"
    );
    for group in Group::ALL {
        let of = |wanted: fn(Status) -> bool| {
            let here = reports.iter().filter(|report| report.case.group == group);
            here.filter(|report| wanted(report.status)).count()
        };
        let passed = of(|status| status == Status::Passed);
        let skipped = of(|status| status == Status::Skipped);
        let expected = of(|status| status == Status::Expected);
        let failed = of(Status::is_failure);
        if passed + failed + skipped + expected > 0 {
            let _ = writeln!(
                out,
                "{group:<12} {passed:>7} {failed:>7} {skipped:>8} {expected:>8}"
            );
        }
    }
    let why = skips(reports);
    if !why.is_empty() {
        let _ = writeln!(out, "\nskipped:");
        for (reason, number) in why {
            let _ = writeln!(out, "{number:>5}  {reason}");
        }
    }
    out.push('\n');
    out.push_str(&last_line(reports));
    out
}

fn skips(reports: &[Report]) -> Vec<(&str, usize)> {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for report in reports
        .iter()
        .filter(|report| report.status == Status::Skipped)
    {
        match reasons.iter_mut().find(|(reason, _)| *reason == report.why) {
            Some((_, number)) => *number += 1,
            None => reasons.push((&report.why, 1)),
        }
    }
    reasons
}

fn failure(out: &mut String, report: &Report) {
    let Report { case, status, .. } = report;
    let _ = writeln!(out, "{}: {}", case.id, status.word());
    let _ = writeln!(out, "    {}", case.says);
    let _ = writeln!(out, "    {}", report.why);
    let verdicts = (report.behaviour.word(), report.close.word());
    let _ = writeln!(out, "    behaviour {}, close {}", verdicts.0, verdicts.1);
    let start = report.transcript.len().saturating_sub(12);
    for line in &report.transcript[start..] {
        let _ = writeln!(out, "    {:>6} ms {} {}", line.at, line.side, line.text);
    }
    out.push('\n');
}

/// `N passed, N failed, N skipped`.
pub fn last_line(reports: &[Report]) -> String {
    let (passed, failed, skipped) = count(reports);
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}
