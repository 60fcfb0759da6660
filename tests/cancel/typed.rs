//! The face of values.

use std::{future::poll_fn, pin::Pin};

use duologue::{
    Received, Sent, Session, Typed,
    codec::{Codec, Postcard},
};
use futures_core::Stream;
use futures_sink::Sink;

use crate::harness::{LARGE, at_every_poll, cut, slow_pair};

type Value = (u32, Vec<u8>);

fn value(number: u32, size: usize) -> Value {
    (number, vec![number as u8; size])
}

/// The peer: sends three values, takes all and ends.
async fn peer(session: Session) -> (Vec<Value>, duologue::Outcome) {
    let mut typed: Typed<Value, Value> = session.typed();
    for number in 0..3 {
        typed.feed(&value(number, 700)).await.unwrap();
    }
    typed.flush().await.unwrap();
    let mut got = Vec::new();
    while let Some(value) = typed.recv().await.unwrap() {
        got.push(value);
    }
    (got, typed.close().await)
}

struct Alice {
    typed: Typed<Value, Value>,
    /// Values that were counted, and one on its way.
    counted: Vec<Value>,
    offered: Option<Value>,
    got: Vec<Value>,
}

impl Alice {
    fn settle(&mut self) {
        let offered = self.offered.take();
        if self.typed.session().sent_count() > self.counted.len() as u64 {
            self.counted.extend(offered);
        }
        assert_eq!(self.typed.session().sent_count(), self.counted.len() as u64);
    }

    fn offer(&mut self, value: &Value) {
        self.settle();
        self.offered = Some(value.clone());
    }
}

async fn goes_on(steps: &[usize], call: impl AsyncFn(&mut Alice)) {
    at_every_poll(steps, async |step, polls| {
        let (session, bob, pace) = slow_pair().await;
        let bob = tokio::spawn(peer(bob));
        let mut alice = Alice {
            typed: session.typed(),
            counted: Vec::new(),
            offered: None,
            got: Vec::new(),
        };
        pace.set(step);
        let done = cut(polls, call(&mut alice)).await.is_some();
        pace.set(0);
        // A value that a sink took over is still sent.
        alice.typed.flush().await.unwrap();
        alice.settle();
        let after = value(99, 9);
        alice.offer(&after);
        alice.typed.send(&after).await.unwrap();
        alice.settle();
        alice.typed.finish().await.unwrap();
        while let Some(value) = alice.typed.recv().await.unwrap() {
            alice.got.push(value);
        }
        let outcome = alice.typed.close().await;
        let (got, theirs) = bob.await.unwrap();
        assert!(got == alice.counted, "other values came than were sent");
        assert_eq!(alice.got, [0, 1, 2].map(|number| value(number, 700)));
        let sent = got.len() as u64;
        assert_eq!(outcome.sent, Sent::Delivered(sent), "{outcome}");
        assert_eq!(outcome.received, Received::Complete(3), "{outcome}");
        assert_eq!(theirs.received, Received::Complete(sent), "{theirs}");
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_value_is_sent_whole_or_not_at_all() {
    // threat: 102
    goes_on(&[1, 7], async |alice| {
        alice.offer(&value(7, 20));
        alice.typed.send(&value(7, 20)).await.unwrap();
    })
    .await;
    goes_on(&[5_000, 50_000], async |alice| {
        alice.offer(&value(8, LARGE));
        alice.typed.feed(&value(8, LARGE)).await.unwrap();
        alice.typed.flush().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_recv_of_a_value_loses_none() {
    // threat: 101
    goes_on(&[7, 500], async |alice| {
        while alice.got.len() < 3 {
            let value = alice.typed.recv().await.unwrap().unwrap();
            alice.got.push(value);
        }
    })
    .await;
    goes_on(&[7, 500], async |alice| {
        while alice.got.len() < 3 {
            let next = poll_fn(|cx| Pin::new(&mut alice.typed).poll_next(cx)).await;
            alice.got.push(next.unwrap().unwrap());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_left_in_its_middle_goes_on() {
    // threat: 102
    goes_on(&[5_000, 50_000], async |alice| {
        for number in 0..3 {
            poll_fn(|cx| Pin::new(&mut alice.typed).poll_ready(cx))
                .await
                .unwrap();
            let value = value(number, LARGE / 2);
            alice.offer(&value);
            Pin::new(&mut alice.typed).start_send(value).unwrap();
        }
        poll_fn(|cx| Sink::<Value>::poll_flush(Pin::new(&mut alice.typed), cx))
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_typed_end_that_is_dropped_has_ended() {
    // spec: E-8; threat: 83
    at_every_poll(&[1, 9, 800], async |step, polls| {
        let (session, bob, pace) = slow_pair().await;
        let bob = tokio::spawn(peer(bob));
        let mut typed: Typed<Value, Value> = session.typed();
        typed.send(&value(1, 1)).await.unwrap();
        pace.set(step);
        let done = cut(polls, typed.close()).await;
        pace.set(0);
        let outcome = typed.close().await;
        assert_eq!(*done.as_ref().unwrap_or(&outcome), outcome);
        let (got, theirs) = bob.await.unwrap();
        assert_eq!(got, [value(1, 1)]);
        assert_eq!(outcome.sent, Sent::Delivered(1), "{outcome}");
        assert_eq!(theirs.received, Received::Complete(1), "{theirs}");
        done.is_some()
    })
    .await;
    let mut encoded = Vec::new();
    Postcard.encode(&value(1, 1), &mut encoded).unwrap();
    assert_eq!(
        encoded.len(),
        3,
        "the values above are as small as they look"
    );
}
