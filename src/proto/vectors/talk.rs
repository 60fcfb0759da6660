//! Two of our own channels that talk, and what is proven to each.

use std::time::Instant;

use super::{
    file::{Conversation, From, Hex, Outcomes, Proven, Record},
    script::Witness,
    shaken::{Party, conversation, shake},
};
use crate::{
    noise::{Pattern, Suite},
    proto::{Channel, Offered, Processed, Progress, Received, Sent},
    wire::{Code, Frame, Kind, split_kind},
};

/// Two of our own channels, and what passes between them.
pub(super) struct Talk {
    pub(super) channels: [Channel; 2],
    pub(super) now: Instant,
    witnesses: [Witness; 2],
    made: Conversation,
}

impl Talk {
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

    pub(super) fn say(&mut self, from: From, say: impl FnOnce(&mut Channel, Instant)) {
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

pub(super) fn offer(channel: &mut Channel, message: &[u8], now: Instant) {
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
