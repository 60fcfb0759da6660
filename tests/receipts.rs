//! What a sender learns of the peer's application: receipts, STOP, and what may not follow them.

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

use duologue::{Cause, Code, ReceiveError, Received, SendError, Sent};
use raw_pair::{config, established, frames};
use raw_peer::{RawFrame, RawRecord};
use raw_tokio::Heard;
use support::{configs, pair, pair_with};
use tokio::time::timeout;

#[tokio::test]
async fn whoever_only_sends_hears_of_a_stop_and_does_not_send_into_the_void() {
    // spec: E-4, E-5
    let (mut alice, mut bob) = pair().await;
    let closing = tokio::spawn(async move {
        assert!(bob.recv().await.unwrap().is_some());
        bob.close().await
    });
    let mut sent = 0;
    let error = loop {
        match alice.send(b"m").await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        // Otherwise nobody else would run.
        tokio::task::yield_now().await;
        assert!(sent < 1_000, "nothing was heard");
    };
    assert!(
        matches!(error, SendError::Stopped { taken: 1, .. }),
        "{error}"
    );
    let outcome = alice.close().await;
    let other = closing.await.unwrap();
    assert!(
        matches!(outcome.sent, Sent::Partial { taken: 1, .. }),
        "{outcome}"
    );
    assert!(
        matches!(other.received, Received::Stopped { taken: 1, .. }),
        "{other}"
    );
}

