//! Where every state must lead when both applications do their part.

use std::time::Duration;

use duologue::{Received, Sent};

use crate::{
    moves::{Amount, Wrong},
    world::{Side, World},
};

impl World {
    /// Both take what comes and end; then the clock passes every deadline.
    pub(crate) fn settle(&mut self) -> Result<(), Wrong> {
        for side in 0..2 {
            if !self.sides[side].is_concluded() {
                self.finish(side)?;
            }
        }
        self.drain()?;
        if !self.faulty {
            return self.ended_well();
        }
        for side in 0..2 {
            if !self.sides[side].is_concluded() {
                self.close(side)?;
            }
        }
        self.tick(Duration::from_secs(11));
        self.drain()?;
        // I4
        for (side, me) in self.sides.iter().enumerate() {
            if !me.is_concluded() {
                return Err(format!("side {side} never ends: {:?}", me.channel));
            }
        }
        Ok(())
    }

    /// Moves everything until nothing moves.
    fn drain(&mut self) -> Result<(), Wrong> {
        for _round in 0..1_000 {
            let before = self.stirring();
            for side in 0..2 {
                if self.sides[side].gone {
                    continue;
                }
                while !self.sides[side].channel.receive.is_empty() {
                    self.recv(side)?;
                }
                self.flush(side, Amount::All)?;
                self.read(1 - side, Amount::All);
                self.judge()?;
            }
            let unsaid = |side: &Side| !side.gone && side.mail.is_some();
            if self.stirring() == before && !self.sides.iter().any(unsaid) {
                return Ok(());
            }
        }
        Err("the pipes never drain".into())
    }

    fn stirring(&self) -> [(usize, usize, usize, bool, u64); 2] {
        [0, 1].map(|side| {
            let me = &self.sides[side];
            (
                self.pipes[side].bytes.len(),
                me.channel.send.pending().len(),
                me.taken,
                me.is_concluded(),
                me.channel.receive.arrived_count() + me.channel.send.taken_count(),
            )
        })
    }

    /// I3: without a fault both sides have proof of everything.
    fn ended_well(&self) -> Result<(), Wrong> {
        for side in 0..2 {
            let (me, peer) = (&self.sides[side], &self.sides[1 - side]);
            let (taken, all) = (peer.taken as u64, me.sent.len() as u64);
            let (sent, received) = (me.channel.send.sent(), peer.channel.receive.received());
            let whole = sent == Sent::Delivered(all) && received == Received::Complete(all);
            let partial = matches!(sent, Sent::Partial { .. })
                && matches!(received, Received::Stopped { .. })
                && peer.channel.receive.is_stopped();
            if !me.channel.is_over() || !(whole && taken == all || partial && taken < all) {
                return Err(format!(
                    "without a fault side {side} ends with {sent:?}, its peer with {received:?}; \
                     {taken} of {all} taken, over: {}",
                    me.channel.is_over()
                ));
            }
        }
        Ok(())
    }
}
