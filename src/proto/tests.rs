use std::time::{Duration, Instant};

use super::*;
use crate::{
    noise::{Psk, SecretKey, Suite},
    wire::Code,
};

mod answers;

struct Pair {
    alice: Channel,
    bob: Channel,
    now: Instant,
}

fn configs() -> (Config, Config) {
    let (alice, bob) = (
        SecretKey::generate().unwrap(),
        SecretKey::generate().unwrap(),
    );
    let (a, b) = (alice.public_key(), bob.public_key());
    (
        Config::new(alice)
            .suites([Suite::ChaChaPoly])
            .peers(PeerPolicy::pinned([b])),
        Config::new(bob).peers(PeerPolicy::pinned([a])),
    )
}

/// Runs a handshake to its end on both sides, `chunk` bytes at a time.
fn shake(alice: &Config, bob: &Config, chunk: usize) -> [Result<Channel, HandshakeError>; 2] {
    let now = Instant::now();
    let mut wires = [Vec::new(), Vec::new()];
    let initiator = Handshake::initiator(alice, None, &mut wires[1]);
    let responder = Handshake::responder(bob, Origin::Unknown);
    let configs = [alice, bob];
    let mut sides = [initiator.map(Some), responder.map(Some)];
    let mut done = [None, None];
    for _round in 0..10_000 {
        for side in 0..2 {
            let Ok(slot) = &mut sides[side] else { continue };
            let Some(handshake) = slot.take() else {
                continue;
            };
            let mut output = Vec::new();
            let available = wires[side].len().min(chunk);
            let mut input = &wires[side][..available];
            let next = match handshake.step(&mut input, &mut output, now) {
                Ok(Step::NeedInput(next)) => Ok(Some(next)),
                Ok(Step::Judge(judging)) => {
                    match configs[side].policy().judge(judging.candidate()) {
                        Judgement::Known(true) => judging.accept(&mut output).map(Some),
                        _no => Err(judging.refuse(&mut output)),
                    }
                }
                Ok(Step::Established(channel)) => {
                    done[side] = Some(channel);
                    Ok(None)
                }
                Err(error) => Err(error),
            };
            let used = available - input.len();
            if used == 0 && available == chunk && matches!(next, Ok(Some(_))) {
                // A whole message is needed: grow the window.
                return shake(alice, bob, chunk * 2);
            }
            wires[side].drain(..used);
            wires[1 - side].extend(output);
            sides[side] = next;
        }
    }
    let [a, b] = sides;
    let [x, y] = done;
    let settle = |side: Result<Option<Handshake>, HandshakeError>, channel: Option<Channel>| {
        side.and_then(|open| {
            channel.ok_or_else(|| HandshakeError::TransportEnded {
                waiting_for: open.map_or("nothing", |open| open.waiting_for()),
            })
        })
    };
    [settle(a, x), settle(b, y)]
}

fn pair() -> Pair {
    let (alice, bob) = configs();
    pair_of(&alice, &bob)
}

fn pair_of(alice: &Config, bob: &Config) -> Pair {
    let [alice, bob] = shake(alice, bob, usize::MAX / 4);
    Pair {
        alice: alice.unwrap(),
        bob: bob.unwrap(),
        now: Instant::now(),
    }
}

/// Moves what `from` has pending to `to`, and its notices to its own send path.
fn carry(from: &mut Channel, to: &mut Channel, now: Instant) {
    from.send.flush(now).unwrap();
    let bytes = from.send.pending().to_vec();
    from.send.written(bytes.len());
    to.receive.input().extend_from_slice(&bytes);
    let facts = to.send.facts();
    while to.receive.process(&facts, now, 16) == Processed::Busy {}
    if let Some(notices) = to.receive.notices() {
        to.send.heed(notices, now);
    }
}

fn take(channel: &mut Channel, now: Instant) -> Option<Vec<u8>> {
    let message = channel.receive.take().map(|message| message.to_vec());
    if let Some(notices) = channel.receive.notices() {
        channel.send.heed(notices, now);
    }
    message
}

fn send(channel: &mut Channel, message: &[u8], now: Instant) {
    let mut progress = Progress::default();
    assert_eq!(
        channel.send.offer(message, &mut progress, now),
        Ok(Offered::Whole)
    );
}

