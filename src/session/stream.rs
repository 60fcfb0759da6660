//! A session as a stream of bytes, for what knows nothing of messages.

use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::io;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Session;
use crate::{
    proto::{Outcome, Peer, Progress, ReceiveError, SendError},
    wire::RECORD_SENT,
};

/// The largest message that one write makes: what fits into one record.
const WRITE_MOST: usize = RECORD_SENT - 1;

/// A session as `AsyncRead + AsyncWrite`: HTTP, gRPC or anything else runs over it.
///
/// Where one write ends and the next begins is not kept. `shutdown` ends our direction, and the peer reads
/// an end of file only if we did so: a session that breaks is an error of kind
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), never a clean end. A message counts as taken when its
/// last byte has been read. What was written leaves with `flush`, or when reading has to wait.
///
/// ```
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # use duologue::{Config, PeerPolicy, SecretKey, accept, connect};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (alice, bob) = (SecretKey::generate()?, SecretKey::generate()?);
/// # let (a, b) = (alice.public_key(), bob.public_key());
/// # let (near, far) = tokio::io::duplex(64 * 1024);
/// # let (alice, bob) = (Config::new(alice), Config::new(bob).peers(PeerPolicy::pinned([a])));
/// # let (near, far) = tokio::join!(connect(near, Some(&b), &alice), accept(far, &bob));
/// # let (alice, bob) = (near?, far?);
/// let mut alice = alice.into_stream();
/// let mut bob = bob.into_stream();
/// alice.write_all(b"good morning").await?;
/// alice.shutdown().await?;
/// let mut text = String::new();
/// bob.read_to_string(&mut text).await?;
/// assert_eq!(text, "good morning");
/// # Ok(())
/// # }
/// ```
pub struct ByteStream {
    session: Session,
    rest: Bytes,
}

impl Session {
    /// Turns the session into a stream of bytes.
    #[must_use]
    pub fn into_stream(self) -> ByteStream {
        ByteStream {
            session: self,
            rest: Bytes::new(),
        }
    }
}

impl ByteStream {
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

    /// How the session ended, once that is known.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.session.outcome()
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { session, rest } = self.get_mut();
        while rest.is_empty() {
            match ready!(session.receiving().poll_recv_uncounted(cx)) {
                Ok(Some(message)) => *rest = message,
                Ok(None) => return Poll::Ready(Ok(())),
                Err(error) => return Poll::Ready(Err(reading(error))),
            }
            if rest.is_empty() {
                session.link.count_handed_out();
            }
        }
        let length = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..length).unwrap_or_default());
        rest.advance(length);
        if rest.is_empty() {
            session.link.count_handed_out();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let session = &mut self.get_mut().session;
        let most = usize::try_from(session.peer().max_message).unwrap_or(usize::MAX);
        let length = bytes.len().min(WRITE_MOST).min(most);
        let message = bytes.get(..length).unwrap_or_default();
        if message.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // A message of one record is taken over whole or not at all, so no progress need be kept.
        let mut progress = Progress::default();
        let fed = ready!(session.sending().poll_feed(cx, message, &mut progress));
        Poll::Ready(fed.map(|()| length).map_err(writing))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let session = &mut self.get_mut().session;
        session.sending().poll_flush(cx).map_err(writing)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let session = &mut self.get_mut().session;
        session.sending().poll_finish(cx).map_err(writing)
    }
}

fn reading(error: ReceiveError) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, error)
}

fn writing(error: SendError) -> io::Error {
    let kind = match &error {
        SendError::Stopped { .. } | SendError::Finished => io::ErrorKind::BrokenPipe,
        SendError::TooLarge { .. } | SendError::MustReceive | SendError::NotPumped => {
            io::ErrorKind::Other
        }
        SendError::Over(_) => io::ErrorKind::ConnectionAborted,
    };
    io::Error::new(kind, error)
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
