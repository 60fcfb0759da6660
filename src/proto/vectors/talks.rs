//! Conversations that keep to the rules: what this implementation says, and what it merely takes.

use std::time::{Duration, Instant};

use super::{
    file::{Body, Conversation, From, Hex, Outcomes, Proven, Record, Vector},
    script::{Script, Witness},
    shaken::{Party, Stage, conversation, initiator, responder, take_body},
    talk::{Talk, offer},
};
use crate::{
    noise::{Pattern, Suite},
    proto::Step,
    wire::{Code, Frame, Params},
};

use From::{Initiator, Responder};

pub(super) fn vectors() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for suite in Suite::ALL {
        let name = |what: &str| format!("{what}, {suite}");
        let vector = |what: &str, clause: &str, made: Conversation| {
            Vector::new(name(what), clause, Body::Conversation(made))
        };
        vectors.push(vector("every word of a sender", "T-12", every_word(suite)));
        vectors.push(vector(
            "rekeying in both directions",
            "T-10",
            rekeying(suite),
        ));
        if suite.is_hybrid() {
            continue;
        }
        vectors.push(vector("messages in pieces", "T-7", pieces(suite)));
        vectors.push(vector("receipts", "T-17", receipts(suite)));
        vectors.push(vector("what a sender need not say", "T-12", unusual(suite)));
        vectors.push(vector("an abort", "E-9", abort(suite)));
        vectors.push(vector("a refused initiator", "H-16", refused(suite)));
        vectors.push(vector("a whole budget", "L-1", budget(suite)));
    }
    vectors
}

/// Messages, PING and PONG, DRAIN, requests, receipts, and an end.
fn every_word(suite: Suite) -> Conversation {
    let mut talk = Talk::new(suite);
    talk.message(Initiator, b"alone");
    talk.message(Responder, b"");
    talk.say(Initiator, |channel, now| {
        offer(channel, b"two", now);
        offer(channel, b"in one batch", now);
        channel.send.request_receipt(now).unwrap();
        channel.send.ping(now).unwrap();
    });
    talk.carry(Responder);
    talk.take(Responder);
    talk.carry(Responder);
    talk.say(Responder, |channel, now| {
        channel.send.drain(Duration::from_secs(30), now).unwrap();
    });
    talk.message(Initiator, b"last");
    talk.finish(Responder, Code::GOING_AWAY, "until tomorrow");
    talk.finish(Initiator, Code::application(7), "");
    talk.take(Initiator);
    talk.take(Responder);
    talk.settle();
    talk.made()
}

/// Both sides rekey, out of step with each other and while messages flow.
fn rekeying(suite: Suite) -> Conversation {
    let mut talk = Talk::new(suite);
    let rekey = |talk: &mut Talk, from| {
        talk.say(from, |channel, now| channel.send.rekey_now(now).unwrap());
    };
    talk.message(Initiator, b"first key");
    rekey(&mut talk, Initiator);
    talk.message(Responder, b"first key");
    talk.message(Initiator, b"second key");
    rekey(&mut talk, Responder);
    rekey(&mut talk, Initiator);
    talk.message(Responder, b"second key");
    talk.message(Initiator, b"third key");
    // Both at once: neither has read the other's REKEY.
    let now = talk.now;
    for side in From::BOTH {
        talk.channel(side).send.rekey_now(now).unwrap();
    }
    From::BOTH.into_iter().for_each(|side| talk.carry(side));
    talk.message(Responder, b"third key");
    talk.message(Initiator, b"fourth key");
    talk.made()
}

/// A message of three pieces with an answer between them, one withdrawn, and one of a whole record.
fn pieces(suite: Suite) -> Conversation {
    let mut script = Script::open(suite);
    let long: Vec<u8> = (0..=255).collect();
    script.piece(Initiator, &long);
    script.frames(Responder, &[Frame::Ping(1_u64.to_be_bytes())]);
    script.frames(Initiator, &[Frame::Pong(1_u64.to_be_bytes())]);
    script.piece(Initiator, b"middle");
    script.frames(Initiator, &[Frame::Receipt { taken: 0 }, Frame::Rekey]);
    script.message(Initiator, b"end");
    script.piece(Initiator, b"never");
    script.frames(Initiator, &[Frame::Discard, Frame::Message(b"instead")]);
    script.piece(Initiator, b"the last piece is empty");
    script.message(Initiator, b"");
    script.message(Initiator, &long);
    script.piece(Initiator, b"withdrawn by the end");
    let end = Frame::End {
        sent: 4,
        code: Code::NONE,
        reason: "",
    };
    script.frames(Initiator, &[Frame::Discard, end]);
    taken_to_the_end(script)
}

