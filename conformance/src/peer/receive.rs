//! Records and frames of the peer, rule by rule (spec: sections 4, 6, 7 and 8).

use super::{Fault, Item, Peer, Stage, code};
use crate::control::Cause;
use crate::raw_peer::wire::take_body;
use crate::raw_peer::{RawFrame, RawRecord};
use std::time::Instant;

/// Rules of the codec that a fault lets pass; what breaks them is skipped.
const LENIENT: &[(&str, &str)] = &[
    ("record kind", "unknown-kind"),
    ("batch without", "empty-batch"),
    ("empty piece", "empty-piece"),
    ("varint longer", "long-varints"),
    ("frame type", "unknown-frame"),
    ("padding that", "padding-unchecked"),
    ("reason too", "reason-unchecked"),
];

impl Peer {
    /// One record, when it is there.
    pub(super) fn step_record(&mut self, now: Instant) -> bool {
        match self.take_record(now) {
            Ok(progressed) => progressed,
            Err(fault) => {
                self.fail(&fault, now);
                false
            }
        }
    }

    fn take_record(&mut self, now: Instant) -> Result<bool, Fault> {
        let Some((head, _)) = self.input.split_first_chunk::<2>() else {
            return Ok(false);
        };
        let length = usize::from(u16::from_be_bytes(*head));
        if length < 17 && !self.has("short-length") {
            return Err(Fault::violation("length of a record"));
        }
        let first = self.stage == Stage::AwaitParams;
        if first && length > 4_112 && !self.has("long-record-zero") {
            return Err(Fault::violation("record 0 too long"));
        }
        let Some(body) = take_body(&mut self.input) else {
            return Ok(false);
        };
        let Some(plaintext) = self.open(&body)? else {
            return Ok(true);
        };
        self.opened = now;
        let record = match RawRecord::parse(&plaintext) {
            Ok(record) => record,
            Err(rule) => {
                // What stands before the broken frame counts (spec: T-20).
                self.take_good_part(&plaintext, now)?;
                let lenient =
                    |(start, bug): &&(&str, &str)| rule.starts_with(start) && self.has(bug);
                return match LENIENT.iter().find(lenient) {
                    Some(_) => Ok(true),
                    None => Err(Fault::violation(rule)),
                };
            }
        };
        if first {
            self.read_first_record(record, now)?;
        } else {
            self.read_record(record, now)?;
        }
        Ok(true)
    }

    /// Opens under the next counter, and under nothing else (spec: T-4).
    fn open(&mut self, body: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let broken = || Err(Fault::violation("a record does not open"));
        let skips = self.has("skip-nonce");
        let drops = self.has("drop-bad-record");
        let old = self.old_key.filter(|_| self.has("no-rekey-wipe-order"));
        let Some(session) = &mut self.session else {
            return broken();
        };
        if let Some(plaintext) = session.receive.decrypt(&[], body) {
            return Ok(Some(plaintext));
        }
        if skips {
            session.receive.counter += 1;
            if let Some(plaintext) = session.receive.decrypt(&[], body) {
                return Ok(Some(plaintext));
            }
        }
        if let Some(key) = old {
            let new = std::mem::replace(&mut session.receive.key, key);
            let opened = session.receive.decrypt(&[], body);
            session.receive.key = new;
            if opened.is_some() {
                return Ok(opened);
            }
        }
        match drops {
            true => Ok(None),
            false => broken(),
        }
    }

    fn take_good_part(&mut self, plaintext: &[u8], now: Instant) -> Result<(), Fault> {
        let Some((0, mut body)) = plaintext.split_last() else {
            return Ok(());
        };
        if self.stage != Stage::Open {
            return Ok(());
        }
        while let Ok(frame) = RawFrame::take(&mut body) {
            self.read_frame(frame, now)?;
        }
        Ok(())
    }

