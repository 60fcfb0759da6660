//! A vector against this implementation, from its bytes alone.

mod conversation;
mod session;

use std::time::Instant;

use super::{
    file::{Body, From, Vector},
    shaken::{Party, Stage, choices, initiator, responder},
};
use crate::{
    noise::{Pattern, Psk, Suite},
    proto::{Config, HandshakeError},
    wire::{Frame, Kind, Params, Violation, split_kind, take_varint},
};

pub(super) type Checked = Result<(), String>;

pub(super) fn check(vector: &Vector) -> Checked {
    let clause = vector.clause.as_str();
    match &vector.body {
        Body::Session(session) => session::check(session),
        Body::Conversation(made) => match &made.error {
            Some(class) => conversation::refuses(made, class, clause),
            None => From::BOTH
                .into_iter()
                .try_for_each(|side| conversation::takes(made, side)),
        },
        Body::Plaintext { bytes, error } => judged(plaintext(&bytes.0), error.as_deref(), clause),
        Body::Params { bytes, error } => {
            let read = Params::take(&bytes.0).map(drop);
            judged(read, error.as_deref(), clause)
        }
        Body::Varint { bytes, value } => {
            let mut rest = bytes.0.as_slice();
            let read = take_varint(&mut rest).ok().filter(|_value| rest.is_empty());
            same("value", &read, value)
        }
        Body::Hello { bytes, answer } => hello(&bytes.0, answer),
        Body::Answer {
            suite,
            pattern,
            bytes,
            answer,
        } => self::answer(*suite, *pattern, &bytes.0, answer),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, wanted: &T) -> Checked {
    if got == wanted {
        return Ok(());
    }
    Err(format!("{what}: {got:?}, not {wanted:?}"))
}

fn judged(read: Result<(), Violation>, error: Option<&str>, clause: &str) -> Checked {
    match (read, error) {
        (Ok(()), None) => Ok(()),
        (Err(violation), Some("violation")) => same("clause", &violation.clause(), &clause),
        (read, error) => Err(format!("{read:?}, not {error:?}")),
    }
}

fn plaintext(bytes: &[u8]) -> Result<(), Violation> {
    let (mut body, kind) = split_kind(bytes)?;
    while kind == Kind::Batch && !body.is_empty() {
        Frame::take(&mut body)?;
    }
    Ok(())
}

/// A configuration that takes every suite, with a pre-shared key where the pattern has one.
fn config(pattern: Option<Pattern>) -> Config {
    let config = Party::new(Suite::ChaChaPoly, Pattern::Xx, choices(From::Responder)).config;
    let config = config.suites(Suite::ALL);
    match pattern.filter(|pattern| pattern.uses_psk()) {
        Some(_psk) => config.psk(Psk::from_bytes(&mut [7; 32])),
        None => config,
    }
}

fn hello(bytes: &[u8], wanted: &str) -> Checked {
    let mut answer = Vec::new();
    let stage = responder(&config(Pattern::from_id(bytes[7])));
    let Stage::Shaking(handshake) = stage else {
        return Err("established".to_owned());
    };
    let stepped = handshake.step(&mut &*bytes, &mut answer, Instant::now());
    let got = match (stepped, answer.get(2)) {
        (Ok(_waits), None) => "proceed",
        (Err(HandshakeError::NotTaken { .. }), Some(1)) => "refusal_list",
        (Err(_error), None) => "close",
        (stepped, _answer) => return Err(format!("{stepped:?}")),
    };
    same("answer", &got, &wanted)
}

fn answer(suite: u8, pattern: u8, bytes: &[u8], wanted: &str) -> Checked {
    let (suite, pattern) = (
        Suite::from_id(suite).unwrap(),
        Pattern::from_id(pattern).unwrap(),
    );
    let [alice, bob] = Party::both(suite, pattern);
    let pinned = pattern.pins_responder().then_some(&bob.key);
    let stage = initiator(&alice.config, pinned, &mut Vec::new());
    let got = match stage.feed(bytes, &mut Vec::new(), Instant::now()) {
        // Of the right shape, but of no key.
        Err(HandshakeError::Failed) => "proceed",
        Err(HandshakeError::Unsupported { .. }) => "refused",
        Err(HandshakeError::NotDuologue | HandshakeError::WrongSize) => "end",
        Err(error) => return Err(error.to_string()),
        Ok(_stage) => return Err("goes on".to_owned()),
    };
    same("answer", &got, &wanted)
}
