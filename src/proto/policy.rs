//! Who may talk to us: asked for by the handshake, answered outside of it.

use core::{fmt, future::Future, net::SocketAddr, pin::Pin};
use std::{collections::HashSet, sync::Arc};

use crate::noise::PublicKey;

/// Where a peer comes from, as far as the transport tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Origin {
    /// A transport that tells nothing.
    #[default]
    Unknown,
    /// A TCP connection from this address.
    Tcp(SocketAddr),
    /// A Unix socket; the operating system vouches for the user and the group.
    #[non_exhaustive]
    Unix {
        /// User id of the process that connected.
        uid: u32,
        /// Its group id.
        gid: u32,
        /// Its process id when it connected: a hint only, as numbers are given out again.
        pid_hint: Option<i32>,
    },
}

impl Origin {
    /// A Unix socket's peer.
    #[must_use]
    pub const fn unix(uid: u32, gid: u32, pid_hint: Option<i32>) -> Self {
        Self::Unix { uid, gid, pid_hint }
    }
}

/// A peer that has proven its key and waits for our verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// The proven static key.
    pub key: PublicKey,
    /// Where it comes from.
    pub origin: Origin,
}

impl Candidate {
    pub(crate) const fn new(key: PublicKey, origin: Origin) -> Self {
        Self { key, origin }
    }
}

type Ask = dyn Fn(Candidate) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync;

/// Which peers we accept.
///
/// The default accepts nobody. An initiator that names its peer's key when it connects needs no policy.
///
/// ```
/// use duologue::{PeerPolicy, SecretKey};
///
/// # fn main() -> Result<(), duologue::RandomError> {
/// let alice = SecretKey::generate()?.public_key();
/// let one = PeerPolicy::pinned([alice]);
/// let asked = PeerPolicy::check(move |candidate| async move { candidate.key == alice });
/// # let _ = (one, asked);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct PeerPolicy(Rule);

#[derive(Clone, Default)]
enum Rule {
    #[default]
    Nobody,
    Keys(Arc<HashSet<PublicKey>>),
    Ask(Arc<Ask>),
    Anyone,
}

/// What a policy says of a candidate.
#[non_exhaustive]
pub enum Judgement {
    /// Known at once.
    Known(bool),
    /// Known when this future is done.
    Asked(Pin<Box<dyn Future<Output = bool> + Send>>),
}

impl PeerPolicy {
    /// Accepts exactly these keys: one, several, or a set.
    #[must_use]
    pub fn pinned(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self(Rule::Keys(Arc::new(keys.into_iter().collect())))
    }

    /// Asks a closure; it runs once a key is proven, under the deadline of the handshake.
    #[must_use]
    pub fn check<F, V>(ask: F) -> Self
    where
        F: Fn(Candidate) -> V + Send + Sync + 'static,
        V: Future<Output = bool> + Send + 'static,
    {
        Self(Rule::Ask(Arc::new(move |candidate| {
            Box::pin(ask(candidate))
        })))
    }

    /// Accepts whoever holds any key: the session is private, but with a stranger.
    #[must_use]
    pub const fn dangerous_any() -> Self {
        Self(Rule::Anyone)
    }

    /// Judges a candidate.
    #[must_use]
    pub fn judge(&self, candidate: &Candidate) -> Judgement {
        match &self.0 {
            Rule::Nobody => Judgement::Known(false),
            Rule::Keys(keys) => Judgement::Known(keys.contains(&candidate.key)),
            Rule::Ask(ask) => Judgement::Asked(ask(candidate.clone())),
            Rule::Anyone => Judgement::Known(true),
        }
    }
}

impl fmt::Debug for PeerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Nobody => f.write_str("PeerPolicy::Nobody"),
            Rule::Keys(keys) => write!(f, "PeerPolicy::Pinned({})", keys.len()),
            Rule::Ask(_ask) => f.write_str("PeerPolicy::Check"),
            Rule::Anyone => f.write_str("PeerPolicy::DangerousAny"),
        }
    }
}

impl fmt::Debug for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(accepted) => write!(f, "Judgement::Known({accepted})"),
            Self::Asked(_future) => f.write_str("Judgement::Asked"),
        }
    }
}
