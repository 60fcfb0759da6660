//! Heap of an idle established end over Unix sockets, the socket's own excluded.

use std::{alloc::System, sync::Arc, time::Duration};

use futures::future::join_all;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    peer::{End, Keys, Peer},
    run::{Better, Plan, Results},
    talk,
    wire::Kind,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PEERS: [Peer; 10] = [
    Peer::Plain,
    Peer::TlsAes,
    Peer::TlsChaCha,
    Peer::Libp2pNoise,
    Peer::Libp2pYamux,
    Peer::SnowRing,
    Peer::SnowDefault,
    Peer::Aes,
    Peer::ChaCha,
    Peer::PortableAes,
];

/// Bytes in use now.
pub fn in_use() -> f64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as f64 - stats.bytes_deallocated as f64
}

pub fn run(results: &mut Results, keys: &Arc<Keys>, plan: Plan) {
    let pairs = plan.amount(64, 16);
    let measured: Vec<_> = PEERS
        .iter()
        .map(|peer| (*peer, talk::runtime().block_on(heap(keys, *peer, pairs))))
        .collect();
    let socket = measured[0].1;
    for (at, case) in ["fresh", "after 1 MiB each way"].into_iter().enumerate() {
        for (peer, heap) in &measured {
            let own = (heap[at] - socket[at]).max(0.0);
            let area = ("heap", case, "bytes", Better::Lower);
            results.push(area, peer.name(), vec![own]);
        }
    }
}

async fn heap(keys: &Keys, peer: Peer, count: usize) -> [f64; 2] {
    let mut ends = Vec::with_capacity(count * 2);
    let message = vec![7; talk::CHUNK];
    let before = in_use();
    for _pair in 0..count {
        let (near, far) = Kind::Unix.pair();
        let (one, other) = tokio::join!(
            keys.connect(peer, near.bind()),
            keys.accept(peer, far.bind())
        );
        ends.extend([one, other]);
    }
    let each = || (in_use() - before) / (count * 2) as f64;
    let fresh = each();
    for pair in ends.chunks_mut(2) {
        let (one, other) = pair.split_at_mut(1);
        tokio::join!(send(&mut one[0], &message), recv(&mut other[0]));
        tokio::join!(send(&mut other[0], &message), recv(&mut one[0]));
    }
    // Each waits for what does not come, as an idle end does.
    join_all(ends.iter_mut().map(wait)).await;
    [fresh, each()]
}

const TIMES: usize = 16;

async fn send(end: &mut End, message: &[u8]) {
    match end {
        End::Stream(io) => {
            for _time in 0..TIMES {
                io.write_all(message).await.expect("write");
            }
            io.flush().await.expect("flush");
        }
        End::Snow(snow) => {
            for _time in 0..TIMES {
                for part in message.chunks(talk::CHUNK / 2) {
                    snow.feed(part).await;
                }
            }
            snow.flush().await;
        }
        End::Duologue(session) => {
            for _time in 0..TIMES {
                session.feed(message).await.expect("feed");
            }
            session.flush().await.expect("flush");
        }
    }
}

async fn recv(end: &mut End) {
    let mut left = TIMES * talk::CHUNK;
    let mut buffer = vec![0; talk::CHUNK];
    while left > 0 {
        left -= match end {
            End::Stream(io) => {
                let room = left.min(buffer.len());
                io.read(&mut buffer[..room]).await.expect("read")
            }
            End::Snow(snow) => snow.recv().await.len(),
            End::Duologue(session) => {
                let message = session.recv_ref().await.expect("recv").expect("message");
                message.len()
            }
        };
    }
}

async fn wait(end: &mut End) {
    let quiet = Duration::from_millis(2_500);
    match end {
        End::Stream(io) => {
            let mut byte = [0];
            assert!(timeout(quiet, io.read(&mut byte)).await.is_err());
        }
        End::Snow(snow) => assert!(timeout(quiet, snow.recv()).await.is_err()),
        End::Duologue(session) => assert!(timeout(quiet, session.recv()).await.is_err()),
    }
}
