//! Conversations whose last record breaks a rule: answers, receipts, ends and the budget.

use super::{
    file::{From, Vector},
    wrong::{end, violation},
};
use crate::wire::Frame;

use From::{Initiator, Responder};

pub(super) fn vectors() -> Vec<Vector> {
    [pings(), receipts(), ends(), behind_end(), stops(), budget()].concat()
}

const fn ping(number: u64) -> Frame<'static> {
    Frame::Ping(number.to_be_bytes())
}

const fn pong(number: u64) -> Frame<'static> {
    Frame::Pong(number.to_be_bytes())
}

const fn receipt(taken: u64) -> Frame<'static> {
    Frame::Receipt { taken }
}

const fn final_receipt(taken: u64) -> Frame<'static> {
    Frame::FinalReceipt { taken }
}

const fn stop(taken: u64) -> Frame<'static> {
    Frame::Stop { taken }
}

fn pings() -> Vec<Vector> {
    vec![
        violation("PING before the answer to the one before", "T-15", |s| {
            s.frames(Initiator, &[ping(1)]);
            s.frames(Initiator, &[ping(2)]);
        }),
        violation("PING twice in a record", "T-15", |s| {
            s.frames(Responder, &[ping(1), ping(2)]);
        }),
        violation("PONG to nothing", "T-15", |s| {
            s.frames(Initiator, &[pong(0)])
        }),
        violation("PONG with other bytes", "T-15", |s| {
            s.frames(Responder, &[ping(1)]);
            s.frames(Initiator, &[pong(2)]);
        }),
        violation("PONG twice", "T-15", |s| {
            s.frames(Responder, &[ping(1)]);
            s.frames(Initiator, &[pong(1)]);
            s.frames(Initiator, &[pong(1)]);
        }),
        violation("PONG to one's own PING", "T-15", |s| {
            s.frames(Initiator, &[ping(1)]);
            s.frames(Initiator, &[pong(1)]);
        }),
        violation("DRAIN twice", "T-18", |s| {
            let drain = Frame::Drain { milliseconds: 1 };
            s.frames(Initiator, &[drain]);
            s.frames(Initiator, &[drain]);
        }),
    ]
}

fn receipts() -> Vec<Vector> {
    let counted = |name: &str, clause: &str, say: &dyn Fn(&mut super::script::Script)| {
        violation(name, clause, |s| {
            s.message(Initiator, b"1");
            s.frames(Initiator, &[Frame::Message(b"2"), Frame::Message(b"3")]);
            say(s);
        })
    };
    vec![
        counted("RECEIPT that falls", "T-16", &|s| {
            s.frames(Responder, &[receipt(2)]);
            s.frames(Responder, &[receipt(1)]);
        }),
        counted("RECEIPT of more than was sent", "T-16", &|s| {
            s.frames(Responder, &[receipt(4)]);
        }),
        counted("RECEIPT that counts a message in pieces", "T-16", &|s| {
            s.piece(Initiator, b"begun");
            s.frames(Responder, &[receipt(4)]);
        }),
        violation("RECEIPT of nothing", "T-16", |s| {
            s.frames(Initiator, &[receipt(1)])
        }),
        counted("STOP below a RECEIPT", "T-16", &|s| {
            s.frames(Responder, &[receipt(2)]);
            s.frames(Responder, &[stop(1)]);
        }),
        counted("STOP above what was sent", "T-16", &|s| {
            s.frames(Responder, &[stop(4)])
        }),
        counted("FINAL_RECEIPT below a RECEIPT", "T-16", &|s| {
            s.frames(Responder, &[receipt(3)]);
            s.frames(Initiator, &[end(3)]);
            s.frames(Responder, &[final_receipt(2)]);
        }),
        counted("FINAL_RECEIPT above what was sent", "T-16", &|s| {
            s.frames(Initiator, &[end(3)]);
            s.frames(Responder, &[final_receipt(4)]);
        }),
    ]
}

fn ends() -> Vec<Vector> {
    vec![
        violation("END that counts too many", "E-1", |s| {
            s.frames(Initiator, &[end(1)])
        }),
        violation("END that counts too few", "E-1", |s| {
            s.message(Responder, b"1");
            s.frames(Responder, &[Frame::Message(b"2"), end(1)]);
        }),
        violation("END that counts a withdrawn message", "E-1", |s| {
            s.piece(Initiator, b"begun");
            s.frames(Initiator, &[Frame::Discard, end(1)]);
        }),
        violation("FINAL_RECEIPT before END", "E-7", |s| {
            s.frames(Initiator, &[final_receipt(0)])
        }),
        violation("FINAL_RECEIPT before END though all is taken", "E-7", |s| {
            s.message(Initiator, b"1");
            s.frames(Responder, &[receipt(1), end(0)]);
            s.frames(Responder, &[final_receipt(1)]);
        }),
        violation("FINAL_RECEIPT twice", "E-7", |s| {
            s.frames(Initiator, &[end(0)]);
            s.frames(Responder, &[final_receipt(0)]);
            s.frames(Responder, &[final_receipt(0)]);
        }),
        violation("RECEIPT behind FINAL_RECEIPT", "E-7", |s| {
            s.message(Initiator, b"1");
            s.frames(Initiator, &[end(1)]);
            s.frames(Responder, &[final_receipt(1), receipt(1)]);
        }),
        violation("STOP behind FINAL_RECEIPT", "E-7", |s| {
            s.frames(Initiator, &[end(0)]);
            s.frames(Responder, &[final_receipt(0)]);
            s.frames(Responder, &[stop(0)]);
        }),
    ]
}

