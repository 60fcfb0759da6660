//! A transport is left alone only while it surely has nothing, and a flush is one of the transport, too.

mod support;

use core::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use duologue::{Cause, Code, SendError, accept_halves, connect_halves};
use support::{configs, pair};
use tokio::{
    io::BufWriter,
    runtime::{Builder, Runtime},
    task::coop,
    time::timeout,
};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// What tokio grants a task for one poll, but one step.
fn spend_all_but_one(cx: &mut Context<'_>) {
    for _step in 0..127 {
        let Poll::Ready(turn) = coop::poll_proceed(cx) else {
            panic!("no budget");
        };
        turn.made_progress();
    }
}

/// A read without budget has not looked, and its waker is dropped with the `block_on` that it stood in.
// spec: L-6
#[test]
fn a_read_without_budget_is_not_taken_for_calm() {
    let runtime = runtime();
    let (mut alice, mut bob) = runtime.block_on(pair());
    runtime.block_on(bob.send(b"news")).unwrap();
    runtime.block_on(async {
        let mut sending = pin!(alice.send(b"hello"));
        poll_fn(|cx| {
            // One is left for the write.
            spend_all_but_one(cx);
            let sent = sending.as_mut().poll(cx);
            assert!(sent.is_ready());
            assert!(!coop::has_budget_remaining());
            sent
        })
        .await
        .unwrap();
    });
    let received = runtime.block_on(async { timeout(Duration::from_secs(3), alice.recv()).await });
    let received = received.expect("the transport is never asked again");
    assert_eq!(received.unwrap().as_deref(), Some(&b"news"[..]));
}

/// The same for an application that waits for two things and is done with the other.
#[test]
fn a_receive_without_budget_is_not_taken_for_calm() {
    let runtime = runtime();
    let (mut alice, mut bob) = runtime.block_on(pair());
    runtime.block_on(bob.send(b"news")).unwrap();
    runtime.block_on(async {
        let mut receiving = pin!(alice.recv());
        poll_fn(|cx| {
            spend_all_but_one(cx);
            // As in a `select!` whose other branch is ready.
            assert!(receiving.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    });
    let received = runtime.block_on(async { timeout(Duration::from_secs(3), alice.recv()).await });
    let received = received.expect("the transport is never asked again");
    assert_eq!(received.unwrap().as_deref(), Some(&b"news"[..]));
}

/// What a buffering transport has not passed on is not flushed.
#[tokio::test]
async fn a_flush_waits_for_the_flush_of_the_transport() {
    let (alice, bob) = configs();
    let (near, far) = tokio::io::duplex(65_536);
    let (near_read, near_write) = tokio::io::split(near);
    let (far_read, far_write) = tokio::io::split(far);
    let near_write = BufWriter::with_capacity(1 << 20, near_write);
    let (near, far) = tokio::join!(
        connect_halves(near_read, near_write, None, &alice),
        accept_halves(far_read, far_write, &bob)
    );
    let (mut alice, mut bob) = (near.unwrap(), far.unwrap());
    let message = vec![7_u8; 200_000];
    let sending = async {
        alice.send(&message).await.unwrap();
    };
    let receiving = timeout(Duration::from_secs(3), bob.recv());
    let ((), received) = tokio::join!(sending, receiving);
    let received = received.expect("sent, and yet it stands in the transport's buffer");
    assert_eq!(received.unwrap().map(|bytes| bytes.len()), Some(200_000));
}

/// A flush behind a receive leaves looking for news to the next one.
// spec: E-5, E-9
#[tokio::test]
async fn whoever_goes_on_sending_behind_a_receive_hears_of_the_end() {
    let (mut alice, mut bob) = pair().await;
    bob.send(b"one").await.unwrap();
    assert!(alice.recv().await.unwrap().is_some());
    alice.send(b"read behind it").await.unwrap();
    {
        let mut aborting = pin!(bob.abort(Code::INTERNAL, ""));
        let noop = &mut Context::from_waker(Waker::noop());
        assert!(aborting.as_mut().poll(noop).is_pending());
    }
    let error = alice.send(b"into the void").await.unwrap_err();
    let SendError::Over(Cause::PeerAborted { .. }) = error else {
        panic!("{error}");
    };
}

/// What was known when a message came is no news any more when its answer leaves.
// spec: E-9
#[tokio::test]
async fn an_answer_that_took_its_time_hears_of_the_end() {
    let (mut alice, mut bob) = pair().await;
    bob.send(b"question").await.unwrap();
    assert!(alice.recv().await.unwrap().is_some());
    {
        let mut aborting = pin!(bob.abort(Code::GOING_AWAY, ""));
        let noop = &mut Context::from_waker(Waker::noop());
        assert!(aborting.as_mut().poll(noop).is_pending());
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let error = alice.send(b"answer").await.unwrap_err();
    let SendError::Over(Cause::PeerAborted { .. }) = error else {
        panic!("{error}");
    };
}