#[test]
fn messages_of_every_edge_cross_whole_and_in_order() {
    // spec: T-14
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    let sizes = [
        0, 1, 127, 128, 4_095, 4_096, 4_097, 32_767, 32_768, 32_769, 65_498, 65_499, 200_000,
    ];
    for size in sizes {
        let message: Vec<u8> = (0..size)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        send(&mut alice, &message, now);
        send(&mut alice, b"next", now);
        carry(&mut alice, &mut bob, now);
        assert_eq!(take(&mut bob, now), Some(message), "{size}");
        assert_eq!(take(&mut bob, now).as_deref(), Some(&b"next"[..]));
    }
    assert_eq!(take(&mut bob, now), None);
}

#[test]
fn both_sides_learn_that_everything_was_taken() {
    // spec: E-6, E-8, E-11
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    send(&mut alice, b"good morning", now);
    alice.send.finish(Code::NONE, "done", now).unwrap();
    bob.send.finish(Code::application(3), "", now).unwrap();
    carry(&mut alice, &mut bob, now);
    assert_eq!(alice.send.sent(), Sent::Unconfirmed { taken: 0, sent: 1 });
    take(&mut bob, now).unwrap();
    for _round in 0..2 {
        carry(&mut bob, &mut alice, now);
        carry(&mut alice, &mut bob, now);
    }
    assert_eq!(alice.send.sent(), Sent::Delivered(1));
    assert_eq!(bob.receive.received(), Received::Complete(1));
    assert_eq!(bob.send.sent(), Sent::Delivered(0));
    assert!(alice.is_over() && bob.is_over());
}

#[test]
fn one_who_stops_tells_exactly_how_many_it_took() {
    // spec: E-4, E-5
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    for _message in 0..3 {
        send(&mut alice, b"m", now);
    }
    carry(&mut alice, &mut bob, now);
    take(&mut bob, now).unwrap();
    bob.receive.stop_taking();
    let notices = bob.receive.notices().unwrap();
    bob.send.heed(notices, now);
    carry(&mut bob, &mut alice, now);
    assert_eq!(alice.send.sent(), Sent::Partial { taken: 1, sent: 3 });
    let refused = alice.send.offer(b"m", &mut Progress::default(), now);
    assert_eq!(refused, Err(SendError::Stopped { taken: 1, sent: 3 }));
    alice.send.finish(Code::NONE, "", now).unwrap();
    carry(&mut alice, &mut bob, now);
    carry(&mut bob, &mut alice, now);
    assert_eq!(
        bob.receive.received(),
        Received::Stopped { taken: 1, sent: 3 }
    );
    assert_eq!(alice.send.sent(), Sent::Partial { taken: 1, sent: 3 });
}

#[test]
fn a_message_given_up_in_its_middle_is_withdrawn() {
    // spec: T-19
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    let mut progress = Progress::default();
    let large = vec![1; 400_000];
    assert_eq!(
        alice.send.offer(&large, &mut progress, now),
        Ok(Offered::Full)
    );
    send_after_full(&mut alice, &mut bob);
    send(&mut alice, b"small", now);
    carry(&mut alice, &mut bob, now);
    assert_eq!(take(&mut bob, now).as_deref(), Some(&b"small"[..]));
    assert_eq!(bob.receive.arrived_count(), 1);
    assert_eq!(bob.receive.failure(), None);
}

fn send_after_full(alice: &mut Channel, bob: &mut Channel) {
    let bytes = alice.send.pending().to_vec();
    alice.send.written(bytes.len());
    bob.receive.input().extend_from_slice(&bytes);
}

#[test]
fn keys_are_replaced_in_both_directions_while_messages_flow() {
    // spec: T-10, T-11
    let (alice, bob) = configs();
    let alice = alice.rekey_after(3, 1 << 30, Duration::from_secs(60));
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair_of(&alice, &bob);
    for round in 0..100_u8 {
        send(&mut alice, &[round], now);
        send(&mut bob, &[round; 9_000], now);
        if round % 7 == 0 {
            bob.send.rekey_now(now).unwrap();
        }
        carry(&mut alice, &mut bob, now);
        carry(&mut bob, &mut alice, now);
        assert_eq!(take(&mut bob, now), Some(vec![round]));
        assert_eq!(take(&mut alice, now), Some(vec![round; 9_000]));
    }
}

#[test]
fn receipts_answer_requests_once_everything_before_is_taken() {
    // spec: T-16, T-17
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    send(&mut alice, b"1", now);
    send(&mut alice, b"2", now);
    alice.send.request_receipt(now).unwrap();
    carry(&mut alice, &mut bob, now);
    take(&mut bob, now).unwrap();
    carry(&mut bob, &mut alice, now);
    assert_eq!(alice.send.taken_count(), 0);
    take(&mut bob, now).unwrap();
    carry(&mut bob, &mut alice, now);
    assert_eq!(alice.send.taken_count(), 2);
}

