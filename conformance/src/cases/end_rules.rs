//! What the peer may not do about the end (spec: section 6).

use super::{breaks, breaks_by, end, message};
use crate::case::{Case, must};
use crate::conversation::Setup;
use crate::raw_peer::{RawFrame, RawRecord};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = behind_end();
    cases.extend(confirmations());
    cases
}

fn behind_end() -> Vec<Case> {
    let behind =
        |id, frame| breaks_by(id, "nothing like it stands behind END", vec![end(0), frame]);
    vec![
        breaks_by(
            "E-1/count-too-high",
            "END counts what came, not more",
            vec![end(1)],
        ),
        breaks("E-1/count-too-low", "END counts what came, not less", |c| {
            c.say(&[message(b"one"), end(0)])
        }),
        breaks(
            "E-1/count-of-withdrawn",
            "withdrawn messages are not counted",
            |c| {
                c.put(&RawRecord::Piece(vec![1; 2000]))?;
                c.say(&[RawFrame::Discard, end(1)])
            },
        ),
        behind("E-3/message-behind-end", message(b"late")),
        behind("E-3/end-twice", end(0)),
        behind("E-3/discard-behind-end", RawFrame::Discard),
        behind("E-3/request-behind-end", RawFrame::ReceiptRequest),
        behind("E-3/drain-behind-end", RawFrame::Drain(1)),
        behind("E-3/params-behind-end", RawFrame::Params(vec![])),
        breaks(
            "E-3/message-record-behind-end",
            "nothing like it stands behind END",
            |c| {
                c.say(&[end(0)])?;
                c.put(&RawRecord::Message(b"late".to_vec()))
            },
        ),
        breaks(
            "E-3/piece-behind-end",
            "nothing like it stands behind END",
            |c| {
                c.say(&[end(0)])?;
                c.put(&RawRecord::Piece(vec![1; 2000]))
            },
        ),
        must(
            "E-3/control-behind-end",
            "PING and PADDING may stand behind END",
            |c| {
                c.manual()?;
                c.say(&[end(0)])?;
                c.say(&[RawFrame::Padding(3)])?;
                c.expect_alive()
            },
        ),
    ]
}

fn confirmations() -> Vec<Case> {
    // The target has ended its direction, the kit has not: the session stays open.
    let ended = |id, says, frames: Vec<RawFrame>| {
        must(id, says, move |c| {
            c.establish(&Setup::any().manual())?;
            c.ask(&super::finish())?;
            c.expect_end()?;
            c.say(&frames)?;
            c.expect_violation()
        })
    };
    let receipt = RawFrame::FinalReceipt;
    vec![
        breaks_by("E-4/stop-twice", "a second STOP is a violation", {
            vec![RawFrame::Stop(0), RawFrame::Stop(0)]
        }),
        breaks_by(
            "E-7/final-receipt-before-end",
            "FINAL_RECEIPT waits for our END",
            vec![receipt(0)],
        ),
        ended(
            "E-7/final-receipt-twice",
            "FINAL_RECEIPT comes once",
            vec![receipt(0), receipt(0)],
        ),
        ended(
            "E-7/stop-behind-final-receipt",
            "no STOP behind FINAL_RECEIPT",
            vec![receipt(0), RawFrame::Stop(0)],
        ),
        ended(
            "E-7/receipt-behind-final-receipt",
            "no RECEIPT behind FINAL_RECEIPT",
            vec![receipt(0), RawFrame::Receipt(0)],
        ),
        ended(
            "T-16/final-receipt-above-sent",
            "FINAL_RECEIPT is not above what was sent",
            vec![receipt(1)],
        ),
        must(
            "E-6/differs-from-stop",
            "FINAL_RECEIPT repeats the count of STOP",
            |c| {
                c.establish(&Setup::any().manual())?;
                super::send(c, b"one")?;
                c.expect_message(b"one")?;
                c.say(&[RawFrame::Stop(0)])?;
                c.expect_alive()?;
                c.ask(&super::finish())?;
                c.expect_end()?;
                c.say(&[RawFrame::FinalReceipt(1)])?;
                c.expect_violation()
            },
        ),
    ]
}
