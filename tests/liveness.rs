//! How a session lives: silence, keepalive, long work, age. All with a paused clock.

mod support;

#[path = "support/raw_pair.rs"]
#[expect(unreachable_pub, reason = "shared by the tests with a raw peer")]
mod raw_pair;
#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;
#[path = "support/raw_tokio.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_tokio;

use std::time::Duration;

use duologue::{Cause, Code, Event, ReceiveError, Received, SendError, Sent, Session, TimeLimit};
use raw_pair::{config, established, frames};
use raw_peer::{RawFrame, RawRecord};
use raw_tokio::Heard;
use support::{configs, pair_with};
use tokio::time::{Instant, sleep, timeout};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn pair_of(idle: u64) -> (Session, Session) {
    let (alice, bob) = configs();
    pair_with(1 << 16, &alice.idle_timeout(seconds(idle)), &bob).await
}

fn timed_out(error: &ReceiveError) -> bool {
    matches!(
        error,
        ReceiveError::Truncated {
            cause: Cause::Timeout(TimeLimit::Idle),
            ..
        }
    )
}

#[tokio::test(start_paused = true)]
async fn a_ping_asks_after_a_third_of_the_idle_timeout() {
    // spec: H-23, L-4
    let (mut ours, mut raw) = established(1 << 16, &config().idle_timeout(seconds(9))).await;
    raw.patience = seconds(100);
    let start = Instant::now();
    let waiting = tokio::spawn(async move { (ours.recv().await, ours.round_trip()) });
    for asked in 1..=50 {
        let [RawFrame::Ping(token)] = frames(&mut raw).await[..] else {
            panic!("not a PING");
        };
        assert_eq!(start.elapsed().as_millis(), asked * 3_000);
        raw.send_frames(&[RawFrame::Pong(token)]).await.unwrap();
    }
    raw.send(&RawRecord::Message(Vec::new())).await.unwrap();
    let (received, round_trip) = waiting.await.unwrap();
    assert!(received.unwrap().is_some());
    assert!(round_trip.is_some());
}

