//! The hello, the refusal list, and the lengths around them (spec: sections 2 and 2.2).

use crate::case::{Case, Fail, Run, must};
use crate::conversation::{Conversation, Setup};
use crate::raw_peer::wire::{hello, refusal, with_length};
use crate::raw_peer::{Pattern, RawFrame, RawRecord, Suite};
use std::time::Duration;

/// A first body with this hello and a message 1 of the right size.
fn first_body(hello: [u8; 8]) -> Vec<u8> {
    [hello.as_slice(), &[9; 32]].concat()
}

fn is_refused(c: &mut Conversation<'_>, hello: [u8; 8]) -> Run {
    c.open(&Setup::responder())?;
    c.body(&first_body(hello));
    c.expect_refusal().map(drop)
}

fn is_ignored(c: &mut Conversation<'_>, bytes: &[u8]) -> Run {
    c.open(&Setup::responder())?;
    c.bytes(bytes);
    c.closes_silently()
}

/// A responder's first body that ends the handshake of the target.
fn ends_initiator(c: &mut Conversation<'_>, body: &[u8]) -> Run {
    c.open(&Setup::initiator())?;
    c.begin(|_| {});
    c.read_handshake()?;
    c.bytes(body);
    c.closes_silently()
}

/// The same with a message 2 that is changed.
fn ends_initiator_by(c: &mut Conversation<'_>, change: impl Fn(&mut Vec<u8>)) -> Run {
    c.open(&Setup::initiator())?;
    c.begin(|_| {});
    c.read_handshake()?;
    let mut body = c.next_own_body()?;
    change(&mut body);
    c.body(&body);
    c.closes_silently()
}

const XX: u8 = 0;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = responders();
    cases.extend(initiators());
    cases.extend(transports());
    cases
}

fn responders() -> Vec<Case> {
    vec![
        must(
            "W-8/wrong-magic",
            "a stranger's bytes are answered by nothing",
            |c| is_ignored(c, &with_length(&first_body(*b"GET / HT"))),
        ),
        must(
            "W-8/magic-before-version",
            "the first three bytes are judged first",
            |c| is_ignored(c, &with_length(&first_body(*b"dup\x02\x63\x63\x01\x01"))),
        ),
        must(
            "W-8/wrong-version",
            "another version gets the refusal list",
            |c| is_refused(c, *b"duo\x02\x01\x00\x00\x00"),
        ),
        must(
            "W-8/unknown-suite",
            "an unknown suite gets the refusal list",
            |c| is_refused(c, hello(0x63, XX)),
        ),
        must("W-8/suite-0", "suite 0 gets the refusal list", |c| {
            is_refused(c, hello(0, XX))
        }),
        must(
            "W-8/unknown-pattern",
            "an unknown pattern gets the refusal list",
            |c| is_refused(c, hello(1, 2)),
        ),
        must(
            "W-8/reserved-byte",
            "a reserved byte that is not zero gets the refusal list",
            |c| {
                is_refused(c, *b"duo\x01\x01\x00\x01\x00")?;
                is_refused(c, *b"duo\x01\x01\x00\x00\x80")
            },
        ),
        must(
            "W-8/judged-after-ten-bytes",
            "ten bytes are enough for the refusal",
            |c| {
                c.open(&Setup::responder())?;
                c.bytes(&[&[0xff, 0xff], hello(0x63, XX).as_slice()].concat());
                c.expect_refusal().map(drop)
            },
        ),
        must(
            "W-8/list-whatever-the-length",
            "the length does not matter to the refusal",
            |c| {
                c.open(&Setup::responder())?;
                c.bytes(&[&[0, 1], hello(0x63, XX).as_slice()].concat());
                c.expect_refusal().map(drop)
            },
        ),
        must(
            "W-8/message-1-too-short",
            "a message 1 of a wrong size is answered by nothing",
            |c| {
                let head = [0, 39];
                is_ignored(c, &[&head, &first_body(hello(1, XX))[..39]].concat())
            },
        ),
        must(
            "W-8/message-1-too-long",
            "a wrong length is judged before the body is there",
            |c| is_ignored(c, &[&[0xff, 0xff], hello(1, XX).as_slice()].concat()),
        ),
        must("W-3/first-length-0", "a length of 0 is illegal", |c| {
            is_ignored(c, &[&[0, 0], first_body(hello(1, XX)).as_slice()].concat())
        }),
        must(
            "W-9/refusal-list-is-true",
            "what the refusal list names is taken",
            list_is_true,
        ),
        must(
            "W-9/refusal-list-is-whole",
            "the list names just what is taken",
            |c| {
                let setup = Setup::responder().set(|config| {
                    config.suites = vec![1];
                    config.patterns = vec![0, 1];
                });
                c.open(&setup)?;
                c.body(&first_body(hello(2, XX)));
                let mut triples = c.expect_refusal()?;
                triples.sort_unstable();
                match triples.as_slice() {
                    [[1, 1, 0], [1, 1, 1]] => Ok(()),
                    _ => Err(Fail::Behaviour(format!("the list is {triples:?}"))),
                }
            },
        ),
        must(
            "H-9/nothing-to-strangers",
            "a message 1 that fails is answered by nothing",
            |c| {
                c.open(&Setup::responder().with(Suite::ChaChaPoly, Pattern::Xk))?;
                let body = [hello(1, 1).as_slice(), &[9; 48]].concat();
                c.body(&body);
                c.closes_silently()
            },
        ),
    ]
}

