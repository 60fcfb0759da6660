//! Records: lengths, counters, kinds and pieces (spec: section 4).

use super::{breaks, end, message};
use crate::case::{Case, Fail, Run, must, should};
use crate::conversation::{Conversation, Setup};
use crate::raw_peer::{Pattern, RawFrame, RawRecord, Suite};

fn piece(bytes: &[u8]) -> RawRecord {
    RawRecord::Piece(bytes.to_vec())
}

fn last(bytes: &[u8]) -> RawRecord {
    RawRecord::Message(bytes.to_vec())
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = lengths();
    cases.extend(counters());
    cases.extend(kinds());
    cases.extend(pieces());
    cases
}

fn ends_by_length(c: &mut Conversation<'_>, length: u16) -> Run {
    c.echo()?;
    c.bytes(&length.to_be_bytes());
    c.expect_any_end()
}

fn lengths() -> Vec<Case> {
    vec![
        must(
            "T-1/length-0",
            "a length of 0 ends the session at once",
            |c| ends_by_length(c, 0),
        ),
        must(
            "T-1/length-16",
            "a length of 16 ends the session at once",
            |c| ends_by_length(c, 16),
        ),
        must(
            "T-1/largest-record",
            "a plaintext of 65,519 bytes is taken",
            |c| {
                c.echo()?;
                c.put(&last(&[5; 65_518]))?;
                c.expect_message(&[5; 65_518])
            },
        ),
        must(
            "T-1/smallest-record",
            "a plaintext of one byte is an empty message",
            |c| {
                c.echo()?;
                c.put(&last(&[]))?;
                c.expect_message(&[])
            },
        ),
        should(
            "T-9/records-of-moderate-size",
            "records sent hold at most 32,769 bytes",
            |c| {
                c.echo()?;
                let big = vec![6; 200_000];
                for chunk in big.chunks(50_000).take(3) {
                    c.put(&piece(chunk))?;
                }
                c.put(&last(&big[150_000..]))?;
                c.expect_message(&big)?;
                match c.largest {
                    0..=32_769 => Ok(()),
                    size => Err(Fail::Behaviour(format!("a record of {size} bytes"))),
                }
            },
        ),
    ]
}

/// 300 records each way, so that the counter needs more than a byte.
fn many_records(c: &mut Conversation<'_>, suite: Suite) -> Run {
    c.establish(&Setup::any().with(suite, Pattern::Xx))?;
    for number in 0..300_u32 {
        c.say(&[message(&number.to_be_bytes())])?;
        c.expect_message(&number.to_be_bytes())?;
    }
    Ok(())
}

fn seal(c: &mut Conversation<'_>, text: &[u8]) -> Vec<u8> {
    c.seals_messages(1);
    let session = c.session.as_mut();
    session.map_or_else(Vec::new, |session| session.seal_frames(&[message(text)]))
}

/// Nothing of it is echoed, then the violation.
fn nothing_then_violation(c: &mut Conversation<'_>) -> Run {
    let before = c.came;
    c.expect_violation()?;
    match c.came == before {
        true => Ok(()),
        false => Err(Fail::Behaviour(
            "a message from a broken record came back".into(),
        )),
    }
}

fn counters() -> Vec<Case> {
    vec![
        must(
            "T-3/chacha20-poly1305-nonce",
            "the nonce is little-endian for ChaChaPoly",
            |c| many_records(c, Suite::ChaChaPoly),
        ),
        must(
            "T-3/aes-gcm-nonce",
            "the nonce is big-endian for AES-GCM",
            |c| many_records(c, Suite::AesGcm),
        ),
        must("T-4/tampered", "a tampered record ends the session", |c| {
            c.echo()?;
            let mut record = seal(c, b"one");
            record[4] ^= 1;
            let behind = seal(c, b"two");
            c.bytes(&[record, behind].concat());
            nothing_then_violation(c)
        }),
        must("T-4/skipped-counter", "no counter is skipped", |c| {
            c.echo()?;
            let _lost = seal(c, b"lost");
            c.say(&[message(b"next")])?;
            nothing_then_violation(c)
        }),
        must("T-4/replayed", "no record opens twice", |c| {
            c.echo()?;
            let record = seal(c, b"once");
            c.bytes(&record);
            c.expect_message(b"once")?;
            c.bytes(&record);
            nothing_then_violation(c)
        }),
        must("T-4/swapped", "records open in their order only", |c| {
            c.echo()?;
            let (first, second) = (seal(c, b"first"), seal(c, b"second"));
            c.bytes(&[second, first].concat());
            nothing_then_violation(c)
        }),
        must(
            "T-4/other-direction",
            "a record does not open in the other direction",
            |c| {
                c.echo()?;
                let session = c.session.clone();
                let Some(mut session) = session else {
                    return Err(Fail::Kit("no session".into()));
                };
                session.send = session.receive.clone();
                let record = session.seal_frames(&[message(b"mirror")]);
                c.bytes(&record);
                nothing_then_violation(c)
            },
        ),
        must(
            "T-2/record-behind-bad-counter",
            "a counter far ahead does not open",
            |c| {
                c.echo()?;
                if let Some(session) = &mut c.session {
                    session.send.counter = u64::MAX - 1;
                }
                c.say(&[message(b"far")])?;
                nothing_then_violation(c)
            },
        ),
    ]
}

