//! Learning of the end beside other work: without ending, sending or taking anything.

mod support;

use core::time::Duration;

use duologue::{Cause, Code, Event, ReceiveError, Received, SendError, Sent};
use support::pair;

#[tokio::test]
async fn a_sender_that_has_nothing_to_send_learns_that_the_peer_is_gone() {
    // spec: E-10
    let (alice, bob) = pair().await;
    let (mut sender, _receiver) = alice.split();
    drop(bob);
    let outcome = sender.wait_outcome().await;
    assert!(
        matches!(
            outcome.cause,
            Cause::PeerAborted {
                code: Code::DROPPED,
                ..
            }
        ),
        "{outcome}"
    );
    assert!(
        matches!(outcome.sent, Sent::Unconfirmed { .. }),
        "{outcome}"
    );
}

#[tokio::test]
async fn waiting_for_the_outcome_neither_ends_nor_takes() {
    // spec: E-6, E-12
    let (mut alice, mut bob) = pair().await;
    alice.send(b"untaken").await.unwrap();
    let waited = tokio::time::timeout(Duration::ZERO, bob.wait_outcome()).await;
    assert!(waited.is_err() && bob.outcome().is_none());
    assert_eq!(alice.taken_count(), 0);
    bob.send(b"still open").await.unwrap();
    assert_eq!(
        alice.recv().await.unwrap().as_deref(),
        Some(&b"still open"[..])
    );
    assert_eq!(bob.recv().await.unwrap().as_deref(), Some(&b"untaken"[..]));
    let (a, b) = tokio::join!(alice.close(), bob.close());
    assert_eq!((a.sent, b.sent), (Sent::Delivered(1), Sent::Delivered(1)));
}

#[tokio::test]
async fn waiting_for_the_outcome_says_the_last_word_and_closes() {
    // spec: E-8, L-14
    let (mut alice, mut bob) = pair().await;
    alice.finish().await.unwrap();
    bob.finish().await.unwrap();
    assert_eq!(alice.recv().await.unwrap(), None);
    assert_eq!(bob.recv().await.unwrap(), None);
    let (a, b) = tokio::join!(alice.wait_outcome(), bob.wait_outcome());
    assert!(matches!(a.cause, Cause::Finished { .. }), "{a}");
    assert!(matches!(b.cause, Cause::Finished { .. }), "{b}");
    assert_eq!(alice.close().await, a);
}

#[tokio::test]
async fn the_outcome_waits_for_what_came_whole_and_the_peer_does_not() {
    // spec: E-9, T-20, L-14
    let (mut alice, bob) = pair().await;
    let (mut sender, mut receiver) = bob.split();
    alice.send(b"before").await.unwrap();
    let waiting = sender.wait_outcome();
    let mut waiting = core::pin::pin!(waiting);
    // Alice reads on until Bob's side has closed, although nobody has received yet.
    tokio::select! {
        outcome = &mut waiting => panic!("{outcome}"),
        _aborted = alice.abort(Code::application(3), "enough") => {}
    }
    let received = async {
        let message = receiver.recv().await.unwrap();
        (message, receiver.recv().await)
    };
    let (outcome, (message, end)) = tokio::join!(waiting, received);
    assert_eq!(message.as_deref(), Some(&b"before"[..]));
    assert!(
        matches!(end, Err(ReceiveError::Truncated { .. })),
        "{end:?}"
    );
    let Received::Truncated { arrived, taken, .. } = outcome.received else {
        panic!("{outcome}");
    };
    assert_eq!((arrived, taken), (1, 1));
}

#[tokio::test]
async fn an_end_behind_a_message_in_one_record_is_the_whole_end() {
    // spec: E-8
    let (mut alice, mut bob) = pair().await;
    alice.finish().await.unwrap();
    assert_eq!(bob.recv().await.unwrap(), None);
    bob.feed(b"one").await.unwrap();
    bob.finish().await.unwrap();
    assert!(alice.recv().await.unwrap().is_some());
    // Nobody asks for another message: that there is none is known.
    let (a, b) = tokio::join!(alice.wait_outcome(), bob.wait_outcome());
    assert!(matches!(a.cause, Cause::Finished { .. }), "{a}");
    assert_eq!(b.sent, Sent::Delivered(1));
}

