//! Conversations whose last record breaks a rule: records and frames.

use super::{
    file::{From, Vector},
    script::Script,
    shaken::with_length,
};
use crate::{
    noise::Suite,
    wire::{Code, Frame, Params},
};

use From::{Initiator, Responder};

pub(super) const VIOLATION: &str = "violation";
pub(super) const SUITE: Suite = Suite::ChaChaPoly;

/// An open conversation in which the last thing said is wrong.
pub(super) fn violation(name: &str, clause: &str, say: impl FnOnce(&mut Script)) -> Vector {
    let mut script = Script::open(SUITE);
    say(&mut script);
    script.wrong(name, clause, VIOLATION)
}

pub(super) fn vectors() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for suite in [Suite::ChaChaPoly, Suite::AesGcm] {
        vectors.extend(not_opening(suite));
    }
    vectors.extend(lengths());
    vectors.extend(kinds_and_pieces());
    vectors.extend(sizes());
    vectors.extend(rekeys());
    vectors.extend(bytes());
    vectors
}

/// Records that do not open.
#[expect(clippy::too_many_lines, reason = "a table")]
fn not_opening(suite: Suite) -> Vec<Vector> {
    let message: &[u8] = b"message\x01";
    let broken = |name: &str, clause: &str, make: &dyn Fn(&mut Script) -> Vec<u8>| {
        let mut script = Script::open(suite);
        script.message(Initiator, b"good");
        let record = make(&mut script);
        script.broken(Initiator, record);
        script.wrong(&format!("record {name}, {suite}"), clause, VIOLATION)
    };
    let flipped = |at: usize| {
        move |script: &mut Script| {
            let mut record = script.sealed_at(Initiator, script.count(Initiator), message);
            let at = at.min(record.len() - 1);
            record[at] ^= 1;
            record
        }
    };
    let shorter = |script: &mut Script| {
        let record = script.sealed_at(Initiator, script.count(Initiator), message);
        with_length(&record[2..record.len() - 1])
    };
    let longer = |script: &mut Script| {
        let record = script.sealed_at(Initiator, script.count(Initiator), message);
        with_length(&[&record[2..], &[0]].concat())
    };
    let last = |script: &mut Script| script.made.records.last().unwrap().record.0.clone();
    let from_responder = |script: &mut Script| {
        script.message(Responder, b"good");
        script.made.records.last().unwrap().record.0.clone()
    };
    let other_direction =
        |script: &mut Script| script.sealed_at(Responder, script.count(Initiator), message);
    let old_key = |script: &mut Script| {
        script.frames(Initiator, &[Frame::Rekey]);
        script.sealed_under(Initiator, 0, message)
    };
    let counter_anew = |script: &mut Script| {
        script.frames(Initiator, &[Frame::Rekey]);
        script.sealed_anew(Initiator, message)
    };
    let rekeyed_twice = |script: &mut Script| {
        script.frames(Initiator, &[Frame::Rekey]);
        script.sealed_under(Initiator, 2, message)
    };
    vec![
        broken("with its first bit changed", "T-4", &flipped(2)),
        broken("with its last bit changed", "T-4", &flipped(usize::MAX)),
        broken("behind one that is lost", "T-4", &|script| {
            script.sealed_at(Initiator, script.count(Initiator) + 1, message)
        }),
        broken("that came before", "T-4", &last),
        broken("sent back to its sender", "H-11", &from_responder),
        broken("under the other direction's key", "H-11", &other_direction),
        broken("that is cut by a byte", "T-4", &shorter),
        broken("with a byte behind its tag", "T-4", &longer),
        broken("under the old key", "T-10", &old_key),
        broken("under a new key without REKEY", "T-10", &|script| {
            script.sealed_under(Initiator, 1, message)
        }),
        broken("under a key rekeyed twice", "T-10", &rekeyed_twice),
        broken("with a counter that starts anew", "T-2", &counter_anew),
    ]
}

/// Lengths that no record has: judged before the body is waited for.
fn lengths() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for length in [0_u16, 1, 16] {
        let name = format!("length of {length}");
        let say = |script: &mut Script| script.broken(Initiator, length.to_be_bytes().to_vec());
        vectors.push(violation(&name, "T-1", say));
    }
    for from in From::BOTH {
        let mut script = Script::new(SUITE);
        if from == Responder {
            script.params(Initiator, &Params::default());
        }
        script.broken(from, 4_113_u16.to_be_bytes().to_vec());
        let name = format!("length of 4113 in record 0 of the {from:?}").to_lowercase();
        vectors.push(script.wrong(&name, "H-18", VIOLATION));
    }
    vectors
}