#[tokio::test]
async fn whoever_only_sends_hears_of_an_abort_and_of_the_end_of_the_transport() {
    // spec: E-9, E-10
    for aborts in [true, false] {
        let (mut alice, raw) = established(1 << 20, &config()).await;
        let mut raw = Some(raw);
        if aborts {
            let abort = RawFrame::Abort(300, b"enough".to_vec());
            raw.as_mut().unwrap().send_frames(&[abort]).await.unwrap();
        } else {
            raw = None;
        }
        let mut sent = 0;
        let error = loop {
            match alice.send(b"m").await {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
            tokio::task::yield_now().await;
            assert!(sent < 1_000, "nothing was heard");
        };
        let SendError::Over(cause) = error else {
            panic!("{error}");
        };
        assert_eq!(
            matches!(cause, Cause::PeerAborted { .. }),
            aborts,
            "{cause}"
        );
        drop(raw);
    }
}

#[tokio::test]
async fn waiting_for_more_than_will_be_taken_says_how_many_were() {
    // spec: E-5, E-11
    let (mut alice, mut bob) = pair().await;
    for _message in 0..3 {
        alice.feed(b"m").await.unwrap();
    }
    alice.flush().await.unwrap();
    bob.recv().await.unwrap();
    bob.recv().await.unwrap();
    let closing = tokio::spawn(async move { bob.close().await });
    let error = alice.wait_taken(3).await.unwrap_err();
    assert!(
        matches!(
            error,
            SendError::Stopped {
                taken: 2,
                sent: 3,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(alice.wait_taken(2).await, Ok(()));
    assert_eq!(alice.taken_count(), 2);
    alice.close().await;
    closing.await.unwrap();
}

#[tokio::test]
async fn what_is_taken_already_is_known_without_waiting() {
    let (mut alice, mut bob) = pair().await;
    assert_eq!(alice.wait_taken(0).await, Ok(()));
    let taking = tokio::spawn(async move {
        while let Ok(Some(_message)) = bob.recv().await {}
        bob.close().await
    });
    alice.send_confirmed(b"1").await.unwrap();
    alice.send_confirmed(b"2").await.unwrap();
    assert_eq!(alice.wait_taken(1).await, Ok(()));
    assert_eq!((alice.taken_count(), alice.sent_count()), (2, 2));
    alice.close().await;
    assert_eq!(taking.await.unwrap().received, Received::Complete(2));
}

#[tokio::test(start_paused = true)]
async fn a_receipt_waits_for_the_application_that_acknowledges_itself() {
    // spec: T-16, T-17
    let (alice, bob) = configs();
    let bob = bob.acknowledge_explicitly();
    let (mut alice, mut bob) = pair_with(1 << 16, &alice, &bob).await;
    let (work, worked) = tokio::sync::oneshot::channel();
    let working = tokio::spawn(async move {
        assert!(bob.recv().await.unwrap().is_some());
        bob.attend(worked).await.unwrap();
        bob.acknowledge();
        while let Ok(Some(_message)) = bob.recv().await {}
    });
    let early = timeout(Duration::from_secs(3_600), alice.send_confirmed(b"job")).await;
    assert!(early.is_err(), "it was only handed out: {early:?}");
    assert_eq!(alice.taken_count(), 0);
    work.send(()).unwrap();
    assert_eq!(alice.wait_taken(1).await, Ok(()));
    drop(alice);
    working.await.unwrap();
}

#[tokio::test]
async fn a_message_whose_receipt_cannot_come_stays_sent_and_is_confirmed_later() {
    // spec: L-6, T-17
    let (mut alice, mut bob) = pair().await;
    let flooding = tokio::spawn(async move {
        for _message in 0..40 {
            bob.send(&[0; 20_000]).await.unwrap();
        }
        while let Ok(Some(_message)) = bob.recv().await {}
        bob.close().await
    });
    let error = alice.send_confirmed(b"m").await.unwrap_err();
    assert_eq!(error, SendError::MustReceive);
    assert_eq!(alice.sent_count(), 1);
    for _message in 0..40 {
        alice.recv().await.unwrap();
    }
    assert_eq!(alice.wait_taken(1).await, Ok(()));
    let outcome = alice.close().await;
    assert_eq!(outcome.sent, Sent::Delivered(1), "{outcome}");
    assert_eq!(outcome.received, Received::Complete(40), "{outcome}");
    flooding.await.unwrap();
}

#[tokio::test]
async fn a_sender_of_many_after_a_stop_knows_which_are_safe_to_send_again() {
    // spec: E-4, E-5, E-6
    let (mut alice, mut raw) = established(1 << 20, &config()).await;
    for _message in 0..5 {
        alice.send(b"m").await.unwrap();
    }
    raw.send_frames(&[RawFrame::Stop(3)]).await.unwrap();
    assert!(
        timeout(Duration::from_millis(50), alice.recv())
            .await
            .is_err()
    );
    let error = alice.send(b"m").await.unwrap_err();
    assert!(
        matches!(
            error,
            SendError::Stopped {
                taken: 3,
                sent: 5,
                ..
            }
        ),
        "{error}"
    );
    raw.send_frames(&[RawFrame::End(0, 0, Vec::new())])
        .await
        .unwrap();
    let answering = async {
        loop {
            let heard = frames(&mut raw).await;
            if heard
                .iter()
                .any(|frame| matches!(frame, RawFrame::End(5, ..)))
            {
                break;
            }
        }
        raw.send_frames(&[RawFrame::FinalReceipt(3)]).await.unwrap();
        while raw.next().await != Heard::EndOfStream {}
        drop(raw);
    };
    let (outcome, ()) = tokio::join!(alice.close(), answering);
    assert!(
        matches!(
            outcome.sent,
            Sent::Partial {
                taken: 3,
                sent: 5,
                ..
            }
        ),
        "{outcome}"
    );
    assert!(matches!(outcome.cause, Cause::Finished { .. }), "{outcome}");
}

#[expect(
    clippy::too_many_lines,
    reason = "one row for each word that may not follow"
)]
#[tokio::test(start_paused = true)]
async fn what_may_not_follow_a_last_receipt_names_its_clause() {
    // spec: E-5, E-6, E-7, T-15, L-1, T-20; threat: 61, 74
    let end = || RawFrame::End(0, 0, Vec::new());
    let wrong: Vec<(&str, Vec<Vec<RawFrame>>)> = vec![
        (
            "E-7",
            vec![vec![RawFrame::FinalReceipt(2), RawFrame::FinalReceipt(2)]],
        ),
        (
            "E-7",
            vec![vec![RawFrame::FinalReceipt(2)], vec![RawFrame::Receipt(2)]],
        ),
        (
            "E-7",
            vec![vec![RawFrame::FinalReceipt(2)], vec![RawFrame::Stop(2)]],
        ),
        (
            "E-5",
            vec![vec![RawFrame::Stop(1), RawFrame::FinalReceipt(2)]],
        ),
        ("T-16", vec![vec![RawFrame::FinalReceipt(3)]]),
        (
            "T-16",
            vec![vec![RawFrame::Receipt(2), RawFrame::FinalReceipt(1)]],
        ),
        ("T-15", vec![vec![RawFrame::Pong([9; 8])]]),
        ("L-1", vec![vec![RawFrame::Rekey]; 34]),
        ("L-1", vec![vec![RawFrame::Receipt(1)]; 35]),
        ("E-3", vec![vec![end()], vec![end()]]),
    ];
    for (clause, records) in wrong {
        let (mut ours, mut raw) = established(1 << 20, &config()).await;
        ours.send(b"1").await.unwrap();
        ours.send(b"2").await.unwrap();
        ours.finish().await.unwrap();
        let whole = RawRecord::Message(b"whole".to_vec());
        raw.send(&whole).await.unwrap();
        for (at, record) in records.iter().enumerate() {
            let record: Vec<_> = record
                .iter()
                .map(|frame| match frame {
                    RawFrame::End(..) => RawFrame::End(1, 0, Vec::new()),
                    other => other.clone(),
                })
                .collect();
            assert!(raw.send_frames(&record).await.is_ok(), "{clause}: {at}");
        }
        // What was whole before is delivered first.
        assert_eq!(ours.recv().await.unwrap().as_deref(), Some(&b"whole"[..]));
        let cause = match ours.recv().await {
            Err(ReceiveError::Truncated { cause, .. }) => cause,
            Ok(None) => ours.close().await.cause,
            other => panic!("{clause}: {other:?}"),
        };
        let Cause::Violation(violation) = cause else {
            panic!("{clause}: {cause}");
        };
        assert_eq!(violation.clause(), clause, "{records:?}");
        let outcome = ours.close().await;
        assert!(
            !matches!(outcome.cause, Cause::Finished { .. }),
            "{outcome}"
        );
        let code = loop {
            match raw.next().await {
                Heard::Record(RawRecord::Batch(frames)) => {
                    if let Some(RawFrame::Abort(code, _)) = frames.last() {
                        break *code;
                    }
                }
                Heard::Record(RawRecord::Message(_)) => {}
                other => panic!("{clause}: no ABORT, but {other:?}"),
            }
        };
        assert_eq!(code, u64::from(Code::VIOLATION.number()), "{clause}");
    }
}
