//! What is measured over an established pair: bulk, messages, round trips.

use std::{future::Future, sync::Arc, thread, time::Duration};

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::{
    clock::Stopwatch,
    peer::{End, Io, Keys, Peer},
    snow_end,
    wire::Kind,
};

/// Where the two ends run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    One,
    Two,
}

impl Threads {
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "1 thread",
            Self::Two => "2 runtimes",
        }
    }

    fn stopwatch(self) -> Stopwatch {
        match self {
            Self::One => Stopwatch::start(),
            Self::Two => Stopwatch::wall(),
        }
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
}

/// Establishes a pair and runs one future on each end; gives what the responder's gives.
pub fn between<A, B, FA, FB, T>(
    (keys, peer): (&Arc<Keys>, Peer),
    (kind, threads): (Kind, Threads),
    initiator: A,
    responder: B,
) -> T
where
    A: FnOnce(End) -> FA + Send + 'static,
    B: FnOnce(End) -> FB + Send + 'static,
    FA: Future<Output = ()> + Send + 'static,
    FB: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (near, far) = kind.pair();
    let (one, other) = (Arc::clone(keys), Arc::clone(keys));
    let initiating = async move { initiator(one.connect(peer, near.bind()).await).await };
    let responding = async move { responder(other.accept(peer, far.bind()).await).await };
    match threads {
        Threads::One => runtime().block_on(async move {
            let initiating = tokio::spawn(initiating);
            let value = tokio::spawn(responding).await.expect("responder");
            initiating.await.expect("initiator");
            value
        }),
        Threads::Two => {
            let initiating = thread::spawn(move || runtime().block_on(initiating));
            let value = runtime().block_on(responding);
            initiating.join().expect("initiator");
            value
        }
    }
}

/// Bytes of one write by the application.
pub const CHUNK: usize = 64 * 1024;

/// Gigabytes a second of a stream of chunks.
pub fn bulk(to: (&Arc<Keys>, Peer), over: (Kind, Threads), chunks: usize) -> f64 {
    let warm = chunks / 8;
    let took = between(
        to,
        over,
        move |end| send_bulk(end, warm + chunks),
        move |end| async move {
            let mut end = end;
            recv_bulk(&mut end, warm * CHUNK).await;
            let start = over.1.stopwatch();
            recv_bulk(&mut end, chunks * CHUNK).await;
            start.elapsed()
        },
    );
    (chunks * CHUNK) as f64 / took.as_secs_f64() / 1e9
}

async fn send_bulk(end: End, chunks: usize) {
    let chunk = vec![7; CHUNK];
    match end {
        End::Stream(mut io) => {
            for _chunk in 0..chunks {
                io.write_all(&chunk).await.expect("write");
            }
            io.flush().await.expect("flush");
            // The peer has all when it lets go.
            let _ended = io.read(&mut [0]).await;
        }
        End::Snow(mut snow) => {
            for _chunk in 0..chunks {
                for part in chunk.chunks(CHUNK / 2) {
                    snow.feed(part).await;
                }
            }
            snow.flush().await;
        }
        End::Duologue(mut session) => {
            for _chunk in 0..chunks {
                session.feed(&chunk).await.expect("feed");
            }
            session.flush().await.expect("flush");
            let _ended = session.recv().await;
        }
    }
}

async fn recv_bulk(end: &mut End, mut left: usize) {
    match end {
        End::Stream(io) => {
            let mut buffer = vec![0; 256 * 1024];
            while left > 0 {
                let room = left.min(buffer.len());
                let read = io.read(&mut buffer[..room]).await.expect("read");
                assert!(read > 0, "end of the stream");
                left -= read;
            }
        }
        End::Snow(snow) => {
            while left > 0 {
                left -= snow.recv().await.len();
            }
        }
        End::Duologue(session) => {
            while left > 0 {
                let message = session.recv_ref().await.expect("recv").expect("message");
                left -= message.len();
            }
        }
    }
}

/// When what was sent leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Many messages a write.
    Last,
    /// Each `send` by itself.
    Each,
    /// Each `send` by itself, with a pump that gathers; Duologue only.
    Pumped,
}

fn framed(io: Box<dyn Io>, size: usize) -> Framed<Box<dyn Io>, LengthDelimitedCodec> {
    let width = if size > usize::from(u16::MAX) { 4 } else { 2 };
    let codec = LengthDelimitedCodec::builder()
        .length_field_length(width)
        .max_frame_length(1 << 25)
        .new_codec();
    // As good as the codec gets: its own defaults are 8 KiB.
    let mut framed = Framed::with_capacity(io, codec, 64 * 1024);
    framed.set_backpressure_boundary(64 * 1024);
    framed
}

/// Messages a second.
pub fn messages(
    to: (&Arc<Keys>, Peer),
    over: (Kind, Threads),
    (size, count): (usize, usize),
    flush: Flush,
) -> f64 {
    let warm = count / 8;
    let took = between(
        to,
        over,
        move |end| send_messages(end, size, warm + count, flush),
        move |end| recv_messages(end, size, [warm, count]),
    );
    count as f64 / took.as_secs_f64()
}

