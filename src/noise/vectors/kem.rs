//! Wycheproof for ML-KEM-768: key generation, both directions of the encapsulation, and the key check.

use serde::Deserialize;

use super::{
    super::{
        provider::fixed::{IMPORTS, encapsulate_with, expand, kem_of_seed},
        tests::providers,
    },
    Hex, Verdict, wycheproof,
};

const CIPHERTEXT: usize = 1088;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Generation {
    tc_id: u32,
    seed: Hex,
    ek: Hex,
    dk: Hex,
    result: Verdict,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Encapsulation {
    tc_id: u32,
    m: Hex,
    ek: Hex,
    c: Hex,
    #[serde(rename = "K")]
    shared: Hex,
    result: Verdict,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decapsulation {
    tc_id: u32,
    /// The key as a seed,
    #[serde(default)]
    seed: Hex,
    /// or in expanded form.
    #[serde(default)]
    dk: Hex,
    ek: Hex,
    c: Hex,
    #[serde(rename = "K", default)]
    shared: Hex,
    result: Verdict,
}

impl Decapsulation {
    fn expanded(&self) -> Vec<u8> {
        if self.dk.0.is_empty() {
            expand(&self.seed.array())
        } else {
            self.dk.0.clone()
        }
    }
}

#[test]
fn key_pairs_of_known_seeds_are_the_published_ones() {
    let tests: Vec<Generation> = wycheproof("mlkem_768_keygen_seed");
    assert_eq!(tests.len(), 25);
    for test in &tests {
        assert_eq!(test.result, Verdict::Valid);
        let secret = kem_of_seed(&test.seed.array());
        assert_eq!(secret.public(), test.ek.0, "test {}", test.tc_id);
        assert_eq!(expand(&test.seed.array()), test.dk.0, "test {}", test.tc_id);
    }
}

/// Runs a set with each provider; gives how many secrets came out and how many were refused.
fn decapsulate(set: &str) -> [usize; 2] {
    let tests: Vec<Decapsulation> = wycheproof(set);
    let mut ran = [0, 0];
    for test in &tests {
        for (provider, import) in IMPORTS {
            let secret = import(&test.expanded(), &test.ek.0);
            let found = secret.decapsulate(&test.c.0).map(|shared| shared.to_vec());
            if test.result == Verdict::Valid {
                assert_eq!(
                    found,
                    Ok(test.shared.0.clone()),
                    "{provider}, test {}",
                    test.tc_id
                );
                ran[0] += 1;
            } else {
                assert_ne!(test.c.0.len(), CIPHERTEXT, "test {}", test.tc_id);
                assert!(found.is_err(), "{provider}, test {}", test.tc_id);
                ran[1] += 1;
            }
        }
    }
    ran
}

#[test]
fn decapsulation_gives_the_published_secrets_and_rejects_implicitly() {
    let ran = decapsulate("mlkem_768");
    assert_eq!(ran, [161, 20].map(|count| count * IMPORTS.len()));
}

#[test]
fn decapsulation_compares_the_whole_ciphertext_even_for_a_hostile_key() {
    let ran = decapsulate("mlkem_768_semi_expanded_decaps");
    assert_eq!(ran, [3, 2].map(|count| count * IMPORTS.len()));
}

#[test]
fn decapsulation_of_the_seeds_key_agrees_with_the_published_secrets() {
    let tests: Vec<Decapsulation> = wycheproof("mlkem_768");
    let mut ran = 0;
    for test in tests.iter().filter(|test| test.result == Verdict::Valid) {
        let secret = kem_of_seed(&test.seed.array());
        assert_eq!(secret.public(), test.ek.0, "test {}", test.tc_id);
        let shared = secret.decapsulate(&test.c.0).unwrap();
        assert_eq!(shared.as_slice(), test.shared.0, "test {}", test.tc_id);
        ran += 1;
    }
    assert_eq!(ran, 161);
}

#[test] // spec: H-7
fn an_encapsulation_key_out_of_range_or_of_another_size_is_refused() {
    let tests: Vec<Encapsulation> = wycheproof("mlkem_768_encaps");
    for provider in providers() {
        let [mut taken, mut refused] = [0, 0];
        for test in &tests {
            let mut out = [0; CIPHERTEXT];
            let made = provider.backend().kem_encapsulate(&test.ek.0, &mut out);
            if test.result == Verdict::Valid {
                assert!(made.is_ok(), "{provider:?}, test {}", test.tc_id);
                assert_ne!(out, [0; CIPHERTEXT]);
                taken += 1;
            } else {
                assert!(made.is_err(), "{provider:?}, test {}", test.tc_id);
                refused += 1;
            }
        }
        assert_eq!([taken, refused], [58, 132]);
    }
}

#[test]
fn encapsulation_with_known_randomness_gives_the_published_secrets() {
    let tests: Vec<Encapsulation> = wycheproof("mlkem_768_encaps");
    let [mut made, mut refused] = [0, 0];
    for test in &tests {
        let mut out = [0; CIPHERTEXT];
        let found = encapsulate_with(&test.m.array(), &test.ek.0, &mut out);
        if test.result == Verdict::Valid {
            assert_eq!(
                found.unwrap().as_slice(),
                test.shared.0,
                "test {}",
                test.tc_id
            );
            assert_eq!(out.as_slice(), test.c.0, "test {}", test.tc_id);
            made += 1;
        } else {
            assert!(found.is_err(), "test {}", test.tc_id);
            refused += 1;
        }
    }
    assert_eq!([made, refused], [58, 132]);
}

#[test]
fn what_one_provider_encapsulates_the_other_decapsulates() {
    for left in providers() {
        for right in providers() {
            let secret = left.backend().kem_generate().unwrap();
            let mut out = [0; CIPHERTEXT];
            let shared = right
                .backend()
                .kem_encapsulate(secret.public(), &mut out)
                .unwrap();
            assert_eq!(secret.decapsulate(&out).unwrap(), shared);
            for room in [0, CIPHERTEXT - 1, CIPHERTEXT + 1] {
                let made = right
                    .backend()
                    .kem_encapsulate(secret.public(), &mut vec![0; room]);
                assert!(made.is_err(), "{right:?} {room}");
            }
            for len in [0, CIPHERTEXT - 1, CIPHERTEXT + 1] {
                assert!(secret.decapsulate(&vec![0; len]).is_err(), "{left:?} {len}");
            }
        }
    }
}
