//! A transport with habits.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use crate::input::Input;

/// What happens at each call, over and over: a byte for each.
#[derive(Clone)]
pub(super) struct Habits {
    reads: Vec<u8>,
    writes: Vec<u8>,
    /// Bytes after which the transport fails, or ends.
    breaks: Option<(usize, Break)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    /// Nothing more comes, what is written is gone.
    End,
    /// Every call fails.
    Fail,
}

/// What one byte says: wait how, then move how much.
enum Turn {
    Move(usize),
    /// Wakes at once, and asks again.
    Again,
    Delay(Duration),
}

impl Habits {
    pub(super) fn read(input: &mut Input<'_>) -> Self {
        let breaks = match input.byte() {
            0..=199 => None,
            200..=227 => Some((usize::from(input.number()), Break::End)),
            _ => Some((usize::from(input.number()), Break::Fail)),
        };
        Self {
            reads: input.chunk().to_vec(),
            writes: input.chunk().to_vec(),
            breaks,
        }
    }

    /// No fault and no delay: then nothing may go wrong.
    pub(super) fn are_smooth(&self) -> bool {
        let mut turns = self.reads.iter().chain(&self.writes);
        self.breaks.is_none() && !turns.any(|turn| matches!(turn_of(*turn), Turn::Delay(_)))
    }
}

fn turn_of(byte: u8) -> Turn {
    match byte {
        0..=199 => Turn::Move(1 + usize::from(byte) * usize::from(byte) / 4),
        200..=229 => Turn::Again,
        230..=249 => Turn::Delay(Duration::from_millis(10 * u64::from(byte - 229))),
        _ => Turn::Delay(Duration::from_secs(u64::from(byte - 249))),
    }
}

#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    /// The writer says no more.
    ended: bool,
    /// The reader is gone.
    dead: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }
}

/// One end.
pub(super) struct Wire {
    pipes: Arc<Mutex<[Pipe; 2]>>,
    side: usize,
    room: usize,
    habits: Habits,
    passed: usize,
    /// For reading and for writing: the next habit, and what is waited for.
    at: [usize; 2],
    waits: [Option<Pin<Box<Sleep>>>; 2],
}

pub(super) fn pair(room: usize, habits: [Habits; 2]) -> (Wire, Wire) {
    let pipes = Arc::new(Mutex::new([Pipe::default(), Pipe::default()]));
    let [near, far] = habits;
    let end = |side, habits| Wire {
        pipes: Arc::clone(&pipes),
        side,
        room,
        habits,
        passed: 0,
        at: [0; 2],
        waits: [None, None],
    };
    (end(0, near), end(1, far))
}

impl Wire {
    /// How much may move now; which is 0 for reading, 1 for writing.
    fn turn(&mut self, which: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.broken() == Some(Break::Fail) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if let Some(wait) = &mut self.waits[which] {
            if wait.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.waits[which] = None;
            return Poll::Ready(Ok(64));
        }
        let habits = [&self.habits.reads, &self.habits.writes][which];
        if habits.is_empty() {
            return Poll::Ready(Ok(usize::MAX));
        }
        let turn = turn_of(habits[self.at[which] % habits.len()]);
        self.at[which] += 1;
        match turn {
            Turn::Move(most) => Poll::Ready(Ok(most)),
            // Whoever is asked again after that may move: no habit stops everything.
            Turn::Again => {
                self.waits[which] = Some(Box::pin(sleep(Duration::ZERO)));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Turn::Delay(time) => {
                self.waits[which] = Some(Box::pin(sleep(time)));
                self.turn(which, cx)
            }
        }
    }

    fn broken(&self) -> Option<Break> {
        let (after, how) = self.habits.breaks?;
        (self.passed >= after).then_some(how)
    }

    fn pass(&mut self, bytes: usize) {
        self.passed += bytes;
        if self.broken().is_some() {
            // The other side sees the end of it too.
            let mut pipes = self.pipes.lock().unwrap();
            pipes[self.side].ended = true;
            pipes[1 - self.side].dead = true;
            for pipe in pipes.iter_mut() {
                pipe.wake();
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let side = self.side;
        {
            let mut pipes = self.pipes.lock().unwrap();
            let pipe = &mut pipes[1 - side];
            if pipe.bytes.is_empty() && !pipe.ended && self.broken().is_none() {
                pipe.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let Poll::Ready(most) = self.turn(0, cx)? else {
            return Poll::Pending;
        };
        if self.broken() == Some(Break::End) {
            return Poll::Ready(Ok(()));
        }
        let count = {
            let mut pipes = self.pipes.lock().unwrap();
            let pipe = &mut pipes[1 - side];
            let count = most.min(buf.remaining()).min(pipe.bytes.len());
            let bytes: Vec<u8> = pipe.bytes.drain(..count).collect();
            buf.put_slice(&bytes);
            pipe.wake();
            count
        };
        self.pass(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let side = self.side;
        {
            let mut pipes = self.pipes.lock().unwrap();
            let pipe = &mut pipes[side];
            if pipe.bytes.len() >= self.room && !pipe.dead && self.broken().is_none() {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let Poll::Ready(most) = self.turn(1, cx)? else {
            return Poll::Pending;
        };
        let count = {
            let mut pipes = self.pipes.lock().unwrap();
            let pipe = &mut pipes[side];
            if pipe.dead {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let room = self.room.saturating_sub(pipe.bytes.len()).max(1);
            let count = most.min(bytes.len()).min(room);
            if !pipe.ended {
                pipe.bytes.extend(&bytes[..count]);
            }
            pipe.wake();
            count
        };
        self.pass(count);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let pipe = &mut self.pipes.lock().unwrap()[self.side];
        pipe.ended = true;
        pipe.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut pipes = self.pipes.lock().unwrap();
        pipes[self.side].ended = true;
        pipes[1 - self.side].dead = true;
        for pipe in pipes.iter_mut() {
            pipe.wake();
        }
    }
}
