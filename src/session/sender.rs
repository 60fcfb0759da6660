//! The sending half of a session.

use core::{fmt, future::Future, task::Context, task::Poll, time::Duration};
use std::sync::Arc;

use super::{link::Link, sending::Sending, timer::Timer};
use crate::{
    proto::{Outcome, Peer, SendError},
    wire::Code,
};

/// The sending half of a session.
///
/// Dropping it before [`Sender::finish`] aborts the session with [`Code::DROPPED`]: nothing then looks like an end.
pub struct Sender {
    pub(super) link: Arc<Link>,
    timer: Timer,
}

impl Sender {
    pub(super) fn new(link: Arc<Link>, timer: Timer) -> Self {
        Self { link, timer }
    }

    fn sending(&mut self) -> Sending<'_, &Link> {
        Sending::new(&self.link, &mut self.timer)
    }

    /// Sends a whole message and waits until the transport has taken it.
    ///
    /// # Errors
    ///
    /// [`SendError::TooLarge`] before any byte is sent; [`SendError::Stopped`] if the peer takes no
    /// more; [`SendError::Finished`] after [`Sender::finish`]; [`SendError::Over`] with the session's end.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the message is sent whole or not at all: a small one is sent if this future was polled
    /// once with room for it, a large one that was under way is withdrawn.
    pub fn send(&mut self, message: &[u8]) -> impl Future<Output = Result<(), SendError>> {
        self.sending().send(message)
    }

    /// Takes over a whole message, to be sent together with others; waits only for room.
    ///
    /// As much is gathered as the transport takes at once, at most 256 KiB. [`Sender::flush`] sends what is gathered.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send`].
    pub fn feed(&mut self, message: &[u8]) -> impl Future<Output = Result<(), SendError>> {
        self.sending().feed(message)
    }

    /// Sends what other tasks have left; ready with the outcome once the session is over.
    pub(super) fn poll_pumped(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.sending().poll_end(cx)
    }

    /// Messages taken, and why no more will be, if that is known.
    pub(super) fn pumped_state(&self) -> (u64, Option<SendError>) {
        let outgoing = self.link.outgoing();
        let (taken, sent) = (outgoing.path.taken_count(), outgoing.path.sent_count());
        if outgoing.path.is_stopped() {
            return (taken, Some(SendError::Stopped { taken, sent }));
        }
        let broken = outgoing.broken.as_deref().cloned();
        drop(outgoing);
        let over = self.link.outcome().map(|outcome| outcome.cause.clone());
        (taken, broken.or(over).map(SendError::Over))
    }

    /// Waits until the transport has taken everything that was fed.
    ///
    /// # Errors
    ///
    /// [`SendError::Over`] if the session ended before.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was fed leaves with whatever future of the session is polled next.
    pub fn flush(&mut self) -> impl Future<Output = Result<(), SendError>> {
        self.sending().flush()
    }

    /// Sends a message and waits until the peer's application has taken it.
    ///
    /// Taken is handed to the application for good; it is not processed.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`]; [`SendError::MustReceive`] if the receipt cannot come while our own input is
    /// full. The message stays sent then: [`Sender::wait_taken`] waits for it later.
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send`]; the receipt still counts in [`Sender::taken_count`].
    pub async fn send_confirmed(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.sending().send_confirmed(message).await
    }

    /// Waits until the peer's application has taken so many of our messages, counted from the first.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if it will not take so many, [`SendError::MustReceive`], [`SendError::Over`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn wait_taken(&mut self, count: u64) -> Result<(), SendError> {
        self.sending().wait_taken(count).await
    }

    /// Messages sent so far.
    #[must_use]
    pub fn sent_count(&self) -> u64 {
        self.link.sent_count()
    }

    /// Messages that the peer's application has taken, as far as it has said so.
    ///
    /// These are safe to forget; the others may be sent again in another session.
    #[must_use]
    pub fn taken_count(&self) -> u64 {
        self.link.taken_count()
    }

    /// Ends our direction: the peer's `recv` returns `None` once it has taken everything.
    ///
    /// Receiving goes on. Finishing twice is no error.
    ///
    /// # Errors
    ///
    /// [`SendError::Over`] if the session ended before.
    ///
    /// # Cancel safety
    ///
    /// Polled once, our direction is ended, whether or not this future is polled again.
    pub async fn finish(&mut self) -> Result<(), SendError> {
        self.sending().finish(Code::NONE, "").await
    }

    /// Ends our direction with a code and a reason of at most 256 bytes.
    ///
    /// # Errors
    ///
    /// As [`Sender::finish`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::finish`].
    pub async fn finish_with(&mut self, code: Code, reason: &str) -> Result<(), SendError> {
        self.sending().finish(code, reason).await
    }

    /// Announces to both applications that this session will end within this time.
    ///
    /// # Errors
    ///
    /// [`SendError::Over`] if the session ended before.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the announcement leaves, whether or not this future is polled again.
    pub async fn drain(&mut self, within: Duration) -> Result<(), SendError> {
        self.sending().drain(within).await
    }

    /// Replaces our sending key now. Keys are also replaced by themselves.
    ///
    /// # Errors
    ///
    /// [`SendError::Over`] if the session ended before.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the key is replaced, whether or not this future is polled again.
    pub async fn rekey_now(&mut self) -> Result<(), SendError> {
        self.sending().rekey_now().await
    }

    /// The last measured time of a round trip, if there was one.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.link.round_trip()
    }

    /// Measures a round trip with the next answer of the peer; see [`Sender::round_trip`].
    ///
    /// Nothing is asked while a question is out, or after very many in a short time.
    ///
    /// # Errors
    ///
    /// [`SendError::Over`] if the session ended before.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the question leaves.
    pub async fn ping(&mut self) -> Result<(), SendError> {
        self.sending().ping().await
    }

    /// Ends our direction and waits for the end of the whole session.
    ///
    /// While the receiving half lives, the end waits for it to take everything, or to be closed or dropped.
    ///
    /// # Cancel safety
    ///
    /// Call it again: the end goes on where it was.
    pub async fn close(&mut self) -> Outcome {
        self.sending().close().await
    }

    /// Waits until the session is over, whoever ends it, and says how it ended. Ends nothing by itself.
    ///
    /// For a task that may learn beside its own work that nobody listens any more. While whole messages
    /// that came before a failure wait to be received, so does this, as the outcome counts them.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn wait_outcome(&mut self) -> Outcome {
        self.sending().wait_outcome().await
    }

    /// Ends the session at once, in both directions, with a code and a reason that the peer sees.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the session is aborted.
    pub async fn abort(&mut self, code: Code, reason: &str) -> Outcome {
        self.sending().abort(code, reason).await
    }

    /// Runs a future and keeps the session alive meanwhile: answers, keepalive, deadlines.
    ///
    /// # Cancel safety
    ///
    /// As the future's.
    pub async fn attend<F: Future>(&mut self, future: F) -> F::Output {
        self.sending().attend(future).await
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

impl Drop for Sender {
    fn drop(&mut self) {
        self.link.sender_dropped();
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("peer", self.peer())
            .finish_non_exhaustive()
    }
}
