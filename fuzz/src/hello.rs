//! A stranger's first bytes at our responder (threat: 1, 2, 3; spec: W-5, W-7 to W-11, L-10).
//!
//! Input: the responder's setup, the sizes of reads, then the stream. Asserted:
//! - the verdict is the one that section 2.2 gives, reckoned here a second time;
//! - it is the same however the stream is cut into reads;
//! - a stranger gets nothing, or message 2 of its exact size, or a well-formed refusal list that says
//!   exactly what the responder takes;
//! - the connection never holds more than 16 KiB, its unread input included;
//! - refusal lists read as written.

use std::time::Instant;

use duologue::{
    Config, HandshakeError, Suite, fuzzing,
    proto::{Handshake, Origin, Step},
};

use crate::{
    input::{Input, cut},
    raw_peer::{
        Pattern as RawPattern, RawError, Suite as RawSuite,
        wire::{parse_refusal, take_body},
    },
    setup::Setup,
};

/// Most that an unauthenticated connection may hold (spec: L-10).
const MOST: u64 = 16 * 1024;

/// What a stranger brought about.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Waits(&'static str),
    Judges,
    Fails(HandshakeError),
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let setup = Setup::read(&mut input);
    let all = input.flag();
    let sizes = input.chunk();
    let stream = input.rest();
    let mut config = setup.config();
    if all {
        config = config.suites(Suite::ALL);
    }
    let (whole, said) = meet(&config, stream, &[]);
    let (parted, also) = meet(&config, stream, sizes);
    assert_eq!(whole, parted, "W-5");
    assert_eq!(said.len(), also.len(), "W-5");
    let suites = if all {
        &RawSuite::ALL[..]
    } else {
        &[setup.raw_suite()]
    };
    judge(&whole, &said, stream, suites, setup.raw_pattern().has_psk());
    if let Some(again) = fuzzing::rewrite_refusal(stream) {
        assert_eq!(again, stream, "W-9");
    }
}

fn meet(config: &Config, stream: &[u8], sizes: &[u8]) -> (Verdict, Vec<u8>) {
    let mut met = None;
    let cost = allocation_counter::measure(|| met = Some(feed(config, stream, sizes)));
    assert!(cost.bytes_max <= MOST, "L-10: {} bytes", cost.bytes_max);
    met.unwrap()
}

fn feed(config: &Config, stream: &[u8], sizes: &[u8]) -> (Verdict, Vec<u8>) {
    let now = Instant::now();
    let mut handshake = Handshake::responder(config, Origin::Unknown).unwrap();
    let (mut held, mut output) = (Vec::new(), Vec::new());
    for part in cut(stream, sizes) {
        held.extend_from_slice(&part[..part.len().min(4_096)]);
        let mut rest = &*held;
        handshake = match handshake.step(&mut rest, &mut output, now) {
            Ok(Step::NeedInput(next)) => next,
            Ok(Step::Judge(_)) => return (Verdict::Judges, output),
            Ok(other) => panic!("established by a stranger: {other:?}"),
            Err(error) => return (Verdict::Fails(error), output),
        };
        held = rest.to_vec();
    }
    (Verdict::Waits(handshake.waiting_for()), output)
}

/// What section 2.2 says, in its order.
fn judge(verdict: &Verdict, said: &[u8], stream: &[u8], suites: &[RawSuite], psk: bool) {
    let silent = |expected: &HandshakeError| {
        assert_eq!(*verdict, Verdict::Fails(expected.clone()), "W-8");
        assert!(said.is_empty(), "H-9");
    };
    let Some((head, rest)) = stream.split_first_chunk::<10>() else {
        assert!(matches!(
            verdict,
            Verdict::Waits("the initiator's first message")
        ));
        assert!(said.is_empty());
        return;
    };
    let [high, low, d, u, o, version, suite, pattern, zero, null] = *head;
    if [d, u, o] != *b"duo" {
        return silent(&HandshakeError::NotDuologue);
    }
    let pair = RawSuite::of(suite)
        .filter(|suite| suites.contains(suite))
        .zip(RawPattern::of(pattern).filter(|pattern| pattern.has_psk() == psk));
    let Some((suite, pattern)) = pair.filter(|_| version == 1 && zero == 0 && null == 0) else {
        return refused(verdict, said, suites, psk);
    };
    let sizes = pattern.sizes(suite);
    if usize::from(u16::from_be_bytes([high, low])) != 8 + sizes[0] {
        return silent(&HandshakeError::WrongSize);
    }
    if rest.len() < sizes[0] {
        assert!(matches!(
            verdict,
            Verdict::Waits("the initiator's first message")
        ));
        assert!(said.is_empty());
        return;
    }
    if said.is_empty() {
        return silent(&HandshakeError::Failed);
    }
    assert_eq!(said.len(), 2 + 1 + sizes[1], "H-3");
    assert_eq!(
        said[..3],
        [((1 + sizes[1]) >> 8) as u8, (1 + sizes[1]) as u8, 0],
        "W-9"
    );
    // A stranger may have made up message 1; it cannot make up the proof in message 3.
    match verdict {
        Verdict::Waits("the initiator's proof") => {}
        Verdict::Fails(HandshakeError::WrongSize | HandshakeError::Failed) => {}
        other => panic!("a stranger came to {other:?}"),
    }
}

fn refused(verdict: &Verdict, said: &[u8], suites: &[RawSuite], psk: bool) {
    let Verdict::Fails(HandshakeError::NotTaken { takes, .. }) = verdict else {
        panic!("W-8: {verdict:?}");
    };
    let mut said = said.to_vec();
    let body = take_body(&mut said).expect("W-9: a refusal list");
    assert_eq!((said.as_slice(), body[0]), (&[][..], 1), "W-9");
    let RawError::Refused(list) = parse_refusal(&body[1..]) else {
        panic!("W-9: {body:?}");
    };
    let told: Vec<_> = takes
        .iter()
        .map(|offer| [offer.version, offer.suite, offer.pattern])
        .collect();
    assert_eq!(list, told);
    let mut expected: Vec<_> = RawPattern::ALL
        .into_iter()
        .filter(|pattern| pattern.has_psk() == psk)
        .flat_map(|pattern| {
            suites
                .iter()
                .map(move |suite| [1, suite.id(), pattern.id()])
        })
        .collect();
    let mut list = list;
    list.sort_unstable();
    expected.sort_unstable();
    assert_eq!(list, expected, "W-9");
}
