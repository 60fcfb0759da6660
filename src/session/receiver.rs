//! The receiving half of a session.

use core::{fmt, future::Future};
use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::{
    link::Link,
    receiving::{Received, Receiving},
};
use crate::{
    proto::{Ended, Outcome, Peer, ReceiveError},
    wire::Code,
};

/// The receiving half of a session.
///
/// Dropping it tells the peer that nothing more is taken; the sending half goes on.
pub struct Receiver {
    pub(super) link: Arc<Link>,
    own: Received,
}

/// What [`Receiver::recv_event`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A whole message.
    Message(Bytes),
    /// The session will end by then: by our age limit, by [`Sender::drain`](crate::Sender::drain), or as the peer announced.
    #[non_exhaustive]
    Draining {
        /// By when.
        deadline: Instant,
        /// Whether the peer has announced it; else it comes from our side.
        from_peer: bool,
    },
    /// The peer has ended its direction, and everything it sent has been handed out.
    Ended,
}

impl Receiver {
    pub(super) fn new(link: Arc<Link>, own: Received) -> Self {
        Self { link, own }
    }

    fn receiving(&mut self) -> Receiving<'_, &Link> {
        Receiving::new(&self.link, &mut self.own)
    }

    /// Receives the next whole message; `None` once the peer has ended, provably.
    ///
    /// The message counts as taken. Held, it keeps at most one input buffer (256 KiB) or itself alive.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::Truncated`] if the session broke before the peer ended, after every whole message
    /// has been handed out; [`ReceiveError::Stopped`] after the session was closed on our side.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: a message counts only when this future hands it out.
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Bytes>, ReceiveError>> {
        self.receiving().recv()
    }

    /// Receives the next whole message as a slice that is lent until the next call.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv`].
    ///
    /// # Cancel safety
    ///
    /// As [`Receiver::recv`].
    pub fn recv_ref(&mut self) -> impl Future<Output = Result<Option<&[u8]>, ReceiveError>> {
        self.receiving().recv_ref()
    }

    /// Receives the next message, or the news that the session will end soon, or that the peer has ended.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv`].
    ///
    /// # Cancel safety
    ///
    /// As [`Receiver::recv`].
    pub async fn recv_event(&mut self) -> Result<Event, ReceiveError> {
        self.receiving().recv_event().await
    }

    /// Counts every message handed out so far as taken.
    ///
    /// Needed only with [`Config::acknowledge_explicitly`](crate::Config::acknowledge_explicitly). The
    /// receipt leaves with the next future of the session that is polled.
    pub fn acknowledge(&mut self) {
        self.link.acknowledge();
    }

    /// Messages that count as taken.
    #[must_use]
    pub fn taken_count(&self) -> u64 {
        self.link.incoming().path.taken_count()
    }

    /// The code and the reason with which the peer ended its direction, once everything before is received.
    #[must_use]
    pub fn peer_end(&self) -> Option<Ended> {
        self.link.peer_end()
    }

    /// Takes no more messages and waits for the end of the whole session.
    ///
    /// What is untaken is discarded and not counted. While the sending half lives, the end waits for it
    /// to be finished or closed.
    ///
    /// # Cancel safety
    ///
    /// Call it again: the end goes on where it was.
    pub async fn close(&mut self) -> Outcome {
        self.receiving().close().await
    }

    /// Ends the session at once, in both directions, with a code and a reason that the peer sees.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the session is aborted.
    pub async fn abort(&mut self, code: Code, reason: &str) -> Outcome {
        self.receiving().abort(code, reason).await
    }

    /// Runs a future and keeps the session alive meanwhile: answers, keepalive, deadlines.
    ///
    /// # Cancel safety
    ///
    /// As the future's.
    pub async fn attend<F: Future>(&mut self, future: F) -> F::Output {
        self.receiving().attend(future).await
    }

    /// Whom we talk to.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.link.fixed.peer
    }

    /// How the session ended, once that is known.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.link.outcome()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.link.receiver_dropped();
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("peer", self.peer())
            .finish_non_exhaustive()
    }
}
