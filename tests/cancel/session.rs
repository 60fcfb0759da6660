//! The futures of a whole session.

use std::cell::Cell;

use duologue::{Cause, Code, Event, ReceiveError, SendError, Session};

use crate::{
    harness::{
        LARGE, LARGE_STEPS, Ledger, SMALL_STEPS, at_every_poll, cut, demand_all, demand_stopped,
        peer, slow_pair,
    },
    support::pattern,
};

/// Our side, and what it did.
struct Alice {
    session: Session,
    ledger: Ledger,
    got: Vec<Vec<u8>>,
}

impl Alice {
    async fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.ledger.offer(message, self.session.sent_count());
        self.session.send(message).await
    }

    async fn feed(&mut self, message: &[u8]) {
        self.ledger.offer(message, self.session.sent_count());
        self.session.feed(message).await.unwrap();
    }

    async fn send_confirmed(&mut self, message: &[u8]) {
        self.ledger.offer(message, self.session.sent_count());
        match self.session.send_confirmed(message).await {
            Ok(()) => assert_eq!(self.session.taken_count(), self.session.sent_count()),
            Err(error) => panic!("{error}"),
        }
    }

    fn settle(&mut self) {
        self.ledger.settle(self.session.sent_count());
    }

    async fn take_all(&mut self) {
        while let Some(message) = self.session.recv().await.unwrap() {
            self.got.push(message.to_vec());
        }
    }
}

async fn alice(
    step: usize,
) -> (
    Alice,
    tokio::task::JoinHandle<crate::harness::Report>,
    crate::slow::Pace,
) {
    let (session, bob, pace) = slow_pair().await;
    let bob = peer(bob);
    let mut alice = Alice {
        session,
        ledger: Ledger::default(),
        got: Vec::new(),
    };
    alice.send(b"before").await.unwrap();
    pace.set(step);
    (alice, bob, pace)
}