#[test]
fn a_ping_is_answered_and_measures_the_round_trip() {
    // spec: T-15
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    for _round in 0..3 {
        alice.send.ping(now).unwrap();
        carry(&mut alice, &mut bob, now);
        carry(&mut bob, &mut alice, now + Duration::from_millis(5));
        assert_eq!(alice.send.round_trip(), Some(Duration::from_millis(5)));
    }
}

#[test]
fn pings_as_fast_as_their_answers_keep_within_the_budget() {
    // spec: L-1, L-2
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    for _round in 0..100 {
        alice.send.ping(now).unwrap();
        carry(&mut alice, &mut bob, now);
        carry(&mut bob, &mut alice, now);
        assert_eq!(bob.receive.failure(), None);
    }
}

#[test]
fn a_message_above_the_peers_limit_is_refused_before_a_byte_is_sent() {
    // spec: T-8
    let (alice, bob) = configs();
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair_of(&alice, &bob.max_message(5_000));
    let refused = alice.send.offer(&[0; 5_001], &mut Progress::default(), now);
    assert_eq!(
        refused,
        Err(SendError::TooLarge {
            length: 5_001,
            max: 5_000
        })
    );
    assert!(alice.send.pending().is_empty());
    send(&mut alice, &[0; 5_000], now);
    carry(&mut alice, &mut bob, now);
    assert_eq!(
        take(&mut bob, now).map(|message| message.len()),
        Some(5_000)
    );
}

#[test]
fn an_end_of_the_transport_is_never_an_end() {
    // spec: E-10
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    send(&mut alice, b"1", now);
    carry(&mut alice, &mut bob, now);
    bob.receive.input_ended();
    assert_eq!(
        bob.receive.process(&bob.send.facts(), now, 16),
        Processed::Ended
    );
    take(&mut bob, now).unwrap();
    assert_eq!(bob.receive.failure(), Some(&Cause::TransportEnded));
    assert_eq!(
        bob.receive.received(),
        Received::Truncated {
            arrived: 1,
            taken: 1
        }
    );
}

#[test]
fn a_small_flushed_message_costs_nineteen_bytes() {
    let Pair { mut alice, now, .. } = pair();
    send(&mut alice, &[0; 64], now);
    alice.send.flush(now).unwrap();
    assert_eq!(alice.send.pending().len(), 83);
}

#[test]
fn what_was_agreed_is_the_same_on_both_sides() {
    // spec: H-11, H-22
    let (alice, bob) = configs();
    let alice = alice
        .protocol("chat/2")
        .protocol("chat/1")
        .context(*b"here");
    let bob = bob.protocol("chat/1").context(*b"here");
    let Pair { alice, bob, .. } = pair_of(&alice, &bob);
    assert_eq!(alice.peer.protocol.as_deref(), Some("chat/1"));
    assert_eq!(bob.peer.protocol.as_deref(), Some("chat/1"));
    assert_eq!(alice.peer.handshake_hash, bob.peer.handshake_hash);
    assert_eq!(alice.peer.suite, Suite::ChaChaPoly);
}

#[test]
fn who_is_not_accepted_learns_it_authenticated() {
    // spec: H-16
    let (alice, bob) = configs();
    let [a, b] = shake(&alice, &bob.peers(PeerPolicy::default()), 1 << 20);
    assert!(matches!(a, Err(HandshakeError::Refused { .. })), "{a:?}");
    assert!(
        matches!(b, Err(HandshakeError::NotAccepted { .. })),
        "{b:?}"
    );
}

#[test]
fn without_a_common_protocol_both_sides_name_both_lists() {
    // spec: H-22
    let (alice, bob) = configs();
    let [a, b] = shake(&alice.protocol("chat/1"), &bob.protocol("chat/2"), 1 << 20);
    let (a, b) = (a.unwrap_err().to_string(), b.unwrap_err().to_string());
    for text in [&a, &b] {
        assert!(text.contains("chat/1") && text.contains("chat/2"), "{text}");
    }
}

