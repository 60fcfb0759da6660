//! Conversations that keep to the rules: what this implementation says, and what it merely takes.

use std::time::{Duration, Instant};

use super::{
    file::{Body, Conversation, From, Hex, Outcomes, Proven, Record, Vector},
    script::{Script, Witness},
    shaken::{Party, conversation, shake},
};
use crate::{
    noise::{Pattern, Suite},
    proto::{Channel, Offered, Processed, Progress, Received, Sent},
    wire::{Code, Frame, Kind, Params, split_kind},
};

use From::{Initiator, Responder};

/// Two of our own channels, and what passes between them.
pub(super) struct Stage {
    pub(super) channels: [Channel; 2],
    now: Instant,
    witnesses: [Witness; 2],
    made: Conversation,
}

impl Stage {
    pub(super) fn new(suite: Suite) -> Self {
        let now = Instant::now();
        let shaken = shake(Pattern::Xx, &Party::both(suite, Pattern::Xx), now);
        let made = conversation(suite);
        let mut this = Self {
            witnesses: made.keys.each_ref().map(|key| Witness::new(suite, key)),
            channels: shaken.channels,
            now,
            made,
        };
        for (from, record) in From::BOTH.into_iter().zip(shaken.first) {
            this.note(from, record);
        }
        this
    }

    fn note(&mut self, from: From, record: Vec<u8>) {
        let plaintext = self.witnesses[from.index()].open(&record);
        self.made.records.push(Record {
            from,
            plaintext: Some(Hex(plaintext)),
            record: Hex(record),
        });
    }

    pub(super) fn channel(&mut self, side: From) -> &mut Channel {
        &mut self.channels[side.index()]
    }

    fn say(&mut self, from: From, say: impl FnOnce(&mut Channel, Instant)) {
        let now = self.now;
        say(self.channel(from), now);
        self.carry(from);
    }

    pub(super) fn message(&mut self, from: From, message: &[u8]) {
        self.say(from, |channel, now| offer(channel, message, now));
    }

    pub(super) fn finish(&mut self, from: From, code: Code, reason: &str) {
        self.say(from, |channel, now| {
            channel.send.finish(code, reason, now).unwrap()
        });
    }

    /// The application takes what has come.
    pub(super) fn take(&mut self, side: From) {
        let receive = &mut self.channel(side).receive;
        while receive.take().is_some() {}
        self.heed(side);
    }

    pub(super) fn stop(&mut self, side: From) {
        self.channel(side).receive.stop_taking();
        self.heed(side);
    }

    fn heed(&mut self, side: From) {
        let now = self.now;
        let channel = self.channel(side);
        if let Some(notices) = channel.receive.notices() {
            channel.send.heed(notices, now);
        }
    }

    /// Brings over what a side has to say, if it has anything to say.
    pub(super) fn carry(&mut self, from: From) {
        let now = self.now;
        let send = &mut self.channel(from).send;
        send.flush(now).unwrap();
        let mut bytes = send.pending().to_vec();
        send.written(bytes.len());
        while !bytes.is_empty() {
            let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) + 2;
            let record: Vec<u8> = bytes.drain(..length).collect();
            let reader = self.channel(from.other());
            reader.receive.input().extend_from_slice(&record);
            let facts = reader.send.facts();
            while reader.receive.process(&facts, now, 16) == Processed::Busy {}
            self.note(from, record);
        }
        self.heed(from.other());
    }

    /// Brings over everything until nobody has anything to say.
    pub(super) fn settle(&mut self) {
        let mut before = 0;
        while self.made.records.len() > before {
            before = self.made.records.len();
            From::BOTH.into_iter().for_each(|side| self.carry(side));
        }
    }

    /// The conversation so far, and what each side reports of it when nothing follows.
    pub(super) fn made(mut self) -> Conversation {
        let both = From::BOTH.map(|side| {
            let confirms = confirms(&self.made.records, side);
            proven(self.channel(side), confirms)
        });
        self.made.outcome = Some(Outcomes::new(both));
        self.made
    }
}

fn offer(channel: &mut Channel, message: &[u8], now: Instant) {
    let offered = channel.send.offer(message, &mut Progress::default(), now);
    assert_eq!(offered, Ok(Offered::Whole));
}

