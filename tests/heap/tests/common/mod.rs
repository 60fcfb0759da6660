//! A transport whose other end is a script that no meter counts, and keys that everybody knows.
#![allow(dead_code, reason = "each test binary uses the part that it needs")]

#[path = "../../../support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
pub(crate) mod raw_peer;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use duologue::{Config, PeerPolicy, Provider, Psk, PublicKey, SecretKey};
use duologue_heap::unmetered;
use raw_peer::{
    Options, Pattern, RawFrame, RawHandshake, RawParams, RawSession, Suite,
    handshake::public_key,
    wire::{take_body, with_length},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) const OURS: [u8; 32] = [
    0x10, 0x9d, 0x31, 0x7e, 0x52, 0xa6, 0x0b, 0xc4, 0x85, 0x2f, 0xe1, 0x96, 0x43, 0xd8, 0x6c, 0x3a,
    0xb7, 0x04, 0x5f, 0xea, 0x78, 0x1d, 0xcb, 0x92, 0x66, 0x30, 0xad, 0x59, 0xf2, 0x87, 0x0e, 0x41,
];
pub(crate) const RAWS: [u8; 32] = [0x72; 32];
pub(crate) const SHARED: [u8; 32] = [
    0x93, 0x1b, 0x64, 0xe8, 0x2a, 0xd7, 0x50, 0x0f, 0xbc, 0x75, 0x38, 0xc1, 0x8e, 0x46, 0xf9, 0x03,
    0x6d, 0xb2, 0x17, 0xae, 0x5c, 0x80, 0xe5, 0x29, 0xda, 0x4b, 0x97, 0x01, 0xf3, 0x68, 0x3d, 0xc6,
];

pub(crate) fn providers() -> [Provider; 2] {
    [Provider::portable(), Provider::default()]
}

pub(crate) fn uses_psk(pattern: Pattern) -> bool {
    matches!(pattern, Pattern::XxPsk0 | Pattern::XkPsk0)
}

pub(crate) fn pins(pattern: Pattern) -> bool {
    matches!(pattern, Pattern::Xk | Pattern::XkPsk0)
}

pub(crate) fn raws_key() -> PublicKey {
    PublicKey::from_bytes(public_key(RAWS))
}

/// Accepts the raw peer and nobody else.
pub(crate) fn config(pattern: Pattern, suite: Suite, provider: Provider) -> Config {
    let suite = duologue::Suite::from_id(suite.id()).unwrap();
    let config = Config::new(SecretKey::from_bytes(&mut OURS.clone()))
        .peers(PeerPolicy::pinned([raws_key()]))
        .suites([suite])
        .provider(provider);
    if uses_psk(pattern) {
        config.psk(Psk::from_bytes(&mut SHARED.clone()))
    } else {
        config
    }
}

pub(crate) fn options(pattern: Pattern, suite: Suite) -> Options {
    let mut options = Options::new(suite, pattern, RAWS);
    options.remote = Some(public_key(OURS));
    options.psk = Some(SHARED);
    options
}

/// What the other end of a transport does.
pub(crate) trait Script: Send + Unpin + 'static {
    /// The next bytes for us, knowing what came from us; `None` is the end of the stream.
    fn next(&mut self, came: &mut Vec<u8>) -> Option<Vec<u8>>;

    /// Whether it takes what we write.
    fn reads(&self) -> bool {
        true
    }
}

/// A transport with a script at its other end.
#[derive(Debug)]
pub(crate) struct Scripted<S>(Option<Box<Far<S>>>);

/// The other end, in memory that no meter counts.
#[derive(Debug)]
struct Far<S> {
    script: S,
    came: Vec<u8>,
    next: Vec<u8>,
    at: usize,
    /// The most that one read gives.
    chunk: usize,
}

impl<S: Script> Scripted<S> {
    pub(crate) fn new(script: S, chunk: usize) -> Self {
        let far = Far {
            script,
            came: Vec::new(),
            next: Vec::new(),
            at: 0,
            chunk,
        };
        Self(Some(Box::new(far)))
    }

    fn far(&mut self) -> &mut Far<S> {
        self.0.as_mut().expect("there until it is dropped")
    }
}

impl<S: Script> AsyncRead for Scripted<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut().far();
        unmetered(|| {
            while this.at == this.next.len() {
                let Some(next) = this.script.next(&mut this.came) else {
                    return;
                };
                (this.next, this.at) = (next, 0);
            }
            let size = (this.next.len() - this.at)
                .min(this.chunk)
                .min(buffer.remaining());
            buffer.put_slice(&this.next[this.at..this.at + size]);
            this.at += size;
        });
        Poll::Ready(Ok(()))
    }
}

impl<S: Script> AsyncWrite for Scripted<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut().far();
        if !this.script.reads() {
            return Poll::Pending;
        }
        unmetered(|| this.came.extend_from_slice(bytes));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<S> Drop for Scripted<S> {
    fn drop(&mut self) {
        unmetered(|| drop(self.0.take()));
    }
}

/// An honest raw initiator up to its record 0: what it sends turn by turn.
#[derive(Debug)]
pub(crate) struct Initiator {
    pub(crate) handshake: Option<RawHandshake>,
    pub(crate) session: Option<RawSession>,
    turn: usize,
}

impl Initiator {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            handshake: Some(RawHandshake::initiator(options)),
            session: None,
            turn: 0,
        }
    }

    /// Message 1, message 3, record 0; then nothing.
    pub(crate) fn next(&mut self, came: &mut Vec<u8>) -> Option<Vec<u8>> {
        self.turn += 1;
        match self.turn {
            1 => Some(with_length(&self.handshake.as_mut()?.write_body().ok()?)),
            2 => {
                let mut raw = self.handshake.take()?;
                raw.read_body(&take_body(came)?).ok()?;
                let proof = with_length(&raw.write_body().ok()?);
                self.session = Some(raw.into_session().unwrap());
                Some(proof)
            }
            3 => {
                let session = self.session.as_mut()?;
                let params = RawParams::default().encode(&session.hash);
                Some(session.seal_frames(&[RawFrame::Params(params)]))
            }
            _ => None,
        }
    }
}