#[test]
fn what_the_responder_does_not_take_is_refused_with_its_list() {
    // spec: W-8, W-9, W-11
    let (alice, bob) = configs();
    let [a, b] = shake(&alice, &bob.require_hybrid(), 1 << 20);
    let Err(HandshakeError::Unsupported { takes, .. }) = a else {
        panic!("{a:?}");
    };
    assert_eq!(takes.len(), 4);
    assert!(matches!(b, Err(HandshakeError::NotTaken { .. })), "{b:?}");
}

#[test]
fn another_pre_shared_key_or_context_fails_without_an_answer() {
    // spec: H-2, H-9
    let (alice, bob) = configs();
    let psk = |byte| Psk::from_bytes(&mut [byte; 32]);
    let [a, b] = shake(&alice.psk(psk(1)), &bob.psk(psk(2)), 1 << 20);
    assert!(
        matches!(a, Err(HandshakeError::TransportEnded { .. })),
        "{a:?}"
    );
    assert!(matches!(b, Err(HandshakeError::Failed)), "{b:?}");
    let (alice, bob) = configs();
    let [a, b] = shake(&alice.context(*b"here"), &bob.context(*b"there"), 1 << 20);
    // In XX the first tag is the responder's.
    assert!(matches!(a, Err(HandshakeError::Failed)), "{a:?}");
    assert!(
        matches!(b, Err(HandshakeError::TransportEnded { .. })),
        "{b:?}"
    );
}

#[test]
fn nothing_is_said_behind_the_peers_abort() {
    // spec: E-16
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    send(&mut bob, b"not sealed yet", now);
    send(&mut alice, b"1", now);
    alice.send.request_receipt(now).unwrap();
    alice.send.ping(now).unwrap();
    alice.send.flush(now).unwrap();
    let cause = Cause::LocalAbort { code: Code::NONE };
    alice.send.abort(Code::INTERNAL, "fire", cause);
    carry(&mut alice, &mut bob, now);
    assert!(take(&mut bob, now).is_some());
    bob.send.flush(now).unwrap();
    bob.send.abort(Code::NONE, "", Cause::Dropped);
    assert_eq!(bob.send.pending(), b"");
    let refused = bob.send.offer(b"m", &mut Progress::default(), now);
    let Err(SendError::Over(Cause::PeerAborted { code, reason })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((code, reason.as_str()), (Code::INTERNAL, "fire"));
}

#[test]
fn a_key_opens_so_many_records_and_no_more() {
    // spec: T-11
    let most = crate::wire::OPENED_RECORDS;
    for (opened, ends) in [(most - 1, false), (most, true), (most + 1, true)] {
        let Pair {
            mut alice,
            mut bob,
            now,
        } = pair();
        bob.receive.opener().pretend_records(opened);
        send(&mut alice, b"1", now);
        carry(&mut alice, &mut bob, now);
        assert_eq!(take(&mut bob, now).is_none(), ends, "{opened}");
        let clause = match bob.receive.failure() {
            Some(Cause::Violation(violation)) => Some(violation.clause()),
            None => None,
            Some(other) => panic!("{other}"),
        };
        assert_eq!(clause, ends.then_some("T-11"), "{opened}");
    }
}

#[test]
fn a_claimed_length_reserves_nothing() {
    // spec: W-4; threat: 36
    let Pair { mut bob, now, .. } = pair();
    bob.receive.input().extend([0xff, 0xff]);
    let facts = bob.send.facts();
    let processed = bob.receive.process(&facts, now, 1);
    assert_eq!(processed, Processed::NeedInput);
    assert!(bob.receive.input().capacity() < 1_024);
}

#[test]
fn a_key_that_was_replaced_counts_anew() {
    // spec: T-11
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    bob.receive
        .opener()
        .pretend_records(crate::wire::OPENED_RECORDS - 1);
    alice.send.rekey_now(now).unwrap();
    for text in [b"1", b"2"] {
        send(&mut alice, text, now);
        carry(&mut alice, &mut bob, now);
        assert_eq!(take(&mut bob, now).as_deref(), Some(&text[..]));
    }
}

#[test]
fn a_configuration_keeps_within_what_a_key_may_seal() {
    // spec: T-11
    let (records, bytes) = (1 << 20, 64 << 30);
    for (by, fits) in [(0, true), (1, false)] {
        let hour = Duration::from_secs(3_600);
        let (alice, bob) = configs();
        let checked = alice.rekey_after(records + by, bytes, hour).check();
        assert_eq!(checked.is_ok(), fits, "{records} + {by} records");
        let checked = bob.rekey_after(records, bytes + by, hour).check();
        assert_eq!(checked.is_ok(), fits, "{bytes} + {by} bytes");
    }
}