/// The responder takes all that the initiator has ended, and ends too.
fn taken_to_the_end(mut script: Script) -> Conversation {
    let sent = 4;
    script.frames(Responder, &[Frame::FinalReceipt { taken: sent }]);
    let end = Frame::End {
        sent: 0,
        code: Code::NONE,
        reason: "",
    };
    script.frames(Responder, &[end]);
    script.frames(Initiator, &[Frame::FinalReceipt { taken: 0 }]);
    script.made.outcome = Some(Outcomes::new([
        Proven::new("delivered 4", "complete 0"),
        Proven::new("delivered 0", "complete 4"),
    ]));
    script.made
}

/// Requests are answered once what stood before them is taken; then the rest is stopped.
fn receipts(suite: Suite) -> Conversation {
    let mut talk = Talk::new(suite);
    let request = |talk: &mut Talk| {
        talk.say(Initiator, |channel, now| {
            channel.send.request_receipt(now).unwrap()
        });
    };
    talk.message(Initiator, b"one");
    request(&mut talk);
    talk.message(Initiator, b"two");
    request(&mut talk);
    // Both requests have come; one receipt answers them.
    talk.take(Responder);
    talk.carry(Responder);
    talk.message(Initiator, b"three");
    request(&mut talk);
    talk.take(Responder);
    talk.carry(Responder);
    talk.message(Initiator, b"four");
    talk.stop(Responder);
    talk.settle();
    talk.finish(Initiator, Code::NONE, "");
    talk.settle();
    talk.finish(Responder, Code::NONE, "");
    talk.settle();
    talk.made()
}

/// Allowed, though this implementation does not say it like this.
#[expect(clippy::too_many_lines, reason = "a table")]
fn unusual(suite: Suite) -> Conversation {
    let mut script = Script::new(suite);
    let bytes = script.params_bytes(&Params::default());
    let unknown = [&[0xf7, 0x77, 3, 1, 2, 3], bytes.as_slice()].concat();
    script.frames(
        Initiator,
        &[Frame::Params(&unknown), Frame::Padding { zeros: 9 }],
    );
    script.frames(
        Responder,
        &[Frame::Params(&bytes), Frame::Padding { zeros: 0 }],
    );
    script.frames(Initiator, &[Frame::Padding { zeros: 40 }]);
    script.frames(
        Responder,
        &[Frame::Receipt { taken: 0 }, Frame::Receipt { taken: 0 }],
    );
    script.frames(
        Initiator,
        &[Frame::Message(b"padded"), Frame::Padding { zeros: 3 }],
    );
    script.frames(Initiator, &[Frame::Rekey, Frame::Padding { zeros: 20 }]);
    script.frames(Initiator, &[Frame::ReceiptRequest, Frame::ReceiptRequest]);
    script.frames(
        Responder,
        &[
            Frame::Receipt { taken: 1 },
            Frame::Message(b"behind a receipt"),
        ],
    );
    let drain = Frame::Drain { milliseconds: 0 };
    script.frames(
        Initiator,
        &[Frame::Message(&[7; 300]), drain, Frame::Message(b"")],
    );
    script.piece(Initiator, b"three words between two pieces");
    script.frames(
        Initiator,
        &[
            Frame::Ping(1_u64.to_be_bytes()),
            Frame::Receipt { taken: 1 },
        ],
    );
    script.frames(Initiator, &[Frame::Rekey]);
    script.message(Initiator, b".");
    script.frames(
        Responder,
        &[Frame::Pong(1_u64.to_be_bytes()), Frame::Stop { taken: 1 }],
    );
    let end = Frame::End {
        sent: 4,
        code: Code::application(u32::MAX - 256),
        reason: "ä",
    };
    script.frames(Initiator, &[end, Frame::Padding { zeros: 1 }]);
    script.frames(Responder, &[Frame::Receipt { taken: 1 }]);
    script.frames(Responder, &[Frame::FinalReceipt { taken: 1 }]);
    script.made.outcome = Some(Outcomes::new([
        Proven::new("partial 1 of 4", "truncated 1"),
        Proven::new("unconfirmed 1 of 1", "stopped 1 of 4"),
    ]));
    script.made
}

