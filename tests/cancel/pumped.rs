//! The shared sender and its pump.

use std::pin::pin;

use crate::{
    harness::{
        LARGE, LARGE_STEPS, Ledger, SMALL_STEPS, at_every_poll, cut, demand_all, peer, slow_pair,
    },
    support::pattern,
};

/// What a clone leaves is dropped at each poll, while the pump pumps and another clone sends on.
async fn clone_goes_on(steps: &[usize], message: &[u8], confirmed: bool) {
    at_every_poll(steps, async |step, polls| {
        let (session, bob, pace) = slow_pair().await;
        let bob = peer(bob);
        let (sender, mut receiver, pump) = session.into_pumped();
        let pump = tokio::spawn(pump);
        sender.send_confirmed(b"before").await.unwrap();
        pace.set(step);
        // Nothing is counted in public here: the peer's own count must be one of two.
        let leaving = async {
            if confirmed {
                sender.send_confirmed(message).await.unwrap();
            } else {
                // What is there before makes the others wait for room.
                sender.send(&[7; 200_000]).await.unwrap();
                sender.send(message).await.unwrap();
            }
        };
        let done = cut(polls, leaving).await.is_some();
        pace.set(0);
        sender.clone().send(b"after").await.unwrap();
        drop(sender);
        let mut got = Vec::new();
        while let Some(message) = receiver.recv().await.unwrap() {
            got.push(message.to_vec());
        }
        let outcome = receiver.close().await;
        assert_eq!(pump.await.unwrap(), outcome);
        let report = bob.await.unwrap();
        let mut ledger = Ledger::default();
        let mut sent = 0;
        for offered in [b"before", &[7; 200_000][..], message, b"after"] {
            ledger.offer(offered, sent);
            if report
                .got
                .get(sent as usize)
                .is_some_and(|came| came == offered)
            {
                sent += 1;
            }
        }
        ledger.settle(sent);
        if done {
            assert!(ledger.counted().iter().any(|counted| counted == message));
        }
        assert_eq!(report.got.last().unwrap(), b"after");
        demand_all(&report, ledger.counted(), &got, &outcome);
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_clone_drops_is_sent_whole_or_not_at_all() {
    // spec: T-14, T-19; threat: 57, 59, 102
    clone_goes_on(LARGE_STEPS, &pattern(LARGE, 1), false).await;
    clone_goes_on(LARGE_STEPS, &pattern(100_000, 2), false).await;
    clone_goes_on(SMALL_STEPS, b"sure?", true).await;
}

#[tokio::test(start_paused = true)]
async fn a_pump_that_is_left_at_any_poll_goes_on_when_it_is_polled_again() {
    // spec: E-8; threat: 102
    at_every_poll(&[3, 40, 2_000], async |step, polls| {
        let (session, bob, pace) = slow_pair().await;
        let bob = peer(bob);
        let (sender, mut receiver, pump) = session.into_pumped();
        sender.send(b"one").await.unwrap();
        sender.send(&pattern(5_000, 1)).await.unwrap();
        drop(sender);
        pace.set(step);
        let mut pump = pin!(pump);
        let taking = tokio::spawn(async move {
            let mut got = Vec::new();
            while let Some(message) = receiver.recv().await.unwrap() {
                got.push(message.to_vec());
            }
            (got, receiver.close().await)
        });
        let done = cut(polls, pump.as_mut()).await;
        pace.set(0);
        let completed = done.is_some();
        let outcome = match done {
            Some(outcome) => outcome,
            None => pump.await,
        };
        let (got, same) = taking.await.unwrap();
        assert_eq!(outcome, same);
        let sent = [b"one".to_vec(), pattern(5_000, 1)];
        demand_all(&bob.await.unwrap(), &sent, &got, &outcome);
        completed
    })
    .await;
}
