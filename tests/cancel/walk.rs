//! One session, thousands of dropped calls: random walks, `select!` and `timeout` with a paused clock.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use duologue::{Config, Outcome, Received, Receiver, SendError, Sender, Sent, Session, Suite};
use fastrand::Rng;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    time::{Instant, Sleep, interval, sleep_until, timeout},
};

use crate::{
    harness::{LARGE, Ledger, cut, long, slow_pair},
    support::{configs, pair_over, pattern},
};

/// One side of a walk: what it counted and what it took.
struct Walker {
    session: Session,
    ledger: Ledger,
    got: Vec<Vec<u8>>,
    rng: Rng,
    number: u32,
}

impl Walker {
    fn message(&mut self) -> Vec<u8> {
        self.number += 1;
        let size = match self.rng.u32(0..10) {
            0 => 0,
            1..=6 => self.rng.usize(1..100),
            7 | 8 => self.rng.usize(4_000..40_000),
            _ => self.rng.usize(LARGE - 1_000..LARGE + 100_000),
        };
        [
            &self.number.to_be_bytes()[..],
            &pattern(size, self.number as u8),
        ]
        .concat()
    }

    /// One call, whatever it is; `drop` may come at any poll.
    async fn step(&mut self) {
        match self.rng.u32(0..16) {
            0..=3 => {
                let message = self.message();
                self.ledger.offer(&message, self.session.sent_count());
                self.session.send(&message).await.unwrap();
            }
            4 | 5 => {
                let message = self.message();
                self.ledger.offer(&message, self.session.sent_count());
                self.session.feed(&message).await.unwrap();
            }
            6 => {
                let message = self.message();
                self.ledger.offer(&message, self.session.sent_count());
                match self.session.send_confirmed(&message).await {
                    Ok(()) | Err(SendError::MustReceive) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            7 => self.session.flush().await.unwrap(),
            8 => self.session.rekey_now().await.unwrap(),
            9 => self.session.ping().await.unwrap(),
            10 => self.session.attend(tokio::task::yield_now()).await,
            _ => {
                if let Some(message) = self.session.recv().await.unwrap() {
                    self.got.push(message.to_vec());
                }
            }
        }
    }

    async fn walk(mut self, steps: u32) -> Self {
        for _step in 0..steps {
            let polls = match self.rng.u32(0..4) {
                0 => 1,
                1 => self.rng.usize(1..6),
                _ => self.rng.usize(1..200),
            };
            // Two that both wait to send, or both to receive, give up.
            let _cut = timeout(Duration::from_millis(20), cut(polls, self.step())).await;
            self.ledger.settle(self.session.sent_count());
        }
        self
    }

    /// Ends, dropping the calls of the end too.
    async fn end(&mut self) -> Outcome {
        // Polled once, it has ended; `recv` sends the rest, so that neither waits for the other to take.
        let _cut = cut(self.rng.usize(1..40), self.session.finish()).await;
        loop {
            match cut(self.rng.usize(1..40), self.session.recv()).await {
                None => {}
                Some(Ok(Some(message))) => self.got.push(message.to_vec()),
                Some(Ok(None)) => break,
                Some(Err(error)) => panic!("{error}"),
            }
        }
        loop {
            if let Some(outcome) = cut(self.rng.usize(1..40), self.session.close()).await {
                return outcome;
            }
        }
    }
}

fn demand(one: &Walker, outcome: &Outcome, other: &Walker) {
    assert!(
        other.got == one.ledger.counted(),
        "other messages came than were sent"
    );
    assert_eq!(
        outcome.sent,
        Sent::Delivered(other.got.len() as u64),
        "{outcome}"
    );
    assert_eq!(
        outcome.received,
        Received::Complete(one.got.len() as u64),
        "{outcome}"
    );
}

async fn walk(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let (one, other, pace) = slow_pair().await;
    pace.set([1, 7, 500, 5_000, 60_000][rng.usize(0..5)]);
    let steps = 120;
    let mut walkers = [one, other].map(|session| Walker {
        session,
        ledger: Ledger::default(),
        got: Vec::new(),
        rng: rng.fork(),
        number: 0,
    });
    let tasks = walkers.map(|walker| tokio::spawn(walker.walk(steps)));
    let [one, other] = tasks;
    walkers = [one.await.unwrap(), other.await.unwrap()];
    pace.set(20_000);
    let [mut one, mut other] = walkers;
    let (a, b) = tokio::join!(one.end(), other.end());
    demand(&one, &a, &other);
    demand(&other, &b, &one);
}

#[tokio::test(start_paused = true)]
async fn a_walk_of_dropped_calls_loses_nothing_and_ends_with_proof() {
    // spec: T-2, T-14, T-19, E-8; threat: 57, 83, 101, 102
    let walks = if long() { 5_000 } else { 150 };
    let seeds = match std::env::var("DUOLOGUE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..walks).map(|_walk| fastrand::u64(..)).collect(),
    };
    for seed in seeds {
        println!("DUOLOGUE_SEED={seed}");
        // Virtual seconds: a walk that stands still ends here.
        timeout(Duration::from_secs(3_600), walk(seed))
            .await
            .unwrap();
    }
}

/// Sends and drops sends; then ends, and drops that.
async fn send_and_drop(mut sender: Sender, mut rng: Rng) -> (Ledger, Outcome) {
    let mut ledger = Ledger::default();
    for number in 0..150_u32 {
        let size = match rng.u32(0..20) {
            0 => LARGE + rng.usize(0..50_000),
            1 | 2 => rng.usize(4_000..70_000),
            _ => rng.usize(0..200),
        };
        let message = [&number.to_be_bytes()[..], &pattern(size, number as u8)].concat();
        ledger.offer(&message, sender.sent_count());
        if let Some(sent) = cut(rng.usize(1..100), sender.send(&message)).await {
            sent.unwrap();
        }
        ledger.settle(sender.sent_count());
        tokio::task::yield_now().await;
    }
    loop {
        if let Some(outcome) = cut(rng.usize(1..20), sender.close()).await {
            return (ledger, outcome);
        }
        tokio::task::yield_now().await;
    }
}

/// Receives and drops receives; then ends, and drops that.
async fn recv_and_drop(mut receiver: Receiver, mut rng: Rng) -> (Vec<Vec<u8>>, Outcome) {
    let mut got = Vec::new();
    loop {
        match cut(rng.usize(1..20), receiver.recv()).await {
            None => tokio::task::yield_now().await,
            Some(Ok(Some(message))) => got.push(message.to_vec()),
            Some(Ok(None)) => break,
            Some(Err(error)) => panic!("{error}"),
        }
    }
    loop {
        if let Some(outcome) = cut(rng.usize(1..20), receiver.close()).await {
            return (got, outcome);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn halves_that_drop_their_calls_in_threads_of_their_own_lose_nothing_and_always_move() {
    // spec: L-6, T-2, T-19; threat: 57, 59, 101, 102
    for _round in 0..if long() { 500 } else { 12 } {
        let seed = fastrand::u64(..);
        println!("DUOLOGUE_SEED={seed} (the threads are not repeated)");
        let mut rng = Rng::with_seed(seed);
        let (alice, bob, pace) = slow_pair().await;
        pace.set([100, 1_000, 30_000, 0][rng.usize(0..4)]);
        let mut tasks = Vec::new();
        for session in [alice, bob] {
            let (sender, receiver) = session.split();
            let sending = tokio::spawn(send_and_drop(sender, rng.fork()));
            let receiving = tokio::spawn(recv_and_drop(receiver, rng.fork()));
            tasks.push((sending, receiving));
        }
        let all = async {
            let mut ends = Vec::new();
            for (sending, receiving) in tasks {
                ends.push((sending.await.unwrap(), receiving.await.unwrap()));
            }
            ends
        };
        let ends = timeout(Duration::from_secs(120), all)
            .await
            .expect("nothing moves any more");
        let [((one, a), (got, same)), ((other, b), (took, equal))] = &ends[..] else {
            panic!("two sides");
        };
        assert_eq!((a, b), (same, equal));
        assert!(
            got == other.counted() && took == one.counted(),
            "other messages came"
        );
        for (outcome, sent, received) in [(a, took, got), (b, got, took)] {
            assert_eq!(
                outcome.sent,
                Sent::Delivered(sent.len() as u64),
                "{outcome}"
            );
            let all = received.len() as u64;
            assert_eq!(outcome.received, Received::Complete(all), "{outcome}");
        }
    }
}

/// Moves so many bytes each millisecond of the clock.
struct Timed {
    io: DuplexStream,
    step: usize,
    read: Option<Pin<Box<Sleep>>>,
    write: Option<Pin<Box<Sleep>>>,
}

fn rest(sleep: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> Poll<()> {
    let at = || Box::pin(sleep_until(Instant::now() + Duration::from_millis(1)));
    ready!(sleep.get_or_insert_with(at).as_mut().poll(cx));
    *sleep = None;
    Poll::Ready(())
}

impl AsyncRead for Timed {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        ready!(rest(&mut this.read, cx));
        let mut room = vec![0; this.step.min(buffer.remaining())];
        let mut few = ReadBuf::new(&mut room);
        ready!(Pin::new(&mut this.io).poll_read(cx, &mut few))?;
        buffer.put_slice(few.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let this = self.get_mut();
        ready!(rest(&mut this.write, cx));
        Pin::new(&mut this.io).poll_write(cx, &bytes[..bytes.len().min(this.step)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

async fn timed_pair(step: usize) -> (Session, Session) {
    let (alice, bob) = configs();
    let plain = |config: Config| {
        let minute = Duration::from_secs(60);
        config.suites([Suite::AesGcm]).handshake_deadline(minute)
    };
    let (near, far) = duplex(1 << 16);
    let timed = |io| Timed {
        io,
        step,
        read: None,
        write: None,
    };
    pair_over(timed(near), timed(far), &plain(alice), &plain(bob)).await
}

/// Receives and sends by turns in the loop that everybody writes.
async fn selecting(mut session: Session, count: u32, every: u64) -> (Vec<Vec<u8>>, Outcome) {
    let (mut got, mut sent, mut open) = (Vec::new(), 0, true);
    let mut ticks = interval(Duration::from_millis(every));
    while open || sent < count {
        tokio::select! {
            message = session.recv(), if open => match message.unwrap() {
                Some(message) => got.push(message.to_vec()),
                None => open = false,
            },
            _tick = ticks.tick(), if sent < count => {
                sent += 1;
                session.send(&pattern(30, sent as u8)).await.unwrap();
                if sent == count {
                    session.finish().await.unwrap();
                }
            }
        }
    }
    (got, session.close().await)
}

#[tokio::test(start_paused = true)]
async fn a_select_loop_over_recv_and_a_clock_loses_nothing() {
    // threat: 101
    for (step, every) in [(1, 7), (3, 1), (10, 3), (100, 2)] {
        let (alice, bob) = timed_pair(step).await;
        let count = 60;
        let (one, other) = (
            selecting(alice, count, every),
            selecting(bob, count, every + 4),
        );
        let ((one, a), (other, b)) = tokio::join!(one, other);
        let all: Vec<Vec<u8>> = (1..=count)
            .map(|number| pattern(30, number as u8))
            .collect();
        assert!(one == all && other == all, "{step} bytes, every {every} ms");
        for outcome in [a, b] {
            assert_eq!(outcome.sent, Sent::Delivered(60), "{outcome}");
            assert_eq!(outcome.received, Received::Complete(60), "{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn calls_under_short_time_limits_lose_nothing() {
    // spec: T-19; threat: 101, 102
    for (step, limit) in [(1, 1), (1, 9), (40, 2), (9_000, 5)] {
        let (mut alice, mut bob) = timed_pair(step).await;
        let taking = tokio::spawn(async move {
            let mut got = Vec::new();
            loop {
                match timeout(Duration::from_millis(limit), bob.recv()).await {
                    Err(_elapsed) => {}
                    Ok(Ok(Some(message))) => got.push(message.to_vec()),
                    Ok(Ok(None)) => return (got, bob.close().await),
                    Ok(Err(error)) => panic!("{error}"),
                }
            }
        });
        let mut ledger = Ledger::default();
        let size = if step < 1_000 { 25 } else { LARGE };
        for number in 0..30 {
            let message = pattern(size, number);
            ledger.offer(&message, alice.sent_count());
            let sending = timeout(Duration::from_millis(limit), alice.send(&message));
            if let Ok(sent) = sending.await {
                sent.unwrap();
            }
            ledger.settle(alice.sent_count());
        }
        alice.finish().await.unwrap();
        let outcome = loop {
            if let Ok(outcome) = timeout(Duration::from_millis(limit), alice.close()).await {
                break outcome;
            }
        };
        let (got, theirs) = taking.await.unwrap();
        assert!(got == ledger.counted(), "{step} bytes, {limit} ms");
        let sent = got.len() as u64;
        assert_eq!(outcome.sent, Sent::Delivered(sent), "{outcome}");
        assert_eq!(theirs.received, Received::Complete(sent), "{theirs}");
    }
}
