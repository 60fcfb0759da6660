//! An accepted peer that is hostile makes us hold its longest message and a constant, whatever it sends.
#![expect(clippy::print_stdout, reason = "the figures are part of the evidence")]

mod common;

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use common::{
    Initiator, Script, Scripted, config, options,
    raw_peer::{Pattern, RawFrame, RawRecord, RawSession, Suite},
};
use duologue::{Provider, Session, accept};
use duologue_heap::{Heap, Meter};

#[global_allocator]
static HEAP: Heap = Heap::new();

/// What a session may hold beside one message of the greatest size: see the manual's page on back-pressure.
const CONSTANT: isize = 1024 * 1024;

/// Where an attack ends that would go on for ever.
const ENOUGH: usize = 18 << 20;

type Records = fn(&mut RawSession, usize) -> Option<Vec<u8>>;

/// An honest handshake, then one record after the other for ever.
struct Attack {
    initiator: Initiator,
    records: Records,
    turn: usize,
    reads: bool,
    sent: Arc<AtomicUsize>,
}

impl Script for Attack {
    fn next(&mut self, came: &mut Vec<u8>) -> Option<Vec<u8>> {
        if let Some(bytes) = self.initiator.next(came) {
            return Some(bytes);
        }
        came.clear();
        let session = self.initiator.session.as_mut()?;
        self.turn += 1;
        if self.sent.load(Ordering::Relaxed) > ENOUGH {
            return None;
        }
        let bytes = (self.records)(session, self.turn)?;
        self.sent.fetch_add(bytes.len(), Ordering::Relaxed);
        Some(bytes)
    }

    fn reads(&self) -> bool {
        // The handshake's answers are taken in any case.
        self.reads || self.turn == 0
    }
}

fn batch(session: &mut RawSession, frames: &[RawFrame]) -> Option<Vec<u8>> {
    Some(session.seal_frames(frames))
}

fn message(bytes: &[u8]) -> RawFrame {
    RawFrame::Message(bytes.to_vec())
}

/// What the attacker says again and again.
const ATTACKS: [(&str, Records); 14] = [
    (
        "messages of one byte, thousands in each read",
        |session, _| {
            let records = (0..5_000).flat_map(|_| session.seal(&RawRecord::Message(vec![1])));
            Some(records.collect())
        },
    ),
    (
        "much that is withdrawn, then messages of one byte, each in a read of its own",
        |session, turn| match turn {
            1..=16 => Some(
                (0..8)
                    .flat_map(|_| session.seal(&RawRecord::Piece(vec![7; 65_518])))
                    .collect(),
            ),
            17 => batch(session, &[RawFrame::Discard]),
            _ => Some(session.seal(&RawRecord::Message(vec![1]))),
        },
    ),
    ("pieces without end", |session, _| {
        Some(session.seal(&RawRecord::Piece(vec![7; 65_518])))
    }),
    ("small pieces without end", |session, _| {
        Some(session.seal(&RawRecord::Piece(vec![7; 1_024])))
    }),
    ("messages of one byte", |session, _| {
        Some(session.seal(&RawRecord::Message(vec![1])))
    }),
    ("messages of nothing", |session, _| {
        Some(session.seal(&RawRecord::Message(Vec::new())))
    }),
    ("batches of one message", |session, _| {
        batch(session, &[message(&[])])
    }),
    ("batches full of messages of nothing", |session, _| {
        batch(session, &vec![message(&[]); 32_000])
    }),
    (
        "a small message, and pieces that are withdrawn",
        |session, turn| match turn % 3 {
            0 => Some(session.seal(&RawRecord::Message(vec![1]))),
            1 => Some(session.seal(&RawRecord::Piece(vec![7; 65_518]))),
            _ => batch(session, &[RawFrame::Discard]),
        },
    ),
    (
        "a small message far from the next",
        |session, turn| match turn % 9 {
            0 => Some(session.seal(&RawRecord::Message(vec![1]))),
            8 => batch(session, &[RawFrame::Discard]),
            _ => Some(session.seal(&RawRecord::Piece(vec![7; 65_518]))),
        },
    ),
    (
        "as much as is held untaken, then the longest message",
        |session, turn| {
            Some(session.seal(&match turn {
                1..=4 => RawRecord::Message(vec![2; 65_000]),
                _ => RawRecord::Piece(vec![7; 65_518]),
            }))
        },
    ),
    ("a message and a PING", |session, _| {
        batch(session, &[message(&[1]), RawFrame::Ping(*b"12345678")])
    }),
    ("a message and a request", |session, _| {
        batch(session, &[message(&[1]), RawFrame::ReceiptRequest])
    }),
    ("a message and a new key", |session, _| {
        let bytes = batch(session, &[message(&[1]), RawFrame::Rekey]);
        session.rekey_send();
        bytes
    }),
];

/// How our application treats what comes.
#[derive(Clone, Copy, Debug)]
enum Application {
    /// Takes nothing.
    Idle,
    /// Takes all, and drops it.
    Takes,
    /// Has said that it takes no more.
    Stopped,
}

/// Lets the session be attacked for so many polls, or until it is over.
async fn endure(mut session: Session, application: Application) {
    let mut polls = 600;
    let end = poll_fn(move |cx| {
        polls -= 1;
        if polls == 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    match application {
        Application::Idle => session.attend(end).await,
        Application::Takes => {
            tokio::pin!(end);
            loop {
                tokio::select! {
                    biased;
                    () = &mut end => return,
                    taken = session.recv() => if !matches!(taken, Ok(Some(_))) { return },
                }
            }
        }
        Application::Stopped => {
            let (mut sender, receiver) = session.split();
            drop(receiver);
            sender.attend(end).await;
        }
    }
}

fn peak(attack: Attack, provider: Provider, max: u64, application: Application) -> isize {
    let config = config(Pattern::Xx, Suite::AesGcm, provider).max_message(max);
    let transport = Scripted::new(attack, usize::MAX);
    let mut meter = Meter::new();
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(meter.future(|| async move {
            let session = accept(transport, &config).await.unwrap();
            endure(session, application).await;
        }));
    meter.peak()
}

#[test]
fn an_accepted_peer_costs_its_longest_message_and_a_constant() {
    // spec: L-6, T-8, W-4; threat: 51, 87, 88, 89
    let mut worst = (0, "");
    for (name, records) in ATTACKS {
        for application in [Application::Idle, Application::Takes, Application::Stopped] {
            for reads in [true, false] {
                for max in [1_000, 16 << 20] {
                    let sent = Arc::new(AtomicUsize::new(0));
                    let attack = Attack {
                        initiator: Initiator::new(options(Pattern::Xx, Suite::AesGcm)),
                        records,
                        turn: 0,
                        reads,
                        sent: Arc::clone(&sent),
                    };
                    let peak = peak(attack, Provider::default(), max, application);
                    let over = peak - isize::try_from(max).unwrap();
                    let sent = sent.load(Ordering::Relaxed);
                    println!(
                        "{over:>9} over {max:>8} of {sent:>9}: {name}, {application:?}, {reads}"
                    );
                    if over > worst.0 {
                        worst = (over, name);
                    }
                }
            }
        }
    }
    println!(
        "at most {} bytes beside the longest message: {}",
        worst.0, worst.1
    );
    assert!(worst.0 <= CONSTANT, "{worst:?}");
}
