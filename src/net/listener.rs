//! Takes connections, hands their handshakes to tasks of its own, and gives out sessions.

use core::{fmt, net::SocketAddr};
use std::{collections::HashMap, io, net::TcpListener as StdListener};

use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{Id, JoinError, JoinSet},
    time::Instant,
};

use super::{
    address::{Address, Place},
    admission::{Admission, Excess, Gate, Source},
    listen_error::{AcceptError, BindError, Obstacle},
    pause::Pause,
    unix,
};
use crate::{
    Config, HandshakeError, Origin,
    session::{self, Session},
};

/// Listens at an address, and gives out established sessions.
///
/// Each connection's handshake runs in a task of its own, so that a slow or hostile peer delays nobody.
/// The tasks belong to the listener and end with it; sessions given out do not. Connections are taken while
/// [`accept`](Self::accept) or [`arrival`](Self::arrival) is awaited; handshakes go on between two calls.
///
/// What strangers may cost is bounded by [`Admission`]; what is beyond is closed before a byte is read.
///
/// ```text
///   connection --> admission --> handshake (a task, with its deadline) --> session
///                      |                       |
///                      +-----------------------+--> counted; arrival() tells, accept() passes over
/// ```
///
/// # Examples
///
/// ```no_run
/// use duologue::{Config, Listener, PeerPolicy, SecretKey};
///
/// # async fn bob(alice: duologue::PublicKey) -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::new(SecretKey::generate()?).peers(PeerPolicy::pinned([alice]));
/// let mut listener = Listener::bind("tcp:127.0.0.1:7000", config).await?;
/// loop {
///     let session = listener.accept().await?;
///     tokio::spawn(async move { drop(session) }); // talk, and close
/// }
/// # }
/// ```
pub struct Listener {
    socket: Socket,
    address: Address,
    config: Config,
    gate: Gate,
    handshakes: JoinSet<Result<Session, HandshakeError>>,
    origins: HashMap<Id, Origin>,
    pause: Pause,
    counts: Counts,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(unix::Socket),
}

enum Stream {
    Tcp(TcpStream, SocketAddr),
    Unix(unix::Stream),
}

/// What came of one connection.
#[derive(Debug)]
#[non_exhaustive]
pub struct Arrival {
    /// Where it came from, as far as it is known.
    pub origin: Origin,
    /// The session, or why there is none.
    pub session: Result<Session, Refused>,
}

/// Why a connection did not become a session.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The handshake failed.
    #[error(transparent)]
    Handshake(HandshakeError),
    /// It was closed at once, unread.
    #[error(transparent)]
    Excess(Excess),
    /// The operating system could not give us the connection, for example as descriptors are used up.
    ///
    /// The listener tries again, at once or after a pause of at most a second.
    #[error("the connection could not be taken: {0}")]
    NotTaken(io::Error),
}

/// What a listener has seen since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Handshakes under way now, and sessions that wait to be given out.
    pub pending: usize,
    /// Sessions given out.
    pub established: u64,
    /// Handshakes that failed.
    pub failed: u64,
    /// Connections closed at once, as they were beyond a budget.
    pub turned_away: u64,
    /// Times that the operating system could not give us a connection.
    pub not_taken: u64,
}

impl Listener {
    /// Listens at an address: `tcp:HOST:PORT` or `unix:PATH`.
    ///
    /// A Unix socket is made so that only our own user can connect (mode 600; change it to let others
    /// in), and its file is removed when the listener is dropped. What already is at the path is replaced only
    /// if it is a socket of our own user, in a directory that nobody else can write, on which connecting is refused:
    /// what a process that was killed has left behind. Two processes that begin at one path at the same moment are
    /// told apart as far as a file system allows; give each its own path.
    ///
    /// # Errors
    ///
    /// An unusable address or configuration, or what is in the way; the text names the address.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it leaves nothing behind.
    pub async fn bind(address: impl AsRef<str>, config: Config) -> Result<Self, BindError> {
        let address: Address = address.as_ref().parse()?;
        config.check()?;
        match bound(&address).await {
            Ok((socket, address)) => Ok(Self::new(socket, address, config)),
            Err(obstacle) => Err(BindError::Place { address, obstacle }),
        }
    }

