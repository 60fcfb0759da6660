//! What the target does about the end (spec: section 6).

use super::{end, finish, message, send};
use crate::case::{Case, Fail, Run, must, should};
use crate::control::{Cause, Command, Incoming, Outcome, Outgoing};
use crate::conversation::{Conversation, Heard, Setup};
use crate::raw_peer::{RawFrame, RawRecord};
use crate::shim::ShimError;
use std::time::Duration;

const QUIET: Duration = Duration::from_millis(300);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = confirming();
    cases.extend(stopping());
    cases.extend(cuts());
    cases.extend(closing());
    cases
}

fn outcome_is(c: &mut Conversation<'_>, right: impl Fn(&Outcome) -> bool) -> Run {
    let outcome = c.outcome()?;
    match right(&outcome) {
        true => Ok(()),
        false => Err(Fail::Behaviour(format!("the outcome is {outcome:?}"))),
    }
}

fn confirming() -> Vec<Case> {
    vec![
        must(
            "E-8/both-end",
            "both directions end, and the target closes",
            |c| {
                c.echo()?;
                c.say(&[message(b"a"), message(b"b"), end(2)])?;
                c.expect_both_ended(2)
            },
        ),
        must(
            "E-8/both-end-without-a-message",
            "so does a session without a message",
            |c| {
                c.echo()?;
                c.say(&[end(0)])?;
                c.expect_both_ended(0)
            },
        ),
        must("E-8/outcome", "the outcome says that all was taken", |c| {
            c.establish(&Setup::any())?;
            c.say(&[message(b"a"), end(1)])?;
            c.expect_both_ended(1)?;
            outcome_is(c, |outcome| {
                (outcome.cause, outcome.incoming) == (Cause::Ended, Incoming::Ended)
                    && (outcome.outgoing, outcome.taken) == (Outgoing::All, 1)
            })
        }),
        must(
            "E-8/bytes-behind-the-end",
            "bytes behind the end are ignored",
            |c| {
                c.manual()?;
                c.ask(&finish())?;
                c.expect_end()?;
                c.say(&[end(0), RawFrame::FinalReceipt(0)])?;
                c.bytes(&[0xff; 300]);
                c.expect_final(0)?;
                c.closes()?;
                outcome_is(c, |outcome| outcome.cause == Cause::Ended)
            },
        ),
        must(
            "E-6/waits-for-the-application",
            "FINAL_RECEIPT waits until all is taken",
            |c| {
                c.manual()?;
                c.say(&[message(b"a"), end(1)])?;
                c.expect_quiet(QUIET)?;
                c.expect_taken(b"a")?;
                c.expect_final(1)
            },
        ),
        must(
            "E-6/not-before-the-peers-end",
            "FINAL_RECEIPT waits for the peer's END",
            |c| {
                c.manual()?;
                c.say(&[message(b"a")])?;
                c.expect_taken(b"a")?;
                c.ask(&finish())?;
                c.expect_end()?;
                c.expect_quiet(QUIET)?;
                c.say(&[end(1)])?;
                c.expect_final(1)
            },
        ),
        must(
            "E-6/after-stop",
            "FINAL_RECEIPT repeats the count of STOP",
            |c| {
                c.manual()?;
                c.say(&[message(b"a"), message(b"b")])?;
                c.expect_taken(b"a")?;
                c.ask(&Command::Stop)?;
                c.expect_frame(&RawFrame::Stop(1))?;
                c.say(&[message(b"c"), end(3)])?;
                c.expect_final(1)
            },
        ),
        must(
            "E-13/goes-on-after-the-peers-end",
            "the target may send on for as long",
            |c| {
                c.manual()?;
                c.say(&[end(0)])?;
                c.expect_final(0)?;
                for number in 0..3_u8 {
                    send(c, &[number])?;
                    c.expect_message(&[number])?;
                }
                c.ask(&finish())?;
                c.expect_end()?;
                c.say(&[RawFrame::FinalReceipt(3)])?;
                c.closes()
            },
        ),
        must(
            "E-13/takes-after-its-own-end",
            "the target goes on taking and answering",
            |c| {
                c.manual()?;
                c.ask(&finish())?;
                c.expect_end()?;
                c.say(&[message(b"late"), RawFrame::ReceiptRequest])?;
                c.expect_taken(b"late")?;
                c.expect_receipt(1)?;
                c.expect_alive()?;
                c.say(&[end(1), RawFrame::FinalReceipt(0)])?;
                c.expect_final(1)?;
                c.closes()
            },
        ),
        must(
            "E-1/end-tells-code-and-reason",
            "END is told with its code and reason",
            |c| {
                c.manual()?;
                c.say(&[RawFrame::End(0, 777, b"bye".to_vec())])?;
                let answer = c.ask(&Command::Recv { within_ms: 3_000 })?;
                match answer.end {
                    Some(word) if (word.code, word.reason.as_str()) == (777, "bye") => Ok(()),
                    other => Err(Fail::Behaviour(format!("recv told {other:?}"))),
                }
            },
        ),
    ]
}

