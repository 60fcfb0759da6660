//! A pipe in memory that takes all it is given, allocates nothing once it is made, and counts.
#![allow(dead_code, reason = "each test binary uses the part that it needs")]

use std::{
    io,
    ops::Sub,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What one write or read can move at most, as a large socket buffer does.
const ROOM: usize = 1024 * 1024;

/// What has passed through one direction.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) bytes: usize,
    /// Writes and reads that moved bytes.
    pub(crate) writes: usize,
    pub(crate) reads: usize,
    /// Reads, those included that found nothing.
    pub(crate) looks: usize,
}

impl Sub for Passed {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            bytes: self.bytes - before.bytes,
            writes: self.writes - before.writes,
            reads: self.reads - before.reads,
            looks: self.looks - before.looks,
        }
    }
}

#[derive(Default)]
struct Inner {
    bytes: Vec<u8>,
    start: usize,
    passed: Passed,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// One direction; its clones are its two ends.
#[derive(Clone)]
pub(crate) struct Pipe(Arc<Mutex<Inner>>);

impl Pipe {
    pub(crate) fn new() -> Self {
        let inner = Inner {
            bytes: Vec::with_capacity(ROOM),
            ..Inner::default()
        };
        Self(Arc::new(Mutex::new(inner)))
    }

    pub(crate) fn passed(&self) -> Passed {
        self.lock().passed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        inner.passed.looks += 1;
        let waiting = &inner.bytes[inner.start..];
        let length = waiting.len().min(buffer.remaining());
        if length == 0 {
            if inner.closed {
                return Poll::Ready(Ok(()));
            }
            inner.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buffer.put_slice(&waiting[..length]);
        inner.start += length;
        inner.passed.reads += 1;
        if inner.start == inner.bytes.len() {
            inner.bytes.clear();
            inner.start = 0;
            if let Some(writer) = inner.writer.take() {
                writer.wake();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.lock();
        if inner.bytes.len() + bytes.len() > ROOM {
            inner.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        inner.bytes.extend_from_slice(bytes);
        inner.passed.writes += 1;
        inner.passed.bytes += bytes.len();
        if let Some(reader) = inner.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        inner.closed = true;
        if let Some(reader) = inner.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(()))
    }
}
