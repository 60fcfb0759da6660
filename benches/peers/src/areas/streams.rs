//! Bulk, messages and round trips over each transport.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use crate::{
    peer::{Keys, Peer},
    run::{Better, Plan, Results, entry, quantile},
    talk::{self, CHUNK, Flush, Threads},
    wire::Kind,
};

const BULK: [Peer; 12] = [
    Peer::Plain,
    Peer::TlsAes,
    Peer::TlsChaCha,
    Peer::Libp2pNoise,
    Peer::Quinn,
    Peer::SnowRing,
    Peer::SnowDefault,
    Peer::Aes,
    Peer::Stream,
    Peer::ChaCha,
    Peer::PortableAes,
    Peer::PortableChaCha,
];

const TALKERS: [Peer; 12] = [
    Peer::Plain,
    Peer::TlsAes,
    Peer::TlsChaCha,
    Peer::Libp2pNoise,
    Peer::Libp2pYamux,
    Peer::Quinn,
    Peer::SnowRing,
    Peer::SnowDefault,
    Peer::Aes,
    Peer::ChaCha,
    Peer::PortableAes,
    Peer::PortableChaCha,
];

/// QUIC runs over UDP: it stands beside TCP alone.
fn suits(peer: Peer, kind: Kind) -> bool {
    peer != Peer::Quinn || kind == Kind::Tcp
}

pub fn bulk(results: &mut Results, keys: &Arc<Keys>, plan: Plan) {
    let chunks = plan.amount(1_024, 256);
    for (kind, threads) in [
        (Kind::Duplex, Threads::One),
        (Kind::Unix, Threads::One),
        (Kind::Tcp, Threads::One),
        (Kind::Unix, Threads::Two),
        (Kind::Tcp, Threads::Two),
    ] {
        let case = format!("{}, {}", kind.name(), threads.name());
        let entries = BULK.iter().filter(|peer| suits(**peer, kind)).map(|peer| {
            entry(peer.name(), move || {
                talk::bulk((keys, *peer), (kind, threads), chunks)
            })
        });
        results.measure(
            ("bulk", &case, "GB/s", Better::Higher),
            plan,
            entries.collect(),
        );
    }
}

pub fn messages(results: &mut Results, keys: &Arc<Keys>, plan: Plan) {
    for (size, count) in [(64, 400_000), (1_024, 100_000), (CHUNK, 2_048)] {
        for (flush, share) in [(Flush::Last, 1), (Flush::Each, 8)] {
            let count = plan.amount(count, count / 4) / if size == CHUNK { 1 } else { share };
            let how = if flush == Flush::Last {
                "batched"
            } else {
                "flush each"
            };
            let case = format!("{size} B {how}, Unix, 1 thread");
            let over = (Kind::Unix, Threads::One);
            let mut entries: Vec<_> = TALKERS
                .iter()
                .filter(|peer| suits(**peer, Kind::Unix))
                .map(|peer| {
                    entry(peer.name(), move || {
                        talk::messages((keys, *peer), over, (size, count), flush)
                    })
                })
                .collect();
            if flush == Flush::Each {
                let count = count * share;
                for (name, peer) in [
                    ("Duologue AES pumped", Peer::Aes),
                    ("Duologue ChaCha20 pumped", Peer::ChaCha),
                ] {
                    entries.push(entry(name, move || {
                        talk::messages((keys, peer), over, (size, count), Flush::Pumped)
                    }));
                }
            }
            results.measure(
                ("messages", &case, "messages/s", Better::Higher),
                plan,
                entries,
            );
        }
    }
}

pub fn round_trips(results: &mut Results, keys: &Arc<Keys>, plan: Plan) {
    let count = plan.amount(20_000, 4_000);
    for kind in [Kind::Unix, Kind::Tcp] {
        let over = (kind, Threads::One);
        let tails = RefCell::new(BTreeMap::<&str, Vec<f64>>::new());
        let case = format!("64 B p50, {}, 1 thread", kind.name());
        let measure = |name, peer, flush| {
            let tails = &tails;
            entry(name, move || {
                let mut times = talk::round_trips((keys, peer), over, (64, count), flush);
                times.sort_by(f64::total_cmp);
                tails
                    .borrow_mut()
                    .entry(name)
                    .or_default()
                    .push(quantile(&times, 0.99));
                quantile(&times, 0.5)
            })
        };
        let mut entries: Vec<_> = TALKERS
            .iter()
            .filter(|peer| suits(**peer, kind))
            .map(|peer| measure(peer.name(), *peer, Flush::Each))
            .collect();
        entries.push(measure("Duologue AES pumped", Peer::Aes, Flush::Pumped));
        results.measure(("round trip", &case, "us", Better::Lower), plan, entries);
        let case = format!("64 B p99, {}, 1 thread", kind.name());
        for (name, mut values) in tails.take() {
            // The first round is not counted.
            values.remove(0);
            results.push(("round trip", &case, "us", Better::Lower), name, values);
        }
    }
}
