//! The futures of the two halves, while the other half is busy in a task of its own.

use duologue::{Cause, Code, Event, Outcome, ReceiveError, Receiver, SendError, Sender};
use tokio::task::JoinHandle;

use crate::{
    harness::{
        LARGE, LARGE_STEPS, Ledger, Report, SMALL_STEPS, at_every_poll, cut, demand_all,
        demand_stopped, peer, slow_pair,
    },
    slow::Pace,
    support::pattern,
};

struct Sending {
    sender: Sender,
    ledger: Ledger,
}

impl Sending {
    async fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.ledger.offer(message, self.sender.sent_count());
        self.sender.send(message).await
    }

    async fn feed(&mut self, message: &[u8]) {
        self.ledger.offer(message, self.sender.sent_count());
        self.sender.feed(message).await.unwrap();
    }

    fn settle(&mut self) {
        self.ledger.settle(self.sender.sent_count());
    }
}

/// Takes everything, then closes; or gives the error.
type Taking = JoinHandle<Result<(Vec<Vec<u8>>, Outcome), ReceiveError>>;

fn take_all(mut receiver: Receiver) -> Taking {
    tokio::spawn(async move {
        let mut got = Vec::new();
        while let Some(message) = receiver.recv().await? {
            got.push(message.to_vec());
        }
        Ok((got, receiver.close().await))
    })
}

async fn sending(step: usize) -> (Sending, Taking, JoinHandle<Report>, Pace) {
    let (session, bob, pace) = slow_pair().await;
    let bob = peer(bob);
    let (sender, receiver) = session.split();
    let mut sending = Sending {
        sender,
        ledger: Ledger::default(),
    };
    let taking = take_all(receiver);
    sending.send(b"before").await.unwrap();
    pace.set(step);
    (sending, taking, bob, pace)
}

/// What must follow whatever was dropped: both halves know the same outcome, and it is proof of everything.
async fn demand(mut sending: Sending, taking: Taking, bob: JoinHandle<Report>) {
    sending.settle();
    let outcome = sending.sender.close().await;
    let (got, same) = taking.await.unwrap().unwrap();
    assert_eq!(outcome, same);
    demand_all(
        &bob.await.unwrap(),
        sending.ledger.counted(),
        &got,
        &outcome,
    );
}

