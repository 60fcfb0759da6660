//! From the send path into the transport.

use core::{sync::atomic::Ordering, task::Poll};
use std::{io, pin::Pin, task::Waker, time::Instant};

use tokio::io::AsyncWrite;

use super::{Common, Link, Outgoing, lock};
use crate::{
    proto::{Cause, SendError},
    session::wakers::Side,
};

impl Link {
    /// Sees to it that what stands in the mail leaves, unless another holds the sending side: then it will.
    pub(in crate::session) fn serve(&self, side: Side, waker: &Waker, now: Instant) {
        while self.mail_waits.load(Ordering::SeqCst) {
            let Some(mut outgoing) = self.try_outgoing() else {
                return;
            };
            self.wakers.write.register(side, waker);
            if self.write(&mut outgoing, now).is_ready() {
                self.wakers.write.forget(side);
            }
        }
    }
}

impl Common {
    /// What the transport did not take is for whoever looks next: the half that left it may not be polled.
    // spec: L-5
    pub(in crate::session) fn take_over_write(&self) {
        if self.told.is_stalled() {
            self.mail_waits.store(true, Ordering::SeqCst);
        }
    }

    /// Seals and writes everything that waits. Failures stand in `outgoing.broken`.
    pub(in crate::session) fn write(&self, outgoing: &mut Outgoing, now: Instant) -> Poll<()> {
        outgoing.now = now;
        loop {
            self.fetch_mail(outgoing, now);
            if let Err(error) = outgoing.path.flush(now) {
                self.break_with(outgoing, over(error));
            }
            self.publish(outgoing);
            let written = self.write_transport(outgoing);
            let stalled = written.is_pending();
            self.told.stalls(stalled, self.fixed.born, now);
            self.told.pings(outgoing.path.is_pinging());
            if stalled || !self.mail_waits.load(Ordering::SeqCst) {
                return written;
            }
        }
    }

    /// As [`Self::write`]; an error, if nothing can leave any more.
    pub(in crate::session) fn flush_out(
        &self,
        outgoing: &mut Outgoing,
        now: Instant,
    ) -> Result<Poll<()>, SendError> {
        let written = self.write(outgoing, now);
        match outgoing.broken.as_deref().or(outgoing.path.silenced()) {
            Some(cause) => Err(SendError::Over(cause.clone())),
            None => Ok(written),
        }
    }

    pub(in crate::session) fn has_mail(&self) -> bool {
        self.mail_waits.load(Ordering::SeqCst)
    }

    fn fetch_mail(&self, outgoing: &mut Outgoing, now: Instant) {
        if !self.mail_waits.load(Ordering::SeqCst) {
            return;
        }
        self.mail_waits.store(false, Ordering::SeqCst);
        let mut mail = lock(&self.mail);
        let (notices, abort) = (mail.notices.take(), mail.abort.take());
        drop(mail);
        if let Some(notices) = notices {
            outgoing.path.heed(notices, now);
            self.wakers.news.wake_all();
        }
        if let Some((code, reason, cause)) = abort.map(|abort| *abort) {
            outgoing.path.abort(code, &reason, cause);
            self.wakers.news.wake_all();
        }
    }

    /// Before the outcome is written, the send path must know every receipt that was read.
    // spec: E-11
    pub(in crate::session) fn heed_mail(&self, outgoing: &mut Outgoing, now: Instant) {
        if self.mail_waits.load(Ordering::SeqCst) {
            self.fetch_mail(outgoing, now);
            // What it owes must still leave.
            self.mail_waits.store(true, Ordering::SeqCst);
        }
    }

    /// The receive path must know what was sent before the peer can answer it.
    fn publish(&self, outgoing: &Outgoing) {
        self.facts.write(outgoing.path.facts());
    }

    fn write_transport(&self, outgoing: &mut Outgoing) -> Poll<()> {
        let mut context = self.wakers.writing();
        loop {
            let Some(writer) = &mut outgoing.writer else {
                let length = outgoing.path.pending().len();
                outgoing.path.written(length);
                return Poll::Ready(());
            };
            let pending = outgoing.path.pending();
            if pending.is_empty() {
                if !outgoing.unflushed {
                    return Poll::Ready(());
                }
                match Pin::new(writer).poll_flush(&mut context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) => outgoing.unflushed = false,
                    Poll::Ready(Err(error)) => self.lose_writer(outgoing, &error),
                }
                continue;
            }
            match Pin::new(writer).poll_write(&mut context, pending) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => {
                    self.lose_writer(outgoing, &io::ErrorKind::WriteZero.into());
                }
                Poll::Ready(Ok(written)) => {
                    outgoing.path.written(written);
                    outgoing.unflushed = true;
                    outgoing.used = outgoing.now;
                    // Progress: the limit runs anew.
                    self.told.stalls(false, self.fixed.born, outgoing.now);
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => self.lose_writer(outgoing, &error),
            }
        }
    }

    /// Nothing more can be said. What the peer said before is still read.
    fn lose_writer(&self, outgoing: &mut Outgoing, error: &io::Error) {
        outgoing.writer = None;
        self.break_with(outgoing, Cause::TransportFailed(error.kind()));
    }

    pub(in crate::session) fn break_with(&self, outgoing: &mut Outgoing, cause: Cause) {
        outgoing.path.shut(cause.clone());
        outgoing.broken.get_or_insert_with(|| Box::new(cause));
        self.wakers.news.wake_all();
    }
}

fn over(error: SendError) -> Cause {
    match error {
        SendError::Over(cause) => cause,
        _other => Cause::Internal,
    }
}
