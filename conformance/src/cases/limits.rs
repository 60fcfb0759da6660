//! Sizes, the progress budget and bounded input (spec: T-8, L-1, L-6).

use super::{breaks, message, send};
use crate::case::{Case, Fail, Run, must};
use crate::control::Command;
use crate::conversation::{Conversation, Heard, Setup};
use crate::raw_peer::{RawFrame, RawRecord};

fn small() -> Setup {
    Setup::any().set(|config| config.max_message = Some(2_000))
}

/// A message above the limit of 2,000 bytes comes in this form.
fn too_large(id: &'static str, says: &'static str, records: Vec<RawRecord>) -> Case {
    must(id, says, move |c| {
        c.establish(&small())?;
        for record in &records {
            c.put(record)?;
        }
        c.expect_abort(4)?;
        c.closes()?;
        match c.came {
            0 => Ok(()),
            _ => Err(Fail::Behaviour("it was delivered all the same".into())),
        }
    })
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = sizes();
    cases.extend(budget());
    cases.extend(memory());
    cases
}

fn sizes() -> Vec<Case> {
    let batch = |frames| RawRecord::Batch(frames);
    vec![
        too_large(
            "T-8/too-large-frame",
            "a frame above the limit ends with too_large",
            vec![batch(vec![message(&[1; 2_001])])],
        ),
        too_large("T-8/too-large-record", "so does a record", {
            vec![RawRecord::Message(vec![1; 2_001])]
        }),
        too_large(
            "T-8/too-large-in-pieces",
            "so do pieces, before the last one",
            {
                vec![
                    RawRecord::Piece(vec![1; 1_024]),
                    RawRecord::Piece(vec![1; 1_024]),
                ]
            },
        ),
        too_large("T-8/too-large-last-piece", "and a last piece", {
            vec![
                RawRecord::Piece(vec![1; 2_000]),
                RawRecord::Message(vec![1]),
            ]
        }),
        must(
            "T-8/just-large-enough",
            "the limit itself is taken in every form",
            |c| {
                c.establish(&small())?;
                let whole = [1; 2_000];
                c.say(&[message(&whole)])?;
                c.expect_message(&whole)?;
                c.put(&RawRecord::Message(whole.to_vec()))?;
                c.expect_message(&whole)?;
                c.put(&RawRecord::Piece(whole.to_vec()))?;
                c.put(&RawRecord::Message(Vec::new()))?;
                c.expect_message(&whole)
            },
        ),
        must(
            "L-12/announces-its-limit",
            "a limit that is not the default is announced",
            |c| {
                c.establish(&small())?;
                match c.params.max_message {
                    Some(2_000) => Ok(()),
                    other => Err(Fail::Behaviour(format!("max_message {other:?}"))),
                }
            },
        ),
    ]
}

fn repeat(frame: &RawFrame, count: usize) -> Vec<RawFrame> {
    vec![frame.clone(); count]
}

fn budget() -> Vec<Case> {
    vec![
        breaks(
            "L-1/receipt-requests",
            "requests without progress are a violation",
            |c| c.say_apart(&repeat(&RawFrame::ReceiptRequest, 45)),
        ),
        must(
            "L-1/full-credit",
            "a credit of 32 is there from the start",
            |c| {
                c.echo()?;
                c.say_apart(&repeat(&RawFrame::ReceiptRequest, 32))?;
                c.say(&[message(b"still here")])?;
                c.expect_message(b"still here")
            },
        ),
        breaks(
            "L-1/padding",
            "records of padding alone are no progress",
            |c| c.say_apart(&repeat(&RawFrame::Padding(10), 45)),
        ),
        breaks("L-1/rekeys", "REKEY is no progress", |c| {
            for _ in 0..45 {
                c.rekey()?;
            }
            Ok(())
        }),
        breaks(
            "L-1/receipts-that-do-not-rise",
            "receipts that do not rise are no progress",
            |c| c.say_apart(&repeat(&RawFrame::Receipt(0), 45)),
        ),
        breaks("L-1/pings", "PING is no progress", |c| {
            for number in 0..45_u64 {
                let bytes = number.to_be_bytes();
                c.say(&[RawFrame::Ping(bytes)])?;
                match c.hear(c.patience) {
                    Heard::Frame(RawFrame::Pong(pong)) if pong == bytes => {}
                    Heard::Frame(RawFrame::Abort(3, _)) if number >= 32 => {
                        c.push_back(Heard::Frame(RawFrame::Abort(3, Vec::new())));
                        return Ok(());
                    }
                    heard => return Err(Fail::Behaviour(format!("{number}: {heard:?}"))),
                }
            }
            Ok(())
        }),
        breaks(
            "L-1/small-pieces",
            "pieces of less than 1,024 bytes are no progress",
            |c| {
                for _ in 0..45 {
                    c.put(&RawRecord::Piece(vec![1]))?;
                }
                Ok(())
            },
        ),
        must(
            "L-1/large-pieces",
            "pieces of 1,024 bytes cost nothing",
            |c| {
                c.echo()?;
                for _ in 0..100 {
                    c.put(&RawRecord::Piece(vec![1; 1_024]))?;
                }
                c.put(&RawRecord::Message(Vec::new()))?;
                c.expect_message(&vec![1; 102_400])
            },
        ),
        must(
            "L-1/messages-earn",
            "each whole message earns as much as a request costs",
            |c| {
                c.echo()?;
                for number in 0..100_u8 {
                    c.say(&[message(&[number]), RawFrame::ReceiptRequest])?;
                    c.expect_message(&[number])?;
                }
                Ok(())
            },
        ),
        breaks(
            "L-1/credit-is-bounded",
            "messages do not earn beyond 32",
            |c| {
                for number in 0..60_u8 {
                    c.say(&[message(&[number])])?;
                    c.expect_message(&[number])?;
                }
                c.say_apart(&repeat(&RawFrame::ReceiptRequest, 45))
            },
        ),
        must(
            "L-1/time-earns",
            "each period earns, a quarter of the idle timeout at most",
            |c| {
                c.establish(&Setup::any().set(|config| config.idle_ms = Some(1_000)))?;
                c.say_apart(&repeat(&RawFrame::ReceiptRequest, 32))?;
                for _ in 0..4 {
                    c.pause(std::time::Duration::from_millis(300));
                    c.say(&[RawFrame::ReceiptRequest])?;
                }
                c.say(&[message(b"still here")])?;
                c.expect_message(b"still here")
            },
        ),
    ]
}

