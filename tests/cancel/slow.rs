//! A transport that moves a few bytes a poll and nothing at every other one.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// Bytes of a poll; 0 is as fast as it goes. Clones turn the same wheel.
#[derive(Clone, Default)]
pub(crate) struct Pace(Arc<AtomicUsize>);

impl Pace {
    pub(crate) fn set(&self, step: usize) {
        self.0.store(step, Ordering::SeqCst);
    }

    fn step(&self) -> Option<usize> {
        Some(self.0.load(Ordering::SeqCst)).filter(|step| *step > 0)
    }
}

pub(crate) struct Slow {
    io: DuplexStream,
    pace: Pace,
    reads: bool,
    writes: bool,
}

impl Slow {
    pub(crate) fn new(io: DuplexStream, pace: &Pace) -> Self {
        Self {
            io,
            pace: pace.clone(),
            reads: false,
            writes: false,
        }
    }
}

/// Pending at every other call, with a wake so that it is called again.
fn rest(turn: &mut bool, cx: &Context<'_>) -> Poll<()> {
    *turn = !*turn;
    if *turn {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    Poll::Ready(())
}

impl AsyncRead for Slow {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(step) = this.pace.step() else {
            return Pin::new(&mut this.io).poll_read(cx, buffer);
        };
        ready!(rest(&mut this.reads, cx));
        let mut room = vec![0; step.min(buffer.remaining())];
        let mut few = ReadBuf::new(&mut room);
        ready!(Pin::new(&mut this.io).poll_read(cx, &mut few))?;
        buffer.put_slice(few.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(step) = this.pace.step() else {
            return Pin::new(&mut this.io).poll_write(cx, bytes);
        };
        ready!(rest(&mut this.writes, cx));
        Pin::new(&mut this.io).poll_write(cx, &bytes[..bytes.len().min(step)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.pace.step().is_some() {
            ready!(rest(&mut this.writes, cx));
        }
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.pace.step().is_some() {
            ready!(rest(&mut this.writes, cx));
        }
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}