fn kinds() -> Vec<Case> {
    vec![
        breaks("T-6/unknown-kind", "another kind is a violation", |c| {
            c.plaintext(&[1, 2, 3])
        }),
        breaks("T-6/kind-255", "another kind is a violation", |c| {
            c.plaintext(&[0xff])
        }),
        breaks(
            "T-6/empty-batch",
            "a batch without a frame is a violation",
            |c| c.plaintext(&[0]),
        ),
        breaks("T-6/empty-piece", "an empty piece is a violation", |c| {
            c.plaintext(&[2])
        }),
        must(
            "T-14/every-form-in-order",
            "messages come whole, once and in order",
            |c| {
                c.echo()?;
                c.say(&[message(b"a"), message(b""), message(b"b")])?;
                c.put(&last(b"record"))?;
                c.put(&piece(&[1; 1024]))?;
                c.put(&last(&[2; 10]))?;
                c.say(&[message(b"end")])?;
                for text in [b"a".as_slice(), b"", b"b", b"record"] {
                    c.expect_message(text)?;
                }
                c.expect_message(&[vec![1; 1024], vec![2; 10]].concat())?;
                c.expect_message(b"end")
            },
        ),
        must(
            "T-14/batch-of-many",
            "many messages in one record come back in order",
            |c| {
                c.echo()?;
                let frames: Vec<RawFrame> = (0..200_u8).map(|byte| message(&[byte])).collect();
                c.say(&frames)?;
                for byte in 0..200_u8 {
                    c.expect_message(&[byte])?;
                }
                Ok(())
            },
        ),
    ]
}

fn pieces() -> Vec<Case> {
    vec![
        must(
            "T-7/control-between-pieces",
            "control frames may stand between pieces",
            |c| {
                c.echo()?;
                c.put(&piece(&[1; 2000]))?;
                c.expect_alive()?;
                c.put(&piece(&[2; 2000]))?;
                c.put(&last(&[]))?;
                c.expect_message(&[vec![1; 2000], vec![2; 2000]].concat())
            },
        ),
        breaks(
            "T-7/message-between-pieces",
            "no MESSAGE frame stands between pieces",
            |c| {
                c.put(&piece(&[1; 2000]))?;
                c.say(&[message(b"between")])
            },
        ),
        breaks(
            "T-7/params-between-pieces",
            "no PARAMS frame stands between pieces",
            |c| {
                c.put(&piece(&[1; 2000]))?;
                c.say(&[RawFrame::Params(vec![])])
            },
        ),
        breaks(
            "E-2/end-between-pieces",
            "no END stands between pieces",
            |c| {
                c.put(&piece(&[1; 2000]))?;
                c.say(&[end(0)])
            },
        ),
        must(
            "T-19/withdrawn",
            "DISCARD withdraws the message in pieces",
            |c| {
                c.echo()?;
                c.put(&piece(&[1; 2000]))?;
                c.say(&[RawFrame::Discard])?;
                c.say(&[message(b"kept")])?;
                c.expect_message(b"kept")
            },
        ),
        must(
            "T-19/withdrawn-is-not-counted",
            "a withdrawn message is not counted",
            |c| {
                c.echo()?;
                c.put(&piece(&[1; 2000]))?;
                c.say(&[RawFrame::Discard, message(b"kept"), end(1)])?;
                c.expect_both_ended(1)
            },
        ),
        breaks(
            "T-19/discard-outside",
            "DISCARD outside a message in pieces is a violation",
            |c| c.say(&[RawFrame::Discard]),
        ),
        breaks("T-19/discard-twice", "a message is withdrawn once", |c| {
            c.put(&piece(&[1; 2000]))?;
            c.say(&[RawFrame::Discard, RawFrame::Discard])
        }),
    ]
}
