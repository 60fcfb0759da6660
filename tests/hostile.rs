//! Bad input, exhaustively: every length, every cut, every bit, every type in every state.
//! Nothing is accepted, nothing panics, and each failure has its right class.
//!
//! Each test prints how many bad inputs it has tried, and how many that makes with those before it.
//! `DUOLOGUE_LONG=1` leaves no bit out where the portable provider would take too long.
#![expect(clippy::print_stdout, reason = "the counts are part of the evidence")]

#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;

#[path = "hostile/bits.rs"]
mod bits;
#[path = "hostile/cuts.rs"]
mod cuts;
#[path = "hostile/frames.rs"]
mod frames;
#[path = "hostile/lengths.rs"]
mod lengths;
#[path = "hostile/selections.rs"]
mod selections;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use duologue::{
    Cause, Config, HandshakeError, PeerPolicy, Psk, PublicKey, SecretKey,
    proto::{Channel, Handshake, Judgement, Processed, Step},
};
use raw_peer::{
    Opened, Options, Pattern, RawFrame, RawHandshake, RawParams, RawSession, Suite,
    handshake::public_key, wire::with_length,
};

const OURS: [u8; 32] = [1; 32];
const RAWS: [u8; 32] = [2; 32];

fn long() -> bool {
    std::env::var_os("DUOLOGUE_LONG").is_some()
}

/// Key agreements of the portable provider take longer, so there are fewer.
fn slow() -> usize {
    if cfg!(feature = "aws-lc") { 1 } else { 10 }
}

fn config() -> Config {
    let raws = PublicKey::from_bytes(public_key(RAWS));
    Config::new(SecretKey::from_bytes(&mut OURS.clone())).peers(PeerPolicy::pinned([raws]))
}

fn config_for(pattern: Pattern, suite: Suite) -> Config {
    let suite = duologue::Suite::from_id(suite.id()).unwrap();
    let config = config().suites([suite]);
    match pattern {
        Pattern::Xx | Pattern::Xk => config,
        Pattern::XxPsk0 | Pattern::XkPsk0 => config.psk(Psk::from_bytes(&mut [7; 32])),
    }
}

fn options(pattern: Pattern, suite: Suite) -> Options {
    let mut options = Options::new(suite, pattern, RAWS);
    options.remote = Some(public_key(OURS));
    options.psk = Some([7; 32]);
    options
}

/// Bad inputs of all tests so far, whichever ran first.
static TOTAL: AtomicU64 = AtomicU64::new(0);

/// The least that each test tries. With a fast provider they make more than half a million.
const FLOORS: [(&str, u64); 10] = [
    ("bits of message 1", 70_000),
    ("bits of message 2", 70_000),
    ("bits of message 3", 8_000),
    ("bits and cuts of records", 3_600),
    ("lengths before the keys", 190_000),
    ("lengths behind the keys", 120_000),
    ("cuts of handshakes", 20_000),
    ("selections of records", 500_000),
    ("frames and kinds", 20_000),
    ("hellos", 400_000),
];

const _: () = {
    let (mut total, mut at) = (0, 0);
    while at < FLOORS.len() {
        total += FLOORS[at].1;
        at += 1;
    }
    assert!(total >= 500_000);
};

/// Says how many bad inputs were tried, none of them accepted.
fn report(what: &str, tried: u64) {
    let total = TOTAL.fetch_add(tried, Ordering::SeqCst) + tried;
    println!("{what}: {tried} bad inputs, none accepted; {total} in all so far");
    let floor = FLOORS.iter().find(|(name, _)| *name == what).unwrap().1;
    let floor = if slow() > 1 { floor / 20 } else { floor };
    assert!(tried >= floor, "{what}: {tried} of {floor}");
}

