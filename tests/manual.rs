//! What the manual and `tests/README.md` call a test is one.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn code(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &code(&path);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

/// What stands between backticks and is meant as a test or a file of tests but is none.
fn missing(page: &str, code: &str) -> Vec<String> {
    let quoted = page.split('`').skip(1).step_by(2);
    let named = quoted.map(|name| name.rsplit("::").next().unwrap());
    let wrong = |name: &&str| {
        let word = name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
        let sentence = word && name.matches('_').count() > 2;
        let file = name.ends_with(".rs") && !name.contains(' ');
        let there = root(name).exists()
            || root("tests").join(name).exists()
            || root("src").join(name).exists();
        sentence && !code.contains(&format!("fn {name}(")) || file && !there
    };
    named.filter(wrong).map(str::to_owned).collect()
}

#[test]
fn every_test_that_is_named_is_there() {
    let code = code(&root("tests")) + &code(&root("src"));
    for page in ["src/manual/manual.md", "tests/README.md"] {
        let text = fs::read_to_string(root(page)).unwrap();
        assert_eq!(missing(&text, &code), Vec::<String>::new(), "{page}");
    }
}

#[test]
fn a_name_that_leads_nowhere_is_found() {
    let page = "`end.rs`: `a_test_that_is_not_there`; `no_such.rs`, `DUOLOGUE_SEED`, `recv`";
    let code = "fn another_test_that_is_there() {}";
    assert_eq!(
        missing(page, code),
        ["a_test_that_is_not_there", "no_such.rs"]
    );
}
