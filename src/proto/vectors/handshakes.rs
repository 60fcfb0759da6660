//! A transcript of every pattern with every suite, and handshakes that must fail.

use std::time::Instant;

use super::{
    file::{Body, From, Hex, Record, Session, Vector},
    script::Witness,
    shaken::{Party, choices, name, session, shake},
};
use crate::{
    noise::{Choices, Pattern, Psk, Suite},
    proto::{Offered, Progress},
};

pub(super) fn vectors() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for suite in Suite::ALL {
        for pattern in Pattern::ALL {
            vectors.push(transcript(suite, pattern));
        }
    }
    vectors.extend(changed_bytes());
    vectors.extend(other_choices());
    vectors.extend(weak_keys());
    vectors
}

/// Each side's record 0, and a message from each.
fn transcript(suite: Suite, pattern: Pattern) -> Vector {
    let now = Instant::now();
    let parties = Party::both(suite, pattern);
    let mut shaken = shake(pattern, &parties, now);
    let mut made = session(suite, pattern, &parties[0].config);
    made.bodies = shaken.bodies.iter().map(Hex::of).collect();
    made.hash = Some(Hex::of(shaken.channels[0].peer.handshake_hash));
    let keys = shaken.keys.map(Hex::of);
    let mut witnesses = keys.each_ref().map(|key| Witness::new(suite, key));
    made.keys = Some(keys);
    let mut records: Vec<(From, Vec<u8>)> = From::BOTH.into_iter().zip(shaken.first).collect();
    for (from, text) in From::BOTH.into_iter().zip(["there", "and back"]) {
        let send = &mut shaken.channels[from.index()].send;
        let offered = send.offer(text.as_bytes(), &mut Progress::default(), now);
        assert_eq!(offered, Ok(Offered::Whole));
        send.flush(now).unwrap();
        records.push((from, send.pending().to_vec()));
    }
    for (from, record) in records {
        let plaintext = witnesses[from.index()].open(&record);
        made.records.push(Record {
            from,
            plaintext: Some(Hex(plaintext)),
            record: Hex(record),
        });
    }
    let name = made.protocol_name.clone();
    Vector::new(name, "H-1", Body::Session(Box::new(made)))
}

/// The handshake between these two, up to the body of this turn, which must be refused.
fn failing(
    (suite, pattern): (Suite, Pattern),
    parties: &[Party; 2],
    turn: usize,
    what: &str,
    change: impl FnOnce(&mut Vec<u8>),
) -> Session {
    let mut bodies = shake(pattern, parties, Instant::now()).bodies;
    let original = bodies[turn].clone();
    change(&mut bodies[turn]);
    assert_ne!(original, bodies[turn], "{what}");
    let mut made = session(suite, pattern, &parties[0].config);
    made.bodies = bodies[..=turn].iter().map(Hex::of).collect();
    made.fails_at = Some(turn);
    made
}

fn failed(made: Session, clause: &str, what: &str) -> Vector {
    let name = format!("{}: {what}", made.protocol_name);
    Vector::new(name, clause, Body::Session(Box::new(made)))
}

type Change = fn(&mut Vec<u8>);

/// One body that was changed on its way.
fn changed_bytes() -> Vec<Vector> {
    let flip_last: Change = |body| *body.last_mut().unwrap() ^= 1;
    let shorten: Change = |body| body.truncate(body.len() - 1);
    let lengthen: Change = |body| body.push(0);
    let mut vectors = Vec::new();
    for pair in [
        (Suite::ChaChaPoly, Pattern::Xx),
        (Suite::AesGcm, Pattern::Xk),
        (Suite::ChaChaPoly, Pattern::XkPsk0),
        (Suite::HybridAesGcm, Pattern::Xx),
        (Suite::HybridChaChaPoly, Pattern::XkPsk0),
    ] {
        for turn in 0..3 {
            for (what, clause, change) in [
                ("with its last bit changed", "H-9", flip_last),
                ("a byte too short", "H-3", shorten),
                ("a byte too long", "H-3", lengthen),
            ] {
                // Nothing in message 1 of XX is authenticated yet.
                if turn == 0 && pair.1 == Pattern::Xx && clause == "H-9" {
                    continue;
                }
                let parties = Party::both(pair.0, pair.1);
                let what = format!("message {} {what}", turn + 1);
                let made = failing(pair, &parties, turn, &what, change);
                vectors.push(failed(made, clause, &what));
            }
        }
    }
    let pair = (Suite::ChaChaPoly, Pattern::Xx);
    let more: [(usize, &str, &str, Change); 4] = [
        (1, "message 2 with another ephemeral key", "H-9", |body| {
            body[1] ^= 1
        }),
        (1, "message 2 with another static key", "H-9", |body| {
            body[33] ^= 1
        }),
        (2, "message 3 with another static key", "H-9", |body| {
            body[0] ^= 1
        }),
        (1, "message 2 behind another status", "W-10", |body| {
            body[0] = 2
        }),
    ];
    for (turn, what, clause, change) in more {
        let made = failing(pair, &Party::both(pair.0, pair.1), turn, what, change);
        vectors.push(failed(made, clause, what));
    }
    let pair = (Suite::HybridChaChaPoly, Pattern::Xk);
    let what = "message 2 with another KEM ciphertext";
    let made = failing(pair, &Party::both(pair.0, pair.1), 1, what, |body| {
        body[100] ^= 1
    });
    vectors.push(failed(made, "H-9", what));
    vectors
}

