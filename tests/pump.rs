//! A sender that many tasks share: clear errors for a pump that is gone or never polled, nothing lost silently.

mod support;

use std::time::Duration;

use duologue::{Cause, Code, Received, SendError, Sent};
use support::{configs, pair, pair_with, pattern};
use tokio::time::timeout;

#[tokio::test]
async fn ten_thousand_senders_are_all_served() {
    let (alice, mut bob) = pair().await;
    let (sender, receiver, pump) = alice.into_pumped();
    let pump = tokio::spawn(pump);
    let count = 10_000_u32;
    for number in 0..count {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(&number.to_be_bytes()).await.unwrap() });
    }
    drop((sender, receiver));
    let mut seen = vec![false; count as usize];
    while let Some(message) = bob.recv().await.unwrap() {
        let number = u32::from_be_bytes(message[..].try_into().unwrap());
        assert!(!core::mem::replace(&mut seen[number as usize], true));
    }
    assert!(seen.into_iter().all(|seen| seen));
    assert_eq!(
        bob.close().await.received,
        Received::Complete(u64::from(count))
    );
    assert_eq!(pump.await.unwrap().sent, Sent::Delivered(u64::from(count)));
}

#[tokio::test]
async fn messages_of_every_size_share_the_room_and_keep_their_order() {
    let (alice, mut bob) = pair().await;
    let (sender, receiver, pump) = alice.into_pumped();
    let pump = tokio::spawn(pump);
    // Below and above a record, what one write gathers, and what is alone in it.
    let sizes = [
        1, 4_095, 4_096, 32_769, 70_000, 253_000, 255_000, 262_144, 700_000,
    ];
    let tasks = 6_u8;
    for task in 0..tasks {
        let sender = sender.clone();
        tokio::spawn(async move {
            for (at, size) in sizes.into_iter().enumerate() {
                let mut message = pattern(size, task);
                message[0] = task * 16 + at as u8;
                sender.send(&message).await.unwrap();
            }
        });
    }
    drop((sender, receiver));
    let mut next = vec![0; usize::from(tasks)];
    while let Some(message) = bob.recv().await.unwrap() {
        let (task, at) = (message[0] / 16, usize::from(message[0] % 16));
        assert_eq!(at, next[usize::from(task)]);
        assert!(message[1..] == pattern(sizes[at], task)[1..]);
        next[usize::from(task)] += 1;
    }
    assert!(next.iter().all(|count| *count == sizes.len()), "{next:?}");
    bob.close().await;
    pump.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pump_that_is_never_polled_is_named_to_every_sender() {
    let (alice, bob) = pair().await;
    let (sender, _receiver, _pump) = alice.into_pumped();
    let mut tasks = Vec::new();
    for _task in 0..100 {
        let sender = sender.clone();
        tasks.push(tokio::spawn(async move {
            let mut sent = 0_u64;
            loop {
                match sender.send(&[0; 9_000]).await {
                    Ok(()) => sent += 1,
                    Err(error) => return (sent, error),
                }
            }
        }));
    }
    let mut all = 0;
    for task in tasks {
        let (sent, error) = task.await.unwrap();
        assert_eq!(error, SendError::NotPumped);
        all += sent;
    }
    // What was taken over is bounded, and is not said to be taken by the peer.
    assert!(all * 9_000 <= 256 * 1024, "{all} messages");
    assert_eq!(sender.taken_count(), 0);
    drop(bob);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_not_taken_for_a_pump_that_nobody_polls() {
    let (alice, bob) = configs();
    let limit = Duration::from_secs(30);
    // The session itself gives up later than a sender would lose its patience with the pump.
    let (alice, mut bob) = pair_with(1_024, &alice.write_stall_limit(limit * 2), &bob).await;
    let (sender, _receiver, pump) = alice.into_pumped();
    let pump = tokio::spawn(pump);
    let sending = tokio::spawn(async move {
        for _message in 0..100 {
            sender.send(&[0; 9_000]).await?;
        }
        Ok::<_, SendError>(())
    });
    tokio::time::sleep(limit + limit / 2).await;
    for _message in 0..100 {
        bob.recv().await.unwrap().unwrap();
    }
    sending.await.unwrap().unwrap();
    bob.close().await;
    pump.await.unwrap();
}

#[tokio::test]
async fn a_dropped_pump_ends_every_wait_and_the_session_says_so() {
    let (alice, bob) = configs();
    let (alice, mut bob) = pair_with(1_024, &alice, &bob).await;
    let (sender, receiver, pump) = alice.into_pumped();
    let mut tasks = Vec::new();
    for _task in 0..50 {
        let sender = sender.clone();
        tasks.push(tokio::spawn(async move {
            loop {
                sender.send(&[0; 9_000]).await?;
            }
        }));
    }
    let confirming = sender.clone();
    let confirming = tokio::spawn(async move { confirming.send_confirmed(b"m").await });
    assert!(timeout(Duration::from_millis(20), pump).await.is_err());
    for task in tasks {
        let ended: Result<(), SendError> = task.await.unwrap();
        assert!(
            matches!(ended, Err(SendError::Over(Cause::Dropped))),
            "{ended:?}"
        );
    }
    let confirmed = confirming.await.unwrap();
    assert!(
        matches!(confirmed, Err(SendError::Over(_))),
        "{confirmed:?}"
    );
    let late = sender.send(b"m").await;
    assert!(
        matches!(late, Err(SendError::Over(Cause::Dropped))),
        "{late:?}"
    );
    drop(receiver);
    let seen = loop {
        match bob.recv().await {
            Ok(Some(_message)) => {}
            Ok(None) => panic!("a dropped pump looks like an end"),
            Err(error) => break error,
        }
    };
    assert!(!seen.to_string().is_empty());
}

#[tokio::test]
async fn a_message_too_large_is_refused_at_once_even_if_nobody_pumps() {
    // spec: T-8
    let (alice, bob) = configs();
    let (alice, _bob) = pair_with(64 * 1024, &alice, &bob.max_message(1_000)).await;
    let (sender, _receiver, _pump) = alice.into_pumped();
    let refused = sender.send(&[0; 1_001]).await;
    assert!(
        matches!(
            refused,
            Err(SendError::TooLarge {
                length: 1_001,
                max: 1_000,
                ..
            })
        ),
        "{refused:?}"
    );
    sender.send(&[0; 1_000]).await.unwrap();
}

#[tokio::test]
async fn a_large_message_given_up_in_its_middle_leaves_the_others_whole() {
    // spec: T-19
    let (alice, bob) = configs();
    let (alice, mut bob) = pair_with(1_024, &alice, &bob).await;
    let (sender, receiver, pump) = alice.into_pumped();
    let pump = tokio::spawn(pump);
    let large = vec![7; 2_000_000];
    let given_up = timeout(Duration::from_millis(5), sender.send(&large)).await;
    assert!(given_up.is_err());
    let receiving = tokio::spawn(async move {
        let first = bob.recv().await.unwrap();
        assert_eq!(bob.recv().await.unwrap(), None);
        (first, bob.close().await)
    });
    sender.send(b"small").await.unwrap();
    drop((sender, receiver));
    let (first, outcome) = receiving.await.unwrap();
    assert_eq!(first.as_deref(), Some(&b"small"[..]));
    assert_eq!(outcome.received, Received::Complete(1));
    assert_eq!(pump.await.unwrap().sent, Sent::Delivered(1));
}

#[tokio::test]
async fn a_peer_that_stops_taking_is_told_to_senders_that_wait() {
    // spec: E-5
    let (alice, bob) = configs();
    let (alice, mut bob) = pair_with(1_024, &alice, &bob).await;
    let (sender, _receiver, pump) = alice.into_pumped();
    let pump = tokio::spawn(pump);
    let sending = tokio::spawn(async move {
        loop {
            if let Err(error) = sender.send(&[0; 9_000]).await {
                return error;
            }
        }
    });
    bob.recv().await.unwrap().unwrap();
    let closing = tokio::spawn(async move { bob.close().await });
    let error = sending.await.unwrap();
    assert!(
        matches!(
            error,
            SendError::Stopped { taken: 1, .. } | SendError::Over(_)
        ),
        "{error}"
    );
    drop(_receiver);
    let outcome = pump.await.unwrap();
    assert!(
        matches!(outcome.sent, Sent::Partial { taken: 1, .. }),
        "{outcome}"
    );
    closing.await.unwrap();
}

#[tokio::test]
async fn an_aborted_session_ends_every_wait() {
    let (alice, bob) = configs();
    let (alice, mut bob) = pair_with(1_024, &alice, &bob).await;
    let (sender, _receiver, pump) = alice.into_pumped();
    let pump = tokio::spawn(pump);
    let sending = tokio::spawn(async move {
        loop {
            if let Err(error) = sender.send(&[0; 9_000]).await {
                return error;
            }
        }
    });
    bob.abort(Code::INTERNAL, "enough").await;
    let error = sending.await.unwrap();
    assert!(matches!(error, SendError::Over(_)), "{error}");
    pump.await.unwrap();
}

/// What one has begun is not given up for what another sends, however little the transport takes at once.
#[tokio::test]
async fn large_messages_are_not_starved_by_small_ones() {
    let (alice, mut bob) = pair().await;
    let (sender, _receiver, pump) = alice.into_pumped();
    let _pump = tokio::spawn(pump);
    let small = sender.clone();
    let _small = tokio::spawn(async move {
        while small.send(b"small").await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    let message = pattern(200_000, 3);
    let expected = message.clone();
    tokio::spawn(async move {
        for _large in 0..20 {
            sender.send(&message).await.unwrap();
        }
    });
    let all = timeout(Duration::from_secs(60), async {
        let mut large = 0;
        while large < 20 {
            let got = bob.recv().await.unwrap().unwrap();
            large += usize::from(got == expected);
        }
    });
    all.await.expect("the large messages never come");
}
