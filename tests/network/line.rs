//! One end of a simulated connection: it moves as few bytes as it likes, and can be cut or killed.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use fastrand::Rng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

/// How an attacker on the path ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A FIN: what came before it is read.
    Fin,
    /// A reset: both ways fail at once.
    Reset,
}

/// The part that those outside of the session hold.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Mutex<State>>);

struct State {
    rng: Rng,
    /// Bytes that one call moves at most.
    most: usize,
    /// Before that, nothing depends on how long fresh keys made a record.
    established: bool,
    read: u64,
    /// The reader finds this behind so many bytes.
    planned: Option<(u64, Cut)>,
    cut: Option<Cut>,
    /// The process is gone: nothing it does from now on leaves it.
    dead: bool,
    waiting: Vec<Waker>,
}

pub(crate) struct Line {
    io: TcpStream,
    state: Handle,
}

impl Handle {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn established(&self) {
        self.state().established = true;
    }

    pub(crate) fn cut(&self, cut: Cut) {
        let mut state = self.state();
        state.cut.get_or_insert(cut);
        state.wake();
    }

    pub(crate) fn kill(&self) {
        let mut state = self.state();
        state.dead = true;
        state.wake();
    }
}

impl State {
    fn wake(&mut self) {
        for waker in self.waiting.drain(..) {
            waker.wake();
        }
    }

    fn some(&mut self, length: usize) -> usize {
        if self.established {
            length.min(self.rng.usize(1..=self.most))
        } else {
            length
        }
    }

    /// What stands against moving bytes now.
    fn fault(&mut self, cx: &Context<'_>) -> Option<Cut> {
        if self.dead {
            return Some(Cut::Reset);
        }
        if let Some((_at, cut)) = self.planned.take_if(|(at, _cut)| *at <= self.read) {
            self.cut.get_or_insert(cut);
        }
        if self.cut.is_none() {
            self.waiting.retain(|waker| !waker.will_wake(cx.waker()));
            self.waiting.push(cx.waker().clone());
        }
        self.cut
    }
}

impl Line {
    pub(crate) fn new(
        io: TcpStream,
        mut rng: Rng,
        most: usize,
        planned: Option<(u64, Cut)>,
    ) -> Self {
        let state = State {
            rng: rng.fork(),
            most,
            established: false,
            read: 0,
            planned,
            cut: None,
            dead: false,
            waiting: Vec::new(),
        };
        Self {
            io,
            state: Handle(Arc::new(Mutex::new(state))),
        }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.state.clone()
    }
}

fn reset<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let handle = self.state.clone();
        let mut state = handle.state();
        match state.fault(cx) {
            Some(Cut::Fin) => return Poll::Ready(Ok(())),
            Some(Cut::Reset) => return reset(),
            None => {}
        }
        let mut length = state.some(buffer.remaining());
        if let Some((at, _cut)) = state.planned {
            length = length.min((at - state.read) as usize);
        }
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(length));
        let read = Pin::new(&mut self.io).poll_read(cx, &mut part);
        let length = part.filled().len();
        buffer.advance(length);
        state.read += length as u64;
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let handle = self.state.clone();
        let mut state = handle.state();
        if state.fault(cx) == Some(Cut::Reset) {
            return reset();
        }
        let length = state.some(bytes.len());
        Pin::new(&mut self.io).poll_write(cx, &bytes[..length])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let handle = self.state.clone();
        if handle.state().fault(cx) == Some(Cut::Reset) {
            return reset();
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
