//! Our session with the raw peer at its other end. Stands beside `raw_peer` and `raw_tokio`.

use super::raw_peer::handshake::public_key;
use super::raw_peer::{Options, Pattern, RawFrame, RawParams, RawRecord, Suite};
use super::raw_tokio::{Heard, RawPeer};
use duologue::{Config, PeerPolicy, PublicKey, SecretKey, Session, accept};
use tokio::io::{DuplexStream, duplex};

const OURS: [u8; 32] = [1; 32];
const RAWS: [u8; 32] = [2; 32];

/// A configuration that takes the raw peer.
pub fn config() -> Config {
    let raw = PublicKey::from_bytes(public_key(RAWS));
    Config::new(SecretKey::from_bytes(&mut OURS.clone())).peers(PeerPolicy::pinned([raw]))
}

/// Our responder, established with a raw initiator through a pipe of so many bytes.
pub async fn established(pipe: usize, config: &Config) -> (Session, RawPeer<DuplexStream>) {
    let (near, far) = duplex(pipe);
    let mut options = Options::new(Suite::AesGcm, Pattern::Xx, RAWS);
    options.remote = Some(public_key(OURS));
    let params = RawParams::default();
    let (raw, ours) = tokio::join!(
        RawPeer::connect(near, options, &params),
        accept(far, config)
    );
    (ours.unwrap(), raw.unwrap().0)
}

/// The frames of the next record, a bare message as one.
pub async fn frames(raw: &mut RawPeer<DuplexStream>) -> Vec<RawFrame> {
    match raw.next().await {
        Heard::Record(RawRecord::Batch(frames)) => frames,
        Heard::Record(RawRecord::Message(message)) => vec![RawFrame::Message(message)],
        other => panic!("not a batch: {other:?}"),
    }
}