#[tokio::test]
async fn the_peers_end_is_told_behind_its_messages_and_before_the_outcome() {
    // spec: E-1
    let (mut alice, mut bob) = pair().await;
    alice.send(b"last").await.unwrap();
    alice
        .finish_with(Code::GOING_AWAY, "night falls")
        .await
        .unwrap();
    assert!(matches!(bob.recv_event().await.unwrap(), Event::Message(_)));
    assert_eq!(bob.recv_event().await.unwrap(), Event::Ended);
    let end = bob.peer_end().unwrap();
    assert_eq!(
        (end.code, end.reason.as_str()),
        (Code::GOING_AWAY, "night falls")
    );
    assert!(bob.outcome().is_none());
}

#[tokio::test]
async fn an_end_that_is_not_received_yet_is_not_told() {
    // spec: E-1
    let (mut alice, mut bob) = pair().await;
    alice.send(b"one").await.unwrap();
    alice.send(b"two").await.unwrap();
    alice.finish().await.unwrap();
    assert!(bob.recv().await.unwrap().is_some());
    assert_eq!(bob.peer_end(), None);
    assert!(bob.recv().await.unwrap().is_some());
    assert_eq!(bob.recv().await.unwrap(), None);
    assert!(bob.peer_end().is_some());
}

#[tokio::test]
async fn an_end_in_the_record_of_the_last_message_is_told_behind_it() {
    // spec: E-1
    let (mut alice, mut bob) = pair().await;
    alice.feed(b"1").await.unwrap();
    alice.feed(b"last").await.unwrap();
    alice.finish_with(Code::GOING_AWAY, "tea").await.unwrap();
    assert!(bob.recv().await.unwrap().is_some());
    assert_eq!(bob.peer_end(), None);
    assert!(bob.recv().await.unwrap().is_some());
    assert_eq!(bob.peer_end().unwrap().code, Code::GOING_AWAY);
}

#[tokio::test(start_paused = true)]
async fn an_announced_end_is_counted_from_when_the_announcement_came() {
    // spec: T-18
    let (mut alice, mut bob) = pair().await;
    let began = tokio::time::Instant::now();
    alice.drain(Duration::from_secs(30)).await.unwrap();
    bob.attend(tokio::time::sleep(Duration::from_secs(20)))
        .await;
    let Event::Draining {
        deadline,
        from_peer,
        ..
    } = bob.recv_event().await.unwrap()
    else {
        panic!("the announcement comes first");
    };
    assert!(from_peer);
    let told = deadline.saturating_duration_since(began.into_std());
    assert_eq!(told, Duration::from_secs(30));
}

#[tokio::test]
async fn nothing_is_said_in_a_session_that_is_over_however_it_ended() {
    let (mut broken, bob) = pair().await;
    drop(bob);
    broken.wait_outcome().await;
    let (mut ended, mut bob) = pair().await;
    tokio::join!(ended.close(), bob.close());
    for alice in [&mut broken, &mut ended] {
        let over = Err(SendError::Over(alice.outcome().unwrap().cause.clone()));
        assert_eq!(alice.drain(Duration::from_secs(30)).await, over);
        assert_eq!(alice.rekey_now().await, over);
        assert_eq!(alice.ping().await, over);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_only_attended_closes_behind_its_last_word() {
    // spec: L-14
    let (mut alice, mut bob) = pair().await;
    bob.send(b"untaken").await.unwrap();
    let began = tokio::time::Instant::now();
    let busy = alice.attend(tokio::time::sleep(Duration::from_secs(60)));
    let aborted = async {
        bob.abort(Code::application(1), "enough").await;
        began.elapsed()
    };
    // Whoever aborts reads on for two seconds, unless the other closes before.
    let ((), took) = tokio::join!(busy, aborted);
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(
        alice.recv().await.unwrap().as_deref(),
        Some(&b"untaken"[..])
    );
    let outcome = alice.close().await;
    let Received::Truncated { arrived, taken, .. } = outcome.received else {
        panic!("{outcome}");
    };
    assert_eq!((arrived, taken), (1, 1));
}
