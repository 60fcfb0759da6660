//! Nobody collects diagnostics (without the feature `tracing`).

use crate::proto::{HandshakeError, Origin, Outcome, Peer};

pub(crate) fn established(_peer: &Peer) {}

pub(crate) fn ended(_peer: &Peer, _outcome: &Outcome) {}

pub(crate) fn handshake_failed(_origin: Origin, _error: &HandshakeError) {}

#[cfg(feature = "net")]
pub(crate) fn turned_away(_origin: Origin, _why: &dyn core::fmt::Display) {}