/// Kinds, and what may stand between pieces.
fn kinds_and_pieces() -> Vec<Vector> {
    vec![
        violation("unknown kind in a session", "T-6", |s| {
            s.plaintext(Initiator, &[1, 3])
        }),
        violation("empty batch in a session", "T-6", |s| {
            s.plaintext(Initiator, &[0])
        }),
        violation("empty piece in a session", "T-6", |s| {
            s.plaintext(Responder, &[2])
        }),
        violation("empty piece between pieces", "T-6", |s| {
            s.piece(Initiator, b"begun");
            s.plaintext(Initiator, &[2]);
        }),
        violation("PARAMS again", "H-20", |s| {
            s.params(Initiator, &Params::default())
        }),
        violation("PARAMS of the responder again", "H-20", |s| {
            s.params(Responder, &Params::default());
        }),
        violation("MESSAGE between pieces", "T-7", |s| {
            s.piece(Initiator, b"begun");
            s.frames(Initiator, &[Frame::Message(b"other")]);
        }),
        violation("MESSAGE before DISCARD in its record", "T-7", |s| {
            s.piece(Initiator, b"begun");
            s.frames(Initiator, &[Frame::Message(b"other"), Frame::Discard]);
        }),
        violation("PARAMS between pieces", "H-20", |s| {
            s.piece(Initiator, b"begun");
            s.params(Initiator, &Params::default());
        }),
        violation("END between pieces", "E-2", |s| {
            s.piece(Initiator, b"begun");
            s.frames(Initiator, &[end(0)]);
        }),
        violation("END that counts the message in pieces", "E-2", |s| {
            s.piece(Initiator, b"begun");
            s.frames(Initiator, &[end(1)]);
        }),
        violation("DISCARD of nothing", "T-19", |s| {
            s.frames(Initiator, &[Frame::Discard])
        }),
        violation("DISCARD twice", "T-19", |s| {
            s.piece(Initiator, b"begun");
            s.frames(Initiator, &[Frame::Discard, Frame::Discard]);
        }),
        violation("DISCARD behind the last piece", "T-19", |s| {
            s.piece(Initiator, b"begun");
            s.message(Initiator, b"");
            s.frames(Initiator, &[Frame::Discard]);
        }),
    ]
}

/// Messages above what the receiver has announced.
fn sizes() -> Vec<Vector> {
    let too_large = |name: &str, say: fn(&mut Script)| {
        let mut script = Script::new(SUITE);
        script.params(Initiator, &Params::default());
        let small = Params {
            max_message: 1_000,
            ..Params::default()
        };
        script.params(Responder, &small);
        script.message(Initiator, &[1; 1_000]);
        say(&mut script);
        script.wrong(name, "T-8", "too_large")
    };
    vec![
        too_large("too large in a frame", |s| {
            s.frames(Initiator, &[Frame::Message(&[2; 1_001])]);
        }),
        too_large("too large in a record", |s| {
            s.message(Initiator, &[2; 1_001])
        }),
        too_large("too large in one piece", |s| {
            s.piece(Initiator, &[2; 1_001])
        }),
        too_large("too large in two pieces", |s| {
            s.piece(Initiator, &[2; 500]);
            s.piece(Initiator, &[2; 501]);
        }),
        too_large("too large by its last piece", |s| {
            s.piece(Initiator, &[2; 1_000]);
            s.message(Initiator, &[2]);
        }),
        too_large("too large though it is not taken", |s| {
            s.frames(Responder, &[Frame::Stop { taken: 1 }]);
            s.piece(Initiator, &[2; 600]);
            s.piece(Initiator, &[2; 600]);
        }),
    ]
}

fn rekeys() -> Vec<Vector> {
    let behind = |name: &str, frame: Frame<'_>| {
        violation(name, "T-10", |s| {
            s.frames(Initiator, &[Frame::Rekey, frame])
        })
    };
    vec![
        behind("MESSAGE behind REKEY", Frame::Message(b"")),
        behind("PING behind REKEY", Frame::Ping([0; 8])),
        behind("REKEY behind REKEY", Frame::Rekey),
        behind(
            "ABORT behind REKEY",
            Frame::Abort {
                code: Code::NONE,
                reason: "",
            },
        ),
        behind("END behind REKEY", end(0)),
    ]
}

/// Frames that are malformed, behind a whole message.
fn bytes() -> Vec<Vector> {
    let mut vectors = Vec::new();
    let long = [&[4, 1, 0, 0x81, 2], [b'r'; 257].as_slice()].concat();
    for (name, clause, frame) in [
        ("frame of type 0x03", "T-12", &[3, 0][..]),
        ("frame of type 0x0f", "T-12", &[0x0f]),
        ("frame of type 0x20", "T-12", &[0x20]),
        ("frame of type 0xff", "T-12", &[0xff]),
        ("END without its reason", "T-12", &[4, 1, 0, 5, b'h']),
        ("MESSAGE longer than its record", "T-12", &[2, 4, 1, 2, 3]),
        (
            "MESSAGE longer than its record and above max_message",
            "T-12",
            &[2, 0x80, 0x80, 0x80, 0x80, 0x10, 1],
        ),
        ("PING of seven bytes", "T-12", &[7, 1, 2, 3, 4, 5, 6, 7]),
        ("RECEIPT without a number", "W-2", &[5]),
        ("RECEIPT with a number too long", "W-2", &[5, 0x80, 0]),
        (
            "RECEIPT with a number of ten bytes",
            "W-2",
            &[5, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
        ),
        (
            "PADDING that is not zero in a session",
            "T-13",
            &[0, 0, 0, 1],
        ),
        ("END with a reason of 257 bytes", "T-21", &long),
        (
            "END with a reason that is not UTF-8",
            "T-21",
            &[4, 1, 0, 2, 0xc3, 0x28],
        ),
        (
            "END with a code of 2^32",
            "T-21",
            &[4, 1, 0x80, 0x80, 0x80, 0x80, 0x10, 0],
        ),
        (
            "ABORT with a reason that is not UTF-8",
            "T-21",
            &[6, 0, 1, 0xff],
        ),
    ] {
        let body = [&[2, 1, b'm'], frame].concat();
        vectors.push(violation(name, clause, |s| s.raw(Initiator, &body)));
    }
    vectors
}

pub(super) fn end(sent: u64) -> Frame<'static> {
    Frame::End {
        sent,
        code: Code::NONE,
        reason: "",
    }
}