    /// Takes over a TCP socket that listens already, from socket activation for example.
    ///
    /// # Errors
    ///
    /// The configuration or the socket cannot be used.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime with I/O.
    pub fn from_tcp(socket: StdListener, config: Config) -> Result<Self, BindError> {
        config.check()?;
        let (socket, address) = handed_over(socket).map_err(BindError::HandedOver)?;
        Ok(Self::new(Socket::Tcp(socket), address, config))
    }

    /// Takes over a Unix socket that listens already. Its file stays when the listener is dropped.
    ///
    /// # Errors
    ///
    /// The configuration or the socket cannot be used.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime with I/O.
    #[cfg(unix)]
    pub fn from_unix(
        socket: std::os::unix::net::UnixListener,
        config: Config,
    ) -> Result<Self, BindError> {
        config.check()?;
        let (socket, path) = unix::Socket::handed_over(socket).map_err(BindError::HandedOver)?;
        Ok(Self::new(
            Socket::Unix(socket),
            Address::unix(&path),
            config,
        ))
    }

    fn new(socket: Socket, address: Address, config: Config) -> Self {
        Self {
            socket,
            address,
            config,
            gate: Gate::new(Admission::default()),
            handshakes: JoinSet::new(),
            origins: HashMap::new(),
            pause: Pause::default(),
            counts: Counts::default(),
        }
    }

    /// Sets what strangers may cost, in place of the defaults.
    #[must_use]
    pub fn admission(mut self, limits: Admission) -> Self {
        self.gate.set_limits(limits);
        self
    }

    /// Where it listens: with the port that was chosen, if port 0 was asked for.
    #[must_use]
    pub fn local_address(&self) -> &Address {
        &self.address
    }

    /// What it has seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            pending: self.gate.pending(),
            ..self.counts
        }
    }

    /// Waits for the next session: authenticated, accepted, its protocol agreed.
    ///
    /// Connections that come to nothing are counted and passed over; [`arrival`](Self::arrival) tells of them.
    ///
    /// # Errors
    ///
    /// Only what is final for the listening socket. Used-up descriptors and the like are waited out.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it loses nothing: handshakes go on, and the next call gives out their sessions.
    pub async fn accept(&mut self) -> Result<Session, AcceptError> {
        loop {
            if let Ok(session) = self.arrival().await?.session {
                return Ok(session);
            }
        }
    }

    /// Waits for what comes of the next connection: a session, or why there is none.
    ///
    /// # Errors
    ///
    /// Only what is final for the listening socket. Used-up descriptors and the like are told of as
    /// [`Refused::NotTaken`], and waited out.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it loses nothing: handshakes go on, and the next call tells of them.
    pub async fn arrival(&mut self) -> Result<Arrival, AcceptError> {
        loop {
            let pause = self.pause.until();
            // Each branch that is dropped unfinished has lost nothing, and none awaits after it is chosen.
            tokio::select! {
                biased;
                Some(done) = self.handshakes.join_next_with_id() => return Ok(self.finished(done)),
                () = Pause::wait(pause), if pause.is_some() => self.pause.over(),
                taken = self.socket.accept(), if pause.is_none() => {
                    if let Some(arrival) = self.took(taken)? {
                        return Ok(arrival);
                    }
                }
            }
        }
    }

    /// What is told at once of a connection just taken.
    fn took(&mut self, taken: io::Result<Stream>) -> Result<Option<Arrival>, AcceptError> {
        match taken {
            Ok(stream) => {
                self.pause.succeeded();
                Ok(self.admit(stream))
            }
            // The socket was shut down, or never listened: no later call can succeed.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let address = self.address.clone();
                Err(AcceptError::NotListening { address, error })
            }
            Err(error) => {
                if !concerns_one_connection(error.kind()) {
                    self.pause.begin(Instant::now());
                }
                Ok(Some(self.not_taken(Origin::Unknown, error)))
            }
        }
    }

    /// Begins a handshake, or says who arrived in vain.
    fn admit(&mut self, stream: Stream) -> Option<Arrival> {
        let origin = match stream.prepare() {
            Ok(origin) => origin,
            Err(error) => return Some(self.not_taken(stream.address(), error)),
        };
        let now = Instant::now().into_std();
        // spec: L-8
        if let Err(excess) = self.gate.admit(Source::of(origin), now) {
            self.counts.turned_away = self.counts.turned_away.saturating_add(1);
            session::events::turned_away(origin, &excess);
            return Some(Arrival::refused(origin, Refused::Excess(excess)));
        }
        let config = self.config.clone();
        let task = match stream {
            Stream::Tcp(io, _) => self
                .handshakes
                .spawn(async move { session::accept_from(io, &config, origin).await }),
            Stream::Unix(io) => self
                .handshakes
                .spawn(async move { session::accept_from(io, &config, origin).await }),
        };
        self.origins.insert(task.id(), origin);
        None
    }

    fn finished(&mut self, done: Result<(Id, Established), JoinError>) -> Arrival {
        let (id, session) = match done {
            Ok(done) => done,
            // A policy of the application panicked: that costs this connection, and no other.
            Err(error) => (error.id(), Err(HandshakeError::Internal)),
        };
        let origin = self.origins.remove(&id).unwrap_or_default();
        self.gate.release(Source::of(origin));
        match session {
            Ok(session) => {
                self.counts.established = self.counts.established.saturating_add(1);
                Arrival {
                    origin,
                    session: Ok(session),
                }
            }
            Err(error) => {
                self.counts.failed = self.counts.failed.saturating_add(1);
                Arrival::refused(origin, Refused::Handshake(error))
            }
        }
    }

    fn not_taken(&mut self, origin: Origin, error: io::Error) -> Arrival {
        self.counts.not_taken = self.counts.not_taken.saturating_add(1);
        Arrival::refused(origin, Refused::NotTaken(error))
    }
}