/// Whether a side has said FINAL_RECEIPT.
pub(super) fn confirms(records: &[Record], side: From) -> bool {
    let own = records.iter().filter(|record| record.from == side);
    let mut plaintexts = own.filter_map(|record| record.plaintext.as_ref());
    plaintexts.any(|plaintext| {
        let Ok((mut body, Kind::Batch)) = split_kind(&plaintext.0) else {
            return false;
        };
        std::iter::from_fn(|| Frame::take(&mut body).ok())
            .any(|frame| matches!(frame, Frame::FinalReceipt { .. }))
    })
}

/// What is proven to a side, in the words of the format.
pub(super) fn proven(channel: &Channel, confirms: bool) -> Proven {
    let sent = match channel.send.sent() {
        Sent::Delivered(all) => format!("delivered {all}"),
        Sent::Partial { taken, sent } => format!("partial {taken} of {sent}"),
        Sent::Unconfirmed { taken, sent } => format!("unconfirmed {taken} of {sent}"),
    };
    let received = match channel.receive.received() {
        Received::Truncated { arrived, .. } => format!("truncated {arrived}"),
        // Until FINAL_RECEIPT is said, how much is taken is the application's affair.
        Received::Complete(sent) | Received::Stopped { sent, .. } if !confirms => {
            format!("ended {sent}")
        }
        Received::Complete(all) => format!("complete {all}"),
        Received::Stopped { taken, sent } => format!("stopped {taken} of {sent}"),
    };
    Proven { sent, received }
}

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
        vectors.push(vector("a whole budget", "L-1", budget(suite)));
    }
    vectors
}

/// Messages, PING and PONG, DRAIN, requests, receipts, and an end.
fn every_word(suite: Suite) -> Conversation {
    let mut stage = Stage::new(suite);
    stage.message(Initiator, b"alone");
    stage.message(Responder, b"");
    stage.say(Initiator, |channel, now| {
        offer(channel, b"two", now);
        offer(channel, b"in one batch", now);
        channel.send.request_receipt(now).unwrap();
        channel.send.ping(now).unwrap();
    });
    stage.carry(Responder);
    stage.take(Responder);
    stage.carry(Responder);
    stage.say(Responder, |channel, now| {
        channel.send.drain(Duration::from_secs(30), now).unwrap();
    });
    stage.message(Initiator, b"last");
    stage.finish(Responder, Code::GOING_AWAY, "until tomorrow");
    stage.finish(Initiator, Code::application(7), "");
    stage.take(Initiator);
    stage.take(Responder);
    stage.settle();
    stage.made()
}

/// Both sides rekey, out of step with each other and while messages flow.
fn rekeying(suite: Suite) -> Conversation {
    let mut stage = Stage::new(suite);
    let rekey = |stage: &mut Stage, from| {
        stage.say(from, |channel, now| channel.send.rekey_now(now).unwrap());
    };
    stage.message(Initiator, b"first key");
    rekey(&mut stage, Initiator);
    stage.message(Responder, b"first key");
    stage.message(Initiator, b"second key");
    rekey(&mut stage, Responder);
    rekey(&mut stage, Initiator);
    stage.message(Responder, b"second key");
    stage.message(Initiator, b"third key");
    // Both at once: neither has read the other's REKEY.
    let now = stage.now;
    for side in From::BOTH {
        stage.channel(side).send.rekey_now(now).unwrap();
    }
    From::BOTH.into_iter().for_each(|side| stage.carry(side));
    stage.message(Responder, b"third key");
    stage.message(Initiator, b"fourth key");
    stage.made()
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
    let mut stage = Stage::new(suite);
    let request = |stage: &mut Stage| {
        stage.say(Initiator, |channel, now| {
            channel.send.request_receipt(now).unwrap()
        });
    };
    stage.message(Initiator, b"one");
    request(&mut stage);
    stage.message(Initiator, b"two");
    request(&mut stage);
    // Both requests have come; one receipt answers them.
    stage.take(Responder);
    stage.carry(Responder);
    stage.message(Initiator, b"three");
    request(&mut stage);
    stage.take(Responder);
    stage.carry(Responder);
    stage.message(Initiator, b"four");
    stage.stop(Responder);
    stage.settle();
    stage.finish(Initiator, Code::NONE, "");
    stage.settle();
    stage.finish(Responder, Code::NONE, "");
    stage.settle();
    stage.made()
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
