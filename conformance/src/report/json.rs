//! For programs.

use crate::case::{Level, Line, Report};
use crate::run::count;
use serde_json::{Value, json};

/// The whole run as one object.
pub fn render(target: &str, reports: &[Report]) -> Value {
    let (passed, failed, skipped) = count(reports);
    json!({
        "format": "duologue-conformance-1",
        "target": target,
        "passed": passed,
        "failed": failed,
        "skipped": skipped,
        "cases": reports.iter().map(case).collect::<Vec<_>>(),
    })
}

fn case(report: &Report) -> Value {
    json!({
        "id": report.case.id,
        "group": report.case.group.name(),
        "level": match report.case.level {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
        },
        "says": report.case.says,
        "status": report.status.word(),
        "behaviour": report.behaviour.word(),
        "close": report.close.word(),
        "why": report.why,
        "milliseconds": u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
        "transcript": report.transcript.iter().map(line).collect::<Vec<_>>(),
    })
}

fn line(line: &Line) -> Value {
    json!([
        u64::try_from(line.at).unwrap_or(u64::MAX),
        line.side,
        line.text
    ])
}
