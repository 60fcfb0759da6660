//! Published vectors, run through our resolver with every provider.
//!
//! Each test asserts how many vectors it ran, so that a lost or emptied file is a failure.

mod aead;
mod dh;
mod handshakes;
mod kem;

use std::{fs, path::Path};

use serde::{Deserialize, de::DeserializeOwned};

/// A field of bytes, hexadecimal in the file.
#[derive(Deserialize, Debug, Clone, PartialEq, Eq, Default)]
struct Hex(#[serde(with = "hex::serde")] Vec<u8>);

impl Hex {
    fn array<const N: usize>(&self) -> [u8; N] {
        self.0.as_slice().try_into().unwrap()
    }
}

/// The shape that all files of Wycheproof share.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wycheproof<Test> {
    number_of_tests: usize,
    test_groups: Vec<Group<Test>>,
}

#[derive(Deserialize)]
struct Group<Test> {
    tests: Vec<Test>,
}

#[derive(Deserialize, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Valid,
    Acceptable,
    Invalid,
}

fn load<T: DeserializeOwned>(file: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn wycheproof<Test: DeserializeOwned>(set: &str) -> Vec<Test> {
    let file: Wycheproof<Test> = load(&format!("wycheproof/{set}_test.json"));
    let tests: Vec<Test> = file.test_groups.into_iter().flat_map(|g| g.tests).collect();
    assert_eq!(tests.len(), file.number_of_tests);
    tests
}