type Established = Result<Session, HandshakeError>;

impl Arrival {
    fn refused(origin: Origin, why: Refused) -> Self {
        Self {
            origin,
            session: Err(why),
        }
    }
}

impl Socket {
    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                Ok(Stream::Tcp(stream, address))
            }
            Self::Unix(socket) => Ok(Stream::Unix(socket.accept().await?)),
        }
    }
}

impl Stream {
    /// Makes the connection ready, and finds out who is behind it.
    fn prepare(&self) -> io::Result<Origin> {
        match self {
            Self::Tcp(stream, _) => {
                // We gather what belongs together ourselves; the system must not wait for more.
                stream.set_nodelay(true)?;
                Ok(self.address())
            }
            Self::Unix(stream) => unix::origin(stream),
        }
    }

    fn address(&self) -> Origin {
        match self {
            // An IPv4 peer of an IPv6 socket is shown as what it is.
            Self::Tcp(_, address) => {
                Origin::Tcp(SocketAddr::new(address.ip().to_canonical(), address.port()))
            }
            Self::Unix(_) => Origin::Unknown,
        }
    }
}

async fn bound(address: &Address) -> Result<(Socket, Address), Obstacle> {
    match address.place() {
        Place::Tcp { host, port } => {
            let socket = TcpListener::bind((host.as_str(), *port)).await?;
            let address = Address::tcp(socket.local_addr()?);
            Ok((Socket::Tcp(socket), address))
        }
        Place::Unix(path) => Ok((Socket::Unix(unix::Socket::bind(path)?), address.clone())),
    }
}

fn handed_over(socket: StdListener) -> io::Result<(TcpListener, Address)> {
    socket.set_nonblocking(true)?;
    let address = Address::tcp(socket.local_addr()?);
    Ok((TcpListener::from_std(socket)?, address))
}

/// Errors that take a connection off the queue: the next one may be taken at once.
fn concerns_one_connection(error: io::ErrorKind) -> bool {
    matches!(
        error,
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("address", &self.address)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
