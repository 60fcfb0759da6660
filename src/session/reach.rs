//! How a call gets at both sides of a session: past the locks, or without them while nobody else can.

use core::{
    ops::Deref,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{
    link::{Link, now},
    receiving::{Batch, Parked, Take},
    timer::Timer,
};
use crate::proto::{Offered, Progress, ReceiveError, SendError};

/// A link as one half has it, or as a session has it that is not split.
///
/// Only what is called for each message is here twice; all else takes the locks, which are free then.
pub(super) trait Reach<'l>: Deref<Target = Link> {
    fn offer(&mut self, message: &[u8], progress: &mut Progress) -> Result<Offered, SendError>;

    fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        timer: &mut Timer,
    ) -> Poll<Result<(), SendError>>;

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        wait: (&mut Parked<'l>, &mut Timer),
        batch: &mut Batch,
        take: Take,
    ) -> Poll<Result<Option<Bytes>, ReceiveError>>;

    /// What says that the receiving half waits, if there is anybody to tell.
    fn parked(&self) -> Parked<'l>;
}

/// One half of two.
impl<'l> Reach<'l> for &'l Link {
    fn offer(&mut self, message: &[u8], progress: &mut Progress) -> Result<Offered, SendError> {
        self.outgoing().offer(message, progress)
    }

    fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        timer: &mut Timer,
    ) -> Poll<Result<(), SendError>> {
        let now = now();
        let written = self.flush_out(&mut self.outgoing(), now);
        self.flushed(cx, timer, (written, now), false)
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        (parked, timer): (&mut Parked<'l>, &mut Timer),
        batch: &mut Batch,
        take: Take,
    ) -> Poll<Result<Option<Bytes>, ReceiveError>> {
        let looked = self.look(&mut self.incoming(), cx, batch, take);
        self.looked(cx, (parked, timer), looked)
    }

    fn parked(&self) -> Parked<'l> {
        Parked::of_half(self)
    }
}

/// A session that is not split.
impl<'l> Reach<'l> for &'l mut Link {
    #[inline]
    fn offer(&mut self, message: &[u8], progress: &mut Progress) -> Result<Offered, SendError> {
        self.outgoing_alone().offer(message, progress)
    }

    fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        timer: &mut Timer,
    ) -> Poll<Result<(), SendError>> {
        let now = now();
        let alone = self.alone();
        let written = alone.common.flush_out(alone.outgoing, now);
        let knows_news = alone.incoming.take_fresh(now);
        self.flushed(cx, timer, (written, now), knows_news)
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        (parked, timer): (&mut Parked<'l>, &mut Timer),
        batch: &mut Batch,
        take: Take,
    ) -> Poll<Result<Option<Bytes>, ReceiveError>> {
        let alone = self.alone();
        let looked = alone.common.look(alone.incoming, cx, batch, take);
        if alone.waits(&looked, cx, timer) {
            return Poll::Pending;
        }
        self.looked(cx, (parked, timer), looked)
    }

    fn parked(&self) -> Parked<'l> {
        Parked::default()
    }
}
