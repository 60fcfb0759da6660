//! What the target may say at all: the table of section 8, held against every record of every case.

use crate::raw_peer::{RawFrame, RawRecord};
use std::time::Instant;

/// What a receiver grants at most, and where it begins (spec: L-1).
const CREDIT: i64 = 32;
/// The shortest period that earns: a quarter of the shortest idle timeout.
const PERIOD_MS: u128 = 250;
const PIECE: usize = 1_024;

/// The target's direction, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Whole messages that the kit has sent.
    pub(super) sent: u64,
    /// The kit has said END.
    pub(super) ended: bool,
    /// PONGs that the kit has said.
    pub(super) pongs: u64,
    records: u64,
    came: u64,
    in_pieces: bool,
    end: bool,
    abort: bool,
    drain: bool,
    pings: u64,
    taken: u64,
    stop: Option<u64>,
    final_receipt: Option<u64>,
    paid: i64,
    earned: i64,
    piece_bytes: usize,
    since: Option<Instant>,
    foul: Option<String>,
}

type Judged = Result<(), String>;

fn wrong(clause: &str, what: impl Into<String>) -> Judged {
    Err(format!("{clause}: {}", what.into()))
}

impl Watch {
    /// The first rule that the target broke by what it said.
    pub(super) fn foul(&self) -> Option<&str> {
        self.foul.as_deref()
    }

    /// What the kit says matters for what the target may say.
    pub(super) fn said(&mut self, record: &RawRecord) {
        match record {
            RawRecord::Batch(frames) => frames.iter().for_each(|frame| self.said_frame(frame)),
            RawRecord::Message(_) => self.sent += 1,
            RawRecord::Piece(_) => {}
        }
    }

    pub(super) fn said_frame(&mut self, frame: &RawFrame) {
        match frame {
            RawFrame::Message(_) => self.sent += 1,
            RawFrame::End(..) => self.ended = true,
            RawFrame::Pong(_) => self.pongs += 1,
            _other => {}
        }
    }

    /// A record of the target.
    pub(super) fn record(&mut self, record: &Result<RawRecord, String>, now: Instant) {
        let judged = match record {
            Ok(record) => self.judge(record, now),
            Err(rule) => wrong("T-5", format!("a record that breaks the format: {rule}")),
        };
        self.records += 1;
        if let Err(why) = judged {
            self.foul.get_or_insert(why);
        }
    }

    fn judge(&mut self, record: &RawRecord, now: Instant) -> Judged {
        self.since.get_or_insert(now);
        if self.abort {
            return wrong("E-9", "a record behind ABORT");
        }
        match record {
            RawRecord::Message(last) => {
                self.open("a message")?;
                let piece = if self.in_pieces { last.len() } else { 0 };
                self.piece(piece);
                (self.in_pieces, self.came) = (false, self.came + 1);
                self.earned += 1;
            }
            RawRecord::Piece(piece) => {
                self.open("a piece")?;
                self.in_pieces = true;
                if piece.len() < PIECE {
                    self.pay(now)?;
                }
                self.piece(piece.len());
            }
            RawRecord::Batch(frames) => {
                for (index, frame) in frames.iter().enumerate() {
                    self.frame(frame, now)?;
                    let last = matches!(frame, RawFrame::Rekey | RawFrame::Abort(..));
                    let padding = |frame: &RawFrame| matches!(frame, RawFrame::Padding(_));
                    if last && !frames[index + 1..].iter().all(padding) {
                        return wrong("T-10, E-9", "a frame behind REKEY or ABORT");
                    }
                }
                if frames
                    .iter()
                    .all(|frame| matches!(frame, RawFrame::Padding(_)))
                {
                    self.pay(now)?;
                }
            }
        }
        Ok(())
    }

