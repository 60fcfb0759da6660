//! Sessions: the only layer that awaits. It drives the protocol over any byte stream.

mod close;
#[cfg(feature = "tracing")]
pub(crate) mod events;
mod handshake;
mod link;
#[cfg(not(feature = "tracing"))]
pub(crate) mod no_events;
mod pump;
mod reach;
mod receiver;
mod receiving;
mod sender;
mod sending;
mod stream;
mod timer;
mod transport;
#[cfg(feature = "serde")]
mod typed;
mod wakers;

use core::{fmt, future::Future, time::Duration};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(not(feature = "tracing"))]
pub(crate) use self::no_events as events;
#[cfg(feature = "serde")]
pub use self::typed::{Typed, TypedReceiveError, TypedSendError};
use self::{
    link::Link, receiving::Receiving, sending::Sending, timer::Timer, transport::Transport,
};
pub use self::{
    pump::{Pump, SharedSender},
    receiver::{Event, Receiver},
    sender::Sender,
    stream::ByteStream,
};
use crate::{
    noise::PublicKey,
    proto::{
        Config, Ended, HandshakeError, Origin, Outcome, Peer, ReceiveError, Received, SendError,
    },
    wire::Code,
};

/// An encrypted, authenticated conversation of two processes, with an end that both can prove.
///
/// Every method that awaits drives both directions: it reads into a bounded input, answers, and writes
/// what waits. Between two calls nothing runs; for long work use [`Session::attend`].
///
/// ```
/// use duologue::{Config, PeerPolicy, Received, SecretKey, Sent, accept, connect};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (alice, bob) = (SecretKey::generate()?, SecretKey::generate()?);
/// let (alice_public, bob_public) = (alice.public_key(), bob.public_key());
/// let (near, far) = tokio::io::duplex(64 * 1024);
///
/// let bob = tokio::spawn(async move {
///     let config = Config::new(bob).peers(PeerPolicy::pinned([alice_public]));
///     let mut session = accept(far, &config).await?;
///     while let Some(message) = session.recv().await? {
///         session.send(&message).await?;
///     }
///     Ok::<_, duologue::Error>(session.close().await)
/// });
///
/// let mut session = connect(near, Some(&bob_public), &Config::new(alice)).await?;
/// session.send(b"good morning").await?;
/// session.finish().await?;
/// assert_eq!(session.recv().await?.as_deref(), Some(&b"good morning"[..]));
/// assert_eq!(session.recv().await?, None);
/// let outcome = session.close().await;
/// assert_eq!(outcome.sent, Sent::Delivered(1));
/// assert_eq!(outcome.received, Received::Complete(1));
/// assert_eq!(bob.await??.sent, Sent::Delivered(1));
/// # Ok(())
/// # }
/// ```
pub struct Session {
    // Nobody else has it: what is done for each message takes no lock.
    link: Box<Link>,
    timer: Timer,
    received: receiving::Received,
}

/// Opens a session as the initiator, over any byte stream.
///
/// With `remote` the responder's key is pinned. Without, [`Config::peers`] judges it before our own key
/// is shown. Returns when the responder has accepted us.
///
/// # Errors
///
/// Why there is no session; a responder that refuses us says so, authenticated.
///
/// # Cancel safety
///
/// Dropped, the transport is closed and there is no session.
pub async fn connect<T>(
    io: T,
    remote: Option<&PublicKey>,
    config: &Config,
) -> Result<Session, HandshakeError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    handshake::initiate(Transport::of(io), remote, config).await
}

/// As [`connect`], over a reader and a writer that are split already: the pipes of a child, for example.
///
/// # Errors
///
/// As [`connect`].
///
/// # Cancel safety
///
/// As [`connect`].
pub async fn connect_halves<R, W>(
    reader: R,
    writer: W,
    remote: Option<&PublicKey>,
    config: &Config,
) -> Result<Session, HandshakeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    handshake::initiate(Transport::of_halves(reader, writer), remote, config).await
}

/// Takes a session as the responder, over any byte stream. [`Config::peers`] judges the initiator.
///
/// # Errors
///
/// Why there is no session. A peer that is not accepted has been told so, authenticated.
///
/// # Cancel safety
///
/// Dropped, the transport is closed and there is no session.
pub async fn accept<T>(io: T, config: &Config) -> Result<Session, HandshakeError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    accept_from(io, config, Origin::Unknown).await
}

/// As [`accept`], over a reader and a writer that are split already.
///
/// # Errors
///
/// As [`accept`].
///
/// # Cancel safety
///
/// As [`accept`].
pub async fn accept_halves<R, W>(
    reader: R,
    writer: W,
    config: &Config,
) -> Result<Session, HandshakeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    handshake::respond(
        Transport::of_halves(reader, writer),
        config,
        Origin::Unknown,
    )
    .await
}

pub(crate) async fn accept_from<T>(
    io: T,
    config: &Config,
    origin: Origin,
) -> Result<Session, HandshakeError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    handshake::respond(Transport::of(io), config, origin).await
}

impl Session {
    fn of(link: Link) -> Self {
        Self {
            link: Box::new(link),
            timer: Timer::default(),
            received: receiving::Received::default(),
        }
    }

