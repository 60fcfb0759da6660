//! Why a message cannot be sent or received.

use thiserror::Error;

use super::outcome::Cause;

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The message is larger than the peer receives. Nothing of it was sent; the session goes on.
    #[error("message of {length} bytes exceeds the peer's limit of {max}")]
    #[non_exhaustive]
    TooLarge {
        /// Bytes of the message.
        length: u64,
        /// The peer's `max_message`.
        max: u64,
    },
    /// The peer's application takes no more: it took exactly so many of our messages.
    #[error("the peer stopped taking messages after {taken} of the {sent} we sent")]
    #[non_exhaustive]
    Stopped {
        /// Messages taken.
        taken: u64,
        /// Messages sent.
        sent: u64,
    },
    /// We have ended our direction.
    #[error("our direction has ended")]
    Finished,
    /// The receipt cannot come while our own input is full: receive first. The message stays sent.
    #[error("messages that we do not receive keep the receipt back")]
    MustReceive,
    /// There is no room, and nobody polls the pump that would make some. The message was not sent.
    #[error("nobody polls the pump of this sender")]
    NotPumped,
    /// The session is over.
    #[error("the session is over: {0}")]
    Over(Cause),
}

/// Why no message can be received.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The session broke before the peer ended: everything whole that came was handed out.
    #[error("truncated after {arrived} messages: {cause}")]
    #[non_exhaustive]
    Truncated {
        /// Whole messages that arrived.
        arrived: u64,
        /// Why.
        cause: Cause,
    },
    /// We have stopped taking messages.
    #[error("we stopped taking messages")]
    Stopped,
}
