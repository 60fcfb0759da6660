//! Record 0 of an authenticated peer, and what must come of it (spec: H-14 to H-18, H-20 to H-23).

use duologue::{
    Code, HandshakeError,
    proto::{Channel, Peer},
};

use crate::{
    input::Input,
    raw_peer::{Opened, RawFrame, RawParams, RawRecord, RawSession, Role},
    tamper::tamper,
};

/// Names that a side may speak.
const NAMES: [&str; 4] = ["chat/1", "chat/2", "é", "x"];

/// A list of names, by four bits; none is no list.
pub(crate) fn names(bits: u8) -> Vec<String> {
    let chosen = NAMES
        .iter()
        .enumerate()
        .filter(|(at, _)| bits >> at & 1 == 1);
    chosen.map(|(_, name)| (*name).to_owned()).collect()
}

/// The plaintext of record 0: honest, any parameters, any frames, or any bytes.
pub(crate) fn compose(input: &mut Input<'_>, hash: &[u8; 32]) -> Vec<u8> {
    let params = RawParams {
        protocols: Some(names(input.byte())).filter(|names| !names.is_empty()),
        max_message: Some(1 + input.wide() % (1 << 62)),
        idle_timeout: None,
        others: Vec::new(),
    };
    let frames = match input.choice(6) {
        0 => vec![RawFrame::Params(params.encode(hash))],
        1 => vec![
            RawFrame::Params(params.encode(hash)),
            RawFrame::Padding(usize::from(input.number()) % 5_000),
        ],
        2 => vec![RawFrame::Params(input.block().to_vec())],
        3 => {
            let mut bytes = params.encode(hash);
            tamper(input, &mut bytes, &[]);
            vec![RawFrame::Params(bytes)]
        }
        4 => vec![RawFrame::Abort(
            input.wide() % (1 << 33),
            input.chunk().to_vec(),
        )],
        _ => return input.block().to_vec(),
    };
    let mut plaintext = RawRecord::Batch(frames).encode();
    tamper(input, &mut plaintext, &[]);
    plaintext
}

/// What must come of a plaintext.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Established {
        protocol: Option<String>,
        max_message: u64,
    },
    NoCommonProtocol,
    Refused,
    Aborted(u64),
    Violation,
}

/// As section 5 says, from what the peer said and what we speak.
pub(crate) fn expected(plaintext: &[u8], role: Role, ours: &[String]) -> Expected {
    if plaintext.is_empty() || plaintext.len() > 4_096 {
        return Expected::Violation;
    }
    let Ok(RawRecord::Batch(frames)) = RawRecord::parse(plaintext) else {
        return Expected::Violation;
    };
    let params = match &*frames {
        [RawFrame::Params(params)] | [RawFrame::Params(params), RawFrame::Padding(_)] => params,
        [RawFrame::Abort(code, _)] | [RawFrame::Abort(code, _), RawFrame::Padding(_)] => {
            return match (*code, role) {
                (1, Role::Initiator) => Expected::Refused,
                (2, Role::Initiator) => Expected::NoCommonProtocol,
                _ => Expected::Aborted(*code),
            };
        }
        _ => return Expected::Violation,
    };
    let Ok(params) = RawParams::parse(params) else {
        return Expected::Violation;
    };
    // A list is of 1 to 16 names.
    if params.protocols.as_ref().is_some_and(Vec::is_empty) {
        return Expected::Violation;
    }
    let max_message = params.max_message.unwrap_or(16 * 1024 * 1024);
    let established = |protocol| Expected::Established {
        protocol,
        max_message,
    };
    match (ours, params.protocols.as_deref(), role) {
        ([], None, _) => established(None),
        (ours, Some(theirs), Role::Responder) => {
            match theirs.iter().find(|name| ours.contains(name)) {
                Some(name) => established(Some(name.clone())),
                None => Expected::NoCommonProtocol,
            }
        }
        (_, _, Role::Responder) => Expected::NoCommonProtocol,
        (ours, Some([name]), Role::Initiator) if ours.contains(name) => {
            established(Some(name.clone()))
        }
        (_, _, Role::Initiator) => Expected::Violation,
    }
}

/// Holds the result against what must come of it; `said` is what our side said after record 0.
pub(crate) fn judge(
    result: Result<&mut Channel, &HandshakeError>,
    expected: &Expected,
    raw: &mut RawSession,
    mut said: Vec<u8>,
) {
    let answer = raw.open(&mut said);
    assert!(said.is_empty(), "H-15: one record at most");
    let abort = |code: Code| {
        let Some(Opened::Plaintext(plaintext)) = &answer else {
            panic!("no ABORT: {answer:?}");
        };
        match RawRecord::parse(plaintext) {
            Ok(RawRecord::Batch(frames)) => match &*frames {
                [RawFrame::Abort(said, _)] => assert_eq!(*said, u64::from(code.number())),
                other => panic!("no ABORT: {other:?}"),
            },
            other => panic!("no ABORT: {other:?}"),
        }
    };
    match (result, expected) {
        (
            Ok(channel),
            Expected::Established {
                protocol,
                max_message,
            },
        ) => {
            let Peer {
                protocol: agreed,
                max_message: most,
                handshake_hash,
                key,
                ..
            } = &channel.peer;
            assert_eq!((agreed, most), (protocol, max_message), "H-22, H-23");
            assert_eq!(*handshake_hash, raw.hash, "H-11");
            assert_eq!(
                *key.as_bytes(),
                crate::raw_peer::handshake::public_key(crate::setup::THEIRS)
            );
            assert_eq!(answer.is_some(), raw.role == Role::Initiator, "H-15");
        }
        (Err(HandshakeError::NoCommonProtocol { .. }), Expected::NoCommonProtocol) => {
            match raw.role {
                Role::Initiator => abort(Code::NO_COMMON_PROTOCOL),
                Role::Responder => assert_eq!(answer, None),
            }
        }
        (Err(HandshakeError::Refused { .. }), Expected::Refused) => assert_eq!(answer, None),
        (Err(HandshakeError::Aborted { code, .. }), Expected::Aborted(number)) => {
            assert_eq!(u64::from(code.number()), *number);
            assert_eq!(answer, None, "E-9");
        }
        (Err(HandshakeError::Violation(_)), Expected::Violation) => abort(Code::VIOLATION),
        (Err(error), expected) => panic!("{error:?}, not {expected:?}"),
        (Ok(_channel), expected) => panic!("established, not {expected:?}"),
    }
}
