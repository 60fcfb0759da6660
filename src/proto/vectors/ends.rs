//! Every order in which a conversation ends, and the ends that are cut off.

use super::{
    file::{Body, From, Outcomes, Proven, Vector},
    script::Script,
    talk::Talk,
};
use crate::{
    noise::Suite,
    wire::{Code, Frame},
};

use From::{Initiator, Responder};

const SUITE: Suite = Suite::ChaChaPoly;

/// What an application does at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Ends(From),
    Takes(From),
    Stops(From),
}

impl Act {
    fn name(self) -> String {
        let (side, verb) = match self {
            Self::Ends(side) => (side, "ends"),
            Self::Takes(side) => (side, "takes"),
            Self::Stops(side) => (side, "stops"),
        };
        format!("{side:?} {verb}").to_lowercase()
    }

    fn of(self, talk: &mut Talk) {
        match self {
            Self::Ends(side) => talk.finish(side, Code::NONE, ""),
            Self::Takes(side) => talk.take(side),
            Self::Stops(side) => talk.stop(side),
        }
        talk.settle();
    }
}

pub(super) fn vectors() -> Vec<Vector> {
    let mut vectors: Vec<Vector> = Vec::new();
    for initiator in [Act::Takes(Initiator), Act::Stops(Initiator)] {
        for responder in [Act::Takes(Responder), Act::Stops(Responder)] {
            let acts = [
                Act::Ends(Initiator),
                Act::Ends(Responder),
                initiator,
                responder,
            ];
            for order in orders(&acts) {
                vectors.push(ended(&order));
            }
        }
    }
    for length in 0..4 {
        let order = [
            Act::Ends(Initiator),
            Act::Takes(Responder),
            Act::Ends(Responder),
            Act::Takes(Initiator),
        ];
        vectors.push(ended(&order[..length]));
        let order = [
            Act::Stops(Responder),
            Act::Ends(Responder),
            Act::Ends(Initiator),
        ];
        vectors.push(ended(&order[..length.min(3)]));
    }
    keep_first(&mut vectors);
    vectors.push(crossing());
    vectors.push(aborted());
    vectors.push(together());
    vectors
}

/// Taking leaves no record by itself: of orders with the same records, the first stays.
fn keep_first(vectors: &mut Vec<Vector>) {
    let mut seen = Vec::new();
    vectors.retain(|vector| {
        let Body::Conversation(conversation) = &vector.body else {
            return true;
        };
        let new = !seen.contains(conversation);
        if new {
            seen.push(conversation.clone());
        }
        new
    });
}

/// Every order of these acts.
fn orders(acts: &[Act]) -> Vec<Vec<Act>> {
    if acts.is_empty() {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for (index, first) in acts.iter().enumerate() {
        let rest = [&acts[..index], &acts[index + 1..]].concat();
        for order in self::orders(&rest) {
            orders.push([vec![*first], order].concat());
        }
    }
    orders
}

/// A message each way, and then these acts; what is behind them is cut off.
fn ended(acts: &[Act]) -> Vector {
    let mut talk = Talk::new(SUITE);
    talk.message(Initiator, b"1");
    talk.message(Responder, b"2");
    acts.iter().for_each(|act| act.of(&mut talk));
    let names: Vec<String> = acts.iter().map(|act| act.name()).collect();
    let name = if acts.is_empty() {
        "nobody ends".to_owned()
    } else {
        names.join(", ")
    };
    let clause = if acts.len() < 4 { "E-10" } else { "E-8" };
    Vector::new(name, clause, Body::Conversation(talk.made()))
}

fn end(sent: u64) -> Frame<'static> {
    Frame::End {
        sent,
        code: Code::NONE,
        reason: "",
    }
}

/// A message that was under way when STOP was said is not counted.
fn crossing() -> Vector {
    let mut script = Script::open(SUITE);
    script.message(Initiator, b"1");
    script.frames(Responder, &[Frame::Stop { taken: 1 }]);
    script.message(Initiator, b"2");
    script.piece(Initiator, b"3, withdrawn");
    script.frames(Initiator, &[Frame::Discard, end(2)]);
    script.frames(Responder, &[Frame::FinalReceipt { taken: 1 }, end(0)]);
    script.frames(Initiator, &[Frame::FinalReceipt { taken: 0 }]);
    // The initiator has not read STOP when it sends: not in this order.
    script.made.outcome = Some(Outcomes {
        initiator: None,
        responder: Some(Proven::new("delivered 0", "stopped 1 of 2")),
    });
    let name = "a message under way when the responder stops";
    Vector::new(name, "E-5", Body::Conversation(script.made))
}

/// An END once read is not undone by an ABORT.
fn aborted() -> Vector {
    let mut script = Script::open(SUITE);
    script.frames(Initiator, &[Frame::Message(b"1"), end(1)]);
    let abort = Frame::Abort {
        code: Code::TIMEOUT,
        reason: "",
    };
    script.frames(Initiator, &[abort]);
    script.made.outcome = Some(Outcomes::new([
        Proven::new("unconfirmed 0 of 1", "truncated 0"),
        Proven::new("unconfirmed 0 of 0", "ended 1"),
    ]));
    let name = "the initiator ends, then aborts";
    Vector::new(name, "E-12", Body::Conversation(script.made))
}

/// All of the last words in one record each.
fn together() -> Vector {
    let mut script = Script::open(SUITE);
    script.frames(Initiator, &[Frame::Message(b"1"), end(1)]);
    script.frames(
        Responder,
        &[
            Frame::Message(b"2"),
            Frame::FinalReceipt { taken: 1 },
            end(1),
        ],
    );
    script.frames(
        Initiator,
        &[
            Frame::Receipt { taken: 1 },
            Frame::FinalReceipt { taken: 1 },
        ],
    );
    script.made.outcome = Some(Outcomes::new([
        Proven::new("delivered 1", "complete 1"),
        Proven::new("delivered 1", "complete 1"),
    ]));
    let name = "everything in three records";
    Vector::new(name, "E-8", Body::Conversation(script.made))
}
