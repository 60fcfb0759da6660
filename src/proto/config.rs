//! What a process brings to its sessions, with defaults that are safe.

use core::{fmt, time::Duration};
use std::sync::Arc;

use thiserror::Error;

use super::policy::PeerPolicy;
use crate::{
    noise::{Pattern, Provider, Psk, SecretKey, Suite},
    wire::{self, Offer, Params},
};

/// How a process takes part in sessions: its key, whom it accepts, what it speaks, its limits.
///
/// Cloning is cheap. Values are checked when a session or a listener starts from them ([`Config::check`]).
///
/// ```
/// use duologue::{Config, PeerPolicy, SecretKey};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let alice = SecretKey::generate()?.public_key();
/// let config = Config::new(SecretKey::generate()?)
///     .protocol("greeting/1")
///     .peers(PeerPolicy::pinned([alice]));
/// config.check()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Config(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    identity: Identity,
    speech: Speech,
    limits: Limits,
    peers: PeerPolicy,
    taking: Taking,
}

#[derive(Clone)]
struct Identity {
    secret: Arc<SecretKey>,
    psk: Option<Arc<Psk>>,
    allow_own_key: bool,
}

#[derive(Clone)]
struct Speech {
    suites: Vec<Suite>,
    hybrid_only: bool,
    provider: Provider,
    protocols: Vec<String>,
    context: Vec<u8>,
}

impl Speech {
    fn drop_classical(&mut self) {
        if self.hybrid_only {
            self.suites.retain(|suite| suite.is_hybrid());
        }
    }
}

/// When a message counts as taken by the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Taking {
    #[default]
    HandedOut,
    Acknowledged,
}

/// Times and sizes that a session obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) max_message: u64,
    pub(crate) idle: Option<Duration>,
    pub(crate) handshake: Duration,
    pub(crate) end: Duration,
    pub(crate) write_stall: Duration,
    pub(crate) age: Option<Duration>,
    pub(crate) drain_before: Duration,
    pub(crate) rekey: Rekey,
}

/// When a sending key is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rekey {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) age: Duration,
}

impl Limits {
    const DEFAULT: Self = Self {
        max_message: wire::MAX_MESSAGE,
        idle: Some(wire::IDLE_TIMEOUT),
        handshake: wire::HANDSHAKE_DEADLINE,
        end: wire::END_DEADLINE,
        write_stall: wire::WRITE_STALL,
        age: None,
        drain_before: wire::DRAIN_BEFORE,
        rekey: Rekey {
            records: wire::REKEY_RECORDS,
            bytes: wire::REKEY_BYTES,
            age: wire::REKEY_AGE,
        },
    };
}

/// A [`Config`] that no session can start from.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The list of suites is empty, or nothing is left of it by `require_hybrid`.
    #[error("no suite is left to offer or take")]
    NoSuite,
    /// More than 16 application protocols.
    #[error("{count} application protocols exceed the limit of 16")]
    TooManyProtocols {
        /// How many were given.
        count: usize,
    },
    /// An application protocol's name is empty or longer than 64 bytes.
    #[error("application protocol name of {length} bytes, not 1 to 64: {name:?}")]
    ProtocolName {
        /// The name.
        name: String,
        /// Its length in bytes.
        length: usize,
    },
    /// The context is longer than 65,535 bytes.
    #[error("context of {length} bytes exceeds the limit of 65535")]
    ContextTooLong {
        /// Its length.
        length: usize,
    },
    /// `max_message` is not in 1..=2^62.
    #[error("max_message of {0} bytes is not in 1..=2^62")]
    MaxMessage(u64),
    /// The idle timeout is not in one second ..= 2^32 milliseconds.
    #[error("idle timeout of {0:?} is not between one second and 2^32 milliseconds")]
    IdleTimeout(Duration),
    /// A rekeying limit is zero or above the protocol's.
    #[error(
        "rekeying after {records} records or {bytes} bytes is not in 1..=2^20 records and 1..=64 GiB"
    )]
    Rekey {
        /// The records asked for.
        records: u64,
        /// The bytes asked for.
        bytes: u64,
    },
}