fn stopping() -> Vec<Case> {
    vec![
        must(
            "E-4/stop-is-told",
            "STOP leaves at once, with the count",
            |c| {
                c.manual()?;
                c.say(&[message(b"a"), message(b"b")])?;
                c.expect_taken(b"a")?;
                c.ask(&Command::Stop)?;
                c.expect_frame(&RawFrame::Stop(1))?;
                c.expect_alive()
            },
        ),
        must(
            "E-5/stop-is-obeyed",
            "behind a STOP no message is begun",
            |c| {
                c.manual()?;
                c.say(&[RawFrame::Stop(0)])?;
                c.expect_alive()?;
                match c.try_ask(&Command::Send {
                    message: "00".into(),
                }) {
                    Err(ShimError::Refused(_)) => {}
                    other => return Err(Fail::Behaviour(format!("send gave {other:?}"))),
                }
                match c.next(QUIET)? {
                    Heard::Message(_) => Err(Fail::Behaviour("a message behind STOP".into())),
                    _ => Ok(()),
                }
            },
        ),
        must(
            "E-5/under-way",
            "what is under way behind a STOP is no violation",
            |c| {
                c.manual()?;
                c.ask(&Command::Stop)?;
                c.expect_frame(&RawFrame::Stop(0))?;
                c.put(&RawRecord::Piece(vec![1; 5000]))?;
                c.put(&RawRecord::Message(vec![1; 5000]))?;
                c.say(&[end(1)])?;
                c.expect_final(0)
            },
        ),
        must("E-9/target-aborts", "ABORT is one word and the last", |c| {
            c.manual()?;
            let reason = "enough".to_owned();
            c.ask(&Command::Abort { code: 400, reason })?;
            c.expect(&Heard::Frame(RawFrame::Abort(400, b"enough".to_vec())))?;
            c.closes()
        }),
        must(
            "E-9/abort-is-told",
            "the peer's ABORT is told with code and reason",
            |c| {
                c.manual()?;
                c.say(&[RawFrame::Abort(300, b"why".to_vec())])?;
                c.closes()?;
                outcome_is(c, |outcome| {
                    outcome.cause == Cause::PeerAborted
                        && (outcome.code, outcome.reason.as_str()) == (300, "why")
                        && outcome.incoming == Incoming::Truncated
                })
            },
        ),
        must(
            "E-16/abort-is-not-answered",
            "nothing is sent behind the peer's ABORT",
            |c| {
                c.manual()?;
                c.say_apart(&[RawFrame::Abort(300, Vec::new()), RawFrame::Raw(vec![0x33])])?;
                c.closes()?;
                outcome_is(c, |outcome| outcome.cause == Cause::PeerAborted)?;
                match send(c, b"late") {
                    Err(Fail::Behaviour(_)) => Ok(()),
                    other => Err(Fail::Behaviour(format!("send gave {other:?}"))),
                }
            },
        ),
        must(
            "E-9/messages-before-abort",
            "messages before an ABORT are delivered",
            |c| {
                c.manual()?;
                c.say(&[message(b"a"), RawFrame::Abort(300, Vec::new())])?;
                c.closes()?;
                c.expect_taken(b"a")
            },
        ),
        must(
            "E-9/messages-behind-abort",
            "nothing behind an ABORT is delivered",
            |c| {
                c.manual()?;
                c.say(&[RawFrame::Abort(300, Vec::new()), message(b"a")])?;
                c.closes()?;
                let answer = c.ask(&Command::Recv { within_ms: 300 })?;
                match answer.message {
                    None => Ok(()),
                    Some(_) => Err(Fail::Behaviour("a message behind ABORT".into())),
                }
            },
        ),
    ]
}