    fn read_record(&mut self, record: RawRecord, now: Instant) -> Result<(), Fault> {
        match record {
            RawRecord::Batch(frames) => {
                if matches!(frames.as_slice(), [RawFrame::Padding(_)]) {
                    self.pay()?;
                }
                let mut behind_rekey = false;
                for frame in frames {
                    let padding = matches!(frame, RawFrame::Padding(_));
                    if behind_rekey && !padding && !self.has("after-rekey") {
                        return Err(Fault::violation("frame behind REKEY"));
                    }
                    behind_rekey |= frame == RawFrame::Rekey;
                    if self.stage == Stage::Open {
                        self.read_frame(frame, now)?;
                    }
                }
                if behind_rekey && let Some(session) = &mut self.session {
                    self.old_key = Some(session.receive.key);
                    session.rekey_receive();
                    if self.settings.has("rekey-restarts") {
                        session.receive.counter = 0;
                    }
                }
                Ok(())
            }
            RawRecord::Message(last) => {
                self.not_behind_end()?;
                match self.inward.pieces.take() {
                    Some(pieces) => {
                        self.piece_came(last.len());
                        self.message([pieces, last].concat())
                    }
                    None => self.message(last),
                }
            }
            RawRecord::Piece(piece) => self.piece(&piece),
        }
    }

    fn not_behind_end(&self) -> Result<(), Fault> {
        if self.inward.ended && !self.has("after-end") {
            return Err(Fault::violation("message behind END"));
        }
        Ok(())
    }

    fn too_large(&self) -> Fault {
        let wrong = self.has("wrong-too-large-code");
        Fault {
            code: if wrong {
                code::VIOLATION
            } else {
                code::TOO_LARGE
            },
            rule: "message above the limit".into(),
        }
    }

    fn piece_came(&mut self, bytes: usize) {
        self.inward.piece_bytes += bytes;
        let earned = self.inward.piece_bytes / 1024;
        self.inward.piece_bytes %= 1024;
        self.earn(u32::try_from(earned).unwrap_or(u32::MAX).min(super::CREDIT));
    }

    fn piece(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.not_behind_end()?;
        let held = self.inward.pieces.as_ref().map_or(0, Vec::len);
        let limit = self.settings.max_message;
        if (held + piece.len()) as u64 > limit && !self.has("no-max-message") {
            return Err(self.too_large());
        }
        if piece.len() < 1024 {
            self.pay()?;
        }
        self.piece_came(piece.len());
        let pieces = self.inward.pieces.get_or_insert_with(Vec::new);
        pieces.extend_from_slice(piece);
        Ok(())
    }

    fn message(&mut self, message: Vec<u8>) -> Result<(), Fault> {
        if message.len() as u64 > self.settings.max_message && !self.has("no-max-message") {
            return Err(self.too_large());
        }
        self.inward.came += 1;
        self.earn(1);
        if !self.inward.closed {
            self.inbox.push_back(Item::Message(message));
        }
        Ok(())
    }

    fn read_frame(&mut self, frame: RawFrame, now: Instant) -> Result<(), Fault> {
        self.check_state(&frame)?;
        match frame {
            RawFrame::Padding(_) | RawFrame::Raw(_) => {}
            RawFrame::Params(_) => return Err(Fault::violation("PARAMS outside record 0")),
            RawFrame::Message(message) => self.message(message)?,
            RawFrame::End(sent, code, reason) => self.end(sent, code, &reason)?,
            RawFrame::Receipt(taken) => {
                if taken <= self.outward.taken {
                    self.pay()?;
                }
                self.count(taken)?;
            }
            RawFrame::Abort(code, reason) => {
                let reason = String::from_utf8_lossy(&reason).into_owned();
                if self.has("abort-out-of-order") {
                    self.inbox.clear();
                }
                self.failure = Some(format!("the peer aborted with code {code}"));
                if self.has("answers-abort") {
                    self.say(&[RawFrame::Abort(code, Vec::new())]);
                }
                self.conclude(Cause::PeerAborted, code, reason);
                self.close(now);
            }
            RawFrame::Ping(bytes) => {
                self.pay()?;
                if self.inward.pong.replace(bytes).is_some() {
                    return Err(Fault::violation("PING before the answer to the one before"));
                }
            }
            RawFrame::Pong(bytes) => {
                let asked = self.outward.ping.take() == Some(bytes);
                if !asked && !self.has("pong-unasked") {
                    return Err(Fault::violation("PONG unasked"));
                }
            }
            RawFrame::Rekey => self.pay()?,
            RawFrame::ReceiptRequest => {
                self.pay()?;
                let came = self.inward.came;
                let first = self.inward.requests.map_or(came, |(first, _)| first);
                self.inward.requests = Some((first, came));
            }
            RawFrame::Drain(milliseconds) => self.drain_came(milliseconds)?,
            RawFrame::FinalReceipt(taken) => self.final_receipt(taken)?,
            RawFrame::Stop(taken) => self.stop_came(taken)?,
            RawFrame::Discard => self.discard()?,
        }
        Ok(())
    }

