//! The protocol without I/O: bytes and the time in, bytes and events out.
//!
//! For those who bring their own transport. Everybody else uses [`Session`](crate::Session).

mod clock;
mod config;
mod credit;
#[cfg(all(fuzzing, debug_assertions))]
pub(crate) mod fuzzing;
mod handshake;
mod handshake_error;
mod judge;
mod notices;
mod outcome;
mod outgoing;
mod policy;
mod receive;
mod send;
mod send_error;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub(crate) use config::Limits;
pub use config::{Config, ConfigError};
pub use handshake::{Channel, Handshake, Judging, Peer, Step};
pub use handshake_error::HandshakeError;
pub(crate) use notices::SharedFacts;
pub use notices::{Facts, Notices};
pub use outcome::{Cause, Ended, Outcome, Received, Sent, TimeLimit};
pub use policy::{Candidate, Judgement, Origin, PeerPolicy};
pub use receive::{Processed, ReceivePath};
pub use send::{Offered, Progress, SendPath};
pub use send_error::{ReceiveError, SendError};

impl Channel {
    /// Whether the session is over: END and FINAL_RECEIPT have gone both ways.
    // spec: E-8
    #[must_use]
    pub fn is_over(&self) -> bool {
        is_over(&self.send, &self.receive)
    }
}

pub(crate) fn is_over(send: &SendPath, receive: &ReceivePath) -> bool {
    send.is_over() && receive.peer_ended().is_some()
}
