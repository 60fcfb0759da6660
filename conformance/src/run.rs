//! Runs cases against a target, several at a time.

use crate::case::{Case, Fail, Level, Line, Report, Status, Verdict};
use crate::conversation::{Clock, Conversation};
use crate::expectations::Expectations;
use crate::link::Gate;
use crate::target::{Fixed, Place, Target};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The implementation.
    pub place: Place,
    /// What is known of it.
    pub fixed: Fixed,
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// How many at a time; a program that dials gets one.
    pub jobs: usize,
    /// How long a reaction may take.
    pub patience: Duration,
    /// What is known to fail.
    pub expectations: Expectations,
}

/// The cases that the options leave: `strict` adds the SHOULDs, `filter` keeps the ids that
/// contain it.
pub fn select(cases: Vec<Case>, filter: Option<&str>, strict: bool) -> Vec<Case> {
    let wanted = |case: &Case| {
        (strict || case.level == Level::Must) && filter.is_none_or(|text| matches(case, text))
    };
    cases.into_iter().filter(wanted).collect()
}

fn matches(case: &Case, text: &str) -> bool {
    case.id.contains(text) || case.group.name() == text
}

/// Runs the plan; an error means that the target cannot be reached at all.
pub fn run(plan: &Plan, mut seen: impl FnMut(&Report)) -> Result<Vec<Report>, String> {
    let gate = match &plan.place {
        Place::Listen(address, _) => {
            let gate = Gate::bind(address).map_err(|error| format!("{address}: {error}"))?;
            Some(Arc::new(gate))
        }
        Place::Connect(_) | Place::Shim(_) | Place::BuiltIn(_) => None,
    };
    let first = Target::new(&plan.place, gate.as_ref())?;
    let first = Arc::new(Mutex::new(Some(first)));
    let jobs = if gate.is_some() { 1 } else { plan.jobs.max(1) };
    let next = Arc::new(AtomicUsize::new(0));
    let (reports, done) = channel();
    let shared = Arc::new(plan.clone());
    for _ in 0..jobs.min(plan.cases.len()) {
        let (plan, next, reports) = (Arc::clone(&shared), Arc::clone(&next), reports.clone());
        let (first, gate) = (Arc::clone(&first), gate.clone());
        std::thread::spawn(move || {
            let target = first.lock().unwrap_or_else(PoisonError::into_inner).take();
            work(&plan, target, gate.as_ref(), &next, &reports);
        });
    }
    drop(reports);
    Ok(collect(plan, &done, &mut seen))
}

type Numbered = (usize, Report);

/// Waits for every report. A worker that hangs beyond every deadline is left behind.
fn collect(
    plan: &Plan,
    done: &std::sync::mpsc::Receiver<Numbered>,
    seen: &mut impl FnMut(&Report),
) -> Vec<Report> {
    let longest = plan.cases.iter().map(|case| case.deadline).max();
    let longest = longest.unwrap_or_default() * 2 + Duration::from_secs(20);
    let mut all: Vec<Option<Report>> = vec![None; plan.cases.len()];
    // It ends when every worker is done, or when nothing came for too long.
    while let Ok((index, report)) = done.recv_timeout(longest) {
        seen(&report);
        all[index] = Some(report);
    }
    let reports = plan.cases.iter().zip(all);
    reports
        .map(|(case, report)| report.unwrap_or_else(|| hung(case)))
        .collect()
}

fn hung(case: &Case) -> Report {
    Report {
        case: case.clone(),
        status: Status::Broken,
        behaviour: Verdict::None,
        close: Verdict::None,
        why: "the case did not come back".into(),
        transcript: Vec::new(),
        reference: Vec::new(),
        took: case.deadline,
    }
}

