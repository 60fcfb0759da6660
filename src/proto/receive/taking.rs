//! What the application takes: messages handed out in order, each counted once (spec: T-14, E-4, E-6).

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::{Item, ReceivePath, pieces::Assembly};
use crate::{proto::config::Taking, wire};

impl ReceivePath {
    /// Hands out the next whole message; it counts as taken.
    ///
    /// With [`Config::acknowledge_explicitly`](crate::Config::acknowledge_explicitly) it counts when [`ReceivePath::acknowledge`] is called.
    pub fn take(&mut self) -> Option<Bytes> {
        let message = self.hand_out()?;
        self.settle();
        Some(message)
    }

    /// Counts what was handed out, unless the application does so itself.
    pub(crate) fn settle(&mut self) {
        if self.counts.taking == Taking::HandedOut {
            self.count_taken(self.counts.handed);
        }
    }

    /// Hands out the next whole message without counting it.
    pub(crate) fn hand_out(&mut self) -> Option<Bytes> {
        let message = self.dequeue()?;
        self.counts.given = self.counts.given.saturating_add(1);
        self.hand_one();
        Some(message)
    }

    /// Counts one more message as handed out.
    pub(crate) fn hand_one(&mut self) {
        self.counts.handed = self.counts.handed.saturating_add(1);
    }

    /// Messages handed out.
    pub(crate) fn handed(&self) -> u64 {
        self.counts.handed
    }

    /// So many messages have been handed out by now.
    pub(crate) fn handed_out(&mut self, handed: u64) {
        if handed > self.counts.handed {
            self.counts.handed = handed;
            self.settle();
        }
    }

    /// Whether a message that is handed out changes no more than its count: nobody waits for a receipt.
    pub(crate) fn is_only_counted(&self) -> bool {
        self.counts.stopped.is_none() && self.judge.is_only_counted()
    }

    /// Gives out a batch whole, if one is next; whoever takes it says how much of it was handed out.
    pub(crate) fn give_batch(&mut self) -> Option<Bytes> {
        let Item::Batch { bytes, messages } = &mut self.queue.front_mut()?.item else {
            return None;
        };
        let (bytes, messages) = (core::mem::take(bytes), *messages);
        self.give_back();
        self.queue.pop_front();
        self.counts.given = self.counts.given.saturating_add(messages);
        // Held until it is handed out (spec: L-6).
        self.counts.lent = bytes.len().saturating_add(32);
        Some(bytes)
    }

    /// Whether nothing is left to hand out but a batch that was given out whole.
    pub(crate) fn is_exhausted(&mut self) -> bool {
        if self.queue.is_empty() {
            self.give_back();
            return true;
        }
        false
    }

    fn give_back(&mut self) {
        let lent = core::mem::take(&mut self.counts.lent);
        self.queued = self.queued.saturating_sub(lent);
    }

    fn dequeue(&mut self) -> Option<Bytes> {
        self.give_back();
        loop {
            match &mut self.queue.front_mut()?.item {
                Item::Message(message) => {
                    let message = core::mem::take(message);
                    self.drop_front(message.len());
                    return Some(message);
                }
                Item::Batch {
                    bytes: batch,
                    messages,
                } => {
                    let mut rest = &**batch;
                    let Some(message) = wire::next_message(&mut rest) else {
                        let length = batch.len();
                        self.drop_front(length);
                        continue;
                    };
                    let message = batch.slice_ref(message);
                    let used = batch.len().saturating_sub(rest.len());
                    batch.advance(used);
                    *messages = messages.saturating_sub(1);
                    self.queued = self.queued.saturating_sub(used);
                    if batch.is_empty() {
                        self.drop_front(0);
                    }
                    return Some(message);
                }
            }
        }
    }

    fn drop_front(&mut self, length: usize) {
        self.queue.pop_front();
        self.queued = self.queued.saturating_sub(length).saturating_sub(32);
    }

    /// Counts every message handed out so far as taken.
    pub fn acknowledge(&mut self) {
        self.count_taken(self.counts.handed);
    }

    fn count_taken(&mut self, taken: u64) {
        if self.counts.stopped.is_some() || taken <= self.counts.taken {
            return;
        }
        self.counts.taken = taken;
        self.judge.taken(taken);
    }

    /// Takes no more messages; what is untaken is discarded and not counted.
    // spec: E-4, E-6
    pub fn stop_taking(&mut self) {
        if self.counts.stopped.is_some() {
            return;
        }
        self.queue = VecDeque::new();
        self.queued = 0;
        (self.counts.given, self.counts.lent) = (self.counts.handed, 0);
        if let Assembly::Keeping(kept) = &self.assembly {
            self.assembly = Assembly::Dropping(kept.filled());
        }
        self.counts.stopped = Some(self.counts.taken);
        self.judge.stopped(self.counts.taken);
    }
}