/// A call is dropped at each of its polls; the session then goes on to a proven end.
async fn goes_on(steps: &[usize], call: impl AsyncFn(&mut Alice)) {
    at_every_poll(steps, async |step, polls| {
        let (mut alice, bob, pace) = alice(step).await;
        let done = cut(polls, call(&mut alice)).await.is_some();
        alice.settle();
        pace.set(0);
        alice.send(b"after").await.unwrap();
        alice.settle();
        alice.session.finish().await.unwrap();
        alice.take_all().await;
        let outcome = alice.session.close().await;
        demand_all(
            &bob.await.unwrap(),
            alice.ledger.counted(),
            &alice.got,
            &outcome,
        );
        assert_eq!(alice.session.close().await, outcome);
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_send_is_sent_whole_or_not_at_all() {
    // spec: T-2, T-14; threat: 57, 102
    for size in [0, 1, 40, 4_096] {
        let message = pattern(size, 3);
        let steps = if size < 100 {
            SMALL_STEPS
        } else {
            &[40, 2_000]
        };
        goes_on(steps, async |alice| alice.send(&message).await.unwrap()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_send_dropped_in_its_middle_is_withdrawn_and_the_session_goes_on() {
    // spec: T-19; threat: 51, 57, 102
    let withdrawn = Cell::new(0);
    let message = pattern(LARGE, 3);
    goes_on(LARGE_STEPS, async |alice| {
        let before = alice.session.sent_count();
        withdrawn.set(withdrawn.get() + 1);
        alice.send(&message).await.unwrap();
        assert_eq!(alice.session.sent_count(), before + 1);
        withdrawn.set(withdrawn.get() - 1);
    })
    .await;
    assert!(withdrawn.get() > 10, "{}", withdrawn.get());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_feed_is_taken_over_whole_or_not_at_all() {
    // threat: 57, 102
    goes_on(&[4_000], async |alice| {
        for number in 0..90 {
            alice.feed(&pattern(3_500, number)).await;
        }
    })
    .await;
    let message = pattern(LARGE, 5);
    goes_on(LARGE_STEPS, async |alice| alice.feed(&message).await).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_flush_loses_nothing() {
    // threat: 57, 105
    goes_on(SMALL_STEPS, async |alice| {
        for number in 0..3 {
            alice.feed(&pattern(9, number)).await;
        }
        alice.session.flush().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_confirmation_can_be_waited_for_again() {
    // spec: T-17; threat: 102
    goes_on(SMALL_STEPS, async |alice| {
        alice.send_confirmed(b"sure?").await
    })
    .await;
    goes_on(SMALL_STEPS, async |alice| {
        alice.feed(b"sure?").await;
        let all = alice.session.sent_count();
        alice.session.wait_taken(all).await.unwrap();
        assert_eq!(alice.session.taken_count(), all);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_recv_loses_no_message() {
    // threat: 101
    let steps = &[1_000, 20_000];
    goes_on(steps, async |alice| {
        while alice.got.len() < 4 {
            let message = alice.session.recv().await.unwrap().unwrap();
            alice.got.push(message.to_vec());
        }
    })
    .await;
    goes_on(steps, async |alice| {
        while alice.got.len() < 4 {
            let message = alice.session.recv_ref().await.unwrap().unwrap().to_vec();
            alice.got.push(message);
        }
    })
    .await;
    goes_on(steps, async |alice| {
        while alice.got.len() < 4 {
            match alice.session.recv_event().await.unwrap() {
                Event::Message(message) => alice.got.push(message.to_vec()),
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_recv_dropped_at_every_byte_loses_no_message() {
    // threat: 47, 101
    goes_on(&[1], async |alice| {
        while alice.got.len() < 2 {
            let message = alice.session.recv().await.unwrap().unwrap();
            alice.got.push(message.to_vec());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_rekey_or_ping_leaves_keys_and_counters_in_step() {
    // spec: T-2, T-10, T-15; threat: 57, 60
    goes_on(SMALL_STEPS, async |alice| {
        alice.session.rekey_now().await.unwrap();
        alice.send(b"under the new key").await.unwrap();
        alice.session.rekey_now().await.unwrap();
    })
    .await;
    at_every_poll(SMALL_STEPS, async |step, polls| {
        let (mut alice, bob, pace) = alice(step).await;
        let done = cut(polls, alice.session.ping()).await.is_some();
        pace.set(0);
        alice.settle();
        alice.session.finish().await.unwrap();
        alice.take_all().await;
        let outcome = alice.session.close().await;
        assert!(
            alice.session.round_trip().is_some(),
            "polled once, it was asked"
        );
        demand_all(
            &bob.await.unwrap(),
            alice.ledger.counted(),
            &alice.got,
            &outcome,
        );
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_announcement_of_the_end_still_reaches_the_peer() {
    // spec: T-18
    at_every_poll(SMALL_STEPS, async |step, polls| {
        let (mut alice, bob, pace) = alice(step).await;
        let within = std::time::Duration::from_secs(5);
        let done = cut(polls, alice.session.drain(within)).await.is_some();
        pace.set(0);
        alice.settle();
        alice.session.finish().await.unwrap();
        alice.take_all().await;
        let outcome = alice.session.close().await;
        let report = bob.await.unwrap();
        assert!(report.drained, "dropped at {polls}");
        demand_all(&report, alice.ledger.counted(), &alice.got, &outcome);
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_attend_leaves_the_session_as_it_was() {
    goes_on(&[5, 3_000], async |alice| {
        let work = async {
            for _turn in 0..60 {
                tokio::task::yield_now().await;
            }
        };
        alice.session.attend(work).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_finish_has_ended_our_direction() {
    // spec: E-1, E-3
    for reason in [None, Some("that is all")] {
        at_every_poll(SMALL_STEPS, async |step, polls| {
            let (mut alice, bob, pace) = alice(step).await;
            let ending = async {
                match reason {
                    None => alice.session.finish().await,
                    Some(reason) => {
                        alice
                            .session
                            .finish_with(Code::application(1), reason)
                            .await
                    }
                }
            };
            let done = cut(polls, ending).await.is_some();
            pace.set(0);
            assert_eq!(alice.session.send(b"late").await, Err(SendError::Finished));
            alice.settle();
            alice.session.finish().await.unwrap();
            alice.take_all().await;
            let outcome = alice.session.close().await;
            let report = bob.await.unwrap();
            demand_all(&report, alice.ledger.counted(), &alice.got, &outcome);
            let Cause::Finished { theirs, .. } = report.outcome.cause else {
                panic!("{}", report.outcome);
            };
            assert_eq!(theirs.reason, reason.unwrap_or_default());
            done
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_close_goes_on_where_it_was() {
    // spec: E-8, E-12, E-14; threat: 83
    at_every_poll(&[1, 2, 5, 31, 5_000], async |step, polls| {
        let (mut alice, bob, pace) = alice(step).await;
        let done = cut(polls, alice.session.close()).await;
        pace.set(0);
        alice.settle();
        let outcome = alice.session.close().await;
        assert_eq!(*done.as_ref().unwrap_or(&outcome), outcome);
        demand_stopped(&bob.await.unwrap(), alice.ledger.counted(), 0, &outcome);
        done.is_some()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_for_the_outcome_ends_nothing() {
    // spec: E-12
    at_every_poll(&[5, 3_000], async |step, polls| {
        let (mut alice, bob, pace) = alice(step).await;
        // Our END leaves; the peer's END does not come while its greetings are untaken here.
        alice.session.finish().await.unwrap();
        let waiting = cut(polls, alice.session.wait_outcome());
        let waited = tokio::time::timeout(std::time::Duration::from_secs(1), waiting).await;
        assert!(
            !matches!(waited, Ok(Some(_))),
            "nobody has taken the greetings"
        );
        pace.set(0);
        alice.settle();
        alice.take_all().await;
        let outcome = alice.session.wait_outcome().await;
        assert_eq!(alice.session.close().await, outcome);
        let counted = alice.ledger.counted();
        demand_all(&bob.await.unwrap(), counted, &alice.got, &outcome);
        // Silence: there were no more polls to drop it at.
        waited.is_err()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_abort_has_aborted() {
    // spec: E-9
    at_every_poll(SMALL_STEPS, async |step, polls| {
        let (mut alice, bob, pace) = alice(step).await;
        let code = Code::application(7);
        let done = cut(polls, alice.session.abort(code, "enough")).await;
        pace.set(0);
        assert!(alice.session.send(b"late").await.is_err());
        let outcome = alice.session.abort(Code::application(8), "later").await;
        assert_eq!(*done.as_ref().unwrap_or(&outcome), outcome);
        assert!(
            matches!(outcome.cause, Cause::LocalAbort { code: first, .. } if first == code),
            "{outcome}"
        );
        let report = bob.await.unwrap();
        let Some(ReceiveError::Truncated {
            cause: Cause::PeerAborted {
                code: told, reason, ..
            },
            ..
        }) = report.error
        else {
            panic!("{report:?}");
        };
        assert_eq!((told, reason.as_str()), (code, "enough"));
        assert_eq!(report.got, [b"before".to_vec()]);
        done.is_some()
    })
    .await;
}
