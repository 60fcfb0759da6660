//! The rules for what the peer may say, frame by frame (spec: sections 4.2, 6 and 8).

use std::time::Instant;

use super::{
    credit::Credit,
    notices::{Facts, Notices, PeerWord},
    outcome::Ended,
    receive::Position,
};
use crate::wire::{Frame, Violation};

#[derive(Debug)]
pub(super) struct Judge {
    pub(super) notices: Notices,
    /// Something in `notices` is new.
    news: bool,
    credit: Credit,
    /// Whole messages read.
    arrived: u64,
    /// Boxed: a session without it must not carry the room.
    end: Option<Box<(u64, Ended)>>,
    requests: Option<Requests>,
    said: Said,
}

/// Positions of receipt requests that are not answered yet.
#[derive(Debug, Clone, Copy)]
struct Requests {
    oldest: u64,
    newest: u64,
}

#[derive(Debug, Default)]
struct Said {
    pings: u64,
    drained: bool,
    /// The batch so far held nothing but PADDING.
    empty: bool,
    confirmed: bool,
}

/// What a frame means for the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    Message,
    /// The next record has a new key.
    Rekey,
}

type Judged<T> = Result<T, Violation>;

const fn wrong<T>(clause: &'static str, what: &'static str) -> Judged<T> {
    Err(Violation::new(clause, what))
}

impl Judge {
    pub(super) fn new(credit: Credit) -> Self {
        Self {
            notices: Notices::default(),
            news: false,
            credit,
            arrived: 0,
            end: None,
            requests: None,
            said: Said {
                empty: true,
                ..Said::default()
            },
        }
    }

    pub(super) fn pass(&mut self, now: Instant) {
        self.credit.pass(now);
    }

    pub(super) fn end(&self) -> Option<&(u64, Ended)> {
        self.end.as_deref()
    }

    pub(super) fn arrived(&self) -> u64 {
        self.arrived
    }

    fn pay(&mut self) -> Judged<()> {
        if self.credit.pay() {
            Ok(())
        } else {
            wrong("L-1", "control frames beyond the progress budget")
        }
    }

    // spec: E-3
    pub(super) fn open(&self) -> Judged<()> {
        if self.end.is_some() {
            return wrong("E-3", "something behind END that may not stand there");
        }
        Ok(())
    }

    /// A message in a record or frame of its own, or the last piece of one.
    pub(super) fn message_record(&mut self) -> Judged<()> {
        self.open()?;
        self.arrived = self.arrived.saturating_add(1);
        self.credit.messages(1);
        Ok(())
    }

    /// The last piece earns by its bytes like those before it.
    // spec: L-1
    pub(super) fn last_piece(&mut self, length: usize) -> Judged<()> {
        self.message_record()?;
        self.credit.piece(length);
        Ok(())
    }

    pub(super) fn piece(&mut self, length: usize) -> Judged<()> {
        self.open()?;
        // spec: L-1
        if length < crate::wire::CREDIT_PIECE {
            self.pay()?;
        }
        self.credit.piece(length);
        Ok(())
    }

    pub(super) fn discard(&mut self, in_pieces: bool) -> Judged<()> {
        self.said.empty = false;
        self.open()?;
        if in_pieces {
            Ok(())
        } else {
            wrong("T-19", "DISCARD outside a message in pieces")
        }
    }

    /// The end of a batch: one of nothing but PADDING costs.
    pub(super) fn close_batch(&mut self) -> Judged<()> {
        let empty = core::mem::replace(&mut self.said.empty, true);
        if empty { self.pay() } else { Ok(()) }
    }

    /// Behind REKEY only PADDING may stand.
    // spec: T-10
    pub(super) fn only_padding(&mut self, rest: &mut &[u8]) -> Judged<()> {
        self.said.empty = true;
        if rest.is_empty() || matches!(Frame::take(rest)?, Frame::Padding { .. }) {
            return Ok(());
        }
        wrong("T-10", "REKEY is not the last in its record")
    }

    pub(super) fn frame(
        &mut self,
        frame: &Frame<'_>,
        facts: &Facts,
        position: Position,
    ) -> Judged<Verdict> {
        self.said.empty &= matches!(frame, Frame::Padding { .. });
        match *frame {
            Frame::Message(_message) => return self.message(position),
            Frame::Params(_) => {
                return wrong("H-20", "PARAMS outside record 0");
            }
            Frame::End { sent, code, reason } => {
                self.read_end(sent, Ended::new(code, reason), position)?;
            }
            Frame::Receipt { taken } => self.receipt(taken, facts)?,
            Frame::FinalReceipt { taken } => self.final_receipt(taken, facts)?,
            Frame::Stop { taken } => self.stop(taken, facts)?,
            Frame::Ping(token) => self.ping(token, facts)?,
            Frame::Pong(token) => self.pong(token, facts)?,
            Frame::ReceiptRequest => self.request(position)?,
            Frame::Drain { .. } => self.drain()?,
            Frame::Rekey => {
                self.pay()?;
                return Ok(Verdict::Rekey);
            }
            // What these do is done where the pieces and the failure are kept.
            Frame::Padding { .. } | Frame::Abort { .. } | Frame::Discard => {}
        }
        Ok(Verdict::Fine)
    }

    fn message(&mut self, position: Position) -> Judged<Verdict> {
        // spec: T-7
        if position.in_pieces {
            return wrong("T-7", "MESSAGE between the pieces of another");
        }
        self.message_record()?;
        Ok(Verdict::Message)
    }

