//! Every clause of the specification is obeyed by code that names it, and tested by a test that does.
//!
//! `cargo test --test spec -- --nocapture` prints the table.

#[path = "spec/citations.rs"]
mod citations;
#[path = "spec/clauses.rs"]
mod clauses;

use std::{collections::BTreeSet, fs, path::Path};

use citations::{Citation, Citations, Side};
use clauses::{Clause, Id, clauses, sections};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn specification() -> String {
    fs::read_to_string(root().join("spec/protocol.md")).unwrap()
}

/// `file:line line`, one for each file.
fn places(citations: &[Citation], id: Id, side: Side) -> Vec<String> {
    let mut places: Vec<String> = Vec::new();
    let mut last = "";
    for citation in citations {
        if citation.id != id || citation.side != side {
            continue;
        }
        match places.last_mut().filter(|_place| last == citation.file) {
            Some(place) => *place += &format!(" {}", citation.line),
            None => places.push(format!("{}:{}", citation.file, citation.line)),
        }
        last = &citation.file;
    }
    places
}

/// Clause, then code, then tests.
fn table(clauses: &[Clause], citations: &[Citation]) -> String {
    let mut table = String::new();
    for clause in clauses {
        let bound = if clause.must() { "MUST" } else { "    " };
        table += &format!("{:<5} {bound} {}\n", clause.id, clause.start());
        for (side, name) in [(Side::Code, "code"), (Side::Test, "test")] {
            let places = places(citations, clause.id, side);
            if places.is_empty() {
                table += &format!("           {name} nowhere\n");
            }
            for place in places {
                table += &format!("           {name} {place}\n");
            }
        }
    }
    table
}

/// What lacks a citation: a MUST needs code and test, every other clause at least one of them.
fn uncited(clauses: &[Clause], citations: &[Citation]) -> Vec<String> {
    let mut uncited = Vec::new();
    for clause in clauses {
        let cites = |side| {
            citations
                .iter()
                .any(|one| one.id == clause.id && one.side == side)
        };
        let (code, test) = (cites(Side::Code), cites(Side::Test));
        let enough = if clause.must() {
            code && test
        } else {
            code || test
        };
        if !enough {
            uncited.push(format!(
                "{} (code: {code}, test: {test}): {}",
                clause.id,
                clause.start()
            ));
        }
    }
    uncited
}

/// The ids that are given more than once.
fn doubled(clauses: &[Clause]) -> Vec<Id> {
    let mut seen = BTreeSet::new();
    let again = clauses.iter().filter(|clause| !seen.insert(clause.id));
    again.map(|clause| clause.id).collect()
}

/// The places that cite a clause or a section which is not there.
fn astray(specification: &str, cited: &Citations) -> Vec<String> {
    let known: BTreeSet<Id> = clauses(specification)
        .iter()
        .map(|clause| clause.id)
        .collect();
    let clauses = cited.clauses.iter().filter(|one| !known.contains(&one.id));
    let clauses = clauses.map(|one| format!("{}:{} cites {}", one.file, one.line, one.id));
    let known = sections(specification);
    let sections = cited
        .sections
        .iter()
        .filter(|one| !known.contains(&one.section.as_str()));
    let sections = sections.map(|one| format!("{} cites section {}", one.place, one.section));
    clauses.chain(sections).collect()
}

/// The clauses that the specification refers to and does not have.
fn dangling(specification: &str) -> Vec<String> {
    let known: BTreeSet<Id> = clauses(specification)
        .iter()
        .map(|clause| clause.id)
        .collect();
    let mut dangling = Vec::new();
    for part in specification.split('[').skip(1) {
        let mut rest = part;
        match Id::take(&mut rest) {
            Some(id) if rest.starts_with(']') && !known.contains(&id) => {
                dangling.push(id.to_string());
            }
            _other => {}
        }
    }
    dangling
}

#[test]
#[expect(clippy::print_stdout, reason = "seen with --nocapture only")]
fn every_clause_is_cited_by_code_and_by_a_test() {
    let clauses = clauses(&specification());
    let citations = Citations::of_project(root()).clauses;
    println!("{}", table(&clauses, &citations));
    assert!(
        clauses.len() >= 85,
        "only {} clauses are left",
        clauses.len()
    );
    let uncited = uncited(&clauses, &citations);
    assert!(uncited.is_empty(), "not cited: {uncited:#?}");
}

#[test]
fn no_citation_goes_astray() {
    let specification = specification();
    let cited = Citations::of_project(root());
    assert!(cited.clauses.len() > 500 && cited.sections.len() > 10);
    let astray = astray(&specification, &cited);
    assert!(astray.is_empty(), "{astray:#?}");
    assert_eq!(dangling(&specification), [""; 0]);
}

#[test]
fn no_id_is_given_twice_and_none_is_left_out() {
    let clauses = clauses(&specification());
    assert_eq!(doubled(&clauses), []);
    // A number that is missing may have been given away and taken back: it must not be used again.
    let mut ids: Vec<Id> = clauses.iter().map(|clause| clause.id).collect();
    ids.sort();
    for pair in ids.windows(2) {
        assert!(
            pair[0].is_followed_by(pair[1]),
            "{} and {}",
            pair[0],
            pair[1]
        );
    }
}

/// A specification with every fault that this test looks for.
const FAULTY: &str = "\
## 1. Bytes
[W-1] A sender MUST send.
It goes on here, as [H-9] says.

[W-2] A receiver MUST receive.

[W-2] A receiver MUST receive again.

[W-3] Somebody MAY do something.

[W-4] Nobody is bound.
### 1.1 Ends
[E-1] Both MUST end.
";

/// Sources that cite it.
const CITING: [(&str, &str); 2] = [
    (
        "src/a.rs",
        r#"
// Why (spec: W-1, W-2; threat: 3), and elsewhere.
/// As [W-2] says (spec: sections 1 and 1.1).
fail(Violation::new("E-1", "text W-9"));
#[cfg(test)]
mod tests {
    // spec: W-1 to W-3
"#,
    ),
    (
        "tests/b.rs",
        r#"
//! A header is no test (spec: E-1).
breaks("L-7/case", "…");
// spec: section 2.
"#,
    ),
];

#[test]
fn planted_faults_are_found() {
    let faulty = clauses(FAULTY);
    assert_eq!(
        faulty[0].text,
        "A sender MUST send.\nIt goes on here, as [H-9] says.\n"
    );
    assert_eq!(doubled(&faulty).len(), 1);
    assert_eq!(dangling(FAULTY), ["H-9"]);
    let mut cited = Citations::default();
    for (file, text) in CITING {
        let side = if file.starts_with("src") {
            Side::Code
        } else {
            Side::Test
        };
        cited.read_text(file, text, side);
    }
    let uncited = uncited(&faulty, &cited.clauses);
    let uncited: Vec<&str> = uncited.iter().map(|one| &one[..3]).collect();
    assert_eq!(uncited, ["W-4", "E-1"]);
    assert_eq!(
        astray(FAULTY, &cited),
        ["tests/b.rs:3 cites L-7", "tests/b.rs:4 cites section 2",]
    );
    let found = places(&cited.clauses, faulty[1].id, Side::Code);
    assert_eq!(found, ["src/a.rs:2 3"]);
}
