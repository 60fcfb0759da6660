//! Receipts, credit and the last words, in every order in which two halves may come to them.

use super::*;

#[test]
fn what_was_read_is_not_undone_by_notices_that_come_late() {
    // spec: E-11, E-12, T-15
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    send(&mut alice, b"1", now);
    alice.send.ping(now).unwrap();
    alice.send.finish(Code::NONE, "", now).unwrap();
    send(&mut bob, b"2", now);
    bob.send.request_receipt(now).unwrap();
    carry(&mut bob, &mut alice, now);
    carry(&mut alice, &mut bob, now);
    // One half takes, and the other reads on before the first has told what it owes.
    alice.receive.take().unwrap();
    let late = alice.receive.notices().unwrap();
    take(&mut bob, now).unwrap();
    carry(&mut bob, &mut alice, now);
    assert_eq!(alice.send.sent(), Sent::Delivered(1));
    alice.send.heed(late, now);
    assert_eq!(alice.send.sent(), Sent::Delivered(1));
    assert!(!alice.send.is_pinging());
    carry(&mut alice, &mut bob, now);
    assert_eq!(bob.send.taken_count(), 1);
}

#[test]
fn of_many_requests_each_is_answered_when_its_messages_are_taken() {
    // spec: T-17
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    for message in 0..5 {
        send(&mut alice, &[message], now);
        if message != 3 {
            alice.send.request_receipt(now).unwrap();
        }
    }
    carry(&mut alice, &mut bob, now);
    for taken in [1, 2, 3, 4, 5] {
        take(&mut bob, now).unwrap();
        carry(&mut bob, &mut alice, now);
        assert!(alice.send.taken_count() == taken || taken == 4, "{taken}");
    }
}

#[test]
fn a_key_for_every_large_record_leaves_the_peer_within_its_budget() {
    // spec: L-1, L-2
    let (alice, bob) = configs();
    let alice = alice.rekey_after(1, 1 << 30, Duration::from_secs(60));
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair_of(&alice, &bob);
    for size in [5_000, 70_000] {
        send(&mut alice, &vec![0; size], now);
        for _asking in 0..40 {
            alice.send.rekey_now(now).unwrap();
        }
        alice.send.keep_alive(now).unwrap();
        carry(&mut alice, &mut bob, now);
        assert_eq!(bob.receive.failure(), None);
        take(&mut bob, now).unwrap();
        carry(&mut bob, &mut alice, now);
    }
}

#[test]
fn a_key_for_every_record_leaves_receipts_to_be_asked_for() {
    // spec: T-11, T-17, L-2
    let (alice, bob) = configs();
    let alice = alice.rekey_after(1, 1 << 30, Duration::from_secs(60));
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair_of(&alice, &bob);
    for taken in 1..=200 {
        send(&mut alice, &[0; 5_000], now);
        alice.send.request_receipt(now).unwrap();
        carry(&mut alice, &mut bob, now);
        take(&mut bob, now).unwrap();
        carry(&mut bob, &mut alice, now);
        assert_eq!(alice.send.taken_count(), taken);
        assert_eq!(bob.receive.failure(), None);
    }
}
