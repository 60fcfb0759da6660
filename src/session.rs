//! The async face of a session.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Config, HandshakeError, Origin, PublicKey};

/// One conversation with an authenticated peer.
#[derive(Debug)]
pub struct Session(());

/// Opens a session as the initiator, over any transport.
///
/// # Errors
///
/// Why no session could be established.
pub async fn connect<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    io: T,
    remote: Option<&PublicKey>,
    config: &Config,
) -> Result<Session, HandshakeError> {
    let _ = (io, remote);
    tokio::task::yield_now().await;
    config.check()?;
    Err(HandshakeError::Internal)
}

/// Opens a session as the responder, over any transport.
///
/// # Errors
///
/// Why no session could be established.
pub async fn accept<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    io: T,
    config: &Config,
) -> Result<Session, HandshakeError> {
    accept_from(io, config, Origin::Unknown).await
}

pub(crate) async fn accept_from<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    io: T,
    config: &Config,
    origin: Origin,
) -> Result<Session, HandshakeError> {
    let _ = (io, origin);
    tokio::task::yield_now().await;
    config.check()?;
    Err(HandshakeError::Internal)
}
