//! The kit judged by itself: each fault of the built-in peer must be caught by its case.

use crate::case::{Case, Status};
use crate::cases;
use crate::expectations::Expectations;
use crate::peer::bugs::{BUGS, Bug};
use crate::raw_peer::{Pattern, Suite};
use crate::run::{Plan, run};
use crate::target::{Fixed, Place};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What became of one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// The fault.
    pub bug: Bug,
    /// Whether its case noticed.
    pub caught: bool,
    /// What the case said.
    pub why: String,
}

/// What is known of the built-in peer.
pub fn built_in() -> Fixed {
    Fixed {
        suite: Suite::ChaChaPoly,
        pattern: Pattern::Xx,
        key: None,
        psk: None,
        secret: crate::conversation::KIT_SECRET,
        protocols: None,
    }
}

/// Runs every case against the correct peer.
pub fn correct(patience: Duration, jobs: usize) -> Result<Vec<crate::case::Report>, String> {
    let plan = Plan {
        place: Place::BuiltIn(None),
        fixed: built_in(),
        cases: cases::all(),
        jobs,
        patience,
        expectations: Expectations::default(),
    };
    run(&plan, |_| {})
}

/// Runs each fault against the case that names it.
pub fn faults(patience: Duration, jobs: usize) -> Vec<Caught> {
    let all = cases::all();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(vec![None; BUGS.len()]);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(bug) = BUGS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let caught = catch(*bug, &all, patience);
                    let place = BUGS.iter().position(|other| other == bug);
                    if let (Ok(mut found), Some(place)) = (found.lock(), place) {
                        found[place] = Some(caught);
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_default();
    found.into_iter().flatten().collect()
}

fn catch(bug: Bug, all: &[Case], patience: Duration) -> Caught {
    let cases: Vec<Case> = all
        .iter()
        .filter(|case| case.id == bug.case)
        .cloned()
        .collect();
    let plan = Plan {
        place: Place::BuiltIn(Some(bug)),
        fixed: built_in(),
        cases,
        jobs: 0,
        patience,
        expectations: Expectations::default(),
    };
    let reports = run(&plan, |_| {}).unwrap_or_default();
    match reports.as_slice() {
        [report] => Caught {
            bug,
            caught: report.status == Status::Failed,
            why: report.why.clone(),
        },
        _ => Caught {
            bug,
            caught: false,
            why: format!("there is no case {}", bug.case),
        },
    }
}
