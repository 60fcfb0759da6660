//! The kit proves itself: the correct peer passes everything, and no fault goes unnoticed.

use duologue_conformance::case::{Case, Report, Status};
use duologue_conformance::expectations::Expectations;
use duologue_conformance::link::{Address, Gate};
use duologue_conformance::peer::bugs::BUGS;
use duologue_conformance::run::{Plan, count, run, select};
use duologue_conformance::target::Place;
use duologue_conformance::{cases, report, self_test, vectors};
use std::collections::BTreeSet;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);
const JOBS: usize = 12;

fn plan(place: Place, filter: &str) -> Plan {
    Plan {
        place,
        fixed: self_test::built_in(),
        cases: select(cases::all(), Some(filter), true),
        jobs: 4,
        patience: PATIENCE,
        expectations: Expectations::default(),
    }
}

fn reports(place: Place, filter: &str) -> Vec<Report> {
    run(&plan(place, filter), |_| {}).unwrap()
}

fn built_in(bug: &str) -> Place {
    Place::BuiltIn(BUGS.iter().find(|one| one.name == bug).copied())
}

#[test]
fn the_correct_peer_passes_every_case() {
    let reports = self_test::correct(PATIENCE, JOBS).unwrap();

    let wrong: Vec<_> = reports
        .iter()
        .filter(|r| r.status != Status::Passed)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(reports.len() >= 120);
}

#[test]
fn each_fault_is_caught_by_the_case_that_names_it() {
    let caught = self_test::faults(Duration::from_millis(1_500), JOBS);

    let missed: Vec<_> = caught.iter().filter(|one| !one.caught).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert_eq!(caught.len(), BUGS.len());
    assert!(BUGS.len() >= 30);
}

#[test]
fn ids_are_unique_and_begin_with_a_clause_of_the_specification() {
    let clauses = include_str!("../../spec/protocol.md");
    let all = cases::all();
    let ids: BTreeSet<&str> = all.iter().map(|case| case.id.as_str()).collect();

    assert_eq!(ids.len(), all.len());
    for id in ids {
        let (clause, _) = id.split_once('/').unwrap();
        assert!(clauses.contains(&format!("[{clause}]")), "{id}");
    }
}

#[test]
fn an_expected_failure_passes_the_run_and_an_unexpected_pass_fails_it() {
    let ids: Vec<String> = cases::all().into_iter().map(|case: Case| case.id).collect();
    let known: Vec<&str> = ids.iter().map(String::as_str).collect();
    let text = "# known\nT-15/ping-is-answered  not written yet\n";
    let expectations = Expectations::parse(text, &known).unwrap();
    let mut plan = plan(built_in("no-pong"), "T-15/ping-is-answered");
    plan.patience = Duration::from_millis(500);
    plan.expectations = expectations;

    let failing = run(&plan, |_| {}).unwrap();
    plan.place = Place::BuiltIn(None);
    let passing = run(&plan, |_| {}).unwrap();

    assert_eq!(failing[0].status, Status::Expected);
    assert_eq!(passing[0].status, Status::Unexpected);
    assert_eq!((count(&failing).1, count(&passing).1), (0, 1));
}

#[test]
fn an_expectation_without_reason_or_case_names_its_line() {
    let missing = Expectations::parse("\nW-2/cut-off\n", &["W-2/cut-off"]).unwrap_err();
    let unknown = Expectations::parse("W-2/nonsense why", &["W-2/cut-off"]).unwrap_err();

    assert!(missing.starts_with("line 2:"), "{missing}");
    assert!(unknown.contains("W-2/nonsense"), "{unknown}");
}

#[test]
fn a_target_that_is_not_there_is_unreachable() {
    let gate = Gate::loopback().unwrap();
    let address = gate.address().unwrap();
    drop(gate);

    assert!(run(&plan(Place::Connect(address), "W-8"), |_| {}).is_err());
    assert!(
        run(
            &plan(Place::Shim("no-such-program-here".into()), "W-8"),
            |_| {}
        )
        .is_err()
    );
}

#[cfg(unix)]
#[test]
fn a_malformed_answer_of_a_shim_names_its_line() {
    let error = run(&plan(Place::Shim("cat".into()), "W-8"), |_| {}).unwrap_err();

    assert!(error.starts_with("line 1 of the shim's output"), "{error}");
}

#[test]
fn a_silent_listener_fails_its_cases_and_holds_nobody() {
    let gate = Gate::loopback().unwrap();
    let address: Address = gate.address().unwrap();
    let mut plan = plan(Place::Connect(address), "T-12");
    plan.patience = Duration::from_millis(200);

    let reports = run(&plan, |_| {}).unwrap();

    assert!(reports.iter().all(|report| report.status == Status::Failed));
    assert!(!reports.is_empty());
}

#[test]
fn reports_hold_every_case_and_escape_what_targets_say() {
    let reports = reports(built_in("unknown-frame"), "T-12/type-0x0f");
    let mut hostile = reports.clone();
    hostile[0].why = "<script>\u{1b}[31m".into();

    let page = report::html::render("a & b", &hostile);
    let json = report::json::render("t", &reports);
    let junit = report::junit::render("t", &reports).unwrap();

    assert!(page.contains("T-12/type-0x0f") && page.contains("the built-in peer"));
    // Where the two transcripts part is marked, and only there.
    assert!(page.contains("<li class=\"remark\">") && page.contains("parted\">"));
    assert!(!page.contains("<script>") && !page.contains('\u{1b}'));
    assert_eq!(
        (&json["failed"], &json["cases"][0]["status"]),
        (&1.into(), &"failed".into())
    );
    assert!(junit.contains("T-12/type-0x0f") && junit.contains("failure"));
    assert!(report::human::render(&reports).ends_with("0 passed, 1 failed, 0 skipped"));
}

#[test]
fn vectors_are_replayed_as_they_were_written_and_a_changed_one_is_noticed() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("vectors");
    vectors::write(&directory).unwrap();

    let good = vectors::replay(&directory).unwrap();
    let file = directory.join("records.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text.replacen("\"from\": \"responder\"", "\"from\": \"initiator\"", 1);
    std::fs::write(&file, changed).unwrap();
    let bad = vectors::replay(&file).unwrap();

    assert!(good.len() > 100);
    assert!(good.iter().all(|one| one.error.is_none()), "{good:#?}");
    assert!(bad.iter().any(|one| one.error.is_some()));
}
