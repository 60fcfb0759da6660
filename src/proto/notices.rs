//! What the two paths of a session tell each other, as values.

use super::outcome::Cause;

/// What the receive path wants the send path to say or to know: one slot each, so memory is constant.
///
/// Take it with [`ReceivePath::notices`](super::ReceivePath::notices), hand it to [`SendPath::heed`](super::SendPath::heed).
// spec: L-6, L-7
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notices {
    pub(super) receipt: Option<u64>,
    pub(super) pong: Option<[u8; 8]>,
    pub(super) stop: Option<u64>,
    pub(super) final_receipt: Option<u64>,
    pub(super) abort: Option<Cause>,
    pub(super) peer: PeerWord,
}

/// What the peer said of our direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PeerWord {
    /// The newest RECEIPT.
    pub(super) taken: u64,
    pub(super) stopped: Option<u64>,
    pub(super) confirmed: Option<u64>,
    /// PONGs read.
    pub(super) pongs: u64,
}

impl Notices {
    /// Puts newer notices on top: the newest receipt, the first of everything that is said once.
    pub fn merge(&mut self, newer: Self) {
        self.receipt = newer.receipt.or(self.receipt);
        self.pong = newer.pong.or(self.pong);
        self.stop = self.stop.or(newer.stop);
        self.final_receipt = self.final_receipt.or(newer.final_receipt);
        self.abort = self.abort.take().or(newer.abort);
        self.peer = newer.peer;
    }
}

/// What the send path has said, as far as the receive path must know it to judge the peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whole messages in our direction.
    pub(super) sent: u64,
    /// END is among what was sent.
    pub(super) ended: bool,
    /// PINGs and PONGs sent.
    pub(super) pings: u64,
    pub(super) pongs: u64,
}
