//! Conversations record by record, right or wrong: whatever is said is sealed.

use super::{
    file::{Body, Conversation, From, Hex, Record, Vector},
    shaken::{conversation, with_length},
};
use crate::{
    noise::{Opener, Sealer, Suite, opener, sealer},
    wire::{Frame, Kind, Params, split_kind},
};

pub(super) struct Script {
    pub(super) made: Conversation,
    suite: Suite,
    sealers: [Sealer; 2],
    /// How many records each side has sealed, and behind which of them it rekeyed.
    sealed: [(u64, Vec<u64>); 2],
}

impl Script {
    /// Nothing is said yet.
    pub(super) fn new(suite: Suite) -> Self {
        let made = conversation(suite);
        Self {
            sealers: made.keys.each_ref().map(|key| sealer(suite, &key.array())),
            made,
            suite,
            sealed: Default::default(),
        }
    }

    /// Both sides have sent their default parameters.
    pub(super) fn open(suite: Suite) -> Self {
        let mut this = Self::new(suite);
        this.params(From::Initiator, &Params::default());
        this.params(From::Responder, &Params::default());
        this
    }

    pub(super) fn params_bytes(&self, params: &Params) -> Vec<u8> {
        let mut bytes = Vec::new();
        params.put(self.made.hash.0[0], &mut bytes);
        bytes
    }

    pub(super) fn params(&mut self, from: From, params: &Params) {
        let bytes = self.params_bytes(params);
        self.frames(from, &[Frame::Params(&bytes)]);
    }

    /// A batch of these frames.
    pub(super) fn frames(&mut self, from: From, frames: &[Frame<'_>]) {
        self.plaintext(from, &batch(frames));
    }

    /// A batch of these bytes.
    pub(super) fn raw(&mut self, from: From, body: &[u8]) {
        self.plaintext(from, &[body, &[Kind::Batch.byte()]].concat());
    }

    pub(super) fn message(&mut self, from: From, message: &[u8]) {
        self.plaintext(from, &[message, &[Kind::Message.byte()]].concat());
    }

    pub(super) fn piece(&mut self, from: From, piece: &[u8]) {
        self.plaintext(from, &[piece, &[Kind::Piece.byte()]].concat());
    }

    /// Any plaintext; a REKEY in it takes effect behind it.
    pub(super) fn plaintext(&mut self, from: From, plaintext: &[u8]) {
        let record = seal(&mut self.sealers[from.index()], plaintext);
        let (count, rekeys) = &mut self.sealed[from.index()];
        *count += 1;
        if rekeys_behind(plaintext) {
            self.sealers[from.index()].rekey().unwrap();
            rekeys.push(*count);
        }
        self.made.records.push(Record {
            from,
            plaintext: Some(Hex::of(plaintext)),
            record: Hex(record),
        });
    }

    /// A record that must not open.
    pub(super) fn broken(&mut self, from: From, record: Vec<u8>) {
        self.made.records.push(Record {
            from,
            plaintext: None,
            record: Hex(record),
        });
    }

    /// The next record of a side as its present key would seal it under this counter.
    pub(super) fn sealed_at(&self, from: From, counter: u64, plaintext: &[u8]) -> Vec<u8> {
        let rekeys = &self.sealed[from.index()].1;
        let mut sealer = sealer(self.suite, &self.made.keys[from.index()].array());
        for number in 0..counter {
            if rekeys.contains(&number) {
                sealer.rekey().unwrap();
            }
            seal(&mut sealer, b"\x01");
        }
        if rekeys.contains(&counter) {
            sealer.rekey().unwrap();
        }
        seal(&mut sealer, plaintext)
    }

    /// The same under the key that the handshake gave, rekeyed so many times.
    pub(super) fn sealed_under(&self, from: From, rekeys: usize, plaintext: &[u8]) -> Vec<u8> {
        let mut sealer = sealer(self.suite, &self.made.keys[from.index()].array());
        for _record in 0..self.count(from) {
            seal(&mut sealer, b"\x01");
        }
        for _rekey in 0..rekeys {
            sealer.rekey().unwrap();
        }
        seal(&mut sealer, plaintext)
    }

    /// The same under the key after one REKEY, with the counter at 0 again.
    pub(super) fn sealed_anew(&self, from: From, plaintext: &[u8]) -> Vec<u8> {
        let mut sealer = sealer(self.suite, &self.made.keys[from.index()].array());
        sealer.rekey().unwrap();
        seal(&mut sealer, plaintext)
    }

    /// How many records a side has sent.
    pub(super) fn count(&self, from: From) -> u64 {
        self.sealed[from.index()].0
    }

    /// The vector; the last record is wrong in this way.
    pub(super) fn wrong(mut self, name: &str, clause: &str, class: &str) -> Vector {
        self.made.error = Some(class.to_owned());
        Vector::new(name, clause, Body::Conversation(self.made))
    }
}

pub(super) fn batch(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut plaintext = Vec::new();
    for frame in frames {
        frame.put(&mut plaintext);
    }
    plaintext.push(Kind::Batch.byte());
    plaintext
}

fn seal(sealer: &mut Sealer, plaintext: &[u8]) -> Vec<u8> {
    let mut body = [plaintext, &[0; 16]].concat();
    sealer.seal(&mut body).unwrap();
    with_length(&body)
}

/// Whether the next record has a new key.
fn rekeys_behind(plaintext: &[u8]) -> bool {
    let Ok((mut body, Kind::Batch)) = split_kind(plaintext) else {
        return false;
    };
    while !body.is_empty() {
        match Frame::take(&mut body) {
            Ok(Frame::Rekey) => return true,
            Ok(_other) => {}
            Err(_violation) => return false,
        }
    }
    false
}

/// Reads records as they go by.
pub(super) struct Witness(Opener);

impl Witness {
    pub(super) fn new(suite: Suite, key: &Hex) -> Self {
        Self(opener(suite, &key.array()))
    }

    /// The plaintext of a record with its length, which must open.
    pub(super) fn open(&mut self, record: &[u8]) -> Vec<u8> {
        let mut body = record[2..].to_vec();
        self.0.open(&mut body).unwrap();
        body.truncate(body.len() - 16);
        if rekeys_behind(&body) {
            self.0.rekey().unwrap();
        }
        body
    }
}
