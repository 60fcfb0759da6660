//! How a session ended: for each direction, on authenticated facts alone (spec: section 6).

use core::fmt;
use std::io;

use thiserror::Error;

use crate::wire::{Code, Violation};

/// How a session ended. Written once, never changed (spec: E-12).
///
/// ```
/// use duologue::{Outcome, Received, Sent};
///
/// fn safe_to_forget(outcome: &Outcome) -> bool {
///     matches!(outcome.sent, Sent::Delivered(_)) && matches!(outcome.received, Received::Complete(_))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// What became of our messages.
    pub sent: Sent,
    /// What we have of the peer's.
    pub received: Received,
    /// Why the session ended.
    pub cause: Cause,
}

/// What is proven of the messages that we sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sent {
    /// The peer's application took all of them: it said so, authenticated.
    Delivered(u64),
    /// The peer's application took exactly so many and will take no more.
    #[non_exhaustive]
    Partial {
        /// Messages taken.
        taken: u64,
        /// Messages sent.
        sent: u64,
    },
    /// The peer's application took at least so many; the rest is unknown.
    // spec: E-15
    #[non_exhaustive]
    Unconfirmed {
        /// Messages that the last receipt counted.
        taken: u64,
        /// Messages sent.
        sent: u64,
    },
}

/// What is proven of the messages that we received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// The peer ended its direction, and our application took all of its messages.
    Complete(u64),
    /// The peer ended its direction; our application did not take everything.
    #[non_exhaustive]
    Stopped {
        /// Messages taken.
        taken: u64,
        /// Messages that the peer sent.
        sent: u64,
    },
    /// The session broke before the peer ended: nobody knows what was still to come.
    #[non_exhaustive]
    Truncated {
        /// Whole messages that arrived.
        arrived: u64,
        /// Messages taken.
        taken: u64,
    },
}

/// Code and reason of an END.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Ended {
    /// Why, as a number.
    pub code: Code,
    /// Why, in words for a person: at most 256 bytes, the peer's own are not to be trusted.
    pub reason: String,
}

impl Ended {
    pub(crate) fn new(code: Code, reason: &str) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
        }
    }
}

/// Which time limit passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeLimit {
    /// Nothing came for the session's idle timeout (spec: L-3).
    Idle,
    /// A write made no progress (spec: L-5).
    WriteStall,
    /// The close handshake took too long (spec: E-14).
    End,
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "the idle timeout passed without a word from the peer",
            Self::WriteStall => "the transport took no bytes for the limit on a stalled write",
            Self::End => "the peer did not end within the end deadline",
        })
    }
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Cause {
    /// Both sides ended their directions.
    #[error("both sides ended")]
    #[non_exhaustive]
    Finished {
        /// What our END said.
        ours: Ended,
        /// What the peer's END said.
        theirs: Ended,
    },
    /// The peer aborted, authenticated.
    #[error("the peer aborted with {code}{}", quoted(.reason))]
    #[non_exhaustive]
    PeerAborted {
        /// Its code.
        code: Code,
        /// Its words, not to be trusted.
        reason: String,
    },
    /// We aborted.
    #[error("we aborted with {code}")]
    #[non_exhaustive]
    LocalAbort {
        /// Our code.
        code: Code,
    },
    /// The transport ended without the peer's END.
    #[error("the transport ended before the peer did")]
    TransportEnded,
    /// The transport failed.
    #[error("the transport failed: {0}")]
    TransportFailed(io::ErrorKind),
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Violation(Violation),
    /// A record did not open: it was changed on its way, or lost, or is not the peer's.
    #[error("a record did not open")]
    BadRecord,
    /// A time limit passed.
    #[error("{0}")]
    Timeout(TimeLimit),
    /// The session reached its greatest age.
    #[error("the session reached its greatest age")]
    Expired,
    /// Our application let go of the session without ending it.
    #[error("the session was dropped without an end")]
    Dropped,
    /// Our own side failed: the cipher or the random source refused.
    #[error("the cipher failed")]
    Internal,
}

impl Cause {
    /// What the ABORT to the peer says.
    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Self::Finished { .. } | Self::PeerAborted { .. } | Self::TransportFailed(_) => None,
            Self::LocalAbort { code } => Some(*code),
            Self::Violation(violation) => Some(violation.code()),
            Self::BadRecord => Some(Code::VIOLATION),
            Self::Timeout(_) => Some(Code::TIMEOUT),
            Self::Expired => Some(Code::EXPIRED),
            Self::Dropped | Self::TransportEnded => Some(Code::DROPPED),
            Self::Internal => Some(Code::INTERNAL),
        }
    }
}

fn quoted(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason:?}")
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered(all) => write!(f, "the peer took all {all} messages we sent"),
            Self::Partial { taken, sent } => write!(
                f,
                "the peer took exactly {taken} of the {sent} messages we sent and no more"
            ),
            Self::Unconfirmed { taken, sent } => write!(
                f,
                "of the {sent} messages we sent the peer took at least {taken}; the rest is not proven"
            ),
        }
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete(all) => write!(f, "we took all {all} messages the peer sent"),
            Self::Stopped { taken, sent } => {
                write!(f, "we took {taken} of the {sent} messages the peer sent")
            }
            Self::Truncated { arrived, taken } => write!(
                f,
                "the peer was cut off: {arrived} whole messages arrived, we took {taken}"
            ),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}; {}", self.sent, self.received, self.cause)
    }
}
