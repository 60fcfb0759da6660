//! Answers in the words of the control protocol: outcomes, causes, codes.

use std::error::Error;

use duologue::{Cause, Code, HandshakeError, Outcome, Received, SendError, Sent, TimeLimit};
use serde_json::{Value, json};

/// Why a command is not obeyed.
pub(crate) enum No {
    Error(String),
    Unsupported(String),
}

pub(crate) type Answer = Result<Value, No>;

pub(crate) fn no(why: impl ToString) -> No {
    No::Error(why.to_string())
}

pub(crate) fn done(result: Result<(), SendError>) -> Answer {
    result.map(|()| json!({})).map_err(no)
}

/// A session that was not established: why, and its outcome.
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) outcome: Value,
}

pub(crate) fn text(error: &dyn Error) -> Failure {
    Failure {
        why: error.to_string(),
        outcome: ended_before("handshake", Code::NONE, ""),
    }
}

fn ended_before(cause: &str, code: Code, reason: &str) -> Value {
    json!({
        "incoming": "truncated", "outgoing": "at_least", "taken": 0,
        "cause": cause, "code": code.number(), "reason": reason,
    })
}

#[derive(Clone, Copy)]
pub(crate) enum Role {
    Initiator,
    Responder,
}

pub(crate) fn failure(error: &HandshakeError, role: Role) -> Failure {
    let outcome = match (error, role) {
        (HandshakeError::Refused { .. }, _) => ended_before("peer_aborted", Code::REFUSED, ""),
        (HandshakeError::Aborted { code, reason, .. }, _) => {
            ended_before("peer_aborted", *code, reason)
        }
        (HandshakeError::NoCommonProtocol { .. }, Role::Initiator) => {
            ended_before("peer_aborted", Code::NO_COMMON_PROTOCOL, "")
        }
        (HandshakeError::NoCommonProtocol { .. }, Role::Responder) => {
            ended_before("we_aborted", Code::NO_COMMON_PROTOCOL, "")
        }
        // A responder says so; an initiator that refuses says nothing.
        (HandshakeError::NotAccepted { .. } | HandshakeError::OwnKey, Role::Responder) => {
            ended_before("we_aborted", Code::REFUSED, "")
        }
        (HandshakeError::Violation(violation), _) => {
            ended_before("we_aborted", violation.code(), "")
        }
        (HandshakeError::BadRecord, _) => ended_before("we_aborted", Code::VIOLATION, ""),
        _other => ended_before("handshake", Code::NONE, ""),
    };
    Failure {
        why: error.to_string(),
        outcome,
    }
}

pub(crate) fn told(outcome: &Outcome) -> Value {
    let incoming = match outcome.received {
        Received::Truncated { .. } => "truncated",
        _ended => "ended",
    };
    let (outgoing, taken) = match outcome.sent {
        Sent::Delivered(all) => ("all", all),
        Sent::Partial { taken, .. } => ("exactly", taken),
        Sent::Unconfirmed { taken, .. } => ("at_least", taken),
        _ => ("at_least", 0),
    };
    let (cause, code, reason) = match &outcome.cause {
        Cause::Finished { .. } | Cause::Expired => ("ended", Code::NONE, ""),
        Cause::PeerAborted { code, reason, .. } => ("peer_aborted", *code, reason.as_str()),
        Cause::LocalAbort { code, .. } => ("we_aborted", *code, ""),
        Cause::Violation(violation) => ("we_aborted", violation.code(), ""),
        Cause::BadRecord => ("we_aborted", Code::VIOLATION, ""),
        Cause::Timeout(TimeLimit::WriteStall) => ("transport", Code::NONE, ""),
        Cause::Timeout(_) => ("we_aborted", Code::TIMEOUT, ""),
        Cause::Dropped => ("we_aborted", Code::DROPPED, ""),
        Cause::Internal => ("we_aborted", Code::INTERNAL, ""),
        _transport => ("transport", Code::NONE, ""),
    };
    json!({
        "incoming": incoming, "outgoing": outgoing, "taken": taken,
        "cause": cause, "code": code.number(), "reason": reason,
    })
}

/// The code of a number: the protocol's own by name, the application's from 256 on.
pub(crate) fn code(number: u32) -> Result<Code, No> {
    const OWN: [Code; 10] = [
        Code::NONE,
        Code::REFUSED,
        Code::NO_COMMON_PROTOCOL,
        Code::VIOLATION,
        Code::TOO_LARGE,
        Code::TIMEOUT,
        Code::EXPIRED,
        Code::GOING_AWAY,
        Code::DROPPED,
        Code::INTERNAL,
    ];
    match number.checked_sub(256) {
        Some(own) => Ok(Code::application(own)),
        None => {
            let known = OWN.into_iter().find(|code| code.number() == number);
            known.ok_or_else(|| No::Unsupported(format!("code {number}")))
        }
    }
}