    fn drain_came(&mut self, milliseconds: u64) -> Result<(), Fault> {
        self.pay()?;
        if self.inward.drained && !self.has("drain-twice") {
            return Err(Fault::violation("a second DRAIN"));
        }
        self.inward.drained = true;
        self.inbox.push_back(Item::Drain(milliseconds));
        Ok(())
    }

    fn discard(&mut self) -> Result<(), Fault> {
        let had = self.inward.pieces.take().is_some();
        if !had && !self.has("discard-anywhere") {
            return Err(Fault::violation("DISCARD outside a message in pieces"));
        }
        if self.has("discard-counted") {
            self.inward.came += 1;
        }
        Ok(())
    }

    /// The table of section 8, as far as the direction's own state decides.
    fn check_state(&self, frame: &RawFrame) -> Result<(), Fault> {
        use RawFrame::{Discard, Drain, End, Message, ReceiptRequest};
        let messages = matches!(frame, Message(_) | Discard | ReceiptRequest | Drain(_));
        if self.inward.ended && messages {
            self.not_behind_end()?;
        }
        if self.inward.ended && matches!(frame, End(..)) && !self.has("end-twice") {
            return Err(Fault::violation("a second END"));
        }
        if self.inward.pieces.is_some() {
            if matches!(frame, Message(_)) && !self.has("interleaves") {
                return Err(Fault::violation("MESSAGE between pieces"));
            }
            if matches!(frame, End(..)) && !self.has("end-inside-pieces") {
                return Err(Fault::violation("END between pieces"));
            }
        }
        Ok(())
    }

    fn end(&mut self, sent: u64, code: u64, reason: &[u8]) -> Result<(), Fault> {
        let lenient = self.has("end-count-ignored") || self.has("end-twice");
        if sent != self.inward.came && !lenient {
            return Err(Fault::violation(format!(
                "END says {sent} messages, {} came",
                self.inward.came
            )));
        }
        self.inward.ended = true;
        let reason = String::from_utf8_lossy(reason).into_owned();
        self.inbox.push_back(Item::End(code, reason));
        Ok(())
    }

    /// A count of our messages that the peer's application took (spec: T-16).
    fn count(&mut self, taken: u64) -> Result<(), Fault> {
        if self.outward.confirmed {
            return Err(Fault::violation("a receipt behind FINAL_RECEIPT"));
        }
        if taken < self.outward.taken && !self.has("receipt-may-fall") {
            return Err(Fault::violation("a count falls"));
        }
        if taken > self.outward.sent && !self.has("ignore-receipt-count") {
            return Err(Fault::violation("a count above what was sent"));
        }
        if self.outward.stopped && taken != self.outward.taken {
            return Err(Fault::violation("a count that differs from STOP"));
        }
        self.outward.taken = taken;
        Ok(())
    }

    fn final_receipt(&mut self, taken: u64) -> Result<(), Fault> {
        if !self.outward.ended && !self.has("final-unasked") {
            return Err(Fault::violation("FINAL_RECEIPT before END"));
        }
        self.count(taken)?;
        self.outward.confirmed = true;
        Ok(())
    }

    fn stop_came(&mut self, taken: u64) -> Result<(), Fault> {
        if self.outward.stopped && !self.has("stop-twice") {
            return Err(Fault::violation("a second STOP"));
        }
        self.count(taken)?;
        self.outward.stopped = true;
        Ok(())
    }
}
