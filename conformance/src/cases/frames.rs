//! Frames and varints (spec: W-2, section 4.2).

use super::{breaks, breaks_by, end, message};
use crate::case::{Case, Fail, Run, must};
use crate::control::Command;
use crate::conversation::{Conversation, Heard};
use crate::raw_peer::wire::{sized, varint, varint_of_width};
use crate::raw_peer::{RawFrame, RawRecord};

fn raw(bytes: &[u8]) -> RawFrame {
    RawFrame::Raw(bytes.to_vec())
}

/// A frame of this type with these fields.
fn frame(kind: u8, fields: &[Vec<u8>]) -> RawFrame {
    RawFrame::Raw([vec![kind], fields.concat()].concat())
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = varints();
    cases.extend(types());
    cases.extend(pings());
    cases.extend(drains());
    cases.extend(words());
    cases.extend(violations());
    cases
}

fn varints() -> Vec<Case> {
    vec![
        breaks_by(
            "W-2/longer-than-needed",
            "a varint longer than needed is a violation",
            vec![frame(5, &[varint_of_width(0, 2)])],
        ),
        breaks_by(
            "W-2/long-length",
            "so is one in a length",
            vec![frame(2, &[varint_of_width(1, 9), vec![7]])],
        ),
        breaks_by(
            "W-2/ten-bytes",
            "a varint of ten bytes is a violation",
            vec![frame(5, &[varint(1 << 63)])],
        ),
        breaks_by(
            "W-2/cut-off",
            "a varint that is cut off is a violation",
            vec![raw(&[5, 0x80])],
        ),
        must("W-2/nine-bytes", "a varint of nine bytes is taken", |c| {
            c.echo()?;
            c.say(&[RawFrame::Drain(u64::MAX >> 1)])?;
            c.expect_alive()
        }),
    ]
}

fn types() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (id, kind) in [
        ("T-12/type-0x03", 0x03),
        ("T-12/type-0x0f", 0x0f),
        ("T-12/type-0x1f", 0x1f),
        ("T-12/type-0x20", 0x20),
        ("T-12/type-0xff", 0xff),
    ] {
        cases.push(breaks_by(
            id,
            "another type is a violation",
            vec![raw(&[kind])],
        ));
    }
    cases.extend([
        breaks_by(
            "T-12/length-beyond",
            "a length beyond the body is a violation",
            vec![frame(2, &[varint(100), vec![0; 99]])],
        ),
        breaks_by("T-12/huge-length", "however large it is", {
            vec![frame(2, &[varint(u64::MAX >> 1), vec![0; 9]])]
        }),
        breaks_by(
            "T-12/ping-cut-off",
            "a field cut off is a violation",
            vec![raw(&[7, 1, 2, 3])],
        ),
        breaks_by(
            "T-12/end-cut-off",
            "a field cut off is a violation",
            vec![raw(&[4, 0, 0])],
        ),
        breaks_by(
            "T-13/padding-not-zero",
            "padding is zero",
            vec![raw(&[0, 0, 0, 1, 0])],
        ),
        must(
            "T-13/padding",
            "padding behind other frames is taken",
            |c| {
                c.echo()?;
                c.say(&[message(b"padded"), RawFrame::Padding(500)])?;
                c.expect_message(b"padded")
            },
        ),
        must(
            "T-13/padding-alone",
            "a record of padding alone is taken",
            |c| {
                c.echo()?;
                c.say(&[RawFrame::Padding(0)])?;
                c.say(&[RawFrame::Padding(65_000)])?;
                c.expect_alive()
            },
        ),
    ]);
    cases
}

fn pings() -> Vec<Case> {
    vec![
        must(
            "T-15/ping-is-answered",
            "a PING is answered with its bytes",
            |c| {
                c.echo()?;
                for bytes in [[0; 8], [0xff; 8], *b"12345678"] {
                    c.say(&[RawFrame::Ping(bytes)])?;
                    c.expect_frame(&RawFrame::Pong(bytes))?;
                }
                Ok(())
            },
        ),
        breaks_by("T-15/pong-unasked", "a PONG unasked is a violation", {
            vec![RawFrame::Pong([1; 8])]
        }),
        must(
            "T-15/pong-of-other-bytes",
            "a PONG of other bytes is a violation",
            |c| {
                let bytes = outstanding_ping(c)?;
                c.say(&[RawFrame::Pong(bytes.map(|byte| !byte))])?;
                c.expect_violation()
            },
        ),
        must("T-15/pong-twice", "a PING is answered once", |c| {
            let bytes = outstanding_ping(c)?;
            c.say(&[RawFrame::Pong(bytes), RawFrame::Pong(bytes)])?;
            c.expect_violation()
        }),
        must(
            "T-15/one-ping-at-a-time",
            "no PING before the PONG for the one before",
            |c| {
                let bytes = outstanding_ping(c)?;
                c.ask(&Command::Ping)?;
                match c.hear(std::time::Duration::from_millis(300)) {
                    Heard::Silence => {}
                    heard => return Err(Fail::Behaviour(format!("{heard:?}"))),
                }
                c.say(&[RawFrame::Pong(bytes)])?;
                c.expect_alive()
            },
        ),
        must(
            "T-15/two-pings-at-once",
            "a second PING is a violation, or answered in its turn",
            |c| {
                c.echo()?;
                c.say(&[RawFrame::Ping([1; 8]), RawFrame::Ping([2; 8])])?;
                // A receiver that answers each PING at once has nothing to object to.
                match c.next(c.patience)? {
                    Heard::Frame(RawFrame::Abort(3, _)) => c.closes(),
                    Heard::Frame(RawFrame::Pong(bytes)) if bytes == [1; 8] => {
                        match c.next(c.patience)? {
                            Heard::Frame(RawFrame::Abort(3, _)) => c.closes(),
                            Heard::Frame(RawFrame::Pong(bytes)) if bytes == [2; 8] => Ok(()),
                            heard => Err(Fail::Behaviour(format!("{heard:?}"))),
                        }
                    }
                    heard => Err(Fail::Behaviour(format!("{heard:?}"))),
                }
            },
        ),
    ]
}

