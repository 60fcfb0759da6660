//! What may happen, one move at a time.

use std::time::Duration;

use duologue::{
    Cause, Code, SendError, TimeLimit,
    proto::{Offered, Processed, Progress},
};

use crate::world::{LARGE, PIPE, World, hash, message};

/// One move: who does what.
pub(crate) type Move = (usize, Deed);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    /// Hands over a message and flushes.
    Send,
    /// Hands over a message.
    Feed,
    /// Hands over a large message, or more of it.
    Large,
    /// Gives up the large message.
    Discard,
    /// Seals what waits, and moves bytes into the pipe.
    Flush(Amount),
    /// Moves bytes out of the pipe and opens what is whole.
    Read(Amount),
    /// The application takes a message.
    Recv,
    Finish,
    /// The application takes no more.
    Stop,
    Close,
    Abort,
    /// The application lets go of the session, which says so as far as it can.
    Drop,
    Rekey,
    Ping,
    Request,
    /// Time passes, for both.
    Tick,
    Fault(Fault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Amount {
    One,
    Half,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// The transport ends behind what is under way.
    Eof,
    /// Both ways are cut in the middle of what is under way.
    Cut,
    /// A byte under way is changed.
    Change,
}

impl Amount {
    fn of(self, length: usize) -> usize {
        match self {
            Self::One => length.min(1),
            Self::Half => length.div_ceil(2),
            Self::All => length,
        }
    }
}

impl Deed {
    pub(crate) const ALL: [Self; 23] = [
        Self::Send,
        Self::Feed,
        Self::Large,
        Self::Discard,
        Self::Flush(Amount::One),
        Self::Flush(Amount::Half),
        Self::Flush(Amount::All),
        Self::Read(Amount::One),
        Self::Read(Amount::Half),
        Self::Read(Amount::All),
        Self::Recv,
        Self::Finish,
        Self::Stop,
        Self::Close,
        Self::Abort,
        Self::Drop,
        Self::Rekey,
        Self::Ping,
        Self::Request,
        Self::Tick,
        Self::Fault(Fault::Eof),
        Self::Fault(Fault::Cut),
        Self::Fault(Fault::Change),
    ];
}

/// What a message that came must be.
pub(crate) type Wrong = String;

impl World {
    /// Whether the move can change anything.
    pub(crate) fn allows(&self, (side, deed): Move) -> bool {
        let (me, out, into) = (&self.sides[side], &self.pipes[side], &self.pipes[1 - side]);
        let (send, receive) = (&me.channel.send, &me.channel.receive);
        if let Deed::Fault(fault) = deed {
            return match fault {
                Fault::Eof => !out.ended,
                Fault::Cut => side == 0 && !(out.ended && into.ended),
                Fault::Change => !out.bytes.is_empty() && !out.changed,
            };
        }
        if deed == Deed::Tick {
            return side == 0;
        }
        if me.gone {
            return false;
        }
        match deed {
            Deed::Send | Deed::Feed | Deed::Request => !me.is_concluded() && send.ended().is_none(),
            Deed::Large => !me.is_concluded() && send.ended().is_none() && !send.is_stopped(),
            Deed::Discard => me.large.is_some(),
            Deed::Flush(_) => {
                me.mail.is_some() || send.is_open() || !send.pending().is_empty() && room(out) > 0
            }
            Deed::Read(_) => receive.wants_input() && (!into.bytes.is_empty() || into.ended),
            Deed::Recv => !receive.is_empty(),
            Deed::Finish => !me.is_concluded() && send.ended().is_none(),
            Deed::Stop => !receive.is_stopped(),
            Deed::Close => me.closing.is_none(),
            Deed::Rekey => !me.is_concluded(),
            Deed::Ping => !me.is_concluded() && !send.is_pinging(),
            Deed::Abort | Deed::Drop | Deed::Tick | Deed::Fault(_) => !me.is_concluded(),
        }
    }

    pub(crate) fn play(&mut self, (side, deed): Move) -> Result<(), Wrong> {
        self.sides[side].unsealed = hash((self.sides[side].unsealed, tag(deed)));
        match deed {
            Deed::Send => {
                self.feed(side)?;
                self.flush(side, Amount::All)?;
            }
            Deed::Feed => self.feed(side)?,
            Deed::Large => self.offer_large(side)?,
            Deed::Discard => {
                self.sides[side].large = None;
                self.sides[side].channel.send.withdraw(self.now);
            }
            Deed::Flush(amount) => self.flush(side, amount)?,
            Deed::Read(amount) => self.read(side, amount),
            Deed::Recv => self.recv(side)?,
            Deed::Finish => self.finish(side)?,
            Deed::Stop => self.stop(side),
            Deed::Close => self.close(side)?,
            Deed::Abort => self.give_up(side, Cause::Dropped),
            Deed::Drop => {
                self.give_up(side, Cause::Dropped);
                self.flush(side, Amount::All)?;
                self.sides[side].gone = true;
                self.pipes[side].ended = true;
                self.pipes[1 - side].dead = true;
            }
            Deed::Rekey | Deed::Ping | Deed::Request => self.control(side, deed)?,
            Deed::Tick => self.tick(Duration::from_secs(4)),
            Deed::Fault(fault) => self.strike(side, fault),
        }
        Ok(())
    }

    fn control(&mut self, side: usize, deed: Deed) -> Result<(), Wrong> {
        let me = &mut self.sides[side];
        let send = &mut me.channel.send;
        let (slot, done) = match deed {
            Deed::Rekey => (0, send.rekey_now(self.now)),
            Deed::Ping => (1, send.ping(self.now)),
            _request => (2, send.request_receipt(self.now)),
        };
        me.deeds[slot] += 1;
        if deed == Deed::Request {
            me.deeds[3] = me.sent.len() as u16;
        }
        tolerate(done)
    }

    fn feed(&mut self, side: usize) -> Result<(), Wrong> {
        let me = &mut self.sides[side];
        let number = me.next;
        // Sizes of every kind of a small message, none among them.
        let bytes = message(number, [5, 200, 4_096][number as usize % 3]);
        match me
            .channel
            .send
            .offer(&bytes, &mut Progress::default(), self.now)
        {
            Ok(Offered::Whole) => {
                me.next += 1;
                me.large = None;
                me.sent.push(number);
                Ok(())
            }
            Ok(Offered::Full) => Ok(()),
            Err(error) => tolerate(Err(error)),
        }
    }

    fn offer_large(&mut self, side: usize) -> Result<(), Wrong> {
        let me = &mut self.sides[side];
        let (number, mut progress) = me.large.take().unwrap_or_else(|| {
            me.next += 1;
            (me.next - 1, Progress::default())
        });
        let bytes = message(number, LARGE);
        match me.channel.send.offer(&bytes, &mut progress, self.now) {
            Ok(Offered::Whole) => me.sent.push(number),
            Ok(Offered::Full) => me.large = Some((number, progress)),
            Err(error) => return tolerate(Err(error)),
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self, side: usize, amount: Amount) -> Result<(), Wrong> {
        let (me, pipe) = (&mut self.sides[side], &mut self.pipes[side]);
        let meaning = hash((me.unsealed, format!("{:?}", me.mail)));
        if let Some(notices) = me.mail.take() {
            me.channel.send.heed(notices, self.now);
        }
        let send = &mut me.channel.send;
        tolerate(send.flush(self.now))?;
        // The receiving path must know what was sent before the peer can answer it.
        me.facts = send.facts();
        let length = amount.of(send.pending().len().min(room(pipe)));
        if length > 0 {
            if !pipe.ended && !pipe.dead {
                pipe.bytes.extend(&send.pending()[..length]);
                pipe.parts.push_back((meaning, length));
            }
            send.written(length);
        }
        if send.pending().is_empty() {
            me.unsealed = 0;
        }
        Ok(())
    }

    pub(crate) fn read(&mut self, side: usize, amount: Amount) {
        let (me, pipe) = (&mut self.sides[side], &mut self.pipes[1 - side]);
        let receive = &mut me.channel.receive;
        let mut length = amount.of(pipe.bytes.len());
        receive.input().extend(pipe.bytes.drain(..length));
        if pipe.bytes.is_empty() && pipe.ended {
            receive.input_ended();
        }
        while let Some((_meaning, left)) = pipe.parts.front_mut() {
            *left = left.saturating_sub(length);
            length = length.saturating_sub(PIPE);
            if *left > 0 {
                break;
            }
            pipe.parts.pop_front();
        }
        while receive.process(&me.facts, self.now, 1) == Processed::Busy {}
        me.post();
    }

    pub(crate) fn recv(&mut self, side: usize) -> Result<(), Wrong> {
        let me = &mut self.sides[side];
        let Some(bytes) = me.channel.receive.take() else {
            return Ok(());
        };
        me.post();
        let at = me.taken;
        me.taken += 1;
        let Some(number) = self.sides[1 - side].sent.get(at) else {
            return Err(format!("side {side} took message {at}, which was not sent"));
        };
        let good = bytes.len() >= 4
            && bytes[..4] == number.to_be_bytes()
            && bytes[4..].iter().all(|byte| *byte == *number as u8);
        let sizes = [5, 200, 4_096, LARGE];
        if !good || !sizes.contains(&bytes.len()) {
            return Err(format!(
                "side {side} took as message {at} what was not sent"
            ));
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self, side: usize) -> Result<(), Wrong> {
        self.sides[side].large = None;
        tolerate(
            self.sides[side]
                .channel
                .send
                .finish(Code::NONE, "", self.now),
        )
    }

    pub(crate) fn stop(&mut self, side: usize) {
        self.sides[side].channel.receive.stop_taking();
        self.sides[side].post();
    }

    pub(crate) fn close(&mut self, side: usize) -> Result<(), Wrong> {
        self.finish(side)?;
        if !self.sides[side].channel.receive.is_complete() {
            self.stop(side);
        }
        self.sides[side].closing = Some(self.now + Duration::from_secs(10));
        Ok(())
    }

    pub(crate) fn give_up(&mut self, side: usize, cause: Cause) {
        let me = &mut self.sides[side];
        if me.is_concluded() {
            return;
        }
        self.faulty = true;
        me.large = None;
        me.channel.receive.fail(cause.clone());
        me.channel.send.abort(Code::DROPPED, "", cause);
    }

    pub(crate) fn tick(&mut self, passed: Duration) {
        self.now += passed;
        self.ticks += 1;
        for side in 0..2 {
            let (me, now) = (&mut self.sides[side], self.now);
            let receive = &mut me.channel.receive;
            receive.waits(receive.wants_input(), now);
            let passed = |limit: Option<std::time::Instant>| limit.is_some_and(|at| at <= now);
            if me.is_concluded() {
                continue;
            }
            if passed(me.closing) {
                self.give_up(side, Cause::Timeout(TimeLimit::End));
            } else if passed(me.channel.receive.idle_at()) {
                self.give_up(side, Cause::Timeout(TimeLimit::Idle));
            } else if passed(me.channel.receive.ping_at()) {
                let _over = me.channel.send.keep_alive(now);
                me.unsealed = hash((me.unsealed, "ping"));
            }
        }
    }

    fn strike(&mut self, side: usize, fault: Fault) {
        self.faulty = true;
        match fault {
            Fault::Eof => self.pipes[side].ended = true,
            Fault::Cut => {
                for pipe in &mut self.pipes {
                    pipe.ended = true;
                    pipe.bytes.truncate(pipe.bytes.len() / 2);
                }
            }
            Fault::Change => {
                let pipe = &mut self.pipes[side];
                let middle = pipe.bytes.len() / 2;
                pipe.bytes[middle] ^= 1 << (middle % 8);
                pipe.changed = true;
            }
        }
    }
}

fn room(pipe: &crate::world::Pipe) -> usize {
    if pipe.dead || pipe.ended {
        return usize::MAX;
    }
    PIPE.saturating_sub(pipe.bytes.len())
}

/// What does not touch the sending path does not change what it will seal.
fn tag(deed: Deed) -> Option<Deed> {
    let outgoing = !matches!(
        deed,
        Deed::Read(_) | Deed::Recv | Deed::Stop | Deed::Tick | Deed::Fault(_) | Deed::Flush(_)
    );
    outgoing.then_some(deed)
}

/// A refusal to send is no fault; a cipher that fails is.
fn tolerate(done: Result<(), SendError>) -> Result<(), Wrong> {
    match done {
        Ok(()) | Err(SendError::Stopped { .. } | SendError::Finished) => Ok(()),
        Err(SendError::Over(cause)) if cause != Cause::Internal => Ok(()),
        Err(error) => Err(format!("sending failed: {error}")),
    }
}