async fn sender_goes_on(steps: &[usize], call: impl AsyncFn(&mut Sending)) {
    at_every_poll(steps, async |step, polls| {
        let (mut alice, taking, bob, pace) = sending(step).await;
        let done = cut(polls, call(&mut alice)).await.is_some();
        alice.settle();
        pace.set(0);
        alice.send(b"after").await.unwrap();
        demand(alice, taking, bob).await;
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_sender_drops_is_sent_whole_or_not_at_all() {
    // spec: T-14, T-19; threat: 57, 59, 102
    sender_goes_on(SMALL_STEPS, async |alice| {
        alice.send(b"small").await.unwrap()
    })
    .await;
    let large = pattern(LARGE, 1);
    sender_goes_on(LARGE_STEPS, async |alice| alice.send(&large).await.unwrap()).await;
    sender_goes_on(LARGE_STEPS, async |alice| {
        alice.feed(&large).await;
        alice.feed(b"and more").await;
        alice.sender.flush().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_sender_waits_for_can_be_waited_for_again() {
    // spec: T-10, T-15, T-17
    sender_goes_on(SMALL_STEPS, async |alice| {
        alice.ledger.offer(b"sure?", alice.sender.sent_count());
        alice.sender.send_confirmed(b"sure?").await.unwrap();
    })
    .await;
    sender_goes_on(SMALL_STEPS, async |alice| {
        alice.feed(b"sure?").await;
        let all = alice.sender.sent_count();
        alice.sender.wait_taken(all).await.unwrap();
    })
    .await;
    sender_goes_on(SMALL_STEPS, async |alice| {
        alice.sender.rekey_now().await.unwrap();
        alice.sender.ping().await.unwrap();
        alice
            .sender
            .drain(std::time::Duration::from_secs(9))
            .await
            .unwrap();
    })
    .await;
    sender_goes_on(&[5, 3_000], async |alice| {
        let work = async {
            for _turn in 0..60 {
                tokio::task::yield_now().await;
            }
        };
        alice.sender.attend(work).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_drops_its_end_has_ended() {
    // spec: E-1, E-8; threat: 83
    at_every_poll(SMALL_STEPS, async |step, polls| {
        let (mut alice, taking, bob, pace) = sending(step).await;
        let done = cut(polls, alice.sender.finish()).await.is_some();
        pace.set(0);
        assert_eq!(alice.send(b"late").await, Err(SendError::Finished));
        demand(alice, taking, bob).await;
        done
    })
    .await;
    at_every_poll(SMALL_STEPS, async |step, polls| {
        let (mut alice, taking, bob, pace) = sending(step).await;
        let ending = alice.sender.finish_with(Code::application(1), "bye");
        let done = cut(polls, ending).await.is_some();
        pace.set(0);
        demand(alice, taking, bob).await;
        done
    })
    .await;
    at_every_poll(&[3, 2_000], async |step, polls| {
        let (mut alice, taking, bob, pace) = sending(step).await;
        let done = cut(polls, alice.sender.close()).await.is_some();
        pace.set(0);
        demand(alice, taking, bob).await;
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_half_that_drops_its_abort_has_aborted() {
    // spec: E-9
    let code = Code::application(7);
    let told = |report: &Report| {
        let Some(ReceiveError::Truncated {
            cause: Cause::PeerAborted { code, .. },
            ..
        }) = report.error
        else {
            panic!("{report:?}");
        };
        code
    };
    at_every_poll(SMALL_STEPS, async |step, polls| {
        let (mut alice, taking, bob, pace) = sending(step).await;
        let done = cut(polls, alice.sender.abort(code, "enough"))
            .await
            .is_some();
        pace.set(0);
        let outcome = alice.sender.close().await;
        assert!(
            matches!(outcome.cause, Cause::LocalAbort { .. }),
            "{outcome}"
        );
        assert!(taking.await.unwrap().is_err());
        assert_eq!(told(&bob.await.unwrap()), code);
        done
    })
    .await;
    at_every_poll(SMALL_STEPS, async |step, polls| {
        let (mut sender, mut receiver, bob, pace) = receiving(step).await;
        let done = cut(polls, receiver.abort(code, "enough")).await.is_some();
        pace.set(0);
        let outcome = receiver.close().await;
        assert!(
            matches!(outcome.cause, Cause::LocalAbort { .. }),
            "{outcome}"
        );
        assert!(sender.send(b"late").await.is_err());
        assert_eq!(told(&bob.await.unwrap()), code);
        done
    })
    .await;
}

async fn receiving(step: usize) -> (Sender, Receiver, JoinHandle<Report>, Pace) {
    let (session, bob, pace) = slow_pair().await;
    let bob = peer(bob);
    let (mut sender, receiver) = session.split();
    sender.send(b"before").await.unwrap();
    pace.set(step);
    (sender, receiver, bob, pace)
}

async fn receiver_goes_on(steps: &[usize], call: impl AsyncFn(&mut Receiver, &mut Vec<Vec<u8>>)) {
    at_every_poll(steps, async |step, polls| {
        let (mut sender, mut receiver, bob, pace) = receiving(step).await;
        let mut got = Vec::new();
        let sending = tokio::spawn(async move {
            for number in 0..20 {
                sender.send(&pattern(300, number)).await.unwrap();
            }
            sender.close().await
        });
        let done = cut(polls, call(&mut receiver, &mut got)).await.is_some();
        pace.set(0);
        while let Some(message) = receiver.recv().await.unwrap() {
            got.push(message.to_vec());
        }
        let outcome = receiver.close().await;
        assert_eq!(sending.await.unwrap(), outcome);
        let mut sent = vec![b"before".to_vec()];
        sent.extend((0..20).map(|number| pattern(300, number)));
        demand_all(&bob.await.unwrap(), &sent, &got, &outcome);
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_receiver_drops_loses_no_message() {
    // threat: 101
    let steps = &[700, 20_000];
    receiver_goes_on(steps, async |receiver, got| {
        while got.len() < 4 {
            got.push(receiver.recv().await.unwrap().unwrap().to_vec());
        }
    })
    .await;
    receiver_goes_on(steps, async |receiver, got| {
        while got.len() < 4 {
            got.push(receiver.recv_ref().await.unwrap().unwrap().to_vec());
        }
    })
    .await;
    receiver_goes_on(steps, async |receiver, got| {
        while got.len() < 4 {
            match receiver.recv_event().await.unwrap() {
                Event::Message(message) => got.push(message.to_vec()),
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    receiver_goes_on(&[5, 700], async |receiver, _got| {
        let work = async {
            for _turn in 0..60 {
                tokio::task::yield_now().await;
            }
        };
        receiver.attend(work).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_drops_its_close_takes_no_more_and_can_close_again() {
    // spec: E-4, E-8; threat: 83
    at_every_poll(&[3, 2_000], async |step, polls| {
        let (mut sender, mut receiver, bob, pace) = receiving(step).await;
        let sending = tokio::spawn(async move { sender.close().await });
        let done = cut(polls, receiver.close()).await.is_some();
        pace.set(0);
        let outcome = receiver.close().await;
        assert_eq!(sending.await.unwrap(), outcome);
        demand_stopped(&bob.await.unwrap(), &[b"before".to_vec()], 0, &outcome);
        done
    })
    .await;
}
