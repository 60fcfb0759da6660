//! The time to a clean end, from both sides' call to both sides' answer; Unix, one thread.

use std::sync::Arc;

use duologue::{Received, Sent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    clock::Stopwatch,
    peer::{End, Keys, Peer},
    run::{Better, Plan, Results, entry},
    talk,
    wire::Kind,
};

pub fn run(results: &mut Results, keys: &Arc<Keys>, plan: Plan) {
    let times = plan.amount(200, 50);
    let peers = [
        Peer::Plain,
        Peer::TlsAes,
        Peer::Libp2pNoise,
        Peer::Aes,
        Peer::ChaCha,
    ];
    let entries = peers.map(|peer| {
        entry(peer.name(), move || {
            talk::runtime().block_on(async {
                let mut sum = 0.0;
                for _time in 0..times {
                    sum += end(keys, peer).await;
                }
                sum / times as f64
            })
        })
    });
    let area = ("end", "to a clean end, Unix, 1 thread", "us", Better::Lower);
    results.measure(area, plan, entries.into());
}

async fn end(keys: &Keys, peer: Peer) -> f64 {
    let (near, far) = Kind::Unix.pair();
    let (one, other) = tokio::join!(
        keys.connect(peer, near.bind()),
        keys.accept(peer, far.bind())
    );
    let start = Stopwatch::start();
    tokio::join!(close(one), close(other));
    start.elapsed().as_nanos() as f64 / 1e3
}

async fn close(end: End) {
    match end {
        End::Stream(mut io) => {
            io.shutdown().await.expect("shutdown");
            assert_eq!(io.read(&mut [0]).await.expect("end of file"), 0);
        }
        End::Snow(_) => {}
        End::Duologue(mut session) => {
            let outcome = session.close().await;
            assert_eq!(outcome.sent, Sent::Delivered(0), "{outcome}");
            assert_eq!(outcome.received, Received::Complete(0), "{outcome}");
        }
    }
}
