//! Why a listener cannot begin, or cannot go on.

use std::io;

use thiserror::Error;

use super::address::{Address, AddressError};
use crate::ConfigError;

/// Why a listener could not begin.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The text is not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nothing can listen there.
    #[error("{address}: {obstacle}")]
    #[non_exhaustive]
    Place {
        /// Where.
        address: Address,
        /// Why not.
        obstacle: Obstacle,
    },
    /// A listening socket that was handed over cannot be used.
    #[error("the socket handed over cannot be used: {0}")]
    HandedOver(io::Error),
}

/// What keeps a listener from a place.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// Somebody listens there.
    #[error("somebody listens there already")]
    InUse,
    /// The path exists and is no socket; it is left alone.
    #[error("the path exists and is not a socket")]
    NotASocket,
    /// The path is another user's socket; it is left alone.
    #[error("the socket there belongs to another user, uid {uid}")]
    #[non_exhaustive]
    NotOurs {
        /// Whose.
        uid: u32,
    },
    /// Others can put what they like at the path.
    #[error("others can write its directory (owner uid {uid}, mode {mode:o})")]
    #[non_exhaustive]
    SharedDirectory {
        /// The directory's owner.
        uid: u32,
        /// Its mode.
        mode: u32,
    },
    /// The operating system refused.
    #[error("{0}")]
    Failed(io::Error),
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse,
            _ => Self::Failed(error),
        }
    }
}

/// Why a listener cannot go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The socket does not listen, or not any more: it was shut down.
    #[error("{address}: the socket does not listen any more: {error}")]
    #[non_exhaustive]
    NotListening {
        /// Where.
        address: Address,
        /// What the operating system said.
        error: io::Error,
    },
}
