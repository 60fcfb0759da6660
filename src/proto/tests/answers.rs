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
fn of_two_requests_nothing_is_answered_between() {
    // spec: T-17
    let Pair {
        mut alice,
        mut bob,
        now,
    } = pair();
    for message in 0..3 {
        send(&mut alice, &[message], now);
        if message != 1 {
            alice.send.request_receipt(now).unwrap();
        }
    }
    carry(&mut alice, &mut bob, now);
    for told in [1, 1, 3] {
        take(&mut bob, now).unwrap();
        carry(&mut bob, &mut alice, now);
        assert_eq!(alice.send.taken_count(), told);
    }
}
