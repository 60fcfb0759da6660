//! Dials an address: finds it, connects, and opens a session.

use core::{fmt, net::SocketAddr, time::Duration};
use std::{io, path::Path};

use thiserror::Error;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};

use super::{
    address::{Address, AddressError, Place},
    unix,
};
use crate::{
    Config, ConfigError, HandshakeError, PublicKey,
    session::{self, Session},
};

/// Why no session could be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DialError {
    /// The text is not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The host's name could not be resolved.
    #[error("{address}: the name cannot be resolved: {error}")]
    #[non_exhaustive]
    NotResolved {
        /// What was dialled.
        address: Address,
        /// What the resolver said.
        error: io::Error,
    },
    /// None of the places that the address stands for could be connected to.
    #[error("{address}: {}", listed(.attempts))]
    #[non_exhaustive]
    NotReached {
        /// What was dialled.
        address: Address,
        /// What was tried, in turn; empty if the name stands for no place.
        attempts: Vec<Attempt>,
    },
    /// The connection stands, and the handshake failed.
    #[error("{address}: {error}")]
    #[non_exhaustive]
    Handshake {
        /// What was dialled.
        address: Address,
        /// Why.
        error: HandshakeError,
    },
}

/// One place that could not be connected to, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// What the host's name was resolved to; `None` for a Unix socket.
    pub target: Option<SocketAddr>,
    /// Why not.
    pub error: io::Error,
}

/// Dials an address, and opens a session with the process that holds this key, and no other.
///
/// A name is resolved, and all that it stands for is tried in turn until one takes the connection; that
/// may take as long as the handshake's deadline, and the handshake has its own. A handshake that fails is
/// final, and is not tried elsewhere.
///
/// # Errors
///
/// An unusable address or configuration, each place that could not be reached, or why the handshake failed.
/// The text names the address.
///
/// # Cancel safety
///
/// Dropped before it is done, it closes the connection; the other side sees a handshake that failed.
///
/// # Examples
///
/// ```no_run
/// use duologue::{Config, dial};
///
/// # async fn alice(alice_secret: duologue::SecretKey, bob_public: duologue::PublicKey)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::new(alice_secret).protocol("greeting/1");
/// let session = dial("unix:bob.sock", &bob_public, &config).await?;
/// # drop(session);
/// # Ok(())
/// # }
/// ```
pub async fn dial(
    address: impl AsRef<str>,
    remote: &PublicKey,
    config: &Config,
) -> Result<Session, DialError> {
    open(address.as_ref(), Some(remote), config).await
}

/// Dials an address, and lets the configuration's policy judge whoever answers.
///
/// For several processes that may answer there: [`Config::peers`] must accept their keys. Otherwise as [`dial`].
///
/// # Errors
///
/// As [`dial`].
///
/// # Cancel safety
///
/// As [`dial`].
pub async fn dial_unpinned(
    address: impl AsRef<str>,
    config: &Config,
) -> Result<Session, DialError> {
    open(address.as_ref(), None, config).await
}

async fn open(
    address: &str,
    remote: Option<&PublicKey>,
    config: &Config,
) -> Result<Session, DialError> {
    let address: Address = address.parse()?;
    config.check()?;
    // One way of connecting, one hello: a failed handshake is never tried again (threat: 27).
    let session = match address.place() {
        Place::Tcp { host, port } => {
            let io = tcp(&address, (host, *port), config.limits().handshake).await?;
            session::connect(io, remote, config).await
        }
        Place::Unix(path) => {
            let io = unix(&address, path, config.limits().handshake).await?;
            session::connect(io, remote, config).await
        }
    };
    session.map_err(|error| DialError::Handshake { address, error })
}

async fn tcp(
    address: &Address,
    place: (&str, u16),
    limit: Duration,
) -> Result<TcpStream, DialError> {
    let began = Instant::now();
    let targets: Vec<SocketAddr> = match in_time(limit, lookup_host(place)).await {
        Ok(targets) => targets.collect(),
        Err(error) => {
            let address = address.clone();
            return Err(DialError::NotResolved { address, error });
        }
    };
    let mut attempts = Vec::new();
    let mut left = u32::try_from(targets.len()).unwrap_or(u32::MAX);
    for target in targets {
        // What is left is shared out, so that a place that stays silent leaves time for the next.
        let rest = limit.saturating_sub(began.elapsed());
        let share = rest.checked_div(left).unwrap_or(rest);
        left = left.saturating_sub(1);
        match in_time(share, tcp_stream(target)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => attempts.push(Attempt {
                target: Some(target),
                error,
            }),
        }
    }
    let address = address.clone();
    Err(DialError::NotReached { address, attempts })
}

async fn tcp_stream(target: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    // We gather what belongs together ourselves; the system must not wait for more.
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn unix(address: &Address, path: &Path, limit: Duration) -> Result<unix::Stream, DialError> {
    let stream = in_time(limit, unix::connect(path)).await;
    stream.map_err(|error| DialError::NotReached {
        address: address.clone(),
        attempts: vec![Attempt {
            target: None,
            error,
        }],
    })
}

async fn in_time<T>(
    limit: Duration,
    attempt: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let done = timeout(limit, attempt).await;
    done.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error.kind() {
            io::ErrorKind::ConnectionRefused => f.write_str("nothing listens there")?,
            io::ErrorKind::NotFound => f.write_str("nothing listens there: no such file")?,
            io::ErrorKind::TimedOut => f.write_str("no answer in time")?,
            _ => write!(f, "{}", self.error)?,
        }
        match self.target {
            Some(target) => write!(f, " ({target})"),
            None => Ok(()),
        }
    }
}

fn listed(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return "the name stands for no place".to_owned();
    }
    let attempts: Vec<String> = attempts.iter().map(ToString::to_string).collect();
    attempts.join(", ")
}
