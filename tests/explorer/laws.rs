//! What must hold in every state.

use duologue::{Cause, Code, Received, Sent};

use crate::{
    moves::Wrong,
    world::{Side, World},
};

fn law(holds: bool, broken: impl FnOnce() -> String) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err(broken()) }
}

impl World {
    pub(crate) fn judge(&mut self) -> Result<(), Wrong> {
        for side in 0..2 {
            self.received_is_true(side)?;
            self.sent_is_true(side)?;
            self.nobody_is_accused(side)?;
            self.what_is_known_stays(side)
                .map_err(|wrong| format!("side {side}: {wrong}"))?;
        }
        Ok(())
    }

    /// I1: what is said of the peer's messages is what our application has.
    fn received_is_true(&self, side: usize) -> Result<(), Wrong> {
        let (me, peer) = (&self.sides[side], &self.sides[1 - side]);
        let receive = &me.channel.receive;
        let (taken, sent) = (me.taken as u64, peer.sent.len() as u64);
        let arrived = receive.arrived_count();
        law(
            receive.taken_count() == taken && taken <= arrived && arrived <= sent,
            || {
                format!(
                    "side {side} took {taken} of {arrived} of {sent}, and counts {}",
                    receive.taken_count()
                )
            },
        )?;
        let ended = peer.channel.send.ended().is_some();
        let received = receive.received();
        let holds = match received {
            Received::Complete(all) => ended && all == taken && all == sent,
            Received::Stopped {
                taken: said,
                sent: all,
                ..
            } => ended && said == taken && all == sent,
            Received::Truncated {
                arrived: came,
                taken: said,
                ..
            } => came == arrived && said == taken,
            _ => false,
        };
        law(holds, || {
            format!("side {side} says {received:?}, but took {taken} of {sent}, ended: {ended}")
        })
    }

    /// I2: what is said of our messages is what the peer's application has.
    fn sent_is_true(&self, side: usize) -> Result<(), Wrong> {
        let (me, peer) = (&self.sides[side], &self.sides[1 - side]);
        let (ours, theirs) = (me.channel.send.sent(), peer.channel.receive.received());
        let (taken, all) = (peer.taken as u64, me.sent.len() as u64);
        let holds = match ours {
            Sent::Delivered(said) => {
                said == all && said == taken && theirs == Received::Complete(said)
            }
            Sent::Partial {
                taken: said, sent, ..
            } => said == taken && said < all && sent == all && peer.channel.receive.is_stopped(),
            Sent::Unconfirmed {
                taken: said, sent, ..
            } => said <= taken && sent == all,
            _ => false,
        };
        law(holds, || {
            format!("side {side} says {ours:?}, but the peer took {taken} of {all}: {theirs:?}")
        })
    }

    /// Nobody who keeps the rules is told that it broke them.
    fn nobody_is_accused(&self, side: usize) -> Result<(), Wrong> {
        let honest = self.pipes.iter().all(|pipe| !pipe.changed);
        let accused = match self.sides[side].channel.receive.failure() {
            Some(Cause::Violation(_) | Cause::BadRecord) => honest,
            Some(Cause::PeerAborted { code, .. }) => honest && *code == Code::VIOLATION,
            Some(Cause::Internal) => true,
            _ => false,
        };
        law(!accused, || {
            let failure = self.sides[side].channel.receive.failure();
            format!("side {side} accuses an honest peer: {failure:?}")
        })
    }

    /// I5 and I6: an outcome does not change, and nothing arrives behind a failure.
    fn what_is_known_stays(&mut self, side: usize) -> Result<(), Wrong> {
        let Side { channel, seen, .. } = &mut self.sides[side];
        let (sent, received) = (channel.send.sent(), channel.receive.received());
        let kept = match (seen.sent, sent) {
            (None | Some(Sent::Unconfirmed { .. }), _) => true,
            (Some(Sent::Partial { taken, .. }), Sent::Partial { taken: now, .. }) => taken == now,
            (Some(Sent::Partial { taken, .. }), Sent::Delivered(now)) => taken == now,
            (Some(before), now) => before == now,
        };
        law(kept, || format!("{:?} became {sent:?}", seen.sent))?;
        let kept = match (seen.received, received) {
            (Some(Received::Complete(all)), now) => now == Received::Complete(all),
            (Some(Received::Stopped { .. }), now) => !matches!(now, Received::Truncated { .. }),
            _ => true,
        };
        law(kept, || format!("{:?} became {received:?}", seen.received))?;
        (seen.sent, seen.received) = (Some(sent), Some(received));
        if channel.is_over() {
            let outcome = *seen.outcome.get_or_insert((sent, received));
            law(outcome == (sent, received), || {
                format!("{outcome:?} became {sent:?}, {received:?}")
            })?;
        }
        if channel.receive.failure().is_some() {
            let arrived = channel.receive.arrived_count();
            let before = *seen.arrived_at_failure.get_or_insert(arrived);
            law(before == arrived, || {
                format!("{} messages arrived behind the failure", arrived - before)
            })?;
        }
        Ok(())
    }
}
