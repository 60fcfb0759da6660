//! Deadlines, idle timeouts, and how the target closes (spec: H-19, L-3, L-4, L-14).

use super::message;
use crate::case::{Case, Fail, Run, Verdict, must, should};
use crate::conversation::{Conversation, Heard, Setup};
use crate::raw_peer::{RawFrame, RawRecord};
use std::time::{Duration, Instant};

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = handshakes();
    cases.extend(idle());
    cases.extend(closing());
    cases
}

/// The handshake's deadline: short where a shim sets it, 10 s else.
fn hurried(c: &Conversation<'_>, setup: Setup) -> (Setup, Duration) {
    match c.has_shim() {
        true => (
            setup.set(|config| config.handshake_ms = Some(600)),
            milliseconds(600),
        ),
        false => (setup, milliseconds(10_000)),
    }
}

/// Closed without a byte, not long after the deadline.
fn closes_by(c: &mut Conversation<'_>, deadline: Duration) -> Run {
    let patience = c.patience;
    c.patience = deadline + patience;
    c.closes_silently()
}

fn handshakes() -> Vec<Case> {
    vec![
        must(
            "H-19/silent-initiator",
            "a silent connection is closed at the deadline",
            |c| {
                let (setup, deadline) = hurried(c, Setup::responder());
                c.open(&setup)?;
                closes_by(c, deadline)
            },
        ),
        must(
            "H-19/silent-responder",
            "a silent responder is left at the deadline",
            |c| {
                let (setup, deadline) = hurried(c, Setup::initiator());
                c.open(&setup)?;
                c.begin(|_| {});
                c.read_handshake()?;
                closes_by(c, deadline)
            },
        ),
        must(
            "H-19/trickling-initiator",
            "bytes do not arm the deadline anew",
            |c| {
                let (setup, deadline) = hurried(c, Setup::responder());
                c.open(&setup)?;
                c.begin(|_| {});
                let body = c.next_own_body()?;
                let slow = [&[0, 40], body.as_slice()].concat();
                for byte in &slow[..10] {
                    c.bytes(&[*byte]);
                    c.pause(deadline / 5);
                }
                // Two deadlines have passed since the first byte: it must be closed by now.
                c.patience = deadline / 4;
                c.closes_silently()
            },
        ),
        must("H-19/no-params", "the deadline covers PARAMS too", |c| {
            let (setup, deadline) = hurried(c, Setup::responder());
            c.meet(&setup)?;
            let patience = c.patience;
            c.patience += deadline;
            let ended = c.expect_any_end();
            c.patience = patience;
            ended
        }),
    ]
}

fn idle_session(c: &mut Conversation<'_>) -> Run {
    c.establish(&Setup::any().set(|config| config.idle_ms = Some(1_200)))
}

/// ABORT with code timeout, between these times from now; nothing is answered meanwhile.
fn times_out(c: &mut Conversation<'_>, since: Instant) -> Run {
    let patience = c.patience;
    c.patience += milliseconds(1_500);
    let aborted = c.expect_abort(5);
    c.patience = patience;
    aborted?;
    if since.elapsed() < milliseconds(900) {
        return Err(Fail::Behaviour("too early".into()));
    }
    c.closes()
}