/// A side that differs in what both must have: its first sealed message does not open.
fn other_choices() -> Vec<Vector> {
    let mut vectors = Vec::new();
    let context = |party: Party| Party {
        config: party.config.context(*b"another"),
        ..party
    };
    let psk = |party: Party| Party {
        config: party.config.psk(Psk::from_bytes(&mut [8; 32])),
        ..party
    };
    for pattern in [Pattern::Xx, Pattern::Xk] {
        // The first tag is in message 2 of XX, and in message 1 of XK.
        let turn = usize::from(pattern == Pattern::Xx);
        let what = "another context";
        let made = foreign((Suite::ChaChaPoly, pattern), turn, what, context);
        vectors.push(failed(made, "H-2", what));
    }
    for pattern in [Pattern::XxPsk0, Pattern::XkPsk0] {
        let what = "another pre-shared key";
        let made = foreign((Suite::AesGcm, pattern), 0, what, psk);
        vectors.push(failed(made, "H-1", what));
    }
    let pair = (Suite::ChaChaPoly, Pattern::Xk);
    let parties = [
        Party::new(pair.0, pair.1, choices(From::Initiator)),
        Party::new(pair.0, pair.1, stranger()),
    ];
    let body = shake(pair.1, &parties, Instant::now()).bodies[0].clone();
    let what = "message 1 to another responder";
    let made = failing(pair, &Party::both(pair.0, pair.1), 0, what, |first| {
        *first = body
    });
    vectors.push(failed(made, "H-9", what));
    vectors
}

fn stranger() -> Choices {
    Choices {
        secret: [9; 32],
        ..choices(From::Responder)
    }
}

/// The body of this turn comes from a handshake of two others.
fn foreign(
    pair: (Suite, Pattern),
    turn: usize,
    what: &str,
    change: impl Fn(Party) -> Party,
) -> Session {
    let others = Party::both(pair.0, pair.1).map(change);
    let body = shake(pair.1, &others, Instant::now()).bodies[turn].clone();
    failing(pair, &Party::both(pair.0, pair.1), turn, what, |own| {
        *own = body
    })
}

/// Points of X25519 whose result is zero whatever the secret is.
const WEAK: [(&str, [u8; 32]); 5] = [
    ("zero", [0; 32]),
    ("one", {
        let mut point = [0; 32];
        point[0] = 1;
        point
    }),
    (
        "of order 8",
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
            0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16,
            0x5f, 0x49, 0xb8, 0x00,
        ],
    ),
    ("p - 1", {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (0xec, 0x7f);
        point
    }),
    ("p", {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (0xed, 0x7f);
        point
    }),
];

/// Keys that nobody may agree on.
fn weak_keys() -> Vec<Vector> {
    let pair = (Suite::ChaChaPoly, Pattern::Xx);
    let mut vectors = Vec::new();
    for (turn, at) in [(0, 8), (1, 1)] {
        for (point, bytes) in WEAK {
            let what = format!("ephemeral key {point} in message {}", turn + 1);
            let parties = Party::both(pair.0, pair.1);
            let change = |body: &mut Vec<u8>| body[at..at + 32].copy_from_slice(&bytes);
            let made = failing(pair, &parties, turn, &what, change);
            vectors.push(failed(made, "H-4", &what));
        }
    }
    let pair = (Suite::HybridChaChaPoly, Pattern::Xx);
    let what = "encapsulation key with a coefficient out of range";
    let made = failing(pair, &Party::both(pair.0, pair.1), 0, what, |body| {
        body[8 + 32..8 + 34].fill(0xff);
    });
    vectors.push(failed(made, "H-7", what));
    vectors.push(own_key());
    vectors
}

/// A responder with the initiator's key: the initiator refuses it.
fn own_key() -> Vector {
    let pair = (Suite::ChaChaPoly, Pattern::Xx);
    let twin = Choices {
        secret: choices(From::Initiator).secret,
        ..choices(From::Responder)
    };
    let parties = [choices(From::Initiator), twin.clone()].map(|choices| {
        let party = Party::new(pair.0, pair.1, choices);
        Party {
            config: party.config.allow_own_key(),
            ..party
        }
    });
    let bodies = shake(pair.1, &parties, Instant::now()).bodies;
    let mut made = session(pair.0, pair.1, &parties[0].config);
    made.responder.secret = Hex::of(twin.secret);
    made.bodies = bodies[..2].iter().map(Hex::of).collect();
    made.fails_at = Some(1);
    let name = format!(
        "{}: the responder has the initiator's key",
        name(pair.0, pair.1)
    );
    Vector::new(name, "H-8", Body::Session(Box::new(made)))
}
