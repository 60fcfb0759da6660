//! Every seed, every input of the corpus and everything that was ever found, through its target again.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{TARGETS, seeds};

/// Most that the committed corpora may hold together.
const MOST: u64 = 1_000_000;

fn directory(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(kind)
        .join(target)
}

fn inputs(kind: &str, target: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory(kind, target)) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.file_name().is_some_and(|name| name != ".gitkeep"));
    paths.sort();
    paths
}

/// What a panic belongs to is printed; the test's output shows it on failure.
fn replay(target: &str) {
    let (_, run) = TARGETS
        .into_iter()
        .find(|(name, _)| *name == target)
        .unwrap();
    let corpus = inputs("corpus", target);
    assert!(corpus.len() >= 10, "{target}: {} inputs", corpus.len());
    let found = inputs("regressions", target);
    for path in corpus.iter().chain(&found) {
        println!("{}", path.display());
        run(&fs::read(path).unwrap());
    }
    for seed in seeds::of(target) {
        println!("seed {seed:02x?}");
        run(&seed);
    }
    run(&[]);
    println!(
        "{target}: {} inputs, {} findings of the past",
        corpus.len(),
        found.len()
    );
}

#[test]
fn async_io() {
    replay("async_io");
}

#[test]
fn config() {
    replay("config");
}

#[test]
fn differential() {
    replay("differential");
}

#[test]
fn frames() {
    replay("frames");
}

#[test]
fn handshake_initiator() {
    replay("handshake_initiator");
}

#[test]
fn handshake_pair() {
    replay("handshake_pair");
}

#[test]
fn handshake_responder() {
    replay("handshake_responder");
}

#[test]
fn hello() {
    replay("hello");
}

#[test]
fn keys() {
    replay("keys");
}

#[test]
fn receive_path() {
    replay("receive_path");
}

#[test]
fn record() {
    replay("record");
}

#[test]
fn rekey() {
    replay("rekey");
}

#[test]
fn session_pair() {
    replay("session_pair");
}

#[test]
fn typed() {
    replay("typed");
}

#[test]
fn every_target_has_a_binary_a_dictionary_and_a_test_here() {
    let names: BTreeSet<_> = TARGETS.map(|(name, _)| name.to_owned()).into();
    let manifest = include_str!("../Cargo.toml");
    let listed = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    let listed: BTreeSet<_> = listed
        .map(|line| line.trim_end_matches(".rs\"").to_owned())
        .collect();
    assert_eq!(names, listed);
    let here = include_str!("replay.rs");
    for name in names {
        assert!(
            here.contains(&format!("replay(\"{name}\");")),
            "{name} is not replayed"
        );
        let dictionary = directory("dictionaries", &format!("{name}.dict"));
        assert!(
            fs::read_to_string(dictionary).unwrap().contains('='),
            "{name}: no dictionary"
        );
        let body = directory("src", &format!("{name}.rs"));
        let head = fs::read_to_string(body).unwrap();
        assert!(
            head.contains("Asserted"),
            "{name} does not say what it asserts"
        );
    }
}

#[test]
fn the_corpora_stay_small() {
    let mut total = 0;
    for (target, _) in TARGETS {
        for path in inputs("corpus", target) {
            total += fs::metadata(path).unwrap().len();
        }
    }
    assert!(total < MOST, "{total} bytes");
}
