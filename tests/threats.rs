//! The table of spec/threat-model.md is complete: each of its rows names what covers it, and what it names is there.
//!
//! A row is covered by `path.rs::function`, a test; by `path.rs::Type`, where a type makes it impossible; or by
//! `path.md#section`, where it can only be said.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Item};

const ROWS: u32 = 118;

/// What a file of the project offers to be named.
#[derive(Debug, Default)]
struct Offer {
    tests: BTreeSet<String>,
    types: BTreeSet<String>,
    sections: BTreeSet<String>,
}

impl Offer {
    fn of(path: &str, text: &str) -> Self {
        let mut offer = Self::default();
        match path.rsplit_once('.') {
            Some((_, "rs")) => offer.take_items(syn::parse_file(text).unwrap().items),
            Some((_, "md")) => {
                let headings = text.lines().filter(|line| line.starts_with('#'));
                offer.sections = headings.map(slug).collect();
            }
            _ => {}
        }
        offer
    }

    fn take_items(&mut self, items: Vec<Item>) {
        for item in items {
            match item {
                Item::Fn(function) if function.attrs.iter().any(is_test) => {
                    self.tests.insert(function.sig.ident.to_string());
                }
                Item::Struct(item) => drop(self.types.insert(item.ident.to_string())),
                Item::Enum(item) => drop(self.types.insert(item.ident.to_string())),
                Item::Mod(module) => {
                    let (_brace, items) = module.content.unwrap_or_default();
                    self.take_items(items);
                }
                _ => {}
            }
        }
    }
}

/// `#[test]`, `#[tokio::test]`; an ignored test covers nothing.
fn is_test(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| segment.ident == "test")
}

/// A heading as links name it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The rows of the checklist: number, and what is said to cover it.
fn rows(table: &str) -> Vec<(u32, String)> {
    let cells = |line: &str| {
        let cells: Vec<&str> = line
            .trim()
            .trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let number = cells.first()?.parse().ok()?;
        Some((number, cells.get(3).copied().unwrap_or_default().to_owned()))
    };
    table.lines().filter_map(cells).collect()
}

/// What stands in backticks.
fn named(covered: &str) -> impl Iterator<Item = &str> {
    covered.split('`').skip(1).step_by(2)
}

/// All that is wrong with a table, given the text of each file of the project.
fn faults(table: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let rows = rows(table);
    let mut faults = Vec::new();
    for number in 1..=ROWS {
        let count = rows.iter().filter(|(row, _)| *row == number).count();
        if count != 1 {
            faults.push(format!("row {number} is there {count} times"));
        }
    }
    let mut offers: BTreeMap<String, Option<Offer>> = BTreeMap::new();
    for (number, covered) in &rows {
        if !(1..=ROWS).contains(number) {
            faults.push(format!("there is no row {number}"));
        }
        if named(covered).next().is_none() {
            faults.push(format!("row {number} is covered by nothing"));
        }
        for name in named(covered) {
            let Some((path, item)) = name.split_once("::").or_else(|| name.split_once('#')) else {
                faults.push(format!("row {number}: `{name}` names no file"));
                continue;
            };
            let offer = offers
                .entry(path.to_owned())
                .or_insert_with(|| read(path).map(|text| Offer::of(path, &text)));
            let there = offer.as_ref().is_some_and(|offer| {
                [&offer.tests, &offer.types, &offer.sections]
                    .iter()
                    .any(|all| all.contains(item))
            });
            if !there {
                faults.push(format!("row {number}: `{name}` is not there"));
            }
        }
    }
    faults
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn every_row_of_the_threat_model_is_covered_by_what_is_there() {
    let table = fs::read_to_string(root().join("spec/threat-model.md")).unwrap();
    let faults = faults(&table, |path| fs::read_to_string(root().join(path)).ok());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A table whose rows are all covered by one test, but for what `change` does.
fn planted(change: impl Fn(u32) -> Option<String>) -> Vec<String> {
    let row = |number| {
        let right = || format!("| {number} | attack | what we do | `tests/a.rs::it_works` |");
        change(number).unwrap_or_else(right)
    };
    let table: Vec<String> = (1..=ROWS).map(row).collect();
    let table = format!(
        "| # | attack | does | covered by |\n| --- | --- |\n{}",
        table.join("\n")
    );
    faults(&table, |path| match path {
        "tests/a.rs" => Some(
            "#[test] fn it_works() {} #[tokio::test(start_paused = true)] async fn it_waits() {}
             fn helper() {} struct Proof(u8); mod inner { #[test] fn within() {} }"
                .to_owned(),
        ),
        "SAID.md" => Some("# Title\n\n## What is not, and why\n".to_owned()),
        _ => None,
    })
}

fn with_row(number: u32, covered: &str) -> Vec<String> {
    planted(|row| (row == number).then(|| format!("| {row} | a | b | {covered} |")))
}

#[test]
fn what_covers_a_row_is_found() {
    assert!(planted(|_row| None).is_empty());
    for right in [
        "`tests/a.rs::it_waits`",
        "`tests/a.rs::within`",
        "type `tests/a.rs::Proof`",
        "`SAID.md#what-is-not-and-why`, `tests/a.rs::it_works`",
    ] {
        assert_eq!(with_row(7, right), Vec::<String>::new(), "{right}");
    }
}

#[test]
fn planted_faults_are_found() {
    for wrong in [
        "–",
        "",
        "it_works",
        "`it_works`",
        "`tests/a.rs::helper`",
        "`tests/a.rs::it_worked`",
        "`tests/b.rs::it_works`",
        "`SAID.md#what-is-not`",
        "`tests/a.rs::it_works`, `tests/a.rs::gone`",
    ] {
        assert_eq!(with_row(118, wrong).len(), 1, "{wrong}");
    }
    let missing = planted(|row| (row == 3).then(String::new));
    assert_eq!(missing, ["row 3 is there 0 times"]);
    let doubled = with_row(
        9,
        "`tests/a.rs::it_works` |\n| 4 | a | b | `tests/a.rs::it_works`",
    );
    assert_eq!(doubled, ["row 4 is there 2 times"]);
    let beyond = with_row(
        9,
        "`tests/a.rs::it_works` |\n| 119 | a | b | `tests/a.rs::it_works`",
    );
    assert_eq!(beyond, ["there is no row 119"]);
}