fn memory() -> Vec<Case> {
    vec![
        must(
            "L-6/input-is-bounded",
            "an application that takes nothing stops the input",
            |c| {
                c.manual()?;
                let most = 48 << 20;
                let record = RawRecord::Message(vec![3; 32_000]);
                match c.flood(&record, most)? {
                    sent if sent < most => Ok(()),
                    sent => Err(Fail::Behaviour(format!("{sent} bytes went in"))),
                }
            },
        ),
        must(
            "L-6/reads-while-a-write-is-blocked",
            "reading does not wait for writing",
            |c| {
                c.manual()?;
                block_writes(c);
                for number in 0..20_u8 {
                    c.say(&[message(&[number])])?;
                    c.expect_taken(&[number])?;
                }
                Ok(())
            },
        ),
        must(
            "E-2/end-behind-blocked-writes",
            "END counts what went whole; what did not is withdrawn",
            |c| {
                c.manual()?;
                block_writes(c);
                c.ask(&super::finish())?;
                c.patience *= 4;
                c.expect_end().map(drop)
            },
        ),
        must(
            "L-7/answers-behind-blocked-writes",
            "answers that had to wait are all there, and no count falls",
            |c| {
                c.manual()?;
                block_writes(c);
                let ping = RawFrame::Ping(*b"waiting!");
                c.say(&[message(b"one"), RawFrame::ReceiptRequest, ping])?;
                c.expect_taken(b"one")?;
                c.ask(&Command::Stop)?;
                answers_behind_the_flood(c)
            },
        ),
        must(
            "L-5/write-without-progress",
            "a write that makes no progress ends the session",
            |c| {
                c.establish(
                    &Setup::any()
                        .manual()
                        .set(|config| config.stall_ms = Some(500)),
                )?;
                stalls(c)
            },
        ),
    ]
}

/// The application sends until it is told that its writes are blocked, or very much.
fn block_writes(c: &mut Conversation<'_>) {
    let big = hex::encode(vec![4; 1 << 20]);
    for _ in 0..24 {
        let message = big.clone();
        if c.try_ask(&Command::Send { message }).is_err() {
            break;
        }
    }
    c.pause(std::time::Duration::from_millis(100));
}

/// PONG and STOP(1), in any order; that no count falls is watched in every case.
fn answers_behind_the_flood(c: &mut Conversation<'_>) -> Run {
    c.patience *= 4;
    let (mut stop, mut pong) = (false, false);
    while !(stop && pong) {
        c.wait_for("STOP and PONG", |heard| match heard {
            Heard::Frame(RawFrame::Stop(1)) => {
                stop = true;
                Some(())
            }
            Heard::Frame(RawFrame::Pong(_)) => {
                pong = true;
                Some(())
            }
            _ => None,
        })?;
    }
    Ok(())
}

fn stalls(c: &mut Conversation<'_>) -> Run {
    for _ in 0..24 {
        if send(c, &vec![4; 1 << 20]).is_err() {
            break;
        }
    }
    let outcome = c.outcome()?;
    match outcome.cause {
        crate::control::Cause::WeAborted | crate::control::Cause::Transport => Ok(()),
        _ => Err(Fail::Behaviour(format!("the outcome is {outcome:?}"))),
    }
}
