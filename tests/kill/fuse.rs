//! A transport that kills the other process at its point.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use fastrand::Rng;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::child::MESSAGES;

/// About as many bytes as a whole session moves, both ways.
const BYTES: u64 = 730_000;

/// When the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// So many bytes have crossed, both ways together.
    Bytes(u64),
    /// So many messages have been taken by the survivor.
    Taken(u64),
    Never,
}

impl Point {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        match rng.u32(0..20) {
            // The handshake, the last receipts and what lies between.
            0..=2 => Self::Bytes(rng.u64(0..600)),
            3..=11 => Self::Bytes(rng.u64(0..BYTES)),
            12 => Self::Never,
            13..=16 => Self::Taken(rng.u64(MESSAGES - 3..=MESSAGES)),
            _ => Self::Taken(rng.u64(1..=MESSAGES)),
        }
    }
}

/// Counts what crosses, and kills once.
#[derive(Clone)]
pub(crate) struct Fuse {
    point: Point,
    bytes: Arc<AtomicU64>,
    burnt: Arc<AtomicBool>,
    kill: Arc<dyn Fn() + Send + Sync>,
}

impl Fuse {
    pub(crate) fn new(point: Point, kill: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            point,
            bytes: Arc::default(),
            burnt: Arc::default(),
            kill: Arc::new(kill),
        }
    }

    pub(crate) fn on(&self, socket: TcpStream) -> Fused {
        self.crossed(0);
        Fused {
            socket,
            fuse: self.clone(),
        }
    }

    pub(crate) fn taken(&self, count: u64) {
        if matches!(self.point, Point::Taken(at) if count >= at) {
            self.burn();
        }
    }

    fn crossed(&self, bytes: usize) {
        let all = self.bytes.fetch_add(bytes as u64, Ordering::SeqCst) + bytes as u64;
        if matches!(self.point, Point::Bytes(at) if all >= at) {
            self.burn();
        }
    }

    /// How many more bytes may cross before the point.
    fn room(&self, wanted: usize) -> usize {
        let Point::Bytes(at) = self.point else {
            return wanted;
        };
        let left = at.saturating_sub(self.bytes.load(Ordering::SeqCst));
        usize::try_from(left)
            .unwrap_or(usize::MAX)
            .clamp(1, wanted.max(1))
    }

    fn burn(&self) {
        if !self.burnt.swap(true, Ordering::SeqCst) {
            (self.kill)();
        }
    }
}

pub(crate) struct Fused {
    socket: TcpStream,
    fuse: Fuse,
}

impl AsyncRead for Fused {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let room = this.fuse.room(buffer.remaining());
        let mut part = vec![0; room];
        let mut part = ReadBuf::new(&mut part);
        ready!(Pin::new(&mut this.socket).poll_read(cx, &mut part))?;
        buffer.put_slice(part.filled());
        this.fuse.crossed(part.filled().len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Fused {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let room = this.fuse.room(bytes.len()).min(bytes.len());
        let written = ready!(Pin::new(&mut this.socket).poll_write(cx, &bytes[..room]))?;
        this.fuse.crossed(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