    fn frame(&mut self, frame: &RawFrame, now: Instant) -> Judged {
        match *frame {
            RawFrame::Params(_) if self.records > 0 => wrong("H-20", "PARAMS behind record 0"),
            RawFrame::Message(_) => {
                self.open("a message")?;
                self.whole("a message")?;
                (self.came, self.earned) = (self.came + 1, self.earned + 1);
                Ok(())
            }
            RawFrame::End(sent, ..) => {
                self.open("END")?;
                self.whole("END")?;
                self.end = true;
                match sent == self.came {
                    true => Ok(()),
                    false => wrong("E-1", format!("END({sent}), {} came", self.came)),
                }
            }
            RawFrame::Discard if !self.in_pieces => wrong("T-19", "DISCARD outside pieces"),
            RawFrame::Discard => {
                self.in_pieces = false;
                Ok(())
            }
            RawFrame::Receipt(taken) => {
                if taken <= self.taken {
                    self.pay(now)?;
                }
                self.count("RECEIPT", taken)
            }
            RawFrame::Stop(_) if self.stop.is_some() => wrong("E-4", "STOP twice"),
            RawFrame::Stop(taken) => {
                self.count("STOP", taken)?;
                self.stop = Some(taken);
                Ok(())
            }
            RawFrame::FinalReceipt(_) if !self.ended => {
                wrong("E-6", "FINAL_RECEIPT before the kit's END")
            }
            RawFrame::FinalReceipt(taken) => {
                self.count("FINAL_RECEIPT", taken)?;
                self.final_receipt = Some(taken);
                Ok(())
            }
            RawFrame::Ping(_) if self.pings > self.pongs => {
                wrong("T-15", "PING before the PONG for the one before")
            }
            RawFrame::Ping(_) => {
                self.pings += 1;
                self.pay(now)
            }
            RawFrame::Drain(_) if self.drain => wrong("T-18", "DRAIN twice"),
            RawFrame::Drain(_) => {
                self.open("DRAIN")?;
                self.drain = true;
                self.pay(now)
            }
            RawFrame::ReceiptRequest => {
                self.open("RECEIPT_REQUEST")?;
                self.pay(now)
            }
            RawFrame::Rekey => self.pay(now),
            RawFrame::Abort(..) => {
                self.abort = true;
                Ok(())
            }
            RawFrame::Params(_) | RawFrame::Padding(_) | RawFrame::Pong(_) | RawFrame::Raw(_) => {
                Ok(())
            }
        }
    }

    fn open(&self, what: &str) -> Judged {
        match self.end {
            true => wrong("E-3", format!("{what} behind END")),
            false => Ok(()),
        }
    }

    fn whole(&self, what: &str) -> Judged {
        match self.in_pieces {
            true => wrong("T-7", format!("{what} between pieces")),
            false => Ok(()),
        }
    }

    fn count(&mut self, what: &str, taken: u64) -> Judged {
        if self.final_receipt.is_some() {
            return wrong("E-7", format!("{what} behind FINAL_RECEIPT"));
        }
        if self.stop.is_some_and(|stop| stop != taken) {
            return wrong("E-5", format!("{what}({taken}) differs from STOP"));
        }
        if taken < self.taken {
            return wrong("T-16", format!("{what}({taken}) behind {}", self.taken));
        }
        if taken > self.sent {
            return wrong("T-16", format!("{what}({taken}) of {} sent", self.sent));
        }
        self.taken = taken;
        Ok(())
    }

    fn piece(&mut self, bytes: usize) {
        self.piece_bytes += bytes;
        self.earned += i64::try_from(self.piece_bytes / PIECE).unwrap_or(CREDIT);
        self.piece_bytes %= PIECE;
    }