fn list_is_true(c: &mut Conversation<'_>) -> Run {
    c.open(&Setup::responder())?;
    c.body(&first_body(hello(0x63, XX)));
    let triples = c.expect_refusal()?;
    for [version, suite, pattern] in triples {
        let known = Suite::of(suite).zip(Pattern::of(pattern));
        let (Some((suite, pattern)), 1) = (known, version) else {
            let why = format!("the list names {version}, {suite}, {pattern}");
            return Err(Fail::Behaviour(why));
        };
        if !pattern.has_psk() && !pattern.is_pinned() {
            c.echo_with(&Setup::responder().with(suite, pattern))?;
        }
    }
    Ok(())
}

fn initiators() -> Vec<Case> {
    vec![
        must(
            "W-7/hello",
            "the initiator's first body is hello and message 1",
            |c| {
                c.open(&Setup::initiator())?;
                let body = c.next_body(c.patience);
                let body = body.map_err(|heard| Fail::Behaviour(format!("{heard:?}")))?;
                let options = c.options();
                let wanted = hello(options.suite.id(), options.pattern.id());
                let size = 8 + options.pattern.sizes(options.suite)[0];
                match body.starts_with(&wanted) && body.len() == size {
                    true => Ok(()),
                    false => Err(Fail::Behaviour(format!("{} bytes", body.len()))),
                }
            },
        ),
        must(
            "W-10/unknown-status",
            "any other status byte ends the handshake",
            |c| ends_initiator_by(c, |body| body[0] = 2),
        ),
        must(
            "W-10/message-2-too-short",
            "message 2 has exactly one size",
            |c| ends_initiator_by(c, |body| body.truncate(body.len() - 1)),
        ),
        must(
            "W-10/message-2-too-long",
            "message 2 has exactly one size",
            |c| ends_initiator_by(c, |body| body.push(0)),
        ),
        must(
            "W-10/no-triple",
            "a refusal list has a triple at least",
            |c| ends_initiator(c, &with_length(&[1])),
        ),
        must(
            "W-10/ragged-list",
            "a refusal list has whole triples",
            |c| ends_initiator(c, &with_length(&[1, 1, 1, 0, 1])),
        ),
        must(
            "W-10/33-triples",
            "a refusal list has at most 32 triples",
            |c| ends_initiator(c, &with_length(&refusal(&[[1, 1, 0]; 33]))),
        ),
        must(
            "W-3/answer-length-0",
            "a length of 0 ends the handshake",
            |c| ends_initiator(c, &[0, 0]),
        ),
        must(
            "W-11/refusal-is-not-retried",
            "a refusal list causes no other attempt",
            |c| {
                ends_initiator(c, &with_length(&refusal(&[[1, 2, 0], [1, 1, 0]])))?;
                match c.dials_within(Duration::from_millis(400))? {
                    false => Ok(()),
                    true => Err(Fail::Behaviour("the target dials again".into())),
                }
            },
        ),
    ]
}

fn transports() -> Vec<Case> {
    vec![
        must(
            "W-5/byte-by-byte",
            "the cut of the stream does not matter",
            |c| {
                c.open(&Setup::any())?;
                c.begin(|_| {});
                c.slow_shake()?;
                let params = c.own_params();
                c.agree(&params)?;
                let record = RawRecord::Batch(vec![RawFrame::Message(b"slow".to_vec())]);
                c.put_slowly(&record)?;
                c.expect_message(b"slow")
            },
        ),
        must(
            "W-5/all-at-once",
            "message 3 and record 0 may come in one piece",
            |c| {
                c.open(&Setup::responder())?;
                c.begin(|_| {});
                c.write_handshake()?;
                c.read_handshake()?;
                let third = with_length(&c.next_own_body()?);
                c.take_session()?;
                let params = c.sealed_params()?;
                c.bytes(&[third, params].concat());
                c.read_params()?;
                c.expect_alive()
            },
        ),
    ]
}
