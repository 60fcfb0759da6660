//! Transports: TCP and Unix sockets, each operation with a time of its own.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::str::FromStr;
use std::thread::sleep;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_micros(500);

/// Where to listen or dial: `tcp:HOST:PORT` or `unix:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP host and port.
    Tcp(String),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("tcp", rest)) if rest.contains(':') => Ok(Self::Tcp(rest.to_owned())),
            Some(("unix", rest)) if !rest.is_empty() => Ok(Self::Unix(rest.into())),
            _ => Err(format!(
                "address {text:?} is neither tcp:HOST:PORT nor unix:PATH"
            )),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(out, "tcp:{address}"),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

/// One connection. Never blocks longer than it was told.
#[derive(Debug)]
pub enum Link {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// So many bytes.
    Bytes(usize),
    /// Nothing within the time.
    Nothing,
    /// The end of the stream, in order.
    End,
    /// The transport failed.
    Reset,
}

impl Link {
    /// Dials.
    pub fn dial(address: &Address, within: Duration) -> io::Result<Self> {
        let link = match address {
            Address::Tcp(text) => {
                use std::net::ToSocketAddrs;
                let mut addresses = text.to_socket_addrs()?;
                let first = addresses.next().ok_or(io::ErrorKind::NotFound)?;
                let stream = TcpStream::connect_timeout(&first, within)?;
                stream.set_nodelay(true)?;
                Self::Tcp(stream)
            }
            #[cfg(unix)]
            Address::Unix(path) => Self::Unix(UnixStream::connect(path)?),
            #[cfg(not(unix))]
            Address::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        link.unblock()
    }

    fn unblock(self) -> io::Result<Self> {
        match &self {
            Self::Tcp(stream) => stream.set_nonblocking(true)?,
            #[cfg(unix)]
            Self::Unix(stream) => stream.set_nonblocking(true)?,
        }
        Ok(self)
    }

    /// Reads what is there now.
    pub fn read_now(&mut self, buffer: &mut [u8]) -> Got {
        let result = match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
        };
        match result {
            Ok(0) => Got::End,
            Ok(count) => Got::Bytes(count),
            Err(error) if is_pause(&error) => Got::Nothing,
            Err(_) => Got::Reset,
        }
    }

    /// Reads, waiting at most so long.
    pub fn read(&mut self, buffer: &mut [u8], until: Instant) -> Got {
        loop {
            match self.read_now(buffer) {
                Got::Nothing if Instant::now() < until => sleep(PAUSE),
                got => return got,
            }
        }
    }

    /// Writes what goes now; 0 when nothing does.
    pub fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0); // after a shutdown even writing nothing would be an error
        }
        let result = match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
        };
        match result {
            Err(error) if is_pause(&error) => Ok(0),
            other => other,
        }
    }

    /// Writes all, or says how many bytes went until the time was up.
    pub fn write(&mut self, bytes: &[u8], until: Instant) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match self.write_now(&bytes[written..])? {
                0 if Instant::now() >= until => break,
                0 => sleep(PAUSE),
                count => written += count,
            }
        }
        Ok(written)
    }

    /// Ends our direction of the transport; a transport that is gone already is fine.
    pub fn shutdown_write(&self) {
        let _gone = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }
}

fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | TimedOut)
}

/// A listening socket.
#[derive(Debug)]
pub enum Gate {
    /// On TCP.
    Tcp(TcpListener),
    /// On a Unix socket.
    #[cfg(unix)]
    Unix(UnixListener, PathBuf),
}

impl Gate {
    /// Binds.
    pub fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(text) => {
                let listener = TcpListener::bind(text)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(listener))
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let listener = UnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(listener, path.clone()))
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// A port of the system's choice on the loopback.
    pub fn loopback() -> io::Result<Self> {
        Self::bind(&Address::Tcp("127.0.0.1:0".into()))
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<Address> {
        Ok(match self {
            Self::Tcp(listener) => Address::Tcp(listener.local_addr()?.to_string()),
            #[cfg(unix)]
            Self::Unix(_, path) => Address::Unix(path.clone()),
        })
    }

    /// The next connection, if one comes in time.
    pub fn accept(&self, until: Instant) -> io::Result<Option<Link>> {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => listener.accept().and_then(|(stream, _)| {
                    stream.set_nodelay(true)?;
                    Ok(Link::Tcp(stream))
                }),
                #[cfg(unix)]
                Self::Unix(listener, _) => listener.accept().map(|(stream, _)| Link::Unix(stream)),
            };
            match accepted {
                Ok(link) => return link.unblock().map(Some),
                Err(error) if is_pause(&error) && Instant::now() < until => sleep(PAUSE),
                Err(error) if is_pause(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}
