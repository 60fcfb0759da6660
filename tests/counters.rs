//! What a session costs in writes, reads, bytes and wake-ups: counted, not timed.

mod pipe;
mod support;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use duologue::{Session, accept_halves, connect_halves};
use pipe::{Passed, Pipe};
use support::configs;

/// Two sessions, and the pipe from the first to the second.
async fn pair() -> (Session, Session, Pipe) {
    let (there, back) = (Pipe::new(), Pipe::new());
    let (alice, bob) = configs();
    let (one, other) = tokio::join!(
        connect_halves(back.clone(), there.clone(), None, &alice),
        accept_halves(there.clone(), back, &bob),
    );
    (one.unwrap(), other.unwrap(), there)
}

/// What passes while so many messages of a size are fed and received.
async fn passed(count: usize, size: usize) -> Passed {
    let (mut alice, mut bob, there) = pair().await;
    let receiving = tokio::spawn(async move {
        for _message in 0..count {
            assert_eq!(bob.recv_ref().await.unwrap().unwrap().len(), size);
        }
        bob
    });
    let before = there.passed();
    let message = vec![7; size];
    for _message in 0..count {
        alice.feed(&message).await.unwrap();
    }
    alice.flush().await.unwrap();
    let _bob = receiving.await.unwrap();
    there.passed() - before
}

/// A future that counts how often it is polled.
struct Counted<F> {
    future: Pin<Box<F>>,
    polls: Arc<AtomicUsize>,
}

impl<F: Future> Counted<F> {
    fn new(future: F) -> (Self, Arc<AtomicUsize>) {
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Self {
            future: Box::pin(future),
            polls: Arc::clone(&polls),
        };
        (counted, polls)
    }
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.future.as_mut().poll(cx)
    }
}

#[tokio::test]
async fn bulk_makes_few_writes_and_few_reads() {
    let units = 1_000;
    let passed = passed(units, 64 * 1024).await;
    assert!(passed.writes * 10 <= units * 6, "{passed:?}");
    assert!(passed.reads * 10 <= units * 6, "{passed:?}");
    // Two records a message, each with length, kind and tag.
    assert_eq!(passed.bytes, units * (64 * 1024 + 2 * 19));
}

#[tokio::test]
async fn a_small_message_flushed_alone_is_at_most_83_bytes() {
    let (mut alice, _bob, there) = pair().await;
    let before = there.passed();
    for _message in 0..100 {
        alice.send(&[7; 64]).await.unwrap();
    }
    let passed = there.passed() - before;
    assert!(passed.bytes <= 100 * 83, "{passed:?}");
    assert_eq!(passed.writes, 100);
}

#[tokio::test]
async fn small_messages_in_a_batch_share_their_record() {
    let count = 100_000;
    let passed = passed(count, 64).await;
    assert!(passed.bytes * 10 <= count * 661, "{passed:?}");
    let units = (count * 64).div_ceil(64 * 1024);
    assert!(passed.writes * 10 <= units * 6, "{passed:?}");
}

#[tokio::test]
async fn what_many_senders_leave_shares_records_and_writes() {
    let (alice, mut bob, there) = pair().await;
    let (sender, receiver, pump) = alice.into_pumped();
    let (pump, polls) = Counted::new(pump);
    let pump = tokio::spawn(pump);
    let before = there.passed();
    let (tasks, each) = (64, 500);
    for _task in 0..tasks {
        let sender = sender.clone();
        tokio::spawn(async move {
            for _message in 0..each {
                sender.send(&[7; 64]).await.unwrap();
            }
        });
    }
    drop((sender, receiver));
    let mut count = 0;
    while bob.recv_ref().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, tasks * each);
    let passed = there.passed() - before;
    let polls_of_sending = polls.load(Ordering::Relaxed);
    assert!(passed.bytes <= count * 67, "{passed:?}");
    assert!(passed.writes <= count / 100, "{passed:?}");
    assert!(polls_of_sending <= count / 100);
    bob.close().await;
    pump.await.unwrap();
}

#[tokio::test]
async fn a_round_trip_wakes_each_side_once() {
    let (mut alice, mut bob, there) = pair().await;
    let trips = 1_000;
    let before = there.passed();
    let (echo, echo_polls) = Counted::new(async move {
        for _trip in 0..trips {
            bob.recv_ref().await.unwrap().unwrap();
            bob.send(&[7; 64]).await.unwrap();
        }
        bob
    });
    let (asking, asking_polls) = Counted::new(async move {
        for _trip in 0..trips {
            alice.send(&[7; 64]).await.unwrap();
            alice.recv_ref().await.unwrap().unwrap();
        }
        alice
    });
    let (_one, _other) = tokio::join!(tokio::spawn(echo), tokio::spawn(asking));
    for polls in [echo_polls, asking_polls] {
        let polls = polls.load(Ordering::Relaxed);
        assert!(polls <= trips + 2, "{polls} polls for {trips} round trips");
    }
    // One that finds nothing, before waiting, and one that finds the message.
    let passed = there.passed() - before;
    assert!(passed.looks <= 2 * trips + 2, "{passed:?}");
}

#[tokio::test]
async fn bulk_wakes_each_side_at_most_once_a_message() {
    let (mut alice, mut bob, _there) = pair().await;
    let count = 1_000;
    let (sending, sender_polls) = Counted::new(async move {
        for _message in 0..count {
            alice.feed(&[7; 64 * 1024]).await.unwrap();
        }
        alice.flush().await.unwrap();
        alice
    });
    let (receiving, receiver_polls) = Counted::new(async move {
        for _message in 0..count {
            bob.recv_ref().await.unwrap().unwrap();
        }
        bob
    });
    let (_one, _other) = tokio::join!(tokio::spawn(sending), tokio::spawn(receiving));
    for polls in [sender_polls, receiver_polls] {
        let polls = polls.load(Ordering::Relaxed);
        assert!(polls <= count, "{polls} polls for {count} messages");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_wakes_a_side_for_keepalives_alone() {
    let (mut alice, mut bob, there) = pair().await;
    let hour = Duration::from_secs(3_600);
    let before = there.passed();
    let (one, one_polls) = Counted::new(async move {
        let nothing = tokio::time::timeout(hour, alice.recv()).await;
        (nothing.is_err(), alice)
    });
    let (other, other_polls) = Counted::new(async move {
        let nothing = tokio::time::timeout(hour, bob.recv()).await;
        (nothing.is_err(), bob)
    });
    let (one, other) = tokio::join!(tokio::spawn(one), tokio::spawn(other));
    assert!(one.unwrap().0 && other.unwrap().0);
    // A PING every 20 s: the alarm, the peer's PING, its answer, and an alarm that is only moved.
    let most = 180 * 5;
    for polls in [one_polls, other_polls] {
        let polls = polls.load(Ordering::Relaxed);
        assert!(polls <= most, "{polls} polls");
    }
    let passed = there.passed() - before;
    assert!(passed.writes <= 180 * 2, "{passed:?}");
}
