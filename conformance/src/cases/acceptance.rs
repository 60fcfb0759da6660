//! Who is accepted, and record 0 (spec: section 5).

use super::{end, message, send};
use crate::case::{Case, Run, must};
use crate::conversation::{Conversation, Heard, Setup, wrong};
use crate::raw_peer::handshake::public_key;
use crate::raw_peer::{RawFrame, RawParams, RawRecord, Role};
use std::time::Duration;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = acceptance();
    cases.extend(record_zero());
    cases
}

fn refusing() -> Setup {
    let other = hex::encode(public_key([0x77; 32]));
    Setup::responder().set(|config| config.accept = Some(vec![other]))
}

fn acceptance() -> Vec<Case> {
    vec![
        must(
            "H-16/refused-key",
            "a refused key learns the code and nothing else",
            |c| {
                c.meet(&refusing())?;
                let params = c.own_params();
                c.send_params(&params)?;
                c.expect(&Heard::Frame(RawFrame::Abort(1, Vec::new())))?;
                c.closes()
            },
        ),
        must(
            "H-16/key-is-judged-before-params",
            "the key is judged before PARAMS is read",
            |c| {
                c.meet(&refusing())?;
                c.say(&[RawFrame::Params(vec![2, 1, 0])])?;
                c.expect(&Heard::Frame(RawFrame::Abort(1, Vec::new())))?;
                c.closes()
            },
        ),
        must(
            "H-17/nothing-before-establishment",
            "no message leaves before PARAMS was read",
            |c| {
                c.open(&Setup::initiator().manual())?;
                c.begin(|_| {});
                send(c, b"early")?;
                c.shake()?;
                c.read_params()?;
                c.expect_quiet(Duration::from_millis(300))?;
                let params = c.own_params();
                c.send_params(&params)?;
                c.expect_message(b"early")
            },
        ),
        must(
            "H-15/record-0-of-responder",
            "record 0 is PARAMS and padding alone",
            |c| {
                c.establish(&Setup::responder())?;
                c.expect_quiet(Duration::from_millis(100))
            },
        ),
        must(
            "H-14/record-0-of-initiator",
            "record 0 is PARAMS and padding alone",
            |c| {
                c.meet(&Setup::initiator())?;
                c.read_params()?;
                c.expect_quiet(Duration::from_millis(100))
            },
        ),
        must(
            "H-14/abort-before-answer",
            "the initiator may abort before the answer",
            |c| {
                c.meet(&Setup::responder())?;
                let params = c.own_params();
                c.send_params(&params)?;
                c.say(&[RawFrame::Abort(300, Vec::new())])?;
                // The ABORT may have come before the answer left.
                match c.hear(c.patience) {
                    Heard::End => return Ok(()),
                    Heard::Frame(RawFrame::Params(_)) => {}
                    heard => return Err(wrong("PARAMS or the end", &heard)),
                }
                c.closes()
            },
        ),
        must(
            "H-15/responder-aborts",
            "ABORT in place of PARAMS ends the handshake",
            |c| {
                c.meet(&Setup::initiator().manual())?;
                c.read_params()?;
                c.say(&[RawFrame::Abort(1, Vec::new())])?;
                c.is_established(false)?;
                c.closes()
            },
        ),
    ]
}

/// A record 0 that the target must not take.
fn bad_record_zero(id: &'static str, says: &'static str, record: RawRecord) -> Case {
    must(id, says, move |c| {
        c.meet(&Setup::any())?;
        if c.role == Role::Initiator {
            c.read_params()?;
        }
        c.put(&record)?;
        c.expect_violation()
    })
}

/// Record 0 of the kit was changed on its way to a target that has verified the kit.
fn broken_record_zero(id: &'static str, setup: fn() -> Setup) -> Case {
    let says = "a record 0 that does not open is answered by ABORT";
    must(id, says, move |c| {
        c.meet(&setup())?;
        if c.role == Role::Initiator {
            c.read_params()?;
        }
        let mut record = c.sealed_params()?;
        if let Some(byte) = record.last_mut() {
            *byte ^= 1;
        }
        c.bytes(&record);
        c.expect_violation()
    })
}

/// PARAMS of the kit and padding up to a plaintext of this size.
fn padded(c: &Conversation<'_>, size: usize) -> RawRecord {
    let hash = c
        .session
        .as_ref()
        .map(|session| session.hash)
        .unwrap_or_default();
    let params = RawFrame::Params(c.own_params().encode(&hash));
    let used = params.encode().len() + 2;
    RawRecord::Batch(vec![params, RawFrame::Padding(size - used)])
}

fn record_zero() -> Vec<Case> {
    let params = || RawFrame::Params(RawParams::default().encode(&[0; 32]));
    let batch = |frames: Vec<RawFrame>| RawRecord::Batch(frames);
    vec![
        bad_record_zero(
            "H-14/message-in-record-0",
            "record 0 holds nothing beside PARAMS",
            batch(vec![params(), message(b"early")]),
        ),
        bad_record_zero(
            "H-14/params-not-first",
            "record 0 holds nothing beside PARAMS",
            batch(vec![RawFrame::Ping([0; 8]), params()]),
        ),
        bad_record_zero(
            "H-14/params-twice",
            "record 0 holds one PARAMS",
            batch(vec![params(), params()]),
        ),
        bad_record_zero(
            "H-14/message-as-record-0",
            "record 0 is a batch",
            RawRecord::Message(b"early".to_vec()),
        ),
        broken_record_zero("H-24/record-0-to-responder", Setup::responder),
        broken_record_zero("H-24/record-0-to-initiator", Setup::initiator),
        bad_record_zero(
            "H-14/end-as-record-0",
            "record 0 is PARAMS",
            batch(vec![end(0)]),
        ),
        must(
            "H-14/padding-in-record-0",
            "padding behind PARAMS is taken",
            |c| longest_record_zero(c, 600),
        ),
        must(
            "H-18/record-0-of-4096",
            "a plaintext of 4,096 bytes is taken",
            |c| longest_record_zero(c, 4_096),
        ),
        must(
            "H-18/record-0-of-4097",
            "a plaintext of 4,097 bytes ends the handshake",
            |c| {
                c.meet(&Setup::any())?;
                if c.role == Role::Initiator {
                    c.read_params()?;
                }
                let record = padded(c, 4_097);
                c.put(&record)?;
                c.expect_any_end()
            },
        ),
        must(
            "H-18/record-0-too-long",
            "its length alone ends the handshake",
            |c| {
                c.meet(&Setup::any())?;
                if c.role == Role::Initiator {
                    c.read_params()?;
                }
                c.bytes(&4_113_u16.to_be_bytes());
                c.expect_any_end()
            },
        ),
    ]
}

fn longest_record_zero(c: &mut Conversation<'_>, size: usize) -> Run {
    c.meet(&Setup::any())?;
    if c.role == Role::Initiator {
        c.read_params()?;
    }
    let record = padded(c, size);
    c.put(&record)?;
    if c.role == Role::Responder {
        c.read_params()?;
    }
    c.expect_alive()
}
