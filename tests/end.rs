//! How sessions end: for both sides, in every order, with and without faults.

mod support;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    time::Duration,
};

use duologue::{Cause, Code, ReceiveError, Received, SendError, Sent, TimeLimit};
use support::{configs, pair, pair_with};
use tokio::io::{copy, duplex};

#[tokio::test]
async fn the_side_that_ends_first_and_the_other_both_have_proof() {
    // spec: E-6, E-8
    let (mut alice, mut bob) = pair().await;
    alice.send(b"one").await.unwrap();
    alice.finish().await.unwrap();
    assert_eq!(bob.recv().await.unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(bob.recv().await.unwrap(), None);
    let (a, b) = tokio::join!(alice.close(), bob.close());
    assert_eq!(
        (a.sent, a.received),
        (Sent::Delivered(1), Received::Complete(0))
    );
    assert_eq!(
        (b.sent, b.received),
        (Sent::Delivered(0), Received::Complete(1))
    );
    assert!(matches!(a.cause, Cause::Finished { .. }), "{a}");
    assert!(matches!(b.cause, Cause::Finished { .. }), "{b}");
}

#[tokio::test]
async fn both_sides_may_end_at_once() {
    // spec: E-8, E-13
    let (mut alice, mut bob) = pair().await;
    let (a, b) = tokio::join!(alice.close(), bob.close());
    for outcome in [a, b] {
        assert_eq!(outcome.sent, Sent::Delivered(0), "{outcome}");
        assert_eq!(outcome.received, Received::Complete(0), "{outcome}");
    }
}

#[tokio::test]
async fn closing_twice_gives_the_same_outcome() {
    // spec: E-12
    let (mut alice, mut bob) = pair().await;
    let (a, _b) = tokio::join!(alice.close(), bob.close());
    assert_eq!(alice.close().await, a);
    assert_eq!(alice.outcome(), Some(&a));
    assert!(matches!(
        alice.send(b"late").await,
        Err(SendError::Finished | SendError::Over(_))
    ));
}

#[tokio::test]
async fn what_is_untaken_at_close_is_not_counted() {
    // spec: E-4, E-5, E-11
    let (mut alice, mut bob) = pair().await;
    for _message in 0..3 {
        alice.send(b"m").await.unwrap();
    }
    assert!(bob.recv().await.unwrap().is_some());
    let (a, b) = tokio::join!(alice.close(), bob.close());
    assert!(
        matches!(
            a.sent,
            Sent::Partial {
                taken: 1,
                sent: 3,
                ..
            }
        ),
        "{a}"
    );
    assert!(
        matches!(
            b.received,
            Received::Stopped {
                taken: 1,
                sent: 3,
                ..
            }
        ),
        "{b}"
    );
}

#[tokio::test]
async fn an_end_of_the_transport_is_truncation_after_whole_messages() {
    // spec: E-10
    let (mut alice, mut bob) = pair().await;
    alice.send(b"whole").await.unwrap();
    let leaked = Box::leak(Box::new(alice));
    drop(tokio::time::timeout(Duration::from_millis(1), leaked.recv()).await);
    assert!(bob.recv().await.unwrap().is_some());
    let aborted = bob.abort(Code::application(1), "enough").await;
    assert!(
        matches!(aborted.cause, Cause::LocalAbort { .. }),
        "{aborted}"
    );
    assert!(matches!(
        aborted.received,
        Received::Truncated {
            arrived: 1,
            taken: 1,
            ..
        }
    ));
    let error = leaked.recv().await.unwrap_err();
    let ReceiveError::Truncated {
        cause: Cause::PeerAborted { code, reason, .. },
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((code, reason.as_str()), (Code::application(1), "enough"));
}

#[tokio::test]
async fn a_receipt_read_before_the_failure_counts() {
    // spec: E-11, E-12
    let (mut alice, mut bob) = pair().await;
    alice.send(b"one").await.unwrap();
    alice.finish().await.unwrap();
    assert!(bob.recv().await.unwrap().is_some());
    assert_eq!(bob.recv().await.unwrap(), None);
    bob.abort(Code::application(1), "").await;
    assert!(alice.recv().await.is_err());
    let outcome = alice.close().await;
    assert_eq!(outcome.sent, Sent::Delivered(1), "{outcome}");
}

#[tokio::test]
async fn a_dropped_session_never_looks_like_an_end() {
    // spec: E-10
    let (mut alice, bob) = pair().await;
    drop(bob);
    let error = alice.recv().await.unwrap_err();
    assert!(
        matches!(error, ReceiveError::Truncated { arrived: 0, .. }),
        "{error}"
    );
    let outcome = alice.close().await;
    assert!(
        matches!(outcome.received, Received::Truncated { .. }),
        "{outcome}"
    );
    assert!(
        matches!(outcome.sent, Sent::Unconfirmed { .. }),
        "{outcome}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_session_lives_while_the_other_half_talks() {
    // spec: E-13
    let (mut alice, mut bob) = pair().await;
    alice
        .finish_with(Code::application(2), "that is all")
        .await
        .unwrap();
    let talk = tokio::spawn(async move {
        assert_eq!(bob.recv().await.unwrap(), None);
        for _second in 0..3_600 {
            bob.send(b"still here").await.unwrap();
            bob.attend(tokio::time::sleep(Duration::from_secs(1))).await;
        }
        bob.close().await
    });
    let mut count = 0;
    while alice.recv().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 3_600);
    let a = alice.close().await;
    let b = talk.await.unwrap();
    assert_eq!(
        (a.received, b.sent),
        (Received::Complete(3_600), Sent::Delivered(3_600))
    );
    let Cause::Finished { theirs, .. } = b.cause else {
        panic!("{b}");
    };
    assert_eq!(
        (theirs.code, theirs.reason.as_str()),
        (Code::application(2), "that is all")
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_ends_is_given_up_at_the_end_deadline() {
    // spec: E-14
    let (mut alice, mut bob) = pair().await;
    let start = tokio::time::Instant::now();
    let idle = async {
        loop {
            bob.attend(tokio::time::sleep(Duration::from_secs(1))).await;
            if bob.outcome().is_some() {
                break;
            }
        }
    };
    let outcome = tokio::select! {
        outcome = alice.close() => outcome,
        () = idle => panic!("the other side ended"),
    };
    assert_eq!(outcome.cause, Cause::Timeout(TimeLimit::End));
    let passed = start.elapsed();
    assert!((10..=13).contains(&passed.as_secs()), "{passed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_noticed_by_both_idle_limits() {
    // spec: L-3, L-4
    let (alice, bob) = configs();
    let alice = alice.idle_timeout(Duration::from_secs(9));
    let (mut alice, bob) = pair_with(64 * 1024, &alice, &bob).await;
    let start = tokio::time::Instant::now();
    let error = alice.recv().await.unwrap_err();
    let ReceiveError::Truncated { cause, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(cause, Cause::Timeout(TimeLimit::Idle));
    assert_eq!(start.elapsed().as_secs(), 9);
    drop(bob);
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_with_both_sides_waiting_lives_for_ever() {
    // spec: L-1, L-4
    let (alice, bob) = configs();
    let alice = alice.idle_timeout(Duration::from_secs(1));
    let (mut alice, mut bob) = pair_with(64 * 1024, &alice, &bob).await;
    let waiting = async { tokio::join!(alice.recv(), bob.recv()) };
    let waited = tokio::time::timeout(Duration::from_secs(3_600), waiting).await;
    assert!(waited.is_err(), "{waited:?}");
    assert!(alice.round_trip().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_write_that_makes_no_progress_has_a_limit() {
    // spec: L-5
    let (alice, bob) = configs();
    let (mut alice, bob) =
        pair_with(1_024, &alice.idle_timeout(None), &bob.idle_timeout(None)).await;
    let error = loop {
        if let Err(error) = alice.send(&[0; 10_000]).await {
            break error;
        }
    };
    assert_eq!(
        error,
        SendError::Over(Cause::Timeout(TimeLimit::WriteStall))
    );
    drop(bob);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_too_old_is_drained_and_then_ended() {
    // spec: L-11
    let (alice, bob) = configs();
    let alice = alice.max_age(Duration::from_secs(100));
    let (mut alice, mut bob) = pair_with(64 * 1024, &alice, &bob).await;
    let other = tokio::spawn(async move {
        let drained = bob.recv_event().await.unwrap();
        assert!(
            matches!(drained, duologue::Event::Draining { .. }),
            "{drained:?}"
        );
        assert_eq!(bob.recv().await.unwrap(), None);
        bob.close().await
    });
    assert!(matches!(
        alice.recv_event().await.unwrap(),
        duologue::Event::Draining { .. }
    ));
    assert_eq!(alice.remaining_age().unwrap().as_secs(), 30);
    assert_eq!(alice.recv().await.unwrap(), None);
    assert_eq!(alice.close().await.cause, Cause::Expired);
    assert_eq!(other.await.unwrap().cause, Cause::Expired);
}

#[tokio::test]
async fn a_confirmed_message_has_been_taken() {
    // spec: T-16, T-17
    let (mut alice, mut bob) = pair().await;
    let taker = tokio::spawn(async move {
        for _message in 0..1_000 {
            bob.recv().await.unwrap();
        }
        bob
    });
    for _message in 0..1_000 {
        alice.send_confirmed(b"m").await.unwrap();
    }
    assert_eq!(alice.taken_count(), 1_000);
    drop(taker.await.unwrap());
}

#[tokio::test]
async fn a_receipt_that_cannot_come_is_said_at_once() {
    let (mut alice, mut bob) = pair().await;
    let flood = tokio::spawn(async move {
        while bob.send(&[0; 20_000]).await.is_ok() {}
        bob
    });
    let error = alice.send_confirmed(b"m").await.unwrap_err();
    assert_eq!(error, SendError::MustReceive);
    flood.abort();
}

#[tokio::test]
async fn the_halves_of_a_session_end_it_together() {
    let (alice, mut bob) = pair().await;
    let (mut sender, mut receiver) = alice.split();
    bob.send(b"to you").await.unwrap();
    let sending = tokio::spawn(async move {
        sender.send(b"to me").await.unwrap();
        sender.close().await
    });
    let receiving = tokio::spawn(async move {
        assert!(receiver.recv().await.unwrap().is_some());
        assert_eq!(receiver.recv().await.unwrap(), None);
        receiver.close().await
    });
    assert!(bob.recv().await.unwrap().is_some());
    assert_eq!(bob.recv().await.unwrap(), None);
    let b = bob.close().await;
    let (s, r) = (sending.await.unwrap(), receiving.await.unwrap());
    assert_eq!(s, r);
    assert_eq!(
        (s.sent, s.received),
        (Sent::Delivered(1), Received::Complete(1)),
        "{s}"
    );
    assert_eq!(
        (b.sent, b.received),
        (Sent::Delivered(1), Received::Complete(1)),
        "{b}"
    );
}

#[tokio::test]
async fn a_dropped_receiver_stops_the_peer_and_the_sender_goes_on() {
    // spec: E-4
    let (alice, mut bob) = pair().await;
    let (mut sender, receiver) = alice.split();
    drop(receiver);
    sender.send(b"still").await.unwrap();
    assert!(bob.recv().await.unwrap().is_some());
    let stopped = bob.send(b"m").await;
    assert!(
        matches!(stopped, Err(SendError::Stopped { taken: 0, .. })),
        "{stopped:?}"
    );
    let (s, b) = tokio::join!(sender.close(), bob.close());
    assert_eq!(
        (s.sent, b.received),
        (Sent::Delivered(1), Received::Complete(1))
    );
}

#[tokio::test]
async fn a_dropped_sender_is_an_abort() {
    // spec: E-9
    let (alice, mut bob) = pair().await;
    let (sender, mut receiver) = alice.split();
    drop(sender);
    let error = bob.recv().await.unwrap_err();
    let ReceiveError::Truncated {
        cause: Cause::PeerAborted { code, .. },
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(code, Code::DROPPED);
    assert!(receiver.recv().await.is_err());
}

#[tokio::test]
async fn an_application_may_say_itself_what_it_has_taken() {
    // spec: T-16
    let (alice, bob) = configs();
    let (mut alice, mut bob) = pair_with(64 * 1024, &alice, &bob.acknowledge_explicitly()).await;
    alice.send(b"1").await.unwrap();
    alice.send(b"2").await.unwrap();
    bob.recv().await.unwrap();
    bob.acknowledge();
    bob.recv().await.unwrap();
    let (a, b) = tokio::join!(alice.close(), bob.close());
    assert!(
        matches!(
            a.sent,
            Sent::Partial {
                taken: 1,
                sent: 2,
                ..
            }
        ),
        "{a}"
    );
    assert!(
        matches!(
            b.received,
            Received::Stopped {
                taken: 1,
                sent: 2,
                ..
            }
        ),
        "{b}"
    );
}

#[tokio::test]
async fn behind_the_end_of_the_transport_nothing_more_is_sent() {
    // spec: E-12, T-20
    let (alice, bob) = configs();
    let ((alice_reads, mut relay_writes), (mut relay_reads, bob_writes)) =
        (duplex(65_536), duplex(65_536));
    let (alice_writes, bob_reads) = duplex(65_536);
    let relay = tokio::spawn(async move { copy(&mut relay_reads, &mut relay_writes).await });
    let (alice, bob) = tokio::join!(
        duologue::connect_halves(alice_reads, alice_writes, None, &alice),
        duologue::accept_halves(bob_reads, bob_writes, &bob),
    );
    let (mut alice, mut bob) = (alice.unwrap(), bob.unwrap());
    relay.abort();
    assert!(alice.recv().await.is_err());
    let late = alice.send(b"late").await.unwrap_err();
    assert_eq!(late, SendError::Over(Cause::TransportEnded));
    let ReceiveError::Truncated {
        arrived: 0, cause, ..
    } = bob.recv().await.unwrap_err()
    else {
        panic!("what was sent behind the outcome arrived");
    };
    assert!(matches!(cause, Cause::PeerAborted { .. }), "{cause}");
    let outcome = alice.close().await;
    assert!(
        matches!(outcome.sent, Sent::Unconfirmed { sent: 0, .. }),
        "{outcome}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_past_its_age_whose_peer_does_not_read_waits_without_spinning() {
    // spec: L-5, L-11
    let (alice, bob) = configs();
    let alice = alice.max_age(Duration::from_secs(5)).idle_timeout(None);
    let (mut alice, _bob) = pair_with(1_024, &alice, &bob.idle_timeout(None)).await;
    let mut polls = 0;
    let message = [0; 100_000];
    let mut sending = pin!(alice.send(&message));
    let sent = poll_fn(|cx| {
        polls += 1;
        assert!(polls < 1_000, "polled for ever");
        sending.as_mut().poll(cx)
    });
    let limit = SendError::Over(Cause::Timeout(TimeLimit::WriteStall));
    assert_eq!(sent.await, Err(limit));
}

#[tokio::test(start_paused = true)]
async fn what_is_unacknowledged_behind_the_peers_end_is_not_taken() {
    // spec: E-6, E-14, T-16
    let (alice, bob) = configs();
    let (mut alice, mut bob) = pair_with(64 * 1024, &alice, &bob.acknowledge_explicitly()).await;
    alice.send(b"1").await.unwrap();
    alice.send(b"2").await.unwrap();
    alice.finish().await.unwrap();
    bob.recv().await.unwrap();
    bob.acknowledge();
    assert!(bob.recv().await.unwrap().is_some());
    assert_eq!(bob.recv().await.unwrap(), None);
    let (a, b) = tokio::join!(alice.close(), bob.close());
    assert!(matches!(a.cause, Cause::Finished { .. }), "{a}");
    assert!(
        matches!(
            a.sent,
            Sent::Partial {
                taken: 1,
                sent: 2,
                ..
            }
        ),
        "{a}"
    );
    assert!(
        matches!(
            b.received,
            Received::Stopped {
                taken: 1,
                sent: 2,
                ..
            }
        ),
        "{b}"
    );
}

#[tokio::test]
async fn the_outcome_of_a_broken_session_waits_for_what_came_before() {
    // spec: E-9, E-12
    let (alice, mut bob) = pair().await;
    let (mut sender, mut receiver) = alice.split();
    bob.send(b"one").await.unwrap();
    bob.send(b"two").await.unwrap();
    bob.abort(Code::application(1), "").await;
    let closing = tokio::spawn(async move { sender.close().await });
    for _turn in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!closing.is_finished());
    assert_eq!(receiver.recv().await.unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(receiver.recv().await.unwrap().as_deref(), Some(&b"two"[..]));
    let outcome = closing.await.unwrap();
    let Received::Truncated {
        arrived: 2,
        taken: 2,
        ..
    } = outcome.received
    else {
        panic!("{outcome}");
    };
    assert!(receiver.recv().await.is_err());
}

#[tokio::test]
async fn nothing_is_delivered_behind_an_abort_of_our_own() {
    // spec: E-12
    let (alice, mut bob) = pair().await;
    let (mut sender, mut receiver) = alice.split();
    bob.send(b"one").await.unwrap();
    bob.send(b"two").await.unwrap();
    assert!(receiver.recv().await.unwrap().is_some());
    let outcome = sender.abort(Code::application(1), "").await;
    let Received::Truncated { taken: 1, .. } = outcome.received else {
        panic!("{outcome}");
    };
    assert!(receiver.recv().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_write_any_more_waits_without_spinning() {
    // spec: L-3, L-4
    let (alice, bob) = configs();
    let (alice_writes, mut relay_reads) = duplex(65_536);
    let (mut relay_writes, bob_reads) = duplex(65_536);
    let (alice_reads, bob_writes) = duplex(65_536);
    let relay = tokio::spawn(async move { copy(&mut relay_reads, &mut relay_writes).await });
    let (alice, bob) = tokio::join!(
        duologue::connect_halves(alice_reads, alice_writes, None, &alice),
        duologue::accept_halves(bob_reads, bob_writes, &bob),
    );
    let (mut alice, _silent) = (alice.unwrap(), bob.unwrap());
    relay.abort();
    tokio::task::yield_now().await;
    assert!(alice.send(b"nobody reads").await.is_err());
    let mut polls = 0;
    let mut waiting = pin!(alice.recv());
    let received = poll_fn(|cx| {
        polls += 1;
        assert!(polls < 1_000, "polled for ever");
        waiting.as_mut().poll(cx)
    });
    assert!(received.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_noticed_although_a_ping_is_out() {
    // spec: L-3, L-4
    let (mut alice, _silent) = pair().await;
    alice.ping().await.unwrap();
    let start = tokio::time::Instant::now();
    let silent = tokio::time::timeout(Duration::from_secs(600), alice.recv()).await;
    let ReceiveError::Truncated { cause, .. } = silent.expect("waits for ever").unwrap_err() else {
        panic!("stopped");
    };
    assert_eq!(cause, Cause::Timeout(TimeLimit::Idle));
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn what_is_fed_behind_the_outcome_is_refused_and_not_counted() {
    // spec: E-12
    let (mut alice, mut bob) = pair().await;
    alice.send(b"one").await.unwrap();
    let (aborted, received) = tokio::join!(bob.abort(Code::application(1), "enough"), alice.recv());
    assert!(matches!(received, Err(ReceiveError::Truncated { .. })));
    assert!(matches!(aborted.cause, Cause::LocalAbort { .. }));
    let fed = alice.feed(b"two").await;
    let over = matches!(&fed, Err(SendError::Over(Cause::PeerAborted { .. })));
    assert!(over, "{fed:?}");
    assert_eq!(alice.sent_count(), 1);
    let outcome = alice.close().await;
    let counted = matches!(outcome.sent, Sent::Unconfirmed { sent: 1, .. });
    assert!(counted, "{outcome}");
}