    // spec: E-1, E-2
    fn read_end(&mut self, sent: u64, ended: Ended, position: Position) -> Judged<()> {
        self.open()?;
        if position.in_pieces {
            return wrong("E-2", "END inside a message in pieces");
        }
        if sent != self.arrived {
            return wrong("E-1", "END counts other messages than came");
        }
        self.end = Some(Box::new((sent, ended)));
        if position.taken == sent || position.stopped.is_some() {
            self.owe_final(position.stopped.unwrap_or(position.taken));
        }
        Ok(())
    }

    // spec: T-16, E-7
    fn count(&mut self, taken: u64, facts: &Facts) -> Judged<PeerWord> {
        let known = self.notices.peer;
        if known.confirmed {
            return wrong("E-7", "receipt behind FINAL_RECEIPT");
        }
        if taken < known.taken {
            return wrong("T-16", "receipt that falls");
        }
        if taken > facts.sent {
            return wrong("T-16", "receipt above what was sent");
        }
        // spec: E-5
        if known.stopped && known.taken != taken {
            return wrong("E-5", "receipt that differs from STOP");
        }
        Ok(known)
    }

    fn receipt(&mut self, taken: u64, facts: &Facts) -> Judged<()> {
        let known = self.count(taken, facts)?;
        if taken == known.taken {
            self.pay()?;
        }
        self.learn(PeerWord { taken, ..known });
        Ok(())
    }

    // spec: E-6, E-7
    fn final_receipt(&mut self, taken: u64, facts: &Facts) -> Judged<()> {
        if !facts.ended {
            return wrong("E-7", "FINAL_RECEIPT before our END");
        }
        let known = self.count(taken, facts)?;
        self.learn(PeerWord {
            taken,
            confirmed: true,
            ..known
        });
        Ok(())
    }

    // spec: E-4
    fn stop(&mut self, taken: u64, facts: &Facts) -> Judged<()> {
        let known = self.count(taken, facts)?;
        if known.stopped {
            return wrong("E-4", "STOP twice");
        }
        self.learn(PeerWord {
            taken,
            stopped: true,
            ..known
        });
        Ok(())
    }

    // spec: T-15
    fn ping(&mut self, token: [u8; 8], facts: &Facts) -> Judged<()> {
        self.pay()?;
        if self.said.pings > facts.pongs {
            return wrong("T-15", "PING before the PONG of the one before");
        }
        self.said.pings = self.said.pings.saturating_add(1);
        self.notices.pong = Some(token);
        self.news = true;
        Ok(())
    }

    fn pong(&mut self, token: [u8; 8], facts: &Facts) -> Judged<()> {
        let known = self.notices.peer;
        if known.pongs >= facts.pings || token != facts.pings.to_be_bytes() {
            return wrong("T-15", "PONG that answers no PING");
        }
        self.learn(PeerWord {
            pongs: facts.pings,
            ..known
        });
        Ok(())
    }

    // spec: T-17
    fn request(&mut self, position: Position) -> Judged<()> {
        self.open()?;
        self.pay()?;
        let newest = self.arrived;
        let oldest = self.requests.map_or(newest, |requests| requests.oldest);
        self.requests = Some(Requests { oldest, newest });
        self.answer(position.taken, position.stopped);
        Ok(())
    }

    // spec: T-18
    fn drain(&mut self) -> Judged<()> {
        self.open()?;
        if self.said.drained {
            return wrong("T-18", "DRAIN twice");
        }
        self.pay()?;
        self.said.drained = true;
        Ok(())
    }

    fn learn(&mut self, peer: PeerWord) {
        self.notices.peer = peer;
        self.news = true;
    }

    /// The application has taken so many.
    pub(super) fn taken(&mut self, taken: u64) {
        self.answer(taken, None);
        if self.end().is_some_and(|(sent, _ended)| *sent == taken) {
            self.owe_final(taken);
        }
    }

    /// The application takes no more.
    pub(super) fn stopped(&mut self, taken: u64) {
        if self.end.is_some() {
            self.owe_final(taken);
        } else {
            self.notices.stop = true;
            self.owe(taken);
        }
    }

    /// Answers the requests whose messages are all taken; one RECEIPT for as many as there are.
    fn answer(&mut self, taken: u64, stopped: Option<u64>) {
        let Some(requests) = self.requests else {
            return;
        };
        if stopped.is_some() || taken < requests.oldest {
            return;
        }
        // Between the two ends of what is left may stand others: each further message is told at once.
        self.requests = Some(requests)
            .filter(|requests| requests.newest > taken)
            .map(|Requests { newest, .. }| Requests {
                oldest: taken.saturating_add(1),
                newest,
            });
        self.notices.receipt = true;
        self.owe(taken);
    }

    // spec: E-6
    fn owe_final(&mut self, taken: u64) {
        if !self.said.confirmed {
            self.said.confirmed = true;
            self.notices.final_receipt = true;
            self.owe(taken);
        }
    }

    fn owe(&mut self, taken: u64) {
        self.notices.taken = taken;
        self.news = true;
    }

    pub(super) fn take_notices(&mut self) -> Option<Notices> {
        if !core::mem::take(&mut self.news) && self.notices.abort.is_none() {
            return None;
        }
        let peer = self.notices.peer;
        Some(core::mem::replace(
            &mut self.notices,
            Notices {
                peer,
                ..Notices::default()
            },
        ))
    }
}
