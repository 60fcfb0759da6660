//! Values of your types instead of bytes.

use core::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use futures_sink::Sink;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::Session;
use crate::{
    codec::{Codec, DecodeError, EncodeError, Postcard},
    proto::{Outcome, Peer, Progress, ReceiveError, SendError},
};

/// A session that sends values of `Tx` and receives values of `Rx`.
///
/// Both sides must use the same codec: name it in the application protocol. It is also a `Stream` of what
/// is received and a `Sink` of what is sent.
///
/// ```
/// use duologue::{Config, PeerPolicy, SecretKey, accept, connect};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Greeting {
///     name: String,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (alice, bob) = (SecretKey::generate()?, SecretKey::generate()?);
/// # let (a, b) = (alice.public_key(), bob.public_key());
/// # let (near, far) = tokio::io::duplex(64 * 1024);
/// # let (alice, bob) = (Config::new(alice), Config::new(bob).peers(PeerPolicy::pinned([a])));
/// # let (near, far) = tokio::join!(connect(near, Some(&b), &alice), accept(far, &bob));
/// let mut alice = near?.typed::<Greeting, u32>();
/// let mut bob = far?.typed::<u32, Greeting>();
/// alice.send(&Greeting { name: "Alice".to_owned() }).await?;
/// assert_eq!(bob.recv().await?, Some(Greeting { name: "Alice".to_owned() }));
/// # Ok(())
/// # }
/// ```
pub struct Typed<Tx, Rx, C = Postcard> {
    session: Session,
    codec: C,
    /// The encoded message that is on its way; the buffer is kept.
    message: Vec<u8>,
    waiting: Option<Progress>,
    broken: bool,
    types: PhantomData<fn(Tx) -> Rx>,
}

/// Why a value was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TypedSendError {
    /// The value cannot be encoded. Nothing was sent; the session goes on.
    #[error("the value cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// Its message was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Why no value was received.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TypedReceiveError {
    /// This message is no value of the type. The session goes on with the next one.
    #[error("the message cannot be decoded: {0}")]
    Decode(#[from] DecodeError),
    /// No message could be received.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
}

impl Session {
    /// Sends and receives values with [`Postcard`]. What was sent and received before counts on.
    #[must_use]
    pub fn typed<Tx, Rx>(self) -> Typed<Tx, Rx> {
        self.typed_with(Postcard)
    }

    /// Sends and receives values with a codec of your choice.
    #[must_use]
    pub fn typed_with<Tx, Rx, C: Codec>(self, codec: C) -> Typed<Tx, Rx, C> {
        Typed {
            session: self,
            codec,
            message: Vec::new(),
            waiting: None,
            broken: false,
            types: PhantomData,
        }
    }
}

impl<Tx, Rx, C> Typed<Tx, Rx, C>
where
    Tx: Serialize,
    Rx: DeserializeOwned,
    C: Codec,
{
    /// Sends a value and waits until the transport has taken it.
    ///
    /// # Errors
    ///
    /// The value cannot be encoded, or as [`Session::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Session::send`].
    pub async fn send(&mut self, value: &Tx) -> Result<(), TypedSendError> {
        self.feed(value).await?;
        Ok(self.session.flush().await?)
    }

    /// Takes over a value to be sent together with others.
    ///
    /// # Errors
    ///
    /// As [`Typed::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Session::feed`].
    pub async fn feed(&mut self, value: &Tx) -> Result<(), TypedSendError> {
        poll_fn(|cx| self.poll_waiting(cx)).await?;
        self.message.clear();
        self.codec.encode(value, &mut self.message)?;
        Ok(self.session.feed(&self.message).await?)
    }

    /// Waits until the transport has taken everything that was fed.
    ///
    /// # Errors
    ///
    /// As [`Session::flush`].
    ///
    /// # Cancel safety
    ///
    /// As [`Session::flush`].
    pub async fn flush(&mut self) -> Result<(), TypedSendError> {
        poll_fn(|cx| self.poll_waiting(cx)).await?;
        Ok(self.session.flush().await?)
    }

    /// Receives the next value; `None` once the peer has ended, provably.
    ///
    /// A message counts as taken once it is decoded. One that cannot be decoded is an error of that
    /// message alone: it counts as taken when a later one is.
    ///
    /// # Errors
    ///
    /// The message is no value of the type, or as [`Session::recv`].
    ///
    /// # Cancel safety
    ///
    /// As [`Session::recv`].
    pub async fn recv(&mut self) -> Result<Option<Rx>, TypedReceiveError> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Rx>, TypedReceiveError>> {
        let Some(message) = ready!(self.session.receiving().poll_recv_uncounted(cx))? else {
            return Poll::Ready(Ok(None));
        };
        let value = self.codec.decode(&message)?;
        self.session.link.count_handed_out();
        Poll::Ready(Ok(Some(value)))
    }

    /// Drives a value that [`Sink::start_send`] has taken over.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Some(progress) = &mut self.waiting else {
            return Poll::Ready(Ok(()));
        };
        let fed = ready!(
            self.session
                .sending()
                .poll_feed(cx, &self.message, progress)
        );
        self.waiting = None;
        Poll::Ready(fed)
    }

    /// Ends our direction; see [`Session::finish`].
    ///
    /// # Errors
    ///
    /// As [`Session::finish`].
    ///
    /// # Cancel safety
    ///
    /// As [`Session::finish`].
    pub async fn finish(&mut self) -> Result<(), TypedSendError> {
        poll_fn(|cx| self.poll_waiting(cx)).await?;
        Ok(self.session.finish().await?)
    }

    /// Ends the session and says how it ended; see [`Session::close`].
    ///
    /// # Cancel safety
    ///
    /// As [`Session::close`].
    pub async fn close(&mut self) -> Outcome {
        self.session.close().await
    }

    /// Whom we talk to, and what both agreed on.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        self.session.peer()
    }

    /// The session underneath, for everything else.
    #[must_use]
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Gives the session back. A value that a sink has not flushed is withdrawn.
    #[must_use]
    pub fn into_session(self) -> Session {
        self.session
    }
}

impl<Tx, Rx, C> Stream for Typed<Tx, Rx, C>
where
    Tx: Serialize,
    Rx: DeserializeOwned,
    C: Codec + Unpin,
{
    type Item = Result<Rx, TypedReceiveError>;

    /// A message that cannot be decoded is an item; after the session's own error the stream ends.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.broken {
            return Poll::Ready(None);
        }
        let received = ready!(this.poll_recv(cx));
        this.broken = matches!(received, Err(TypedReceiveError::Receive(_)) | Ok(None));
        Poll::Ready(received.transpose())
    }
}

impl<Tx, Rx, C> Sink<Tx> for Typed<Tx, Rx, C>
where
    Tx: Serialize,
    Rx: DeserializeOwned,
    C: Codec + Unpin,
{
    type Error = TypedSendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.get_mut().poll_waiting(cx).map_err(Into::into)
    }

    fn start_send(self: Pin<&mut Self>, value: Tx) -> Result<(), Self::Error> {
        let this = self.get_mut();
        this.message.clear();
        this.codec.encode(&value, &mut this.message)?;
        this.waiting = Some(Progress::default());
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        ready!(this.poll_waiting(cx))?;
        this.session.sending().poll_flush(cx).map_err(Into::into)
    }

    /// Flushes and ends our direction; the outcome is [`Typed::close`]'s.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.get_mut()
            .session
            .sending()
            .poll_finish(cx)
            .map_err(Into::into)
    }
}

impl<Tx, Rx, C> fmt::Debug for Typed<Tx, Rx, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