fn work(
    plan: &Plan,
    mut target: Option<Target>,
    gate: Option<&Arc<Gate>>,
    next: &AtomicUsize,
    reports: &Sender<Numbered>,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(case) = plan.cases.get(index) else {
            return;
        };
        let report = match take_hold(plan, target.take(), gate) {
            Ok(mut held) => {
                let (report, lost) = judge(plan, case, &mut held);
                target = (!lost).then_some(held);
                report
            }
            Err(why) => Report {
                status: Status::Failed,
                behaviour: Verdict::Fail,
                why: format!("the target cannot be reached any more: {why}"),
                ..hung(case)
            },
        };
        if reports.send((index, report)).is_err() {
            return;
        }
    }
}

fn take_hold(
    plan: &Plan,
    target: Option<Target>,
    gate: Option<&Arc<Gate>>,
) -> Result<Target, String> {
    match target {
        Some(target) => Ok(target),
        None => Target::new(&plan.place, gate),
    }
}

fn judge(plan: &Plan, case: &Case, target: &mut Target) -> (Report, bool) {
    let began = Instant::now();
    let attempt = attempt(plan, case, target);
    let (result, close, transcript, lost) = attempt;
    let (mut behaviour, mut why) = (Verdict::Pass, String::new());
    let mut close = close;
    let status = match result {
        Ok(()) => Status::Passed,
        Err(Fail::Behaviour(text)) => {
            (behaviour, why) = (Verdict::Fail, text);
            Status::Failed
        }
        Err(Fail::Close(text)) => {
            (close, why) = (Verdict::Fail, text);
            Status::Failed
        }
        Err(Fail::Skip(text)) => {
            (behaviour, why) = (Verdict::None, text);
            Status::Skipped
        }
        Err(Fail::Kit(text)) => {
            (behaviour, why) = (Verdict::None, text);
            Status::Broken
        }
    };
    let status = match (status, plan.expectations.reason(&case.id)) {
        (Status::Failed, Some(reason)) => {
            why = format!("{why} (expected: {reason})");
            Status::Expected
        }
        (Status::Passed, Some(reason)) => {
            why = format!("expected to fail: {reason}");
            Status::Unexpected
        }
        (status, _) => status,
    };
    let reference = match status {
        Status::Failed => reference(plan, case),
        _ => Vec::new(),
    };
    let report = Report {
        case: case.clone(),
        status,
        behaviour,
        close,
        why,
        transcript,
        reference,
        took: began.elapsed(),
    };
    (report, lost)
}

type Attempt = (Result<(), Fail>, Verdict, Vec<Line>, bool);

fn attempt(plan: &Plan, case: &Case, target: &mut Target) -> Attempt {
    let clock = Clock {
        patience: plan.patience,
        deadline: case.deadline,
    };
    let mut conversation = Conversation::new(target, &plan.fixed, clock);
    // Whatever a target says, a fault of the kit ends one case and not the run.
    let result = catch_unwind(AssertUnwindSafe(|| (case.action)(&mut conversation)));
    let result = result.unwrap_or_else(|_| Err(Fail::Kit("the case panicked".into())));
    let result = match (result, conversation.foul()) {
        (Ok(()), Some(foul)) => Err(Fail::Behaviour(format!("by the way, {foul}"))),
        (result, _) => result,
    };
    conversation.finish();
    let transcript = std::mem::take(&mut conversation.transcript);
    (result, conversation.close, transcript, conversation.lost)
}

/// What the built-in peer says in the same case.
fn reference(plan: &Plan, case: &Case) -> Vec<Line> {
    if matches!(plan.place, Place::BuiltIn(_)) && plan.jobs == 0 {
        return Vec::new();
    }
    match Target::new(&Place::BuiltIn(None), None) {
        Ok(mut target) => attempt(plan, case, &mut target).2,
        Err(_) => Vec::new(),
    }
}

/// Passed, failed, skipped; a failure that was expected counts as skipped.
pub fn count(reports: &[Report]) -> (usize, usize, usize) {
    let of = |wanted: fn(Status) -> bool| {
        reports
            .iter()
            .filter(|report| wanted(report.status))
            .count()
    };
    let passed = of(|status| status == Status::Passed);
    let failed = of(Status::is_failure);
    let skipped = of(|status| matches!(status, Status::Skipped | Status::Expected));
    (passed, failed, skipped)
}
