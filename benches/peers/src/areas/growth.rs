//! What grows and what must not: sessions, sizes of messages, senders of a pump.

use std::{sync::Arc, time::Duration};

use super::heap::in_use;
use crate::{
    clock::Stopwatch,
    peer::{End, Keys, Peer},
    run::{Better, Plan, Results, entry},
    talk::{self, Flush, Threads},
    wire::Kind,
};

const NAME: &str = "Duologue AES-256-GCM";

pub fn run(results: &mut Results, keys: &Arc<Keys>, plan: Plan) {
    let most = plan.amount(10_000, 1_000);
    for count in [1, 10, 100, 1_000, 10_000]
        .into_iter()
        .filter(|count| *count <= most)
    {
        let (cost, heap) = talk::runtime().block_on(sessions(keys, count));
        let cases = [
            ("cost of a message, sessions", "us", cost),
            ("heap of an end, sessions", "bytes", heap),
        ];
        for (what, unit, value) in cases {
            let case = format!("{what} at {count}");
            results.push(("growth", &case, unit, Better::Lower), NAME, vec![value]);
        }
    }
    let over = (Kind::Unix, Threads::One);
    for size in [64, 1_024, 16 << 10, 256 << 10, 1 << 20, 16 << 20] {
        let count = (plan.amount(256 << 20, 64 << 20) / size).clamp(4, 200_000);
        let case = format!("bulk by size of a message at {size}");
        let entries = vec![entry(NAME, move || {
            let rate = talk::messages((keys, Peer::Aes), over, (size, count), Flush::Last);
            rate * size as f64 / 1e9
        })];
        results.measure(("growth", &case, "GB/s", Better::Higher), plan, entries);
    }
    for senders in [1, 4, 16, 64] {
        let count = plan.amount(400_000, 100_000);
        let case = format!("64 B by senders of a pump at {senders}");
        let entries = vec![entry(NAME, move || pumped(keys, senders, count))];
        results.measure(
            ("growth", &case, "messages/s", Better::Higher),
            plan,
            entries,
        );
    }
}

/// Microseconds of a message of 64 B sent alone, over so many sessions in turn, and the heap of an end.
async fn sessions(keys: &Keys, count: usize) -> (f64, f64) {
    let pipes = in_use();
    let (near, far) = tokio::io::duplex(1_024);
    let pipes = (in_use() - pipes) / 2.0;
    drop((near, far));
    let [alice, bob] = keys.duologue(Peer::Aes);
    let mut pairs = Vec::with_capacity(count);
    let before = in_use();
    for _pair in 0..count {
        let (near, far) = tokio::io::duplex(1_024);
        let (one, other) = tokio::join!(
            duologue::connect(near, Some(&keys.bob_public), alice),
            duologue::accept(far, bob)
        );
        pairs.push((one.expect("session"), other.expect("session")));
    }
    let heap = (in_use() - before) / (count * 2) as f64 - pipes;
    let rounds = (20_000 / count).max(2);
    let watch = Stopwatch::start();
    for _round in 0..rounds {
        for (one, other) in &mut pairs {
            one.send(&[7; 64]).await.expect("send");
            other.recv_ref().await.expect("recv").expect("message");
        }
    }
    let cost = watch.elapsed().as_secs_f64() * 1e6 / (rounds * count) as f64;
    (cost, heap)
}

/// Messages a second that so many tasks send through one pump.
fn pumped(keys: &Arc<Keys>, senders: usize, count: usize) -> f64 {
    let took: Duration = talk::between(
        (keys, Peer::Aes),
        (Kind::Unix, Threads::One),
        move |end| async move {
            let End::Duologue(session) = end else {
                return;
            };
            let (sender, mut receiver, pump) = session.into_pumped();
            let pump = tokio::spawn(pump);
            for _sender in 0..senders {
                let sender = sender.clone();
                tokio::spawn(async move {
                    for _message in 0..count / senders {
                        sender.send(&[7; 64]).await.expect("send");
                    }
                });
            }
            let _ended = receiver.recv().await;
            drop((sender, receiver));
            let _outcome = pump.await;
        },
        move |end| async move {
            let watch = Stopwatch::start();
            if let End::Duologue(mut session) = end {
                for _message in 0..count / senders * senders {
                    session.recv_ref().await.expect("recv").expect("message");
                }
            }
            watch.elapsed()
        },
    );
    count as f64 / took.as_secs_f64()
}
