//! Two halves of a session in two tasks, or a pump: nobody waits for a half that nobody polls.

mod support;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use duologue::{Cause, ReceiveError, SendError, Sent, TimeLimit};
use support::{configs, pair, pair_with};
use tokio::{
    io::{copy, duplex},
    task::yield_now,
    time::timeout,
};

const MANY: usize = 200;

/// The future, which may not be polled again and again.
async fn calmly<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut polls = 0;
    let polled = poll_fn(|cx| {
        polls += 1;
        assert!(polls < MANY, "polled for ever");
        future.as_mut().poll(cx)
    });
    polled.await
}

#[tokio::test(start_paused = true)]
async fn a_pump_whose_senders_are_gone_waits_without_spinning() {
    let (alice, _bob) = pair().await;
    let (sender, _receiver, pump) = alice.into_pumped();
    drop(sender);
    let waited = timeout(Duration::from_secs(5), calmly(pump)).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_can_only_read_waits_without_spinning() {
    // spec: L-3, L-4
    let (alice, bob) = configs();
    let (alice_reads, bob_writes) = duplex(65_536);
    let ((alice_writes, mut relay_reads), (mut relay_writes, bob_reads)) =
        (duplex(65_536), duplex(65_536));
    let relay = tokio::spawn(async move { copy(&mut relay_reads, &mut relay_writes).await });
    let (alice, bob) = tokio::join!(
        duologue::connect_halves(alice_reads, alice_writes, None, &alice),
        duologue::accept_halves(bob_reads, bob_writes, &bob),
    );
    let (mut alice, _bob) = (alice.unwrap(), bob.unwrap());
    relay.abort();
    let _gone = relay.await;
    let sent = alice.send(b"lost").await.unwrap_err();
    assert!(
        matches!(sent, SendError::Over(Cause::TransportFailed(_))),
        "{sent}"
    );
    let error = calmly(alice.recv()).await.unwrap_err();
    let limit = Cause::Timeout(TimeLimit::Idle);
    assert!(
        matches!(&error, ReceiveError::Truncated { cause, .. } if *cause == limit),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_deadline_runs_although_the_other_half_is_dropped_later() {
    // spec: E-14
    let (alice, mut bob) = pair().await;
    let (mut sender, receiver) = alice.split();
    let bob = tokio::spawn(async move { bob.attend(std::future::pending::<()>()).await });
    let closing = tokio::spawn(async move { sender.close().await });
    yield_now().await;
    drop(receiver);
    let outcome = timeout(Duration::from_secs(20), closing).await;
    let outcome = outcome.expect("close waits for ever").unwrap();
    assert_eq!(outcome.cause, Cause::Timeout(TimeLimit::End));
    bob.abort();
}

#[tokio::test(start_paused = true)]
async fn the_end_deadline_runs_although_the_sender_is_dropped_later() {
    // spec: E-14
    let (alice, mut bob) = pair().await;
    let (mut sender, mut receiver) = alice.split();
    sender.finish().await.unwrap();
    let bob = tokio::spawn(async move { bob.attend(std::future::pending::<()>()).await });
    let closing = tokio::spawn(async move { receiver.close().await });
    yield_now().await;
    drop(sender);
    let outcome = timeout(Duration::from_secs(20), closing).await;
    let outcome = outcome.expect("close waits for ever").unwrap();
    assert_eq!(outcome.cause, Cause::Timeout(TimeLimit::End));
    bob.abort();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_transport_did_not_take_at_once_leaves_later() {
    // spec: T-15, L-5, L-6
    const PIPE: usize = 1_024;
    let (alice, bob) = configs();
    let (mut alice, bob) = pair_with(PIPE, &alice, &bob).await;
    let (mut sender, mut receiver) = bob.split();
    sender.send(&[0; PIPE - 19]).await.unwrap();
    alice.ping().await.unwrap();
    let receiving = tokio::spawn(async move { receiver.recv().await.map(drop) });
    for _turn in 0..10 {
        yield_now().await;
    }
    assert!(alice.recv().await.unwrap().is_some());
    let waited = timeout(Duration::from_secs(10), alice.recv()).await;
    assert!(waited.is_err(), "{waited:?}");
    assert!(alice.round_trip().is_some(), "the PONG has not come");
    assert!(!receiving.is_finished());
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn a_sender_does_not_wait_for_a_receiver_that_is_not_polled() {
    // spec: T-17
    let (mut alice, bob) = pair().await;
    let (mut sender, mut receiver) = bob.split();
    let mut receiving = pin!(receiver.recv());
    let parked = poll_fn(|cx| Poll::Ready(receiving.as_mut().poll(cx).is_pending())).await;
    assert!(parked);
    let taking = tokio::spawn(async move { alice.recv().await.map(|_message| alice) });
    timeout(Duration::from_secs(10), sender.send_confirmed(b"taken?"))
        .await
        .expect("nobody reads the receipt")
        .unwrap();
    drop(taking.await.unwrap().unwrap());
}

#[tokio::test]
async fn a_flush_says_so_when_what_was_fed_is_dropped() {
    // spec: E-9
    let (alice, _bob) = pair().await;
    let (mut sender, mut receiver) = alice.split();
    sender.feed(b"never sealed").await.unwrap();
    let outcome = receiver.abort(duologue::Code::application(1), "").await;
    assert!(
        matches!(outcome.sent, Sent::Unconfirmed { taken: 0, .. }),
        "{outcome}"
    );
    let flushed = sender.flush().await;
    assert!(matches!(flushed, Err(SendError::Over(_))), "{flushed:?}");
}