/// The other process, played by the library itself where an honest partner is enough: it is the faster one.
fn partner(pattern: Pattern, suite: Suite) -> Config {
    let suite = duologue::Suite::from_id(suite.id()).unwrap();
    let ours = PublicKey::from_bytes(public_key(OURS));
    let config = Config::new(SecretKey::from_bytes(&mut RAWS.clone()))
        .peers(PeerPolicy::pinned([ours]))
        .suites([suite]);
    match pattern {
        Pattern::Xx | Pattern::Xk => config,
        Pattern::XxPsk0 | Pattern::XkPsk0 => config.psk(Psk::from_bytes(&mut [7; 32])),
    }
}

/// An initiator and the message that it begins with.
fn initiator(config: &Config, pattern: Pattern, remote: [u8; 32]) -> (Handshake, Vec<u8>) {
    let mut hello = Vec::new();
    let remote = PublicKey::from_bytes(public_key(remote));
    let pinned = pins(pattern).then_some(&remote);
    let handshake = Handshake::initiator(config, pinned, &mut hello).unwrap();
    (handshake, hello)
}

fn combinations() -> impl Iterator<Item = (Pattern, Suite)> {
    Pattern::ALL
        .into_iter()
        .flat_map(|pattern| Suite::ALL.map(|suite| (pattern, suite)))
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

fn pins(pattern: Pattern) -> bool {
    matches!(pattern, Pattern::Xk | Pattern::XkPsk0)
}

/// What a handshake of ours came to with these bytes.
#[expect(clippy::large_enum_variant, reason = "one at a time")]
enum Came {
    Waits(Handshake),
    Established(Channel),
    Failed(HandshakeError),
}

/// Feeds bytes, accepting any candidate that the policy accepts. Says what we answered.
fn feed(handshake: Handshake, bytes: &[u8]) -> (Came, Vec<u8>) {
    let mut answer = Vec::new();
    let mut input = bytes;
    let mut step = handshake.step(&mut input, &mut answer, Instant::now());
    loop {
        step = match step {
            Ok(Step::Judge(judging)) => {
                let known = [RAWS, OURS].map(|key| PublicKey::from_bytes(public_key(key)));
                let next = if known.contains(&judging.candidate().key) {
                    judging.accept(&mut answer)
                } else {
                    Err(judging.refuse(&mut answer))
                };
                next.and_then(|next| next.step(&mut input, &mut answer, Instant::now()))
            }
            Ok(Step::NeedInput(next)) => return (Came::Waits(next), answer),
            Ok(Step::Established(channel)) => return (Came::Established(channel), answer),
            Ok(other) => panic!("{other:?}"),
            Err(error) => return (Came::Failed(error), answer),
        };
    }
}

fn waits(came: (Came, Vec<u8>)) -> (Handshake, Vec<u8>) {
    match came {
        (Came::Waits(handshake), answer) => (handshake, answer),
        (Came::Established(_), _) => panic!("established"),
        (Came::Failed(error), _) => panic!("{error}"),
    }
}

fn failed(came: (Came, Vec<u8>)) -> HandshakeError {
    match came {
        (Came::Failed(error), _) => error,
        (Came::Waits(handshake), _) => panic!("waits for {}", handshake.waiting_for()),
        (Came::Established(_), _) => panic!("established"),
    }
}

fn responder(config: &Config) -> Handshake {
    Handshake::responder(config, duologue::Origin::Unknown).unwrap()
}

fn body(bytes: &[u8]) -> &[u8] {
    &bytes[2..]
}

/// Our responder in every phase, with the raw initiator that brought it there.
fn at_message3(config: &Config, raw: Options) -> (Handshake, RawHandshake) {
    let mut raw = RawHandshake::initiator(raw);
    let hello = with_length(&raw.write_body().unwrap());
    let (ours, answer) = waits(feed(responder(config), &hello));
    raw.read_body(body(&answer)).unwrap();
    (ours, raw)
}

fn at_params(config: &Config, raw: Options) -> (Handshake, RawSession) {
    let (ours, mut raw) = at_message3(config, raw);
    let message = with_length(&raw.write_body().unwrap());
    let (ours, _silent) = waits(feed(ours, &message));
    (ours, raw.into_session().unwrap())
}

fn established() -> (Channel, RawSession) {
    let (ours, mut raw) = at_params(&config(), options(Pattern::Xx, Suite::AesGcm));
    let params = RawFrame::Params(RawParams::default().encode(&raw.hash));
    let (Came::Established(channel), mut answer) = feed(ours, &raw.seal_frames(&[params])) else {
        panic!("not established");
    };
    assert!(matches!(raw.open(&mut answer), Some(Opened::Plaintext(_))));
    (channel, raw)
}

fn process(channel: &mut Channel, bytes: &[u8]) -> Processed {
    channel.receive.input().extend_from_slice(bytes);
    let facts = channel.send.facts();
    loop {
        let processed = channel.receive.process(&facts, Instant::now(), 64);
        if processed != Processed::Busy {
            return processed;
        }
    }
}

#[test]
fn nothing_but_a_hello_makes_us_agree_on_keys() {
    // spec: W-8; threat: 19, 26, 92
    let config = config();
    let mut bad = 0_u64;
    for at in 0..10 {
        for value in 0..=255_u8 {
            for filler in [0_u8, 1, 0x7f, 0x80, 0xff] {
                let mut bytes =
                    [&[4, 200][..], b"duo\x01\x04\x00\x00\x00", &[filler; 1_216]].concat();
                if bytes[at] == value {
                    continue;
                }
                bytes[at] = value;
                match feed(responder(&config), &bytes) {
                    (Came::Failed(_), _) => bad += 1,
                    (Came::Waits(_), answer) => {
                        // Another suite or pattern whose message is longer, or of the same size.
                        assert!((6..8).contains(&at) || at < 2 || answer.is_empty());
                    }
                    (Came::Established(_), _) => panic!("{at} {value}"),
                }
            }
        }
    }
    report("hellos", bad + every_pair_of_bytes_in_the_hello());
}

// spec: W-7, W-8
fn every_pair_of_bytes_in_the_hello() -> u64 {
    let config = config();
    let takes = |suite, pattern| (1..=4).contains(&suite) && pattern < 2;
    let mut bad = 0_u64;
    for (one, other) in [(2, 3), (4, 5), (6, 7), (5, 6), (0, 1), (3, 4)] {
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                let mut hello = *b"duo\x01\x04\x00\x00\x00";
                (hello[one], hello[other]) = (first, second);
                let bytes = [&[0, 9][..], &hello, &[0; 3]].concat();
                let [d, u, o, version, suite, pattern, zero, null] = hello;
                let right = if [d, u, o] != *b"duo" {
                    assert_eq!(
                        failed(feed(responder(&config), &bytes)),
                        HandshakeError::NotDuologue
                    );
                    false
                } else if version == 1 && zero == 0 && null == 0 && takes(suite, pattern) {
                    // Its length is wrong, which is judged last.
                    assert_eq!(
                        failed(feed(responder(&config), &bytes)),
                        HandshakeError::WrongSize
                    );
                    false
                } else {
                    let (came, answer) = feed(responder(&config), &bytes);
                    assert_eq!(answer.get(2), Some(&1), "the refusal list");
                    matches!(came, Came::Waits(_) | Came::Established(_))
                };
                assert!(!right, "{hello:?}");
                bad += 1;
            }
        }
    }
    bad
}

#[test]
fn a_policy_is_asked_only_about_a_proven_key() {
    // spec: H-15; threat: 6, 8, 15
    let config = config_for(Pattern::Xx, Suite::AesGcm);
    let (ours, mut raw) = at_message3(&config, options(Pattern::Xx, Suite::AesGcm));
    let mut input = &with_length(&raw.write_body().unwrap())[..];
    let step = ours
        .step(&mut input, &mut Vec::new(), Instant::now())
        .unwrap();
    let Step::Judge(judging) = step else {
        panic!("{step:?}");
    };
    assert_eq!(
        judging.candidate().key,
        PublicKey::from_bytes(public_key(RAWS))
    );
    let policy = PeerPolicy::default();
    assert!(matches!(
        policy.judge(judging.candidate()),
        Judgement::Known(false)
    ));
}
