//! What a receiver must make of the peer's records, reckoned a second time from sections 4, 6, 7 and 8.

use crate::raw_peer::{RawFrame, RawRecord};

/// Most that a record holds (spec: T-1).
const MOST: usize = 65_519;

/// What our side has said, as far as the peer's words are judged by it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Said {
    pub(crate) sent: u64,
    pub(crate) ended: bool,
    /// The last PING, and how many there were.
    pub(crate) ping: Option<[u8; 8]>,
    pub(crate) pings: u64,
    pub(crate) pongs: u64,
}

/// Why the session must end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Violation,
    TooLarge,
    Aborted(u64),
    BadRecord,
}

/// The peer's direction so far.
#[derive(Debug)]
pub(crate) struct Law {
    max_message: usize,
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) end: Option<u64>,
    pieces: Option<Vec<u8>>,
    pub(crate) drained: bool,
    pub(crate) pings: u64,
    receipt: u64,
    stop: Option<u64>,
    final_receipt: Option<u64>,
    credit: u32,
    earned: usize,
    pub(crate) rekey: bool,
    /// PINGs of ours that are answered.
    pub(crate) ponged: u64,
    /// Positions of receipt requests.
    pub(crate) requests: Vec<u64>,
}

type Judged = Result<(), End>;

fn holds(rule: bool) -> Judged {
    if rule { Ok(()) } else { Err(End::Violation) }
}

impl Law {
    pub(crate) fn new(max_message: usize) -> Self {
        Self {
            max_message,
            messages: Vec::new(),
            end: None,
            pieces: None,
            drained: false,
            pings: 0,
            receipt: 0,
            stop: None,
            final_receipt: None,
            credit: 32,
            earned: 0,
            rekey: false,
            ponged: 0,
            requests: Vec::new(),
        }
    }

    pub(crate) fn arrived(&self) -> u64 {
        self.messages.len() as u64
    }

    /// What the peer has told of our messages.
    pub(crate) fn told(&self) -> u64 {
        self.receipt
    }

    pub(crate) fn final_receipt(&self) -> Option<u64> {
        self.final_receipt
    }

    pub(crate) fn stop(&self) -> Option<u64> {
        self.stop
    }

    /// Whole periods pass.
    pub(crate) fn pass(&mut self, periods: u32) {
        self.earn(periods);
    }

    fn earn(&mut self, amount: u32) {
        self.credit = self.credit.saturating_add(amount).min(32);
    }

    fn earn_bytes(&mut self, bytes: usize) {
        self.earned += bytes;
        self.earn((self.earned / 1_024) as u32);
        self.earned %= 1_024;
    }

    // L-1
    fn pay(&mut self) -> Judged {
        holds(self.credit > 0)?;
        self.credit -= 1;
        Ok(())
    }

    pub(crate) fn judge(&mut self, plaintext: &[u8], said: Said) -> Judged {
        holds((1..=MOST).contains(&plaintext.len()))?;
        let (kind, body) = plaintext.split_last().ok_or(End::Violation)?;
        // T-5, T-6
        match kind {
            0 => self.batch(body, said),
            1 => self.message_record(body),
            2 => self.piece(body),
            _ => Err(End::Violation),
        }
    }

    fn fits(&self, more: usize) -> Judged {
        let kept = self.pieces.as_ref().map_or(0, Vec::len);
        // T-8
        if kept + more > self.max_message {
            return Err(End::TooLarge);
        }
        Ok(())
    }

    fn message_record(&mut self, body: &[u8]) -> Judged {
        // E-3
        holds(self.end.is_none())?;
        self.fits(body.len())?;
        self.earn(1);
        // L-1: the last piece earns by its bytes too.
        if self.pieces.is_some() {
            self.earn_bytes(body.len());
        }
        let mut message = self.pieces.take().unwrap_or_default();
        message.extend_from_slice(body);
        self.messages.push(message);
        Ok(())
    }

    fn piece(&mut self, body: &[u8]) -> Judged {
        holds(!body.is_empty() && self.end.is_none())?;
        if body.len() < 1_024 {
            self.pay()?;
        }
        self.earn_bytes(body.len());
        self.fits(body.len())?;
        self.pieces.get_or_insert_default().extend_from_slice(body);
        Ok(())
    }

    fn batch(&mut self, mut body: &[u8], said: Said) -> Judged {
        holds(!body.is_empty())?;
        let mut only_padding = true;
        while !body.is_empty() {
            let frame = RawFrame::take(&mut body).map_err(|_rule| End::Violation)?;
            only_padding &= matches!(frame, RawFrame::Padding(_));
            self.frame(&frame, said)?;
            if frame == RawFrame::Rekey {
                // T-10
                let rest = RawRecord::parse(&[body, &[0]].concat());
                let padding = matches!(&rest, Ok(RawRecord::Batch(f)) if matches!(f[..], [RawFrame::Padding(_)]));
                holds(body.is_empty() || padding)?;
                self.rekey = true;
                return Ok(());
            }
        }
        if only_padding { self.pay() } else { Ok(()) }
    }

    fn frame(&mut self, frame: &RawFrame, said: Said) -> Judged {
        let open = self.end.is_none();
        match frame {
            RawFrame::Padding(_) => Ok(()),
            RawFrame::Params(_) | RawFrame::Raw(_) => Err(End::Violation),
            RawFrame::Abort(code, _) => Err(End::Aborted(*code)),
            RawFrame::Message(message) => {
                if message.len() > self.max_message {
                    return Err(End::TooLarge);
                }
                holds(open && self.pieces.is_none())?;
                self.messages.push(message.clone());
                self.earn(1);
                Ok(())
            }
            RawFrame::End(sent, ..) => {
                holds(open && self.pieces.is_none() && *sent == self.arrived())?;
                self.end = Some(*sent);
                Ok(())
            }
            RawFrame::Discard => {
                holds(open && self.pieces.is_some())?;
                self.pieces = None;
                Ok(())
            }
            RawFrame::Receipt(taken) => {
                self.count(*taken, said)?;
                if *taken == self.receipt {
                    self.pay()?;
                }
                self.receipt = *taken;
                Ok(())
            }
            RawFrame::Stop(taken) => {
                self.count(*taken, said)?;
                holds(self.stop.is_none())?;
                (self.stop, self.receipt) = (Some(*taken), *taken);
                Ok(())
            }
            RawFrame::FinalReceipt(taken) => {
                holds(said.ended)?;
                self.count(*taken, said)?;
                (self.final_receipt, self.receipt) = (Some(*taken), *taken);
                Ok(())
            }
            RawFrame::Ping(_) => {
                self.pay()?;
                holds(self.pings <= said.pongs)?;
                self.pings += 1;
                Ok(())
            }
            RawFrame::Pong(token) => {
                holds(self.ponged < said.pings && said.ping == Some(*token))?;
                self.ponged = said.pings;
                Ok(())
            }
            RawFrame::Rekey => self.pay(),
            RawFrame::ReceiptRequest => {
                holds(open)?;
                self.pay()?;
                self.requests.push(self.arrived());
                Ok(())
            }
            RawFrame::Drain(_) => {
                holds(open && !self.drained)?;
                self.drained = true;
                self.pay()
            }
        }
    }

    // T-16, E-5, E-7
    fn count(&self, taken: u64, said: Said) -> Judged {
        let follows = self.stop.is_none_or(|stop| stop == taken);
        holds(
            self.final_receipt.is_none() && follows && (self.receipt..=said.sent).contains(&taken),
        )
    }
}