/// END is a direction's last word on messages.
fn behind_end() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (what, frame) in [
        ("MESSAGE", Frame::Message(b"late")),
        ("END", end(0)),
        ("RECEIPT_REQUEST", Frame::ReceiptRequest),
        ("DRAIN", Frame::Drain { milliseconds: 9 }),
        ("DISCARD", Frame::Discard),
    ] {
        vectors.push(violation(&format!("{what} behind END"), "E-3", |s| {
            s.frames(Initiator, &[end(0)]);
            s.frames(Initiator, &[frame]);
        }));
        vectors.push(violation(
            &format!("{what} behind END in its record"),
            "E-3",
            |s| {
                s.frames(Responder, &[end(0), frame]);
            },
        ));
    }
    vectors.push(violation("a message record behind END", "E-3", |s| {
        s.frames(Initiator, &[end(0)]);
        s.message(Initiator, b"late");
    }));
    vectors.push(violation("a piece behind END", "E-3", |s| {
        s.frames(Initiator, &[end(0)]);
        s.piece(Initiator, &[1; 2_000]);
    }));
    vectors.push(violation("a message behind both ENDs", "E-3", |s| {
        s.frames(Initiator, &[end(0)]);
        s.frames(Responder, &[final_receipt(0), end(0)]);
        s.message(Initiator, b"late");
    }));
    vectors.push(violation("PARAMS behind END", "H-20", |s| {
        s.frames(Initiator, &[end(0)]);
        s.frames(Initiator, &[Frame::Params(b"")]);
    }));
    vectors
}

fn stops() -> Vec<Vector> {
    let stopped = |name: &str, clause: &str, say: &dyn Fn(&mut super::script::Script)| {
        violation(name, clause, |s| {
            s.frames(Initiator, &[Frame::Message(b"1"), Frame::Message(b"2")]);
            s.frames(Responder, &[stop(1)]);
            say(s);
        })
    };
    vec![
        stopped("STOP twice", "E-4", &|s| s.frames(Responder, &[stop(1)])),
        stopped("STOP twice with another count", "E-5", &|s| {
            s.frames(Responder, &[stop(2)])
        }),
        stopped("RECEIPT above STOP", "E-5", &|s| {
            s.frames(Responder, &[receipt(2)])
        }),
        stopped("RECEIPT below STOP", "T-16", &|s| {
            s.frames(Responder, &[receipt(0)])
        }),
        stopped("FINAL_RECEIPT above STOP", "E-5", &|s| {
            s.frames(Initiator, &[end(2)]);
            s.frames(Responder, &[final_receipt(2)]);
        }),
    ]
}

/// One more than the budget bears, without a message that earns.
fn budget() -> Vec<Vector> {
    vec![
        violation("33 RECEIPT_REQUESTs", "L-1", |s| {
            s.frames(Initiator, &[Frame::ReceiptRequest; 33]);
        }),
        violation("33 RECEIPTs that do not rise", "L-1", |s| {
            s.frames(Initiator, &[receipt(0); 33]);
        }),
        violation("33 records of PADDING", "L-1", |s| {
            (0..33).for_each(|_n| s.frames(Initiator, &[Frame::Padding { zeros: 0 }]));
        }),
        violation("33 REKEYs", "L-1", |s| {
            (0..33).for_each(|_n| s.frames(Responder, &[Frame::Rekey]));
        }),
        violation("33 small pieces", "L-1", |s| {
            (0..33).for_each(|_n| s.piece(Initiator, b"x"));
        }),
        violation("33 PINGs", "L-1", |s| {
            for number in 1..=32 {
                s.frames(Initiator, &[ping(number)]);
                s.frames(Responder, &[pong(number)]);
            }
            s.frames(Initiator, &[ping(33)]);
        }),
        violation("a DRAIN beyond the budget", "L-1", |s| {
            let drain = Frame::Drain { milliseconds: 9 };
            s.frames(
                Initiator,
                &[&[Frame::ReceiptRequest; 32][..], &[drain]].concat(),
            );
        }),
    ]
}
