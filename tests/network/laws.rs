//! What must hold between two applications' records and what their sessions told them.

use duologue::{Cause, Outcome, Received, Sent};

use crate::{
    plan::Plan,
    record::{Pair, Record},
};

/// Everything that is wrong with one session.
pub(crate) fn judge(pair: &Pair, plan: &Plan) -> Vec<String> {
    let mut wrongs = Vec::new();
    for side in 0..2 {
        let Some(me) = &pair[side] else {
            continue;
        };
        let judged = Judged {
            me,
            peer: pair[1 - side].as_ref(),
        };
        let laws = [
            judged.order(),
            judged.received(plan.limits.age.is_some()),
            judged.sent(),
            if plan.calm { judged.good_end() } else { Ok(()) },
        ];
        let broken = laws.into_iter().filter_map(Result::err);
        wrongs.extend(broken.map(|wrong| format!("{}: {wrong}", ["alice", "bob"][side])));
    }
    wrongs
}

struct Judged<'a> {
    me: &'a Record,
    peer: Option<&'a Record>,
}

fn law(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

impl Judged<'_> {
    /// What was taken is what was sent, in order, without a gap (spec: T-14).
    fn order(&self) -> Result<(), String> {
        let sent = self.peer.map(Record::all_sent).unwrap_or_default();
        law(sent.starts_with(&self.me.taken), || {
            format!("took {:?} of {sent:?}", self.me.taken)
        })
    }

    /// I1, and what the other words on the peer's messages claim.
    ///
    /// A session with an age limit may end by itself.
    fn received(&self, aged: bool) -> Result<(), String> {
        let Some(Outcome { received, .. }) = self.me.outcome else {
            return Ok(());
        };
        let Record { taken, counted, .. } = self.me;
        let (taken, counted) = (taken.len() as u64, *counted as u64);
        let sent = self.peer.map(|peer| peer.sent.len() as u64);
        let tried = self.peer.map_or(0, |peer| peer.all_sent().len() as u64);
        let ended = aged || self.peer.is_some_and(|peer| peer.ending);
        let holds = match received {
            Received::Complete(all) => ended && all == counted && all == taken && Some(all) == sent,
            Received::Stopped {
                taken: said,
                sent: all,
                ..
            } => ended && said == counted && Some(all) == sent,
            Received::Truncated {
                arrived,
                taken: said,
                ..
            } => said == counted && taken <= arrived && arrived <= tried,
            _ => false,
        };
        law(holds, || {
            format!("{received:?}, but took {taken}, counted {counted}, of {sent:?}")
        })?;
        let read = self.me.read_to_the_end;
        law(!read || ended && Some(taken) == sent, || {
            format!("recv said the end after {taken} of {sent:?}, ended: {ended}")
        })
    }

    /// I2: what is said of our messages is what the peer's application has.
    fn sent(&self) -> Result<(), String> {
        let Some(Outcome { sent, .. }) = self.me.outcome else {
            return Ok(());
        };
        let all = self.me.sent.len() as u64;
        let taken = self.peer.map_or(0, |peer| peer.counted as u64);
        let outcome = self.peer.and_then(|peer| peer.outcome.as_ref());
        let theirs = outcome.map(|outcome| outcome.received);
        let holds = match sent {
            Sent::Delivered(said) => {
                said == all
                    && said == taken
                    && theirs.is_none_or(|theirs| theirs == Received::Complete(said))
            }
            Sent::Partial {
                taken: said,
                sent: of,
                ..
            } => {
                let complete = matches!(theirs, Some(Received::Complete(_)));
                said == taken && said < all && of == all && !complete
            }
            Sent::Unconfirmed {
                taken: said,
                sent: of,
                ..
            } => said <= taken && of == all,
            _ => false,
        };
        law(holds, || {
            format!("{sent:?} of {all}, but the peer took {taken}: {theirs:?}")
        })
    }

    /// I3: where nothing befell them and both ended, both have proof of all that was taken.
    fn good_end(&self) -> Result<(), String> {
        let (Some(outcome), Some(peer)) = (&self.me.outcome, self.peer) else {
            return Err("no outcome although nothing happened".into());
        };
        let finished = matches!(outcome.cause, Cause::Finished { .. });
        let all = self.me.sent.len() as u64;
        let whole = peer.counted as u64 == all;
        let proven = match (&outcome.sent, &outcome.received) {
            (_, Received::Truncated { .. }) => false,
            (Sent::Delivered(said), _) => whole && *said == all,
            (Sent::Partial { .. }, _) => !whole,
            _ => false,
        };
        law(finished && proven, || {
            format!(
                "nothing happened, but: {outcome}; the peer took {} of {all}",
                peer.counted
            )
        })
    }
}

impl Record {
    /// What was sent, and what may have been.
    fn all_sent(&self) -> Vec<(usize, u64)> {
        let mut all = self.sent.clone();
        all.extend(self.trying);
        all
    }
}

impl Record {
    /// How much its application knows at the end: all, one direction, nothing for certain, nothing at all.
    pub(crate) fn kind(&self) -> usize {
        let Some(outcome) = &self.outcome else {
            return 3;
        };
        let delivered = matches!(outcome.sent, Sent::Delivered(_));
        let complete = matches!(outcome.received, Received::Complete(_));
        usize::from(!delivered) + usize::from(!complete)
    }
}