fn outstanding_ping(c: &mut Conversation<'_>) -> Run<[u8; 8]> {
    c.manual()?;
    c.ask(&Command::Ping)?;
    match c.hear(c.patience) {
        Heard::Frame(RawFrame::Ping(bytes)) => Ok(bytes),
        heard => Err(Fail::Behaviour(format!("not PING, but {heard:?}"))),
    }
}

fn drains() -> Vec<Case> {
    vec![
        must(
            "T-18/drain-is-told",
            "DRAIN is an event for the application",
            |c| {
                c.manual()?;
                c.say(&[RawFrame::Drain(30_000)])?;
                let within_ms = 3_000;
                match c.ask(&Command::Recv { within_ms })?.drain {
                    // What is told may be what is left.
                    Some(27_000..=30_000) => Ok(()),
                    other => Err(Fail::Behaviour(format!("recv told {other:?}"))),
                }
            },
        ),
        breaks("T-18/drain-twice", "a second DRAIN is a violation", |c| {
            c.say(&[RawFrame::Drain(9), RawFrame::Drain(9)])
        }),
        must(
            "T-18/drain-is-sent",
            "the application announces its end once",
            |c| {
                c.manual()?;
                let milliseconds = 5_000;
                c.ask(&Command::Drain { milliseconds })?;
                c.expect_frame(&RawFrame::Drain(5_000))
            },
        ),
    ]
}

/// A reason or code at the edge that must be taken: the ABORT ends the session in order.
fn takes_abort(c: &mut Conversation<'_>, code: u64, reason: &[u8]) -> Run {
    c.manual()?;
    c.say(&[RawFrame::Abort(code, reason.to_vec())])?;
    c.closes()?;
    let outcome = c.outcome()?;
    match outcome.cause == crate::control::Cause::PeerAborted && outcome.code == code {
        true => Ok(()),
        false => Err(Fail::Behaviour(format!("the outcome is {outcome:?}"))),
    }
}

fn words() -> Vec<Case> {
    let long = |length| {
        vec![frame(
            4,
            &[varint(0), varint(0), sized(&vec![b'r'; length])],
        )]
    };
    vec![
        breaks_by(
            "T-21/reason-of-257-bytes",
            "a reason has at most 256 bytes",
            long(257),
        ),
        must(
            "T-21/reason-of-256-bytes",
            "a reason may have 256 bytes",
            |c| takes_abort(c, 256, &[b'r'; 256]),
        ),
        breaks_by("T-21/reason-not-utf-8", "a reason is UTF-8", {
            vec![frame(4, &[varint(0), varint(0), sized(&[0xc3, 0x28])])]
        }),
        breaks_by("T-21/code-2-32", "a code is below 2^32", {
            vec![frame(4, &[varint(0), varint(1 << 32), sized(&[])])]
        }),
        must("T-21/largest-code", "a code may be 2^32 - 1", |c| {
            takes_abort(c, u64::from(u32::MAX), b"")
        }),
        must(
            "T-21/kept-code",
            "a code that is kept for later is taken as it is",
            |c| takes_abort(c, 200, "später".as_bytes()),
        ),
    ]
}

fn violations() -> Vec<Case> {
    vec![
        breaks(
            "T-20/nothing-behind-abort",
            "one ABORT, and nothing behind it",
            |c| {
                c.say(&[raw(&[0x33])])?;
                c.say(&[raw(&[0x33])])
            },
        ),
        must(
            "T-20/earlier-messages-are-delivered",
            "what came whole before is delivered",
            |c| {
                c.manual()?;
                c.put(&RawRecord::Message(b"one".to_vec()))?;
                c.say(&[message(b"two"), raw(&[0x33])])?;
                c.expect_violation()?;
                c.expect_taken(b"one")?;
                c.expect_taken(b"two")
            },
        ),
        must(
            "T-20/later-messages-are-not",
            "what comes behind a violation is not",
            |c| {
                c.manual()?;
                c.say(&[raw(&[0x33])])?;
                c.say(&[message(b"late"), end(1)])?;
                c.expect_violation()?;
                let answer = c.ask(&Command::Recv { within_ms: 500 })?;
                match answer.message {
                    None => Ok(()),
                    Some(_) => Err(Fail::Behaviour("a late message was delivered".into())),
                }
            },
        ),
    ]
}