fn idle() -> Vec<Case> {
    vec![
        must(
            "L-3/silence",
            "silence for the idle timeout ends the session",
            |c| {
                idle_session(c)?;
                times_out(c, Instant::now())
            },
        ),
        must(
            "H-23/smaller-idle-timeout",
            "the smaller idle timeout holds for both",
            |c| {
                c.meet(&Setup::any().manual())?;
                let mut params = c.own_params();
                params.idle_timeout = Some(1_200);
                c.agree(&params)?;
                times_out(c, Instant::now())
            },
        ),
        must(
            "L-3/bytes-do-not-rearm",
            "bytes that open no record do not count",
            |c| {
                idle_session(c)?;
                let session = c.session.as_mut();
                let record = RawRecord::Message(vec![0; 100]);
                let record = session.map_or_else(Vec::new, |session| session.seal(&record));
                let began = Instant::now();
                for byte in &record[..100] {
                    c.bytes(&[*byte]);
                    c.pause(milliseconds(60));
                    if began.elapsed() > milliseconds(2_600) {
                        break;
                    }
                }
                // Two timeouts have passed since the last record: it must have ended by now.
                c.patience = milliseconds(300);
                c.expect_abort(5)?;
                c.closes()
            },
        ),
        must("L-3/records-rearm", "each record that opens counts", |c| {
            idle_session(c)?;
            for _ in 0..6 {
                c.pause(milliseconds(450));
                c.say(&[message(b"tick")])?;
                c.expect_message(b"tick")?;
            }
            Ok(())
        }),
        must(
            "L-3/no-idle-timeout",
            "without an idle timeout silence is fine",
            |c| {
                c.manual()?;
                c.pause(milliseconds(1_500));
                c.expect_alive()
            },
        ),
        should(
            "L-4/ping-when-quiet",
            "a PING comes after a third of the idle timeout",
            |c| {
                idle_session(c)?;
                match c.hear(milliseconds(900)) {
                    Heard::Frame(RawFrame::Ping(_)) => Ok(()),
                    heard => Err(Fail::Behaviour(format!("not PING, but {heard:?}"))),
                }
            },
        ),
        must(
            "L-3/answered-pings-keep-alive",
            "a session that is only kept alive lives on",
            |c| {
                idle_session(c)?;
                c.expect_quiet(milliseconds(2_600))
            },
        ),
    ]
}

/// A rule is broken, and noise comes with it and behind it.
fn last_word_survives(c: &mut Conversation<'_>) -> Run {
    c.echo()?;
    let session = c.session.as_mut();
    let frames = [RawFrame::Raw(vec![0x33])];
    let record = session.map_or_else(Vec::new, |session| session.seal_frames(&frames));
    c.bytes(&[record, vec![0xee; 32 * 1024]].concat());
    c.pause(milliseconds(200));
    c.expect_abort(3)?;
    match c.hear(c.patience) {
        Heard::End => {}
        heard => return Err(Fail::Close(format!("{heard:?}, not the end of the stream"))),
    }
    // Far from 64 KiB and two seconds: who resets now has not read on.
    c.close = Verdict::Fail;
    for _ in 0..3 {
        if !c.write_goes(&[0xee; 512]) {
            return Err(Fail::Close("the target closed with unread input".into()));
        }
        c.pause(milliseconds(60));
    }
    c.close = Verdict::Pass;
    c.hang_up();
    Ok(())
}

fn closing() -> Vec<Case> {
    vec![
        must(
            "L-14/last-word-survives",
            "unread input does not destroy the last word",
            last_word_survives,
        ),
        must(
            "L-14/closes-after-abort",
            "two seconds behind its last word the target is gone",
            |c| {
                c.echo()?;
                c.say(&[RawFrame::Raw(vec![0x33])])?;
                c.expect_abort(3)?;
                match c.hear(c.patience) {
                    Heard::End => {}
                    heard => return Err(Fail::Close(format!("{heard:?}, not the end"))),
                }
                c.close = Verdict::Fail;
                match c.is_gone_within(milliseconds(3_500)) {
                    true => {
                        c.close = Verdict::Pass;
                        Ok(())
                    }
                    false => Err(Fail::Close("the target reads on for ever".into())),
                }
            },
        ),
        must(
            "L-14/refusal-survives",
            "unread input does not destroy the refusal list",
            |c| {
                c.open(&Setup::responder())?;
                let hello = *b"duo\x01\x63\x00\x00\x00";
                c.bytes(&[&[0xff, 0xff], hello.as_slice(), &[0xee; 8_000]].concat());
                c.pause(milliseconds(200));
                c.bytes(&[0xee; 1024]);
                c.expect_refusal().map(drop)
            },
        ),
        must(
            "H-16/refusal-of-a-key-survives",
            "nor the ABORT of a refused key",
            |c| {
                let accept = Some(vec![hex::encode([9; 32])]);
                c.meet(&Setup::responder().set(|config| config.accept = accept))?;
                let params = c.own_params();
                c.send_params(&params)?;
                c.bytes(&[0xee; 8_000]);
                c.pause(milliseconds(200));
                c.expect_abort(1)?;
                c.closes()
            },
        ),
    ]
}
