//! Bad input, exhaustively: every length, every cut, every bit, every type in every state.
//! Nothing is accepted, nothing panics, and each failure has its right class.
#![expect(clippy::print_stdout, reason = "the counts are part of the evidence")]

#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;

use std::time::Instant;

use duologue::{
    Cause, Config, HandshakeError, PeerPolicy, Psk, PublicKey, SecretKey,
    proto::{Channel, Handshake, Judgement, Processed, Step},
};
use raw_peer::{
    Opened, Options, Pattern, RawFrame, RawHandshake, RawParams, RawRecord, RawSession, Suite,
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
                let raws = judging.candidate().key == PublicKey::from_bytes(public_key(RAWS));
                let next = if raws {
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
#[expect(clippy::too_many_lines, reason = "one phase after the other")]
fn every_length_in_every_phase_is_judged_by_its_head_alone() {
    // spec: W-3, W-4, W-8, W-10, H-3, H-18, T-1; threat: 3
    let mut bad = 0_u32;
    let plain = config().suites([duologue::Suite::AesGcm]);
    let (_, mut raw) = at_params(&plain, options(Pattern::Xx, Suite::AesGcm));
    for length in 0..=u16::MAX {
        let head = length.to_be_bytes();
        // The first message: 8 + 32 bytes.
        let first = [&head[..], b"duo\x01\x02\x00\x00\x00"].concat();
        match feed(responder(&plain), &first) {
            (Came::Waits(_), _) => assert_eq!(length, 40),
            (Came::Failed(error), answer) => {
                assert_eq!(error, HandshakeError::WrongSize, "{length}");
                assert!(answer.is_empty());
                bad += 1;
            }
            (Came::Established(_), _) => panic!("{length}"),
        }
        // The answer: 1 + 96 bytes, or a refusal list.
        let initiator = Handshake::initiator(&plain, None, &mut Vec::new()).unwrap();
        let status = u8::from(length != 97);
        match feed(initiator, &[&head[..], &[status]].concat()) {
            (Came::Waits(_), _) => assert!(length == 97 || length % 3 == 1 && length <= 97),
            (Came::Failed(error), _) => {
                assert_eq!(error, HandshakeError::NotDuologue, "{length}");
                bad += 1;
            }
            (Came::Established(_), _) => panic!("{length}"),
        }
    }
    // Later phases cost a key agreement each, so they are tried at their edges and in steps.
    let step = if long() { 1 } else { 7 * slow() };
    let edges = [0, 1, 16, 17, 63, 64, 65, 4_111, 4_112, 4_113, u16::MAX];
    for length in (0..=u16::MAX).step_by(step).chain(edges) {
        let head = length.to_be_bytes();
        let (ours, _raw) = at_message3(&plain, options(Pattern::Xx, Suite::AesGcm));
        match feed(ours, &head) {
            (Came::Waits(_), _) => assert_eq!(length, 64),
            came => {
                assert_eq!(failed(came), HandshakeError::WrongSize);
                bad += 1;
            }
        }
        let (ours, _raw) = at_params(&plain, options(Pattern::Xx, Suite::AesGcm));
        match feed(ours, &head) {
            (Came::Waits(_), _) => assert!((17..=4_112).contains(&length), "{length}"),
            came => {
                assert!(
                    matches!(failed(came), HandshakeError::Violation(_)),
                    "{length}"
                );
                bad += 1;
            }
        }
    }
    for length in 0..=u16::MAX {
        let (mut channel, _raw) = match length % 4_096 {
            0 => established(),
            _ if length >= 17 => continue,
            _ => established(),
        };
        let processed = process(&mut channel, &length.to_be_bytes());
        assert_eq!(processed == Processed::NeedInput, length >= 17, "{length}");
        bad += u32::from(length < 17);
    }
    drop(raw.seal_plaintext(&[1]));
    println!("{bad} wrong lengths, none accepted");
    assert!(bad > 131_000);
}

#[test]
fn every_bit_of_every_handshake_message_matters() {
    // spec: H-9; threat: 1
    let mut bad = 0_u32;
    for pattern in Pattern::ALL {
        for suite in Suite::ALL {
            let step = match (long(), suite.is_hybrid()) {
                (true, _) => 1,
                (false, false) => slow(),
                (false, true) => 17 * slow(),
            };
            bad += flip_for_responder(pattern, suite, step);
            bad += flip_for_initiator(pattern, suite, step);
        }
    }
    println!("{bad} flipped bits, none accepted");
    assert!(bad > 2_000);
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// Message 1 and 3, the heads included, to our responder.
fn flip_for_responder(pattern: Pattern, suite: Suite, step: usize) -> u32 {
    let config = config_for(pattern, suite);
    let mut bad = 0;
    let first = RawHandshake::initiator(options(pattern, suite))
        .write_body()
        .unwrap();
    for bit in (0..(first.len() + 2) * 8).step_by(step) {
        let mut raw = RawHandshake::initiator(options(pattern, suite));
        let bytes = flipped(&with_length(&raw.write_body().unwrap()), bit);
        if let (Came::Waits(ours), answer) = feed(responder(&config), &bytes) {
            // Taken at first, as an ephemeral key is any bytes: it must fail by the next tag.
            if answer.is_empty() || raw.read_body(body(&answer)).is_err() {
                bad += 1;
                continue;
            }
            let proof = with_length(&raw.write_body().unwrap());
            assert!(
                !matches!(feed(ours, &proof), (Came::Established(_), _)),
                "{bit}"
            );
        }
        bad += 1;
    }
    for bit in (0..66 * 8).step_by(step) {
        let (ours, mut raw) = at_message3(&config, options(pattern, suite));
        let bytes = flipped(&with_length(&raw.write_body().unwrap()), bit);
        let error = failed(feed(ours, &bytes));
        let right = if bit < 16 {
            HandshakeError::WrongSize
        } else {
            HandshakeError::Failed
        };
        assert_eq!(error, right, "{pattern:?} {suite:?} {bit}");
        bad += 1;
    }
    bad
}

/// Message 2, the head included, to our initiator.
fn flip_for_initiator(pattern: Pattern, suite: Suite, step: usize) -> u32 {
    let config = config_for(pattern, suite);
    let pinned = PublicKey::from_bytes(public_key(RAWS));
    let pinned = pins(pattern).then_some(&pinned);
    let mut bad = 0;
    let mut bit = 0;
    loop {
        let mut hello = Vec::new();
        let ours = Handshake::initiator(&config, pinned, &mut hello).unwrap();
        let mut raw = RawHandshake::responder(options(pattern, suite));
        raw.read_body(body(&hello)).unwrap();
        let bytes = with_length(&raw.write_body().unwrap());
        if bit >= bytes.len() * 8 {
            return bad;
        }
        match feed(ours, &flipped(&bytes, bit)) {
            (Came::Failed(error), answer) => {
                // With its status flipped a message of 97 bytes is a list: advice, and no session.
                let list = bit == 16 && matches!(error, HandshakeError::Unsupported { .. });
                let head = bit < 24;
                assert_eq!(error == HandshakeError::NotDuologue, head && !list, "{bit}");
                assert!(answer.is_empty(), "a stranger gets no answer");
            }
            (Came::Waits(_), answer) => assert!(answer.is_empty() && bit < 24, "{bit}"),
            (Came::Established(_), _) => panic!("{bit}"),
        }
        bad += 1;
        bit += step;
    }
}

/// One record of each frame type, as an honest peer would send it in its place.
fn records() -> Vec<Vec<RawFrame>> {
    vec![
        vec![RawFrame::Message(b"abc".to_vec())],
        vec![RawFrame::End(0, 3, b"why".to_vec())],
        vec![RawFrame::Receipt(0)],
        vec![RawFrame::Abort(256, b"no".to_vec())],
        vec![RawFrame::Ping(*b"12345678")],
        vec![RawFrame::Rekey],
        vec![RawFrame::ReceiptRequest],
        vec![RawFrame::Drain(1_000)],
        vec![RawFrame::Stop(0)],
        vec![RawFrame::Padding(5)],
    ]
}

#[test]
fn every_bit_and_every_cut_of_a_record_matters() {
    // spec: T-4, E-10; threat: 26
    let mut bad = 0_u32;
    for frames in records() {
        let length = established().1.seal_frames(&frames).len();
        for bit in 0..length * 8 {
            let (mut channel, mut raw) = established();
            let record = flipped(&raw.seal_frames(&frames), bit);
            let processed = process(&mut channel, &record);
            channel.receive.input_ended();
            let facts = channel.send.facts();
            let _ended = channel.receive.process(&facts, Instant::now(), 1);
            assert!(channel.receive.take().is_none());
            let cause = channel.receive.failure().unwrap();
            let head = bit < 16;
            let right = match cause {
                Cause::BadRecord => !head || processed == Processed::Ended,
                Cause::TransportEnded | Cause::Violation(_) => head,
                _ => false,
            };
            assert!(right, "{frames:?} bit {bit}: {cause}");
            bad += 1;
        }
        for cut in 0..length {
            let (mut channel, mut raw) = established();
            let record = raw.seal_frames(&frames);
            let _waits = process(&mut channel, &record[..cut]);
            channel.receive.input_ended();
            assert_eq!(process(&mut channel, &[]), Processed::Ended);
            assert_eq!(channel.receive.failure(), Some(&Cause::TransportEnded));
            bad += 1;
        }
    }
    println!("{bad} broken records, none accepted");
}

#[test]
fn every_selection_of_records_but_the_right_one_fails() {
    // spec: T-2, T-4; threat: 27
    let most = if long() { 8 } else { 5 };
    let mut bad = 0_u32;
    let mut selections = vec![Vec::new()];
    for _length in 0..most {
        selections = selections
            .iter()
            .flat_map(|chosen: &Vec<usize>| {
                (0..most)
                    .filter(|next| chosen.iter().filter(|one| *one == next).count() < 2)
                    .map(|next| [chosen.clone(), vec![next]].concat())
                    .collect::<Vec<_>>()
            })
            .collect();
        // Only what is right so far is worth going on with: the rest has failed for good.
        let mut right = Vec::new();
        for selection in selections {
            let (mut channel, mut raw) = established();
            let records: Vec<_> = (0..most)
                .map(|number| raw.seal(&RawRecord::Message(vec![number as u8])))
                .collect();
            for number in &selection {
                let _ended = process(&mut channel, &records[*number]);
            }
            let good = selection
                .iter()
                .enumerate()
                .take_while(|(at, one)| at == *one)
                .count();
            let mut taken = 0;
            while channel.receive.take().is_some() {
                taken += 1;
            }
            assert_eq!(taken, good, "{selection:?}");
            if good == selection.len() {
                assert_eq!(channel.receive.failure(), None);
                right.push(selection);
            } else {
                assert_eq!(channel.receive.failure(), Some(&Cause::BadRecord));
                bad += 1;
            }
        }
        selections = right;
    }
    println!("{bad} wrong selections, none accepted");
}

/// Bytes that bring our session into each state before the frame under test.
fn states() -> Vec<(&'static str, Vec<RawRecord>)> {
    let batch = |frame| RawRecord::Batch(vec![frame]);
    vec![
        ("open", vec![]),
        ("between pieces", vec![RawRecord::Piece(vec![0; 2_000])]),
        ("stopped by the peer", vec![batch(RawFrame::Stop(0))]),
        (
            "ended by the peer",
            vec![batch(RawFrame::End(0, 0, Vec::new()))],
        ),
    ]
}

#[test]
fn every_frame_type_in_every_state_is_taken_or_a_violation() {
    // spec: T-12, section 8
    let mut bad = 0_u32;
    for (state, before) in states() {
        for kind in 0..=255_u8 {
            for fields in [
                &[][..],
                &[0; 1],
                &[0; 8],
                &[0xff; 8],
                &[1, 1, 1],
                &[0x80, 0],
            ] {
                let (mut channel, mut raw) = established();
                for record in &before {
                    assert_eq!(
                        process(&mut channel, &raw.seal(record)),
                        Processed::NeedInput
                    );
                }
                let frame = RawFrame::Raw([&[kind], fields].concat());
                let processed = process(&mut channel, &raw.seal_frames(&[frame]));
                match channel.receive.failure() {
                    None => assert_eq!(processed, Processed::NeedInput),
                    Some(Cause::Violation(_)) => bad += 1,
                    Some(Cause::PeerAborted { .. }) => assert_eq!(kind, 6),
                    Some(other) => panic!("{state} {kind:#x} {fields:?}: {other}"),
                }
                if kind == 3 || kind > 0x0e {
                    assert!(channel.receive.failure().is_some(), "{state} {kind:#x}");
                }
            }
        }
    }
    println!("{bad} violations");
    assert!(bad > 5_500);
}

#[test]
fn nothing_but_a_hello_makes_us_agree_on_keys() {
    // spec: W-8; threat: 19
    let config = config();
    let mut bad = 0_u32;
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
    println!("{bad} wrong hellos, none accepted");
    assert!(bad > 12_000);
}

#[test]
fn every_pair_of_bytes_in_the_hello_is_judged() {
    // spec: W-7, W-8
    let config = config();
    let takes = |suite, pattern| (1..=4).contains(&suite) && pattern < 2;
    let mut bad = 0_u32;
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
    println!("{bad} wrong hellos, none accepted");
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