impl Config {
    /// A configuration with this key, which accepts nobody yet and otherwise uses the defaults.
    #[must_use]
    pub fn new(secret: SecretKey) -> Self {
        let first = Suite::preferred();
        let mut suites = vec![first];
        suites.extend(Suite::ALL.into_iter().rev().filter(|suite| *suite != first));
        Self(Arc::new(Inner {
            identity: Identity {
                secret: Arc::new(secret),
                psk: None,
                allow_own_key: false,
            },
            speech: Speech {
                suites,
                hybrid_only: false,
                provider: Provider::default(),
                protocols: Vec::new(),
                context: Vec::new(),
            },
            limits: Limits::DEFAULT,
            peers: PeerPolicy::default(),
            taking: Taking::default(),
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Whom we accept. An initiator that pins its peer's key needs none.
    #[must_use]
    pub fn peers(self, peers: PeerPolicy) -> Self {
        self.with(|inner| inner.peers = peers)
    }

    /// Adds an application protocol, in order of preference: at most 16, of 1 to 64 bytes each.
    ///
    /// Both sides must agree on one, or both name none.
    #[must_use]
    pub fn protocol(self, name: impl Into<String>) -> Self {
        self.with(|inner| inner.speech.protocols.push(name.into()))
    }

    /// A pre-shared key that every peer must hold too; strangers do not even get an answer.
    #[must_use]
    pub fn psk(self, psk: Psk) -> Self {
        self.with(|inner| inner.identity.psk = Some(Arc::new(psk)))
    }

    /// Bytes that both sides must have configured alike, bound into the handshake; at most 65,535.
    #[must_use]
    pub fn context(self, context: impl Into<Vec<u8>>) -> Self {
        self.with(|inner| inner.speech.context = context.into())
    }

    /// The suites to use: an initiator offers the first, a responder takes any of them.
    ///
    /// The default is all four; the first is hybrid, with AES-GCM where the processor has AES.
    #[must_use]
    pub fn suites(self, suites: impl IntoIterator<Item = Suite>) -> Self {
        self.with(|inner| {
            let speech = &mut inner.speech;
            speech.suites = suites.into_iter().collect();
            speech.drop_classical();
        })
    }

    /// Drops every suite that is not hybrid: no session without post-quantum confidentiality.
    ///
    /// It also holds for suites that are given later. Where none is left, no session starts
    /// ([`ConfigError::NoSuite`]).
    ///
    /// ```
    /// use duologue::{Config, ConfigError, SecretKey, Suite};
    ///
    /// # fn main() -> Result<(), duologue::RandomError> {
    /// let config = Config::new(SecretKey::generate()?).require_hybrid();
    /// assert_eq!(config.check(), Ok(()));
    /// let config = config.suites([Suite::ChaChaPoly, Suite::AesGcm]);
    /// assert_eq!(config.check(), Err(ConfigError::NoSuite));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn require_hybrid(self) -> Self {
        self.with(|inner| {
            inner.speech.hybrid_only = true;
            inner.speech.drop_classical();
        })
    }

    /// Which implementation of the primitives to use. The wire is the same with each.
    #[must_use]
    pub fn provider(self, provider: Provider) -> Self {
        self.with(|inner| inner.speech.provider = provider)
    }

    /// Accepts a peer with our own key, which is otherwise refused as a reflection.
    #[must_use]
    pub fn allow_own_key(self) -> Self {
        self.with(|inner| inner.identity.allow_own_key = true)
    }

    /// The largest message that we receive, in bytes (default 16 MiB).
    #[must_use]
    pub fn max_message(self, bytes: u64) -> Self {
        self.with(|inner| inner.limits.max_message = bytes)
    }

    /// Ends a session that is silent for so long (default 60 s); `None`: never. The smaller of both sides counts.
    #[must_use]
    pub fn idle_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|inner| inner.limits.idle = timeout.into())
    }

    /// The time for the whole handshake, acceptance included (default 10 s).
    #[must_use]
    pub fn handshake_deadline(self, deadline: Duration) -> Self {
        self.with(|inner| inner.limits.handshake = deadline)
    }

    /// The time for the close handshake, from the call of `close` (default 10 s).
    #[must_use]
    pub fn end_deadline(self, deadline: Duration) -> Self {
        self.with(|inner| inner.limits.end = deadline)
    }

    /// The time that a write to the transport may go without progress (default 30 s).
    #[must_use]
    pub fn write_stall_limit(self, limit: Duration) -> Self {
        self.with(|inner| inner.limits.write_stall = limit)
    }

    /// The greatest age of a session (default none): it is drained before, and then ended.
    #[must_use]
    pub fn max_age(self, age: impl Into<Option<Duration>>) -> Self {
        self.with(|inner| inner.limits.age = age.into())
    }

    /// How long before its greatest age a session is drained (default 30 s).
    #[must_use]
    pub fn drain_before(self, time: Duration) -> Self {
        self.with(|inner| inner.limits.drain_before = time)
    }

    /// Replaces our sending key after so many records or bytes of plaintext, or at this age
    /// (defaults and upper limits: 2^20 records, 64 GiB; default age one hour).
    ///
    /// A new key costs the peer something, and messages pay for it (`spec: L-1`): with limits so small that keys
    /// change faster than messages are sent, a key serves longer, but never beyond the upper limits.
    #[must_use]
    pub fn rekey_after(self, records: u64, bytes: u64, age: Duration) -> Self {
        self.with(|inner| {
            inner.limits.rekey = Rekey {
                records,
                bytes,
                age,
            };
        })
    }

    /// Counts a message as taken only when the application acknowledges it, not when it is handed out.
    #[must_use]
    pub fn acknowledge_explicitly(self) -> Self {
        self.with(|inner| inner.taking = Taking::Acknowledged)
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// The first value that no session can start from.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Speech {
            suites,
            protocols,
            context,
            ..
        } = &self.0.speech;
        if suites.is_empty() {
            return Err(ConfigError::NoSuite);
        }
        if protocols.len() > wire::PROTOCOLS {
            return Err(ConfigError::TooManyProtocols {
                count: protocols.len(),
            });
        }
        let fits = |name: &&String| !(1..=wire::PROTOCOL_NAME).contains(&name.len());
        if let Some(name) = protocols.iter().find(fits) {
            return Err(ConfigError::ProtocolName {
                name: name.clone(),
                length: name.len(),
            });
        }
        if u16::try_from(context.len()).is_err() {
            return Err(ConfigError::ContextTooLong {
                length: context.len(),
            });
        }
        self.check_limits()
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        let limits = &self.0.limits;
        if !(1..=wire::MAX_MAX_MESSAGE).contains(&limits.max_message) {
            return Err(ConfigError::MaxMessage(limits.max_message));
        }
        if let Some(idle) = limits.idle
            && !(wire::IDLE_MIN_MS..=wire::IDLE_MAX_MS).contains(&milliseconds(idle))
        {
            return Err(ConfigError::IdleTimeout(idle));
        }
        let Rekey { records, bytes, .. } = limits.rekey;
        // spec: T-11
        if !(1..=wire::REKEY_RECORDS).contains(&records)
            || !(1..=wire::REKEY_BYTES).contains(&bytes)
        {
            return Err(ConfigError::Rekey { records, bytes });
        }
        Ok(())
    }

