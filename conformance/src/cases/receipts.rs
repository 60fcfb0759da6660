//! Receipts and requests for them (spec: T-16, T-17, E-11).

use super::{breaks, message, send};
use crate::case::{Case, Fail, Run, must};
use crate::control::{Command, Outgoing};
use crate::conversation::{Conversation, Heard};
use crate::raw_peer::RawFrame;
use std::time::Duration;

/// The target has sent so many messages, by echo.
fn sends(c: &mut Conversation<'_>, count: u8) -> Run {
    for number in 0..count {
        c.say(&[message(&[number])])?;
        c.expect_message(&[number])?;
    }
    Ok(())
}

fn receipt(c: &mut Conversation<'_>) -> Run<u64> {
    c.wait_for("a RECEIPT", |heard| match heard {
        Heard::Frame(RawFrame::Receipt(taken)) => Some(*taken),
        _ => None,
    })
}

/// A RECEIPT of this count, past lower ones.
fn receipt_of(c: &mut Conversation<'_>, wanted: u64) -> Run {
    let mut before = 0;
    loop {
        let taken = receipt(c)?;
        if taken < before || taken > wanted {
            return Err(Fail::Behaviour(format!("RECEIPT({taken}) behind {before}")));
        }
        if taken == wanted {
            return Ok(());
        }
        before = taken;
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = counts();
    cases.extend(requests());
    cases.extend(knowledge());
    cases
}

fn counts() -> Vec<Case> {
    vec![
        breaks(
            "T-16/receipt-above-sent",
            "a count above what was sent is a violation",
            |c| c.say(&[RawFrame::Receipt(1)]),
        ),
        breaks(
            "T-16/receipt-falls",
            "a count that falls is a violation",
            |c| {
                sends(c, 2)?;
                c.say(&[RawFrame::Receipt(2)])?;
                c.say(&[RawFrame::Receipt(1)])
            },
        ),
        breaks(
            "T-16/stop-falls",
            "the count of STOP does not fall either",
            |c| {
                sends(c, 2)?;
                c.say(&[RawFrame::Receipt(2)])?;
                c.say(&[RawFrame::Stop(1)])
            },
        ),
        breaks(
            "T-16/stop-above-sent",
            "nor is it above what was sent",
            |c| c.say(&[RawFrame::Stop(1)]),
        ),
        must(
            "T-16/receipts-that-do-not-rise",
            "a count may be told again",
            |c| {
                c.echo()?;
                sends(c, 2)?;
                c.say(&[
                    RawFrame::Receipt(0),
                    RawFrame::Receipt(1),
                    RawFrame::Receipt(1),
                ])?;
                c.expect_alive()
            },
        ),
        breaks(
            "T-16/receipt-differs-from-stop",
            "no later count differs from STOP's",
            |c| {
                sends(c, 2)?;
                c.say(&[RawFrame::Stop(1), RawFrame::Receipt(2)])
            },
        ),
    ]
}

fn requests() -> Vec<Case> {
    vec![
        must(
            "T-17/request-is-answered",
            "a request is answered once all is taken",
            |c| {
                c.echo()?;
                sends(c, 3)?;
                c.say(&[RawFrame::ReceiptRequest])?;
                receipt_of(c, 3)
            },
        ),
        must(
            "T-17/request-before-any-message",
            "before any message the count told is 0: no answer is due",
            |c| {
                c.echo()?;
                c.say(&[RawFrame::ReceiptRequest])?;
                match c.hear(Duration::from_millis(300)) {
                    Heard::Silence | Heard::Frame(RawFrame::Receipt(0)) => {}
                    heard => return Err(Fail::Behaviour(format!("nothing sent, but {heard:?}"))),
                }
                c.expect_alive()
            },
        ),
        must(
            "T-17/waits-for-the-application",
            "taken is not arrived",
            |c| {
                c.manual()?;
                c.say(&[message(b"a"), message(b"b"), RawFrame::ReceiptRequest])?;
                match c.hear(Duration::from_millis(300)) {
                    Heard::Silence | Heard::Frame(RawFrame::Receipt(0)) => {}
                    heard => return Err(Fail::Behaviour(format!("untaken, but {heard:?}"))),
                }
                c.expect_taken(b"a")?;
                c.expect_taken(b"b")?;
                receipt_of(c, 2)
            },
        ),
        must(
            "T-17/steady-requests",
            "later requests do not keep the answer back",
            |c| {
                c.manual()?;
                c.say(&[message(b"a"), RawFrame::ReceiptRequest])?;
                for _ in 0..10 {
                    c.say(&[message(b"b"), RawFrame::ReceiptRequest])?;
                }
                c.expect_taken(b"a")?;
                receipt_of(c, 1)
            },
        ),
        must(
            "T-17/target-asks",
            "the application's request leaves",
            |c| {
                c.manual()?;
                send(c, b"x")?;
                c.ask(&Command::RequestReceipt)?;
                c.expect_message(b"x")?;
                c.expect_frame(&RawFrame::ReceiptRequest)
            },
        ),
    ]
}

/// Three messages of the target, its END, then what the kit says; the outcome is compared.
fn outcome_after(c: &mut Conversation<'_>, frames: &[RawFrame], wanted: (Outgoing, u64)) -> Run {
    c.manual()?;
    for number in 0..3_u8 {
        send(c, &[number])?;
        c.expect_message(&[number])?;
    }
    c.ask(&super::finish())?;
    c.expect_end()?;
    c.say(frames)?;
    // The PONG says that all was read before the transport ends.
    let ends = frames
        .iter()
        .any(|frame| matches!(frame, RawFrame::End(..)));
    if !ends {
        c.expect_alive()?;
        c.drop_link();
    }
    let outcome = c.outcome()?;
    match (outcome.outgoing, outcome.taken) == wanted {
        true => Ok(()),
        false => Err(Fail::Behaviour(format!("{outcome:?}, not {wanted:?}"))),
    }
}

fn knowledge() -> Vec<Case> {
    vec![
        must(
            "E-11/all-taken",
            "FINAL_RECEIPT for all says that all was taken",
            |c| {
                let frames = [RawFrame::FinalReceipt(3), super::end(0)];
                outcome_after(c, &frames, (Outgoing::All, 3))
            },
        ),
        must(
            "E-11/stopped",
            "STOP below says that exactly so many were",
            |c| outcome_after(c, &[RawFrame::Stop(1)], (Outgoing::Exactly, 1)),
        ),
        must(
            "E-11/final-receipt-below",
            "so does FINAL_RECEIPT below",
            |c| {
                let frames = [RawFrame::FinalReceipt(2), super::end(0)];
                outcome_after(c, &frames, (Outgoing::Exactly, 2))
            },
        ),
        must(
            "E-11/no-final-receipt",
            "a receipt alone says that at least so many were",
            |c| outcome_after(c, &[RawFrame::Receipt(3)], (Outgoing::AtLeast, 3)),
        ),
        must("E-11/last-receipt", "the last receipt counts", |c| {
            let frames = [RawFrame::Receipt(1), RawFrame::Receipt(2)];
            outcome_after(c, &frames, (Outgoing::AtLeast, 2))
        }),
    ]
}
