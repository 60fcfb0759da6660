//! Why a session could not be established.

use core::fmt;
use std::io;

use thiserror::Error;

use super::config::ConfigError;
use crate::{
    noise::{Pattern, PublicKey, Suite},
    wire::{Code, Offer, Violation},
};

/// Why a session could not be established. Final: the handshake is gone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// What came first is not this protocol.
    #[error("the peer does not speak this protocol")]
    NotDuologue,
    /// The responder does not take what we offered; its list is unauthenticated.
    #[error("we offered {}, the responder says that it takes {}", named(.offered), listed(.takes))]
    #[non_exhaustive]
    Unsupported {
        /// Our offer.
        offered: Offer,
        /// What the responder says it takes.
        takes: Vec<Offer>,
    },
    /// The initiator offered something that we do not take.
    #[error("the initiator offered {}, we take {}", named(.offered), listed(.takes))]
    #[non_exhaustive]
    NotTaken {
        /// Its offer.
        offered: Offer,
        /// What we take.
        takes: Vec<Offer>,
    },
    /// A handshake message of another size than its pattern and suite have.
    #[error("handshake message of a wrong size")]
    WrongSize,
    /// The handshake's proof failed: another key, pre-shared key or context, or bytes changed on their way.
    #[error(
        "the handshake failed: the two sides differ in a pinned key, the pre-shared key or the context, or bytes were changed on their way"
    )]
    Failed,
    /// The transport ended in the handshake.
    #[error("the transport ended while we waited for {waiting_for}{}", hint(.waiting_for))]
    #[non_exhaustive]
    TransportEnded {
        /// What we waited for.
        waiting_for: &'static str,
    },
    /// The transport failed in the handshake.
    #[error("the transport failed in the handshake: {0}")]
    TransportFailed(io::ErrorKind),
    /// The whole handshake took longer than its deadline.
    #[error("the handshake deadline passed while we waited for {waiting_for}")]
    #[non_exhaustive]
    TimedOut {
        /// What we waited for.
        waiting_for: &'static str,
    },
    /// Our policy does not accept the peer's key.
    #[error("we do not accept the peer {key}")]
    #[non_exhaustive]
    NotAccepted {
        /// The proven key.
        key: PublicKey,
    },
    /// The peer has our own key: a reflection, or one key given to two processes.
    #[error("the peer has our own key")]
    OwnKey,
    /// The peer told us, authenticated, that it does not accept our key.
    #[error("the peer refused our key {ours}")]
    #[non_exhaustive]
    Refused {
        /// Our key.
        ours: PublicKey,
    },
    /// The two sides agree on no application protocol.
    #[error("no common application protocol: we have {}, the peer {theirs}", names(.ours))]
    #[non_exhaustive]
    NoCommonProtocol {
        /// Ours.
        ours: Vec<String>,
        /// The peer's, in words.
        theirs: String,
    },
    /// The peer aborted, authenticated.
    #[error("the peer aborted the handshake with {code}: {reason:?}")]
    #[non_exhaustive]
    Aborted {
        /// Its code.
        code: Code,
        /// Its words, not to be trusted.
        reason: String,
    },
    /// The authenticated peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Violation(Violation),
    /// The first record did not open.
    #[error("the first record did not open")]
    BadRecord,
    /// Our configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Our own side failed: the random source or the cipher refused.
    #[error("the random source or the cipher failed")]
    Internal,
}

/// An offer in words, or by its numbers where we know no words for them.
fn named(offer: &Offer) -> String {
    let suite = Suite::from_id(offer.suite);
    let pattern = Pattern::from_id(offer.pattern);
    match (suite, pattern) {
        (Some(suite), Some(pattern)) if *offer == Offer::new(suite.id(), pattern.id()) => {
            format!("{pattern} with {suite}")
        }
        (_, _) => offer.to_string(),
    }
}

fn listed(offers: &[Offer]) -> String {
    separated(offers.iter().map(named))
}

pub(super) fn names(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    separated(names.iter().map(|name| name.escape_debug()))
}

fn separated<T: fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.join(", ")
}

fn hint(waiting_for: &str) -> &'static str {
    if waiting_for == super::handshake::MESSAGE_2 {
        " (a responder says nothing to a pre-shared key, pinned key or context that is not its own)"
    } else {
        ""
    }
}