/// As much as costs while nothing is earned, and as much as is earned by messages.
fn budget(suite: Suite) -> Conversation {
    let mut script = Script::new(suite);
    // The largest record 0 there may be: 4,096 bytes with its kind.
    let bytes = script.params_bytes(&Params::default());
    let zeros = 4_096 - 1 - (bytes.len() + 2) - 1;
    for from in From::BOTH {
        script.frames(from, &[Frame::Params(&bytes), Frame::Padding { zeros }]);
    }
    script.frames(Initiator, &[Frame::ReceiptRequest; 32]);
    script.frames(Initiator, &[Frame::Message(b"earns one")]);
    script.frames(Initiator, &[Frame::Padding { zeros: 0 }]);
    script.piece(Initiator, &[1; 1_024]);
    script.piece(Initiator, &[2; 1_023]);
    script.message(Initiator, &[]);
    script.frames(Initiator, &[Frame::Rekey]);
    // The last piece earns by its bytes as well, and so does one that is withdrawn.
    script.piece(Initiator, &[3; 2_024]);
    script.message(Initiator, &[4; 1_049]);
    script.frames(Initiator, &[Frame::ReceiptRequest; 5]);
    script.piece(Initiator, &[5; 1_024]);
    script.frames(Initiator, &[Frame::Discard, Frame::Rekey]);
    let end = Frame::End {
        sent: 3,
        code: Code::NONE,
        reason: "",
    };
    script.frames(Initiator, &[end]);
    script.made.outcome = Some(Outcomes::new([
        Proven::new("unconfirmed 0 of 3", "truncated 0"),
        Proven::new("unconfirmed 0 of 0", "ended 3"),
    ]));
    script.made
}

/// The responder does not accept the initiator's key.
fn refused(suite: Suite) -> Conversation {
    let now = Instant::now();
    let [alice, bob] = Party::both(suite, Pattern::Xx);
    let mut out = Vec::new();
    let left = initiator(&alice.config, None, &mut out);
    let mut answer = Vec::new();
    let right = responder(&bob.config);
    let right = right.feed(&out, &mut answer, now).unwrap();
    out.clear();
    left.feed(&answer, &mut out, now).unwrap();
    answer.clear();
    let Stage::Shaking(right) = right else {
        panic!("established");
    };
    let Ok(Step::Judge(judging)) = right.step(&mut out.as_slice(), &mut answer, now) else {
        panic!("no verdict is asked for");
    };
    judging.refuse(&mut answer);
    take_body(&mut out);
    let mut made = conversation(suite);
    for (from, record) in From::BOTH.into_iter().zip([out, answer]) {
        let plaintext = Witness::new(suite, &made.keys[from.index()]).open(&record);
        made.records.push(Record {
            from,
            plaintext: Some(Hex(plaintext)),
            record: Hex(record),
        });
    }
    made.outcome = Some(Outcomes::new([
        Proven::new("unconfirmed 0 of 0", "truncated 0"),
        Proven::new("unconfirmed 0 of 0", "truncated 0"),
    ]));
    made
}

/// What came before an ABORT is whole.
fn abort(suite: Suite) -> Conversation {
    let mut script = Script::open(suite);
    script.message(Responder, b"one");
    let abort = Frame::Abort {
        code: Code::INTERNAL,
        reason: "out of paper",
    };
    script.frames(
        Responder,
        &[Frame::Message(b"two"), abort, Frame::Padding { zeros: 2 }],
    );
    script.made.outcome = Some(Outcomes::new([
        Proven::new("unconfirmed 0 of 0", "truncated 2"),
        Proven::new("unconfirmed 0 of 2", "truncated 0"),
    ]));
    script.made
}
