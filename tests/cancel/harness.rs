//! Cuts futures off at their n-th `Pending`, and the peer that must notice nothing of it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use duologue::{Config, Event, Outcome, ReceiveError, Received, Sent, Session, Suite};
use tokio::{io::duplex, task::JoinHandle, time::timeout};

use crate::{
    slow::{Pace, Slow},
    support::{configs, pair_over, pattern},
};

/// Bytes of a poll, for what is small.
pub(crate) const SMALL_STEPS: &[usize] = &[1, 2, 5, 31];
/// For what does not fit into the gathered bytes.
pub(crate) const LARGE_STEPS: &[usize] = &[3_000, 50_000];
/// More than is gathered for one write: it can be given up in its middle.
pub(crate) const LARGE: usize = 330_000;
/// What the peer sends unasked.
pub(crate) const GREETINGS: [usize; 4] = [0, 3, 5_000, 40_000];

pub(crate) fn long() -> bool {
    std::env::var_os("DUOLOGUE_LONG").is_some()
}

/// Polls a future and drops it at so many `Pending`s.
pub(crate) async fn cut<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Runs a case for the first poll, the second, and so on, until its future completes uncut.
///
/// Far out some polls are left out, fewer where there is time: a read-off of 40 kB by single bytes has as many polls.
pub(crate) async fn at_every_poll(steps: &[usize], case: impl AsyncFn(usize, usize) -> bool) {
    for step in steps {
        let mut polls = 1;
        loop {
            // A peer that waits for ever is kept alive by PINGs: that, too, must end here.
            let run = timeout(Duration::from_secs(3_600), case(*step, polls));
            let Ok(completed) = run.await else {
                panic!("{step} bytes a poll, dropped at {polls}: nothing moves any more");
            };
            if completed {
                break;
            }
            polls += 1 + polls / if long() { 400 } else { 20 };
        }
        assert!(polls > 1 || *step > 1, "the future was never pending");
    }
}

/// Fast sessions with a wheel to make them slow.
pub(crate) async fn slow_pair() -> (Session, Session, Pace) {
    slow_pair_with(|config| config).await
}

pub(crate) async fn slow_pair_with(change: fn(Config) -> Config) -> (Session, Session, Pace) {
    let (alice, bob) = configs();
    let plain = |config: Config| change(config.suites([Suite::AesGcm]));
    let (near, far) = duplex(64 * 1024);
    let pace = Pace::default();
    let (near, far) = (Slow::new(near, &pace), Slow::new(far, &pace));
    let (alice, bob) = pair_over(near, far, &plain(alice), &plain(bob)).await;
    (alice, bob, pace)
}

/// What the peer saw.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) got: Vec<Vec<u8>>,
    pub(crate) drained: bool,
    pub(crate) error: Option<ReceiveError>,
    pub(crate) outcome: Outcome,
}

pub(crate) fn greetings() -> Vec<Vec<u8>> {
    GREETINGS.iter().map(|size| pattern(*size, 9)).collect()
}

/// The peer: it sends its greetings, takes everything, and ends when we have ended.
pub(crate) fn peer(mut session: Session) -> JoinHandle<Report> {
    tokio::spawn(async move {
        for greeting in greetings() {
            session.feed(&greeting).await.unwrap();
        }
        // Whether this fails shows in what is received.
        let _flushed = session.flush().await;
        let (mut got, mut drained, mut error) = (Vec::new(), false, None);
        loop {
            match session.recv_event().await {
                Ok(Event::Message(message)) => got.push(message.to_vec()),
                Ok(Event::Draining { .. }) => drained = true,
                Ok(Event::Ended) => break,
                Ok(other) => panic!("{other:?}"),
                Err(failed) => {
                    error = Some(failed);
                    break;
                }
            }
        }
        let outcome = session.close().await;
        Report {
            got,
            drained,
            error,
            outcome,
        }
    })
}

/// What was sent for certain: a call that was dropped counts if the session counted it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    counted: Vec<Vec<u8>>,
    offered: Option<Vec<u8>>,
}

impl Ledger {
    /// Before a message is offered; `sent` is the session's count.
    pub(crate) fn offer(&mut self, message: &[u8], sent: u64) {
        self.settle(sent);
        self.offered = Some(message.to_vec());
    }

    /// After a call that was dropped or has come back.
    pub(crate) fn settle(&mut self, sent: u64) {
        let offered = self.offered.take();
        if sent > self.counted.len() as u64 {
            self.counted.extend(offered);
        }
        assert_eq!(sent, self.counted.len() as u64, "counted without an offer");
    }

    pub(crate) fn counted(&self) -> &[Vec<u8>] {
        &self.counted
    }
}

/// Everything arrived, once, in order, and both sides can prove it.
pub(crate) fn demand_all(report: &Report, counted: &[Vec<u8>], got: &[Vec<u8>], ours: &Outcome) {
    assert!(report.error.is_none(), "{report:?}");
    assert!(report.got == counted, "other messages came than were sent");
    assert!(got == greetings(), "other greetings came than were sent");
    let (sent, received) = (counted.len() as u64, got.len() as u64);
    assert_eq!(ours.sent, Sent::Delivered(sent), "{ours}");
    assert_eq!(ours.received, Received::Complete(received), "{ours}");
    let theirs = &report.outcome;
    assert_eq!(theirs.sent, Sent::Delivered(received), "{theirs}");
    assert_eq!(theirs.received, Received::Complete(sent), "{theirs}");
}

/// We took so many of the greetings and no more; what we sent was all taken.
pub(crate) fn demand_stopped(report: &Report, counted: &[Vec<u8>], took: usize, ours: &Outcome) {
    assert!(report.error.is_none(), "{report:?}");
    assert!(report.got == counted, "other messages came than were sent");
    assert_eq!(ours.sent, Sent::Delivered(counted.len() as u64), "{ours}");
    let (taken, sent) = (took as u64, GREETINGS.len() as u64);
    match (ours.received, report.outcome.sent) {
        (Received::Complete(all), Sent::Delivered(same)) => {
            assert_eq!((all, same, taken), (sent, sent, sent), "{ours}");
        }
        (
            Received::Stopped {
                taken: took,
                sent: all,
                ..
            },
            Sent::Partial { taken: told, .. },
        ) => assert_eq!((took, told, all), (taken, taken, sent), "{ours}"),
        _ => panic!("{ours}, but {}", report.outcome),
    }
}
