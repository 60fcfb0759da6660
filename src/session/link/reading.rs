//! From the transport into the receive path.

use core::{mem::MaybeUninit, task::Poll};
use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    time::Instant,
};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::{Common, Incoming, READ_COLD, Read};
use crate::proto::{Cause, Processed};

/// Records opened in one poll before others get their turn.
pub(super) const TURN: usize = 16;
/// Bytes of messages that are opened at once for one who takes them.
pub(in crate::session) const ENOUGH: usize = 16 * 1024;
/// The largest read into the input.
const READ_MOST: usize = 256 * 1024;

impl Common {
    /// Reads and opens until there are messages, nothing more comes, or it is others' turn.
    ///
    /// Opens no more than `enough` bytes of messages, if there are so many: what is taken soon is still
    /// in the cache, and its buffer serves again.
    pub(in crate::session) fn read(
        &self,
        incoming: &mut Incoming,
        now: Instant,
        enough: usize,
    ) -> Read {
        let outcome = self.read_inner(incoming, now, enough);
        if !incoming.path.is_only_counted() {
            self.stop_handing();
        }
        if let Some(notices) = incoming.path.notices() {
            self.post(notices);
        }
        outcome
    }

    fn read_inner(&self, incoming: &mut Incoming, now: Instant, enough: usize) -> Read {
        for _turn in 0..TURN {
            let facts = self.facts.read();
            let mut processed = Processed::Busy;
            for _record in 0..TURN {
                processed = incoming.path.process(&facts, now, 1);
                if processed != Processed::Busy || incoming.path.untaken() >= enough {
                    break;
                }
            }
            match processed {
                Processed::Full => return Read::Ready,
                Processed::Ended => return Read::Ended,
                Processed::Busy if incoming.path.is_empty() => return Read::Yield,
                Processed::Busy => return Read::Busy,
                Processed::NeedInput if !incoming.path.is_empty() => return Read::Ready,
                Processed::NeedInput => {}
            }
            match self.read_transport(incoming, now) {
                Poll::Ready(()) => {}
                Poll::Pending => {
                    incoming.path.waits(true, now);
                    return Read::Waiting;
                }
            }
        }
        Read::Yield
    }

    pub(in crate::session) fn read_transport(
        &self,
        incoming: &mut Incoming,
        now: Instant,
    ) -> Poll<()> {
        let Incoming {
            path,
            reader,
            read_size,
            used,
            ..
        } = incoming;
        let Some(reader) = reader else {
            path.input_ended();
            return Poll::Ready(());
        };
        // It had nothing, and has not called since: whoever waits for it is woken when it does.
        if !self.wakers.read.is_stirred() {
            return Poll::Pending;
        }
        let mut context = self.wakers.reading();
        let read = self.wakers.read.ask(|| {
            let input = path.input();
            if input.capacity() == 0 {
                let mut room = [MaybeUninit::uninit(); READ_COLD];
                let mut buffer = ReadBuf::uninit(&mut room);
                let read = Pin::new(reader).poll_read(&mut context, &mut buffer);
                input.extend_from_slice(buffer.filled());
                return read.map_ok(|()| buffer.filled().len());
            }
            // Each message that waits may keep a buffer alive, so none is left that has not been made use of.
            let room = input.capacity().saturating_sub(input.len());
            if !input.try_reclaim(*read_size) && room < *read_size / 2 {
                input.reserve(*read_size);
            }
            // What is read at once should still be in the cache when it is opened.
            let room = input.capacity().saturating_sub(input.len()).min(*read_size);
            let read = pin!(reader.read_buf(&mut input.limit(room))).poll(&mut context);
            if matches!(read, Poll::Ready(Ok(filled)) if filled == room) {
                *read_size = read_size.saturating_mul(2).min(READ_MOST);
            }
            read
        });
        match read {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(0)) => path.input_ended(),
            Poll::Ready(Ok(_bytes)) => {
                *used = now;
                // Bytes are no sign of life, only a sign that we are reading (spec: L-3).
                path.waits(true, now);
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Poll::Ready(Err(error)) => path.fail(Cause::TransportFailed(error.kind())),
        }
        Poll::Ready(())
    }
}
