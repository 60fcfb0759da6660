//! One error that holds all others.

use thiserror::Error;

use crate::{
    noise::{KeyTextError, RandomError},
    proto::{ConfigError, HandshakeError, ReceiveError, SendError},
};

/// Any error of this crate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// No session could be established.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// A message was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// No message could be received.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// A configuration that no session can start from.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key's text form is wrong.
    #[error(transparent)]
    KeyText(#[from] KeyTextError),
    /// The operating system gave no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}