    /// More than any receiver can have granted.
    fn pay(&mut self, now: Instant) -> Judged {
        let time = self.since.map_or(0, |since| (now - since).as_millis());
        let granted = CREDIT + self.earned + i64::try_from(time / PERIOD_MS).unwrap_or(CREDIT) + 1;
        self.paid += 1;
        match self.paid > granted {
            true => wrong("L-2", "control frames beyond the progress budget"),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn batch(frames: &[RawFrame]) -> RawRecord {
        RawRecord::Batch(frames.to_vec())
    }

    fn params() -> RawRecord {
        batch(&[RawFrame::Params(Vec::new())])
    }

    /// What is wrong when the kit has said `said` and the target says the rest.
    fn foul(said: &[RawFrame], target: &[RawRecord]) -> Option<String> {
        let mut watch = Watch::default();
        let now = Instant::now();
        watch.record(&Ok(params()), now);
        watch.said(&batch(said));
        for record in target {
            watch.record(&Ok(record.clone()), now);
        }
        watch.foul().map(str::to_owned)
    }

    fn breaks(clause: &str, said: &[RawFrame], target: &[RawRecord]) {
        let foul = foul(said, target).unwrap_or_else(|| panic!("{clause} is not noticed"));
        assert!(foul.starts_with(clause), "{clause}: {foul}");
    }

    #[test]
    fn a_whole_honest_session_is_not_foul() {
        let said = [RawFrame::Message(vec![1]), RawFrame::End(1, 0, Vec::new())];
        let target = [
            RawRecord::Piece(vec![0; 2_000]),
            batch(&[RawFrame::Ping([0; 8]), RawFrame::Receipt(1)]),
            RawRecord::Message(vec![1]),
            batch(&[RawFrame::Rekey, RawFrame::Padding(3)]),
            batch(&[RawFrame::End(1, 0, Vec::new()), RawFrame::FinalReceipt(1)]),
            batch(&[RawFrame::Pong([0; 8])]),
            batch(&[RawFrame::Abort(3, Vec::new())]),
        ];
        assert_eq!(foul(&said, &target), None);
    }

    #[test]
    fn each_rule_is_noticed() {
        use RawFrame as F;
        let message = F::Message(vec![1]);
        let end = F::End(0, 0, Vec::new());
        let one = [message.clone(), end.clone()];
        let piece = RawRecord::Piece(vec![0; 2_000]);
        breaks("E-3", &[], &[batch(&[end.clone(), message.clone()])]);
        breaks("E-3", &[], &[batch(&[end.clone(), F::ReceiptRequest])]);
        breaks(
            "E-3",
            &[],
            &[batch(std::slice::from_ref(&end)), piece.clone()],
        );
        breaks("E-1", &[], &[batch(&[message.clone(), end.clone()])]);
        breaks("T-7", &[], &[piece.clone(), batch(&[message])]);
        breaks("T-7", &[], &[piece, batch(&[end])]);
        breaks("T-19", &[], &[batch(&[F::Discard])]);
        breaks("T-16", &one, &[batch(&[F::Receipt(2)])]);
        breaks("T-16", &one, &[batch(&[F::Receipt(1), F::Receipt(0)])]);
        breaks("E-5", &one, &[batch(&[F::Stop(0), F::FinalReceipt(1)])]);
        breaks("E-4", &one, &[batch(&[F::Stop(0), F::Stop(0)])]);
        breaks("E-6", &[], &[batch(&[F::FinalReceipt(0)])]);
        breaks("E-7", &one, &[batch(&[F::FinalReceipt(1), F::Receipt(1)])]);
        breaks("T-15", &[], &[batch(&[F::Ping([0; 8]), F::Ping([1; 8])])]);
        breaks("T-18", &[], &[batch(&[F::Drain(1), F::Drain(1)])]);
        breaks("T-10", &[], &[batch(&[F::Rekey, F::Pong([0; 8])])]);
        breaks("H-20", &[], &[params()]);
        let abort = batch(&[F::Abort(0, Vec::new())]);
        breaks("E-9", &[], &[abort.clone(), abort]);
        let padding = vec![batch(&[F::Padding(1)]); 40];
        breaks("L-2", &[], &padding);
    }

    #[test]
    fn time_grants_what_it_grants_a_receiver() {
        let mut watch = Watch::default();
        let began = Instant::now();
        watch.record(&Ok(params()), began);
        for second in 0..100 {
            let now = began + Duration::from_secs(second);
            watch.record(&Ok(batch(&[RawFrame::Rekey])), now);
        }
        assert_eq!(watch.foul(), None);
    }
}
