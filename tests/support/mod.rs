//! What the tests of sessions share.
#![allow(dead_code, reason = "each test binary uses the part that it needs")]

use duologue::{Config, PeerPolicy, SecretKey, Session, accept, connect};
use tokio::io::{AsyncRead, AsyncWrite, duplex};

/// Configurations of two processes that accept each other.
pub(crate) fn configs() -> (Config, Config) {
    let (alice, bob) = (
        SecretKey::generate().unwrap(),
        SecretKey::generate().unwrap(),
    );
    let (a, b) = (alice.public_key(), bob.public_key());
    (
        Config::new(alice).peers(PeerPolicy::pinned([b])),
        Config::new(bob).peers(PeerPolicy::pinned([a])),
    )
}

pub(crate) async fn pair_over<A, B>(
    near: A,
    far: B,
    alice: &Config,
    bob: &Config,
) -> (Session, Session)
where
    A: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (one, other) = tokio::join!(connect(near, None, alice), accept(far, bob));
    (one.unwrap(), other.unwrap())
}

/// Two sessions that talk through a pipe of so many bytes.
pub(crate) async fn pair_with(pipe: usize, alice: &Config, bob: &Config) -> (Session, Session) {
    let (near, far) = duplex(pipe);
    pair_over(near, far, alice, bob).await
}

pub(crate) async fn pair() -> (Session, Session) {
    let (alice, bob) = configs();
    pair_with(64 * 1024, &alice, &bob).await
}

/// Bytes that differ from message to message.
pub(crate) fn pattern(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ seed).collect()
}