/// The transport ends behind these bytes of a record; the outcome must say truncated.
fn is_truncated(c: &mut Conversation<'_>, bytes: usize) -> Run {
    c.manual()?;
    c.say(&[message(b"whole")])?;
    c.expect_taken(b"whole")?;
    let session = c.session.as_mut();
    let record = session.map_or_else(Vec::new, |s| s.seal_frames(&[message(b"cut"), end(2)]));
    c.bytes(&record[..bytes.min(record.len() - 1)]);
    c.hang_up();
    outcome_is(c, |outcome| {
        outcome.incoming == Incoming::Truncated
            && outcome.outgoing == Outgoing::AtLeast
            && outcome.cause != Cause::Ended
    })
}

fn cuts() -> Vec<Case> {
    vec![
        must(
            "E-10/cut-between-records",
            "the end of the transport is a cut",
            |c| is_truncated(c, 0),
        ),
        must("E-10/cut-in-a-length", "so it is inside a length", |c| {
            is_truncated(c, 1)
        }),
        must("E-10/cut-behind-a-length", "and behind a length", |c| {
            is_truncated(c, 2)
        }),
        must("E-10/cut-in-a-record", "and inside a record", |c| {
            is_truncated(c, 1000)
        }),
        must("E-10/cut-between-pieces", "and between pieces", |c| {
            c.manual()?;
            c.put(&RawRecord::Piece(vec![1; 2000]))?;
            c.hang_up();
            outcome_is(c, |outcome| outcome.incoming == Incoming::Truncated)?;
            let answer = c.ask(&Command::Recv { within_ms: 300 })?;
            match answer.message {
                None => Ok(()),
                Some(_) => Err(Fail::Behaviour("half a message was delivered".into())),
            }
        }),
        must(
            "E-12/end-stays-read",
            "an END once read is not undone by a cut",
            |c| {
                c.manual()?;
                send(c, b"x")?;
                c.expect_message(b"x")?;
                c.say(&[end(0)])?;
                c.expect_final(0)?;
                c.drop_link();
                outcome_is(c, |outcome| {
                    outcome.incoming == Incoming::Ended && outcome.outgoing == Outgoing::AtLeast
                })
            },
        ),
        must(
            "E-12/outcome-stays",
            "an outcome is not changed by what comes later",
            |c| {
                c.manual()?;
                c.say(&[RawFrame::Abort(300, Vec::new())])?;
                c.closes()?;
                let before = c.outcome()?;
                c.drop_link();
                c.pause(Duration::from_millis(50));
                outcome_is(c, |outcome| *outcome == before)
            },
        ),
    ]
}

fn closing() -> Vec<Case> {
    vec![
        must("E-14/close-stops-too", "a close sends END and STOP", |c| {
            c.manual()?;
            c.say(&[message(b"untaken")])?;
            c.expect_alive()?;
            c.ask(&Command::Close)?;
            let (mut ended, mut stopped) = (false, false);
            while !(ended && stopped) {
                match c.next(c.patience)? {
                    Heard::Frame(RawFrame::End(0, 0, _)) if !ended => ended = true,
                    Heard::Frame(RawFrame::Stop(0)) if !stopped => stopped = true,
                    heard => return Err(Fail::Behaviour(format!("END and STOP, not {heard:?}"))),
                }
            }
            c.say(&[end(1), RawFrame::FinalReceipt(0)])?;
            c.expect_final(0)?;
            c.closes()
        }),
        must(
            "E-14/close-behind-the-peers-end",
            "a close behind the peer's END sends no STOP",
            |c| {
                c.manual()?;
                c.say(&[end(0)])?;
                c.expect_final(0)?;
                c.ask(&Command::Close)?;
                c.expect(&Heard::Frame(RawFrame::End(0, 0, Vec::new())))?;
                c.expect_quiet(QUIET)?;
                c.say(&[RawFrame::FinalReceipt(0)])?;
                c.closes()
            },
        ),
        must(
            "E-14/end-deadline",
            "behind its deadline a close aborts with timeout",
            |c| {
                c.establish(
                    &Setup::any()
                        .manual()
                        .set(|config| config.end_ms = Some(500)),
                )?;
                c.ask(&Command::Close)?;
                c.expect_end()?;
                c.expect_quiet_but_stop(Duration::from_millis(200))?;
                c.expect_abort(5)?;
                c.closes()
            },
        ),
        should("E-5/ends-soon", "an echo that was stopped ends soon", |c| {
            c.echo()?;
            c.say(&[RawFrame::Stop(0), end(0)])?;
            c.expect_both_ended(0)
        }),
    ]
}