#[tokio::test(start_paused = true)]
async fn bytes_that_open_no_record_do_not_keep_a_session_alive() {
    // spec: L-3; threat: 36, 90
    let (mut ours, mut raw) = established(1 << 16, &config().idle_timeout(seconds(9))).await;
    let start = Instant::now();
    let trickling = tokio::spawn(async move {
        raw.send_bytes(&[0xff, 0xff]).await.unwrap();
        while raw.send_bytes(&[7]).await.is_ok() {
            sleep(seconds(1)).await;
        }
    });
    let error = ours.recv().await.unwrap_err();
    assert!(timed_out(&error), "{error}");
    assert_eq!(start.elapsed().as_secs(), 9);
    ours.close().await;
    drop(ours);
    trickling.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_polls_is_not_idle_for_itself() {
    // spec: L-3
    let (mut alice, mut bob) = pair_of(9).await;
    // Bob has no limit of his own but Alice's; what he sent waits.
    bob.send(b"early").await.unwrap();
    sleep(seconds(3_600)).await;
    assert_eq!(alice.recv().await.unwrap().as_deref(), Some(&b"early"[..]));
    let late = timeout(seconds(8), alice.recv()).await;
    assert!(late.is_err(), "the silence counts from now on: {late:?}");
    let error = alice.recv().await.unwrap_err();
    assert!(timed_out(&error), "{error}");
}

#[tokio::test(start_paused = true)]
async fn long_work_between_two_messages_needs_attend() {
    // spec: L-3, T-15
    let (mut alice, mut bob) = pair_of(9).await;
    alice.send(b"job").await.unwrap();
    let working = tokio::spawn(async move {
        bob.recv().await.unwrap();
        bob.attend(sleep(seconds(3_600))).await;
        bob.send(b"done").await.unwrap();
        bob
    });
    assert_eq!(alice.recv().await.unwrap().as_deref(), Some(&b"done"[..]));
    let mut bob = working.await.unwrap();
    alice.send(b"job").await.unwrap();
    let working = tokio::spawn(async move {
        bob.recv().await.unwrap();
        sleep(seconds(3_600)).await;
        bob
    });
    let error = alice.recv().await.unwrap_err();
    assert!(timed_out(&error), "{error}");
    drop(working);
}

#[tokio::test(start_paused = true)]
async fn attend_answers_and_tells_how_it_ended_meanwhile() {
    // spec: T-15, T-17, E-9
    let (mut ours, mut raw) = established(1 << 16, &config()).await;
    let asking = tokio::spawn(async move {
        raw.send_frames(&[RawFrame::ReceiptRequest, RawFrame::Ping([3; 8])])
            .await
            .unwrap();
        let heard = frames(&mut raw).await;
        raw.send_frames(&[RawFrame::Abort(300, Vec::new())])
            .await
            .unwrap();
        heard
    });
    ours.attend(sleep(seconds(5))).await;
    assert_eq!(asking.await.unwrap(), [RawFrame::Pong([3; 8])]);
    let outcome = ours.close().await;
    assert!(
        matches!(outcome.cause, Cause::PeerAborted { .. }),
        "{outcome}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_one_way_stream_of_confirmed_messages_lives_for_ever() {
    // spec: L-1, L-2, T-17; threat: 87
    let (mut alice, mut bob) = pair_of(1).await;
    let taking = tokio::spawn(async move {
        while let Some(_message) = bob.recv().await.unwrap() {}
        bob.close().await
    });
    for number in 0..5_000_u32 {
        alice.send_confirmed(&[1]).await.unwrap();
        if number % 10 == 0 {
            // Long enough for a PING between them.
            alice.attend(sleep(Duration::from_millis(400))).await;
        }
    }
    let outcome = alice.close().await;
    assert_eq!(outcome.sent, Sent::Delivered(5_000), "{outcome}");
    taking.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_peer_is_noticed_by_whatever_call_waits() {
    // spec: L-3; threat: 71
    let calls: [&str; 3] = ["recv", "wait_taken", "attend"];
    for call in calls {
        let (mut ours, raw) = established(1 << 16, &config().idle_timeout(seconds(9))).await;
        ours.send(b"m").await.unwrap();
        let start = Instant::now();
        match call {
            "recv" => assert!(timed_out(&ours.recv().await.unwrap_err())),
            "wait_taken" => assert_eq!(
                ours.wait_taken(1).await,
                Err(SendError::Over(Cause::Timeout(TimeLimit::Idle)))
            ),
            _ => ours.attend(sleep(seconds(9))).await,
        }
        assert_eq!(start.elapsed().as_secs(), 9, "{call}");
        let outcome = ours.close().await;
        assert_eq!(outcome.cause, Cause::Timeout(TimeLimit::Idle), "{call}");
        assert!(
            matches!(
                outcome.sent,
                Sent::Unconfirmed {
                    taken: 0,
                    sent: 1,
                    ..
                }
            ),
            "{outcome}"
        );
        drop(raw);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_of_limited_age_ends_in_its_time_although_the_peer_does_not() {
    // spec: L-11, T-18, E-14; threat: 64
    let config = config()
        .idle_timeout(None)
        .max_age(seconds(100))
        .drain_before(seconds(20))
        .end_deadline(seconds(7));
    let (mut ours, mut raw) = established(1 << 16, &config).await;
    raw.patience = seconds(1_000);
    let start = Instant::now();
    let waiting = tokio::spawn(async move {
        let Event::Draining {
            deadline,
            from_peer,
            ..
        } = ours.recv_event().await.unwrap()
        else {
            panic!("not the announcement");
        };
        assert!(!from_peer);
        assert_eq!((deadline - start.into_std()).as_secs(), 100);
        assert_eq!(ours.remaining_age().unwrap().as_secs(), 20);
        let error = ours.recv().await.unwrap_err();
        assert!(
            matches!(
                error,
                ReceiveError::Truncated {
                    cause: Cause::Expired,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(
            ours.send(b"late").await,
            Err(SendError::Over(Cause::Expired))
        );
        (ours.close().await, start.elapsed().as_secs())
    });
    assert_eq!(frames(&mut raw).await, [RawFrame::Drain(20_000)]);
    assert_eq!(start.elapsed().as_secs(), 80);
    assert_eq!(frames(&mut raw).await, [RawFrame::End(0, 6, Vec::new())]);
    assert_eq!(start.elapsed().as_secs(), 100);
    assert_eq!(frames(&mut raw).await, [RawFrame::Abort(6, Vec::new())]);
    assert_eq!(start.elapsed().as_secs(), 107);
    assert_eq!(raw.next().await, Heard::EndOfStream);
    drop(raw);
    let (outcome, passed) = waiting.await.unwrap();
    assert_eq!(outcome.cause, Cause::Expired);
    assert_eq!(passed, 107);
}

#[tokio::test(start_paused = true)]
async fn both_halves_hear_that_a_session_is_too_old() {
    // spec: L-11
    let (alice, bob) = configs();
    let alice = alice.max_age(seconds(50)).drain_before(seconds(10));
    let (alice, mut bob) = pair_with(1 << 16, &alice, &bob).await;
    let (mut sender, mut receiver) = alice.split();
    let taking = tokio::spawn(async move {
        while let Some(_message) = bob.recv().await.unwrap() {}
        bob.close().await
    });
    let sending = tokio::spawn(async move {
        loop {
            if let Err(error) = sender.send(b"m").await {
                break (error, sender.close().await);
            }
            sender.attend(sleep(seconds(1))).await;
        }
    });
    assert!(matches!(
        receiver.recv_event().await.unwrap(),
        Event::Draining { .. }
    ));
    assert_eq!(receiver.recv().await.unwrap(), None);
    let outcome = receiver.close().await;
    let (error, same) = sending.await.unwrap();
    assert_eq!(error, SendError::Over(Cause::Expired));
    assert_eq!(outcome, same);
    assert_eq!(outcome.cause, Cause::Expired);
    assert!(matches!(outcome.sent, Sent::Delivered(_)), "{outcome}");
    let other = taking.await.unwrap();
    assert_eq!(other.cause, Cause::Expired);
    assert!(matches!(other.received, Received::Complete(_)), "{other}");
}

#[tokio::test(start_paused = true)]
async fn an_announcement_without_credit_leaves_when_there_is_some() {
    // spec: T-18, L-1, L-2
    let (mut ours, mut raw) = established(1 << 16, &config()).await;
    for _asking in 0..100 {
        ours.rekey_now().await.unwrap();
    }
    ours.drain(seconds(30)).await.unwrap();
    sleep(seconds(10)).await;
    ours.send(b"earns").await.unwrap();
    let announced = loop {
        let heard = frames(&mut raw).await;
        let drain = heard.into_iter().find_map(|frame| match frame {
            RawFrame::Drain(milliseconds) => Some(milliseconds),
            _ => None,
        });
        if let Some(milliseconds) = drain {
            break milliseconds;
        }
    };
    assert_eq!(announced, 20_000);
}

#[tokio::test(start_paused = true)]
async fn a_restart_can_be_announced_by_hand_and_is_heard_by_both() {
    // spec: T-18
    let (mut alice, mut bob) = pair_of(60).await;
    alice.drain(seconds(30)).await.unwrap();
    alice
        .finish_with(Code::GOING_AWAY, "restart")
        .await
        .unwrap();
    for session in [&mut alice, &mut bob] {
        let event = session.recv_event().await.unwrap();
        let Event::Draining { deadline, .. } = event else {
            panic!("{event:?}");
        };
        let left = deadline - Instant::now().into_std();
        assert!((29..=30).contains(&left.as_secs()), "{left:?}");
    }
    assert_eq!(bob.recv_event().await.unwrap(), Event::Ended);
    let (a, b) = tokio::join!(alice.close(), bob.close());
    let Cause::Finished { theirs, .. } = b.cause else {
        panic!("{b}");
    };
    assert_eq!(
        (theirs.code, &*theirs.reason),
        (Code::GOING_AWAY, "restart")
    );
    assert_eq!(a.received, Received::Complete(0));
}

/// A session that never has to wait looks at its age all the same.
#[tokio::test(start_paused = true)]
async fn a_busy_session_of_limited_age_ends_in_its_time() {
    // spec: L-11, T-18
    let (alice, bob) = configs();
    let alice = alice
        .max_age(seconds(100))
        .drain_before(seconds(20))
        .end_deadline(seconds(7));
    let (mut alice, mut bob) = pair_with(64 * 1024, &alice, &bob).await;
    let (mut drained, mut ended) = (None, None);
    for second in 0..150 {
        bob.feed(b"one more").await.unwrap();
        if bob.flush().await.is_err() {
            ended = Some(second);
            break;
        }
        let received = timeout(Duration::ZERO, alice.recv_event()).await;
        match received.expect("it never waits").unwrap() {
            Event::Message(_message) => {}
            Event::Draining { from_peer, .. } => {
                assert!(!from_peer);
                drained = Some(second);
            }
            other => panic!("{other:?}"),
        }
        tokio::time::advance(seconds(1)).await;
    }
    // It is the call behind the one that looked at the clock that tells it.
    assert_eq!(drained, Some(81));
    let ended = ended.expect("it outlives its age");
    assert!((107..=110).contains(&ended), "{ended}");
    let error = loop {
        if let Err(error) = alice.recv().await {
            break error;
        }
    };
    let ReceiveError::Truncated { cause, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(cause, Cause::Expired);
}
