//! The vectors of `spec/vectors`: made again, compared with what is committed, and replayed.
//!
//! `DUOLOGUE_BLESS=1 cargo test --lib vectors_are_as_committed` writes them.

mod bytes;
mod ends;
mod file;
mod handshakes;
mod replay;
mod script;
mod shaken;
mod talk;
mod talks;
mod wrong;
mod wrong_ends;
mod wrong_first;

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use file::{Body, Vector};

fn path(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("spec/vectors");
    directory.join(name).with_extension("json")
}

/// Every file, by its name.
fn made() -> [(&'static str, Vec<Vector>); 5] {
    [
        ("bytes", bytes::vectors()),
        ("handshakes", handshakes::vectors()),
        ("conversations", talks::vectors()),
        ("ends", ends::vectors()),
        (
            "wrong",
            [
                wrong::vectors(),
                wrong_first::vectors(),
                wrong_ends::vectors(),
            ]
            .concat(),
        ),
    ]
}

#[test]
fn vectors_are_as_committed() {
    for (name, vectors) in made() {
        let text = file::print(&vectors);
        if env::var_os("DUOLOGUE_BLESS").is_some() {
            fs::write(path(name), &text).unwrap();
        }
        let committed = fs::read_to_string(path(name)).unwrap();
        let differs = committed
            .lines()
            .zip(text.lines())
            .position(|(a, b)| a != b);
        assert_eq!(
            differs, None,
            "{name}.json: first line that differs, from 0"
        );
        assert_eq!(
            committed.len(),
            text.len(),
            "{name}.json is longer or shorter"
        );
    }
}

#[test]
fn committed_vectors_are_met_by_this_implementation() {
    let mut negative = 0;
    let mut differences = Vec::new();
    for (name, _made) in made() {
        let text = fs::read_to_string(path(name)).unwrap();
        let vectors = file::read(&text);
        assert!(!vectors.is_empty(), "{name}.json");
        for vector in &vectors {
            negative += usize::from(vector.body.is_negative());
            if let Err(difference) = replay::check(vector) {
                differences.push(format!("{name}.json, {}: {difference}", vector.name));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(negative >= 80, "only {negative} negative vectors");
}

#[test]
fn a_transcript_that_is_changed_is_noticed() {
    for (name, vectors) in made() {
        for mut vector in vectors {
            let transcript = matches!(vector.body, Body::Session(_) | Body::Conversation(_));
            if transcript && !vector.body.is_negative() {
                vector.body.corrupt();
                assert!(replay::check(&vector).is_err(), "{name}: {}", vector.name);
            }
        }
    }
}

#[test]
fn names_are_given_once() {
    let vectors = made().into_iter().flat_map(|(_name, vectors)| vectors);
    let mut names = BTreeSet::new();
    for vector in vectors {
        assert!(names.insert(vector.name.clone()), "{} twice", vector.name);
    }
}

#[test]
fn every_suite_and_pattern_has_a_transcript() {
    let transcripts = handshakes::vectors().into_iter().filter_map(|vector| {
        let Body::Session(session) = vector.body else {
            return None;
        };
        (session.fails_at.is_none()).then_some((session.suite, session.pattern))
    });
    assert_eq!(transcripts.collect::<BTreeSet<_>>().len(), 16);
}
