//! Handshakes with every choice made.

use std::{sync::OnceLock, time::Instant};

use super::file::{Conversation, From, Hex, Session, Side};
use crate::{
    noise::{Choices, Fixed, Pattern, Psk, PublicKey, SecretKey, Suite},
    proto::{Channel, Config, Handshake, HandshakeError, Origin, Step},
};

pub(super) const CONTEXT: &[u8] = b"vectors";
pub(super) const PSK: [u8; 32] = [0x07; 32];

/// The choices of a side in all vectors.
pub(super) fn choices(side: From) -> Choices {
    let number = [1, 2][side.index()];
    Choices {
        secret: [number; 32],
        ephemeral: [number + 0x10; 32],
        kem_seed: [0x21; 64],
        kem_message: [0x22; 32],
    }
}

/// One side before its handshake.
pub(super) struct Party {
    pub(super) fixed: &'static Fixed,
    pub(super) config: Config,
    pub(super) key: PublicKey,
}

impl Party {
    pub(super) fn new(suite: Suite, pattern: Pattern, choices: Choices) -> Self {
        let secret = SecretKey::from_bytes(&mut choices.secret.clone());
        let key = secret.public_key();
        let fixed = Fixed::new(choices);
        let config = Config::new(secret)
            .suites([suite])
            .provider(fixed.provider())
            .context(CONTEXT);
        let config = if pattern.uses_psk() {
            config.psk(Psk::from_bytes(&mut PSK.clone()))
        } else {
            config
        };
        Self { fixed, config, key }
    }

    /// Both sides with the choices of all vectors.
    pub(super) fn both(suite: Suite, pattern: Pattern) -> [Self; 2] {
        From::BOTH.map(|side| Self::new(suite, pattern, choices(side)))
    }
}

/// A handshake under way; every key is accepted.
pub(super) enum Stage {
    Shaking(Box<Handshake>),
    Established(Box<Channel>),
}

impl Stage {
    /// Feeds bytes; what the side answers is appended to `output`.
    pub(super) fn feed(
        self,
        mut input: &[u8],
        output: &mut Vec<u8>,
        now: Instant,
    ) -> Result<Self, HandshakeError> {
        let Self::Shaking(handshake) = self else {
            panic!("established");
        };
        let mut handshake = *handshake;
        loop {
            handshake = match handshake.step(&mut input, output, now)? {
                Step::NeedInput(next) => {
                    assert_eq!(input, b"", "bytes left over");
                    return Ok(Self::Shaking(Box::new(next)));
                }
                Step::Judge(judging) => judging.accept(output)?,
                Step::Established(channel) => {
                    assert_eq!(input, b"", "bytes left over");
                    return Ok(Self::Established(Box::new(channel)));
                }
            };
        }
    }

    pub(super) fn established(self) -> Channel {
        match self {
            Self::Established(channel) => *channel,
            Self::Shaking(handshake) => panic!("waits for {}", handshake.waiting_for()),
        }
    }
}

pub(super) fn initiator(
    config: &Config,
    remote: Option<&PublicKey>,
    output: &mut Vec<u8>,
) -> Stage {
    Stage::Shaking(Box::new(
        Handshake::initiator(config, remote, output).unwrap(),
    ))
}

pub(super) fn responder(config: &Config) -> Stage {
    Stage::Shaking(Box::new(
        Handshake::responder(config, Origin::Unknown).unwrap(),
    ))
}

/// The body, without its length, at the front of `output`.
pub(super) fn take_body(output: &mut Vec<u8>) -> Vec<u8> {
    let length = usize::from(u16::from_be_bytes(*output.first_chunk().unwrap()));
    let record: Vec<u8> = output.drain(..length + 2).collect();
    record[2..].to_vec()
}

pub(super) fn with_length(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    [&length.to_be_bytes(), body].concat()
}

/// A handshake that went to its end.
pub(super) struct Shaken {
    pub(super) bodies: [Vec<u8>; 3],
    /// Record 0 of each side.
    pub(super) first: [Vec<u8>; 2],
    pub(super) keys: [[u8; 32]; 2],
    pub(super) channels: [Channel; 2],
}

pub(super) fn shake(pattern: Pattern, parties: &[Party; 2], now: Instant) -> Shaken {
    let [alice, bob] = parties;
    let mut out = Vec::new();
    let pinned = pattern.pins_responder().then_some(&bob.key);
    let left = initiator(&alice.config, pinned, &mut out);
    let one = take_body(&mut out);
    let right = responder(&bob.config);
    let right = right.feed(&with_length(&one), &mut out, now).unwrap();
    let two = take_body(&mut out);
    let left = left.feed(&with_length(&two), &mut out, now).unwrap();
    let three = take_body(&mut out);
    let zero = std::mem::take(&mut out);
    let input = [with_length(&three), zero.clone()].concat();
    let right = right.feed(&input, &mut out, now).unwrap();
    let answer = std::mem::take(&mut out);
    let left = left.feed(&answer, &mut out, now).unwrap();
    Shaken {
        bodies: [one, two, three],
        first: [zero, answer],
        keys: alice.fixed.record_keys(),
        channels: [left.established(), right.established()],
    }
}

/// A conversation of XX before its first record, by suite; made once.
pub(super) fn conversation(suite: Suite) -> Conversation {
    static MADE: [OnceLock<Conversation>; 4] = [const { OnceLock::new() }; 4];
    let make = || {
        let shaken = shake(
            Pattern::Xx,
            &Party::both(suite, Pattern::Xx),
            Instant::now(),
        );
        Conversation {
            suite: suite.id(),
            hash: Hex::of(shaken.channels[0].peer.handshake_hash),
            keys: shaken.keys.map(Hex::of),
            takes: None,
            records: Vec::new(),
            error: None,
            outcome: None,
        }
    };
    MADE[usize::from(suite.id()) - 1].get_or_init(make).clone()
}

/// The head of a transcript: all but its bodies.
pub(super) fn session(suite: Suite, pattern: Pattern, config: &Config) -> Session {
    let side = |from: From| {
        let choices = choices(from);
        let hybrid = suite.is_hybrid();
        let is_initiator = from == From::Initiator;
        Side {
            secret: Hex::of(choices.secret),
            ephemeral: Hex::of(choices.ephemeral),
            kem_seed: (hybrid && is_initiator).then(|| Hex::of(choices.kem_seed)),
            kem_message: (hybrid && !is_initiator).then(|| Hex::of(choices.kem_message)),
        }
    };
    let hello = [b'd', b'u', b'o', 1, suite.id(), pattern.id(), 0, 0];
    Session {
        suite: suite.id(),
        pattern: pattern.id(),
        protocol_name: name(suite, pattern),
        context: Hex::of(CONTEXT),
        prologue: Hex(config.prologue(&hello)),
        psk: pattern.uses_psk().then(|| Hex::of(PSK)),
        initiator: side(From::Initiator),
        responder: side(From::Responder),
        bodies: Vec::new(),
        fails_at: None,
        hash: None,
        keys: None,
        records: Vec::new(),
    }
}

/// The Noise protocol name.
pub(super) fn name(suite: Suite, pattern: Pattern) -> String {
    crate::noise::noise_name(pattern, suite)
}
