//! The halves of a session, in two tasks: neither waits for the other.

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

use std::{
    future::{Future, poll_fn},
    task::Poll,
    time::Duration,
};

use duologue::{Cause, Code, ReceiveError, Received, SendError, Sent};
use raw_pair::{config, established, frames};
use raw_peer::{RawFrame, RawRecord};
use raw_tokio::Heard;
use support::{configs, pair, pair_with, pattern};
use tokio::time::{sleep, timeout};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn answers_leave_although_the_sending_half_is_never_polled() {
    // spec: T-15, T-17, L-6
    let (ours, mut raw) = established(1 << 16, &config()).await;
    let (sender, mut receiver) = ours.split();
    let taking = tokio::spawn(async move {
        receiver.recv().await.unwrap();
        receiver.recv().await
    });
    raw.send_frames(&[RawFrame::Ping([1; 8]), RawFrame::Message(Vec::new())])
        .await
        .unwrap();
    raw.send_frames(&[RawFrame::ReceiptRequest]).await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.extend(frames(&mut raw).await);
    }
    assert!(heard.contains(&RawFrame::Pong([1; 8])), "{heard:?}");
    assert!(heard.contains(&RawFrame::Receipt(1)), "{heard:?}");
    drop((taking, sender));
}

#[tokio::test(start_paused = true)]
async fn answers_leave_while_the_sending_half_is_blocked_as_soon_as_there_is_room() {
    // spec: T-15, L-6, L-7; threat: 88
    let quiet = config().idle_timeout(None).write_stall_limit(HOUR * 9);
    let (ours, mut raw) = established(2_000, &quiet).await;
    let (mut sender, mut receiver) = ours.split();
    let blocked = tokio::spawn(async move {
        sender.send(&pattern(500_000, 1)).await.unwrap();
        sender
    });
    let receiving = tokio::spawn(async move {
        let mut count = 0;
        while let Ok(Some(_message)) = receiver.recv().await {
            count += 1;
        }
        count
    });
    // Reading goes on although not a byte of ours is taken.
    for _message in 0..100 {
        raw.send(&RawRecord::Message(vec![0; 1_000])).await.unwrap();
    }
    raw.send_frames(&[RawFrame::Ping([2; 8]), RawFrame::ReceiptRequest])
        .await
        .unwrap();
    sleep(Duration::from_secs(60)).await;
    assert!(!blocked.is_finished());
    let (mut pieces, mut answers) = (0, Vec::new());
    while pieces < 500_000 || answers.len() < 2 {
        match raw.next().await {
            Heard::Record(RawRecord::Piece(piece) | RawRecord::Message(piece)) => {
                pieces += piece.len();
            }
            Heard::Record(RawRecord::Batch(frames)) => answers.extend(frames),
            other => panic!("{other:?}"),
        }
    }
    assert!(answers.contains(&RawFrame::Pong([2; 8])), "{answers:?}");
    assert!(answers.contains(&RawFrame::Receipt(100)), "{answers:?}");
    let sender = blocked.await.unwrap();
    raw.send_frames(&[RawFrame::Abort(300, Vec::new())])
        .await
        .unwrap();
    assert_eq!(receiving.await.unwrap(), 100);
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn answers_leave_although_the_receiving_half_works_long_and_the_sender_attends() {
    // spec: L-4, T-15
    let (alice, bob) = configs();
    let (alice, mut bob) =
        pair_with(1 << 16, &alice, &bob.idle_timeout(Duration::from_secs(3))).await;
    let (mut sender, receiver) = alice.split();
    let attending = tokio::spawn(async move {
        sender.attend(sleep(HOUR)).await;
        sender
    });
    let waited = timeout(HOUR / 2, bob.recv()).await;
    assert!(waited.is_err(), "the keepalive was answered: {waited:?}");
    drop((attending, receiver));
}

#[tokio::test]
async fn the_receiver_takes_everything_after_the_sender_has_ended_and_gone() {
    // spec: E-13
    let (alice, mut bob) = pair().await;
    let (mut sender, mut receiver) = alice.split();
    sender.send(b"last").await.unwrap();
    sender.finish().await.unwrap();
    drop(sender);
    let other = tokio::spawn(async move {
        assert!(bob.recv().await.unwrap().is_some());
        assert_eq!(bob.recv().await.unwrap(), None);
        for number in 0..100 {
            bob.send(&[number]).await.unwrap();
        }
        bob.close().await
    });
    for number in 0..100 {
        assert_eq!(
            receiver.recv().await.unwrap().as_deref(),
            Some(&[number][..])
        );
    }
    assert_eq!(receiver.recv().await.unwrap(), None);
    let outcome = receiver.close().await;
    assert_eq!(
        (outcome.sent, outcome.received),
        (Sent::Delivered(1), Received::Complete(100)),
        "{outcome}"
    );
    assert_eq!(other.await.unwrap().sent, Sent::Delivered(100));
}

#[tokio::test]
async fn a_stop_of_the_peer_reaches_a_sender_whose_other_half_is_gone() {
    // spec: E-4, E-5
    let (alice, mut bob) = pair().await;
    let (mut sender, receiver) = alice.split();
    drop(receiver);
    let closing = tokio::spawn(async move { bob.close().await });
    let mut sent = 0;
    let error = loop {
        match sender.send(b"m").await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        tokio::task::yield_now().await;
        assert!(sent < 1_000, "nothing was heard");
    };
    assert!(
        matches!(error, SendError::Stopped { taken: 0, .. }),
        "{error}"
    );
    let outcome = sender.close().await;
    assert!(matches!(outcome.cause, Cause::Finished { .. }), "{outcome}");
    closing.await.unwrap();
}

#[tokio::test]
async fn both_halves_dropped_without_an_end_never_look_like_one() {
    // spec: E-9, E-10; threat: 82
    for sender_first in [true, false] {
        let (alice, mut bob) = pair().await;
        let (mut sender, receiver) = alice.split();
        sender.send(b"whole").await.unwrap();
        if sender_first {
            drop(sender);
            drop(receiver);
        } else {
            drop(receiver);
            drop(sender);
        }
        assert!(bob.recv().await.unwrap().is_some());
        let error = bob.recv().await.unwrap_err();
        let ReceiveError::Truncated {
            cause: Cause::PeerAborted { code, .. },
            ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(code, Code::DROPPED);
        let outcome = bob.close().await;
        assert!(
            matches!(
                outcome.received,
                Received::Truncated {
                    arrived: 1,
                    taken: 1,
                    ..
                }
            ),
            "{outcome}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_message_that_a_clone_gives_up_is_withdrawn_although_the_pump_sleeps() {
    // spec: T-19, L-6
    let (ours, mut raw) = established(1 << 20, &config()).await;
    raw.patience = Duration::from_secs(1);
    let (sender, receiver, pump) = ours.into_pumped();
    let pump = tokio::spawn(pump);
    let message = pattern(900_000, 1);
    let mut sending = Box::pin(sender.send(&message));
    let waits = poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx).is_pending())).await;
    assert!(waits, "more than is gathered for one write");
    let mut pieces = 0;
    while let Heard::Record(record) = raw.next().await {
        assert!(matches!(record, RawRecord::Piece(_)), "{record:?}");
        pieces += 1;
    }
    assert!(pieces > 4, "{pieces}");
    drop(sending);
    assert_eq!(frames(&mut raw).await, [RawFrame::Discard]);
    pump.abort();
    drop((sender, receiver));
}
