//! The control protocol between the kit and a shim: one JSON object a line, in turn.
//!
//! `README.md` is its documentation; these types are its only implementation.

use serde::{Deserialize, Serialize};

/// What the kit asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Who are you?
    Hello,
    /// Listen on a loopback address of your choice and take one connection as responder.
    Listen {
        /// The session's settings.
        config: Config,
    },
    /// Dial as initiator.
    Connect {
        /// `tcp:HOST:PORT` or `unix:PATH`.
        address: String,
        /// The session's settings.
        config: Config,
    },
    /// Wait for establishment or its failure.
    Established {
        /// At most so long.
        within_ms: u64,
    },
    /// Queue one message.
    Send {
        /// In hexadecimal.
        message: String,
    },
    /// Take what came next.
    Recv {
        /// At most so long.
        within_ms: u64,
    },
    /// End our direction.
    Finish {
        /// The code.
        code: u64,
        /// The reason.
        reason: String,
    },
    /// Take no more messages.
    Stop,
    /// Finish with code 0, and take no more.
    Close,
    /// Abort.
    Abort {
        /// The code.
        code: u64,
        /// The reason.
        reason: String,
    },
    /// Announce the end.
    Drain {
        /// In so many milliseconds.
        milliseconds: u64,
    },
    /// Rekey our direction.
    Rekey,
    /// Send a PING, or nothing when one is outstanding.
    Ping,
    /// Ask the peer for a receipt.
    RequestReceipt,
    /// Wait for the outcome.
    Outcome {
        /// At most so long.
        within_ms: u64,
    },
    /// Forget the session and its listener.
    Reset,
    /// End the shim.
    Quit,
}

/// The settings of one session; what is absent is at its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The static secret, hexadecimal.
    pub secret: String,
    /// The suites taken; an initiator has one. Absent: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suites: Vec<u8>,
    /// The patterns taken; an initiator has one. Absent: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<u8>,
    /// The responder's public key that an initiator pins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The public keys accepted. Absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<Vec<String>>,
    /// The pre-shared key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psk: Option<String>,
    /// The context of the prologue.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub context: String,
    /// Application protocols in order of preference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocols: Option<Vec<String>>,
    /// The largest message received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message: Option<u64>,
    /// The idle timeout announced; 0 is none. Absent: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
    /// The handshake's deadline. Absent: 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake_ms: Option<u64>,
    /// The end deadline. Absent: 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_ms: Option<u64>,
    /// How long a write may make no progress. Absent: 30,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall_ms: Option<u64>,
    /// What the application does by itself.
    pub app: App,
}

/// What the application does by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum App {
    /// Takes every message at once, sends it back, and finishes when the peer has.
    #[default]
    Echo,
    /// Only what commands say.
    Manual,
}

/// What the shim answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done; the fields depend on the command.
    Ok(Box<Fields>),
    /// The session does not allow it now, or it failed.
    Error(String),
    /// The shim cannot do this; the case is skipped.
    Unsupported(String),
}

/// Every field of every answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fields {
    /// hello: the implementation's name and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// listen: where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// established: whether it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub established: Option<bool>,
    /// established: the handshake hash, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// established: the peer's public key, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// established: the application protocol agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// recv: a message, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// recv: the peer's direction has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Word>,
    /// recv: the peer announces its end, in so many milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<u64>,
    /// recv: nothing within the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing: Option<bool>,
    /// recv, established: the session has failed, and this is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// outcome: how the session ended; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// A code and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The code.
    pub code: u64,
    /// The reason.
    pub reason: String,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The peer's direction.
    pub incoming: Incoming,
    /// Our direction.
    pub outgoing: Outgoing,
    /// How many of our messages the peer is known to have taken.
    pub taken: u64,
    /// What ended the session.
    pub cause: Cause,
    /// The code of the ABORT that ended it, whoever sent it; 0 where none did.
    #[serde(default)]
    pub code: u64,
    /// The reason of the peer's ABORT.
    #[serde(default)]
    pub reason: String,
}

/// The fate of the peer's direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Incoming {
    /// The peer's END was read.
    Ended,
    /// It was not.
    Truncated,
}

/// What is known of our direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outgoing {
    /// All our messages were taken, and our end is confirmed.
    All,
    /// Exactly `taken` were.
    Exactly,
    /// At least `taken` were; the rest is unknown.
    AtLeast,
}

/// What ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Both directions ended and were confirmed.
    Ended,
    /// The peer sent ABORT.
    PeerAborted,
    /// We sent ABORT, because of the peer, a limit or the application.
    WeAborted,
    /// The transport ended or failed.
    Transport,
    /// The handshake did not come to establishment, without an ABORT.
    Handshake,
}