    fn sending(&mut self) -> Sending<'_, &mut Link> {
        Sending::new(&mut self.link, &mut self.timer)
    }

    fn receiving(&mut self) -> Receiving<'_, &mut Link> {
        Receiving::new(&mut self.link, &mut self.received)
    }

    /// Splits the session into halves for two tasks that never wait for each other.
    ///
    /// TCP, Unix sockets and pairs of reader and writer have no lock between them; other transports are
    /// split by tokio, with one.
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        let Self {
            link,
            timer,
            received,
        } = self;
        link.set_split();
        let link = Arc::from(link);
        (
            Sender::new(Arc::clone(&link), timer),
            Receiver::new(link, received),
        )
    }

    /// Sends a whole message and waits until the transport has taken it; see [`Sender::send`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send`].
    pub fn send(&mut self, message: &[u8]) -> impl Future<Output = Result<(), SendError>> {
        self.sending().send(message)
    }

    /// Takes over a message to be sent together with others; see [`Sender::feed`].
    ///
    /// What was fed also leaves when [`Session::recv`] has to wait.
    ///
    /// # Errors
    ///
    /// As [`Sender::feed`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::feed`].
    pub fn feed(&mut self, message: &[u8]) -> impl Future<Output = Result<(), SendError>> {
        self.sending().feed(message)
    }

    /// Waits until the transport has taken everything that was fed; see [`Sender::flush`].
    ///
    /// # Errors
    ///
    /// As [`Sender::flush`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::flush`].
    pub fn flush(&mut self) -> impl Future<Output = Result<(), SendError>> {
        self.sending().flush()
    }

    /// Sends a message and waits until the peer's application has taken it; see [`Sender::send_confirmed`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send_confirmed`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send_confirmed`].
    pub async fn send_confirmed(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.sending().send_confirmed(message).await
    }

    /// Waits until the peer's application has taken so many messages; see [`Sender::wait_taken`].
    ///
    /// # Errors
    ///
    /// As [`Sender::wait_taken`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::wait_taken`].
    pub async fn wait_taken(&mut self, count: u64) -> Result<(), SendError> {
        self.sending().wait_taken(count).await
    }

    /// Messages sent so far.
    #[must_use]
    pub fn sent_count(&self) -> u64 {
        self.link.sent_count()
    }

    /// Messages that the peer's application has taken, as far as it has said so.
    #[must_use]
    pub fn taken_count(&self) -> u64 {
        self.link.taken_count()
    }

    /// Receives the next whole message; `None` once the peer has ended; see [`Receiver::recv`].
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv`].
    ///
    /// # Cancel safety
    ///
    /// As [`Receiver::recv`].
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Bytes>, ReceiveError>> {
        self.receiving().recv()
    }

    /// Receives the next message as a slice that is lent until the next call; see [`Receiver::recv_ref`].
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

    /// Receives the next message or event; see [`Receiver::recv_event`].
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

    /// Counts every message handed out so far as taken; see [`Receiver::acknowledge`].
    pub fn acknowledge(&mut self) {
        self.link.acknowledge();
    }

    /// The code and the reason with which the peer ended its direction; see [`Receiver::peer_end`].
    #[must_use]
    pub fn peer_end(&self) -> Option<Ended> {
        self.link.peer_end()
    }

    /// Ends our direction; receiving goes on; see [`Sender::finish`].
    ///
    /// # Errors
    ///
    /// As [`Sender::finish`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::finish`].
    pub async fn finish(&mut self) -> Result<(), SendError> {
        self.sending().finish(Code::NONE, "").await
    }

    /// Ends our direction with a code and a reason; see [`Sender::finish_with`].
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

    /// Announces to both applications that this session will end within this time; see [`Sender::drain`].
    ///
    /// # Errors
    ///
    /// As [`Sender::drain`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::drain`].
    pub async fn drain(&mut self, within: Duration) -> Result<(), SendError> {
        self.sending().drain(within).await
    }

    /// Replaces our sending key now; see [`Sender::rekey_now`].
    ///
    /// # Errors
    ///
    /// As [`Sender::rekey_now`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::rekey_now`].
    pub async fn rekey_now(&mut self) -> Result<(), SendError> {
        self.sending().rekey_now().await
    }

    /// Asks the peer for a sign of life; see [`Sender::ping`].
    ///
    /// # Errors
    ///
    /// As [`Sender::ping`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::ping`].
    pub async fn ping(&mut self) -> Result<(), SendError> {
        self.sending().ping().await
    }

    /// The last measured time of a round trip, if there was one.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.link.round_trip()
    }

    /// How old the session may still get, if its age is limited.
    #[must_use]
    pub fn remaining_age(&self) -> Option<Duration> {
        let fixed = &self.link.fixed;
        let end = fixed.born.checked_add(fixed.limits().age?)?;
        Some(end.saturating_duration_since(link::now()))
    }

    /// Ends the session on both sides and says how it ended. Never an error: it *is* the answer.
    ///
    /// Our direction is ended, untaken messages are discarded, and the peer's end is waited for, under
    /// the end deadline. Calling it again gives the same outcome.
    ///
    /// # Cancel safety
    ///
    /// Call it again: the end goes on where it was. Dropped without that, nothing looks like an end.
    pub async fn close(&mut self) -> Outcome {
        let link = &self.link;
        link.closed(wakers::Side::Sender);
        // What was handed out and never acknowledged is not taken either.
        let received = link.incoming().path.received();
        if !matches!(received, Received::Complete(_)) {
            link.stop_taking();
        }
        link.closed(wakers::Side::Receiver);
        self.sending().close().await
    }

    /// Waits until the session is over, and ends nothing by itself; see [`Sender::wait_outcome`].
    ///
    /// It never ends while messages wait: receive them first, or beside it in a half of their own.
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::wait_outcome`].
    pub async fn wait_outcome(&mut self) -> Outcome {
        self.sending().wait_outcome().await
    }

    /// Ends the session at once with a code and a reason that the peer sees.
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
        self.receiving().attend(future).await
    }

    /// Whom we talk to, and what both agreed on.
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

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer", self.peer())
            .finish_non_exhaustive()
    }
}