    pub(crate) fn policy(&self) -> &PeerPolicy {
        &self.0.peers
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(super) fn taking(&self) -> Taking {
        self.0.taking
    }

    pub(super) fn secret(&self) -> &SecretKey {
        &self.0.identity.secret
    }

    pub(super) fn shared_key(&self) -> Option<&Psk> {
        self.0.identity.psk.as_deref()
    }

    pub(super) fn allows_own_key(&self) -> bool {
        self.0.identity.allow_own_key
    }

    pub(super) fn accepted_suites(&self) -> &[Suite] {
        &self.0.speech.suites
    }

    pub(super) fn used_provider(&self) -> Provider {
        self.0.speech.provider
    }

    pub(super) fn protocols(&self) -> Option<&[String]> {
        Some(self.0.speech.protocols.as_slice()).filter(|list| !list.is_empty())
    }

    /// What goes into the prologue behind the hello.
    // spec: H-2
    pub(super) fn prologue(&self, hello: &[u8]) -> Vec<u8> {
        let context = &self.0.speech.context;
        let length = u16::try_from(context.len()).unwrap_or(u16::MAX);
        [b"duologue/1", hello, &length.to_be_bytes(), context].concat()
    }

    /// The patterns and suites that we take as a responder.
    pub(super) fn takes(&self) -> Vec<Offer> {
        let psk = self.shared_key().is_some();
        let patterns = Pattern::ALL
            .into_iter()
            .filter(|pattern| pattern.uses_psk() == psk);
        patterns
            .flat_map(|pattern| {
                let suites = self.accepted_suites().iter();
                suites.map(move |suite| Offer::new(suite.id(), pattern.id()))
            })
            .collect()
    }

    pub(super) fn params(&self, protocols: Option<Vec<String>>) -> Params {
        Params {
            protocols,
            max_message: self.0.limits.max_message,
            idle_ms: self.0.limits.idle.map_or(0, milliseconds),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("key", &self.secret().public_key())
            .field("psk", &self.shared_key().is_some())
            .field("suites", &self.0.speech.suites)
            .field("protocols", &self.0.speech.protocols)
            .field("peers", &self.0.peers)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