async fn send_messages(end: End, size: usize, count: usize, flush: Flush) {
    let message = vec![7; size];
    match end {
        End::Stream(io) => {
            let mut framed = framed(io, size);
            let message = Bytes::from(message);
            for _message in 0..count {
                framed.feed(message.clone()).await.expect("feed");
                if flush == Flush::Each {
                    SinkExt::<Bytes>::flush(&mut framed).await.expect("flush");
                }
            }
            SinkExt::<Bytes>::flush(&mut framed).await.expect("flush");
            let _ended = framed.next().await;
        }
        End::Snow(mut snow) => {
            for _message in 0..count {
                for part in message.chunks(snow_end::MOST) {
                    snow.feed(part).await;
                }
                if flush == Flush::Each {
                    snow.flush().await;
                }
            }
            snow.flush().await;
        }
        End::Duologue(session) if flush == Flush::Pumped => {
            let (sender, mut receiver, pump) = session.into_pumped();
            let pump = tokio::spawn(pump);
            for _message in 0..count {
                sender.send(&message).await.expect("send");
            }
            let _ended = receiver.recv().await;
            drop((sender, receiver));
            let _outcome = pump.await;
        }
        End::Duologue(mut session) => {
            for _message in 0..count {
                session.feed(&message).await.expect("feed");
                if flush == Flush::Each {
                    session.flush().await.expect("flush");
                }
            }
            session.flush().await.expect("flush");
            let _ended = session.recv().await;
        }
    }
}

/// Receives two lots and times the second.
async fn recv_messages(end: End, size: usize, lots: [usize; 2]) -> Duration {
    let mut start = Stopwatch::start();
    match end {
        End::Stream(io) => {
            let mut framed = framed(io, size);
            for lot in lots {
                start = Stopwatch::start();
                for _message in 0..lot {
                    let message = framed.next().await.expect("message").expect("message");
                    assert_eq!(message.len(), size);
                }
            }
        }
        End::Snow(mut snow) => {
            for lot in lots {
                start = Stopwatch::start();
                for _message in 0..lot {
                    let mut left = size;
                    while left > 0 {
                        left -= snow.recv().await.len();
                    }
                }
            }
        }
        End::Duologue(mut session) => {
            for lot in lots {
                start = Stopwatch::start();
                for _message in 0..lot {
                    let message = session.recv_ref().await.expect("recv").expect("message");
                    assert_eq!(message.len(), size);
                }
            }
        }
    }
    start.elapsed()
}

/// Microseconds of each of so many round trips of one message.
pub fn round_trips(
    to: (&Arc<Keys>, Peer),
    over: (Kind, Threads),
    (size, count): (usize, usize),
    flush: Flush,
) -> Vec<f64> {
    let (report, times) = std::sync::mpsc::channel();
    between(
        to,
        over,
        move |end| async move {
            let times = ask(end, size, count, flush).await;
            report.send(times).expect("report");
        },
        move |end| answer(end, size, count),
    );
    times.recv().expect("report")
}

async fn ask(end: End, size: usize, count: usize, flush: Flush) -> Vec<f64> {
    let message = vec![7; size];
    let mut times = Vec::with_capacity(count);
    let mut take = |start: Stopwatch| times.push(start.elapsed().as_nanos() as f64 / 1e3);
    match end {
        End::Stream(io) => {
            let mut framed = framed(io, size);
            let message = Bytes::from(message);
            for _trip in 0..count {
                let start = Stopwatch::start();
                framed.send(message.clone()).await.expect("send");
                framed.next().await.expect("message").expect("message");
                take(start);
            }
        }
        End::Snow(mut snow) => {
            for _trip in 0..count {
                let start = Stopwatch::start();
                snow.feed(&message).await;
                snow.flush().await;
                snow.recv().await;
                take(start);
            }
        }
        End::Duologue(session) if flush == Flush::Pumped => {
            let (sender, mut receiver, pump) = session.into_pumped();
            let pump = tokio::spawn(pump);
            for _trip in 0..count {
                let start = Stopwatch::start();
                sender.send(&message).await.expect("send");
                receiver.recv_ref().await.expect("recv").expect("message");
                take(start);
            }
            drop((sender, receiver));
            let _outcome = pump.await;
        }
        End::Duologue(mut session) => {
            for _trip in 0..count {
                let start = Stopwatch::start();
                session.send(&message).await.expect("send");
                session.recv_ref().await.expect("recv").expect("message");
                take(start);
            }
        }
    }
    times
}

async fn answer(end: End, size: usize, count: usize) {
    let message = vec![7; size];
    match end {
        End::Stream(io) => {
            let mut framed = framed(io, size);
            let message = Bytes::from(message);
            for _trip in 0..count {
                framed.next().await.expect("message").expect("message");
                framed.send(message.clone()).await.expect("send");
            }
        }
        End::Snow(mut snow) => {
            for _trip in 0..count {
                snow.recv().await;
                snow.feed(&message).await;
                snow.flush().await;
            }
        }
        End::Duologue(mut session) => {
            for _trip in 0..count {
                session.recv_ref().await.expect("recv").expect("message");
                session.send(&message).await.expect("send");
            }
        }
    }
}
