//! Where to listen and whom to dial, as text.

use core::{fmt, net::SocketAddr, str::FromStr};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::unix;

/// A place to listen at or to dial: `tcp:HOST:PORT` or `unix:PATH`.
///
/// An IPv6 address stands in brackets, as in `tcp:[::1]:7000`. Port 0 of a listener is any free port;
/// [`Listener::local_address`](super::Listener::local_address) tells which. A relative path of a Unix
/// socket is taken from the current directory.
///
/// ```
/// use duologue::net::Address;
///
/// # fn main() -> Result<(), duologue::net::AddressError> {
/// let address: Address = "tcp:[::1]:7000".parse()?;
/// assert_eq!(address.to_string(), "tcp:[::1]:7000");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    place: Place,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// A text that is not an [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It begins with neither `tcp:` nor `unix:`.
    #[error("address {0:?} begins with neither tcp: nor unix:")]
    UnknownScheme(String),
    /// A TCP address without a port.
    #[error("address {0:?} has no port")]
    MissingPort(String),
    /// What stands in the port's place is not a number of 0 to 65,535.
    #[error("address {0:?} has a port that is not a number of 0 to 65535")]
    BadPort(String),
    /// A TCP address without a host.
    #[error("address {0:?} has no host")]
    MissingHost(String),
    /// A host with colons that is not in brackets, or with a bracket too few.
    #[error("address {0:?} has an IPv6 host that is not in brackets")]
    Brackets(String),
    /// A Unix address without a path.
    #[error("address {0:?} has an empty path")]
    EmptyPath(String),
    /// The path of a Unix socket has a zero byte in it.
    #[error("address {0:?} has a zero byte in its path")]
    ZeroByte(String),
    /// The path is longer than this platform's Unix sockets take.
    #[error("address {address:?} has a path of {length} bytes, too long for a Unix socket")]
    #[non_exhaustive]
    PathTooLong {
        /// The address.
        address: String,
        /// The length of its path in bytes.
        length: usize,
    },
    /// This platform has no Unix sockets.
    #[error("address {0:?} names a Unix socket, which this platform does not have")]
    UnixUnavailable(String),
}

impl Address {
    /// The name of a socket that has it from elsewhere.
    pub(super) fn tcp(address: SocketAddr) -> Self {
        Self::new(Place::Tcp {
            host: address.ip().to_string(),
            port: address.port(),
        })
    }

    #[cfg(unix)]
    pub(super) fn unix(path: &Path) -> Self {
        Self::new(Place::Unix(path.to_owned()))
    }

    fn new(place: Place) -> Self {
        let text = place.to_string();
        Self { place, text }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.split_once(':') {
            Some(("tcp", rest)) => tcp_place(text, rest).map(Self::new),
            Some(("unix", path)) => unix_place(text, path).map(Self::new),
            _ => Err(AddressError::UnknownScheme(text.to_owned())),
        }
    }
}

fn tcp_place(text: &str, rest: &str) -> Result<Place, AddressError> {
    let (host, port) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let closed = bracketed.split_once(']');
            let (host, behind) = closed.ok_or_else(|| AddressError::Brackets(text.to_owned()))?;
            (host, behind.strip_prefix(':'))
        }
        None => match rest.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err(AddressError::Brackets(text.to_owned()));
            }
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    if host.is_empty() {
        return Err(AddressError::MissingHost(text.to_owned()));
    }
    let port = port.filter(|port| !port.is_empty());
    let port = port.ok_or_else(|| AddressError::MissingPort(text.to_owned()))?;
    // `u16::from_str` would also take a sign.
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = Some(port)
        .filter(|_| digits)
        .and_then(|port| port.parse().ok());
    let port = port.ok_or_else(|| AddressError::BadPort(text.to_owned()))?;
    Ok(Place::Tcp {
        host: host.to_owned(),
        port,
    })
}

fn unix_place(text: &str, path: &str) -> Result<Place, AddressError> {
    if path.is_empty() {
        return Err(AddressError::EmptyPath(text.to_owned()));
    }
    if path.contains('\0') {
        return Err(AddressError::ZeroByte(text.to_owned()));
    }
    if !unix::AVAILABLE {
        return Err(AddressError::UnixUnavailable(text.to_owned()));
    }
    if !unix::fits(Path::new(path)) {
        return Err(AddressError::PathTooLong {
            address: text.to_owned(),
            length: path.len(),
        });
    }
    Ok(Place::Unix(path.into()))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp:{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({:?})", self.text)
    }
}

impl AsRef<str> for Address {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Address, AddressError> {
        text.parse()
    }

    #[test]
    fn an_address_is_shown_as_it_was_written() {
        let texts = [
            "tcp:localhost:7000",
            "tcp:127.0.0.1:0",
            "tcp:[::1]:65535",
            "tcp:[fe80::1%eth0]:1",
            "unix:bob.sock",
            "unix:/run/a:b/bob.sock",
        ];
        for text in texts {
            let address = parsed(text).unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(parsed(address.as_ref()).unwrap(), address);
        }
    }

    #[test]
    fn each_fault_of_an_address_is_named() {
        let own = |text: &str| text.to_owned();
        for (text, error) in [
            ("", AddressError::UnknownScheme(own(""))),
            ("bob.sock", AddressError::UnknownScheme(own("bob.sock"))),
            ("udp:a:1", AddressError::UnknownScheme(own("udp:a:1"))),
            ("TCP:a:1", AddressError::UnknownScheme(own("TCP:a:1"))),
            ("tcp:host", AddressError::MissingPort(own("tcp:host"))),
            ("tcp:host:", AddressError::MissingPort(own("tcp:host:"))),
            ("tcp:[::1]", AddressError::MissingPort(own("tcp:[::1]"))),
            ("tcp:[::1]7", AddressError::MissingPort(own("tcp:[::1]7"))),
            ("tcp:", AddressError::MissingHost(own("tcp:"))),
            ("tcp::7000", AddressError::MissingHost(own("tcp::7000"))),
            ("tcp:[]:1", AddressError::MissingHost(own("tcp:[]:1"))),
            ("tcp:a:65536", AddressError::BadPort(own("tcp:a:65536"))),
            ("tcp:a:+1", AddressError::BadPort(own("tcp:a:+1"))),
            ("tcp:a:http", AddressError::BadPort(own("tcp:a:http"))),
            ("tcp:::1:80", AddressError::Brackets(own("tcp:::1:80"))),
            ("tcp:[::1:80", AddressError::Brackets(own("tcp:[::1:80"))),
            ("unix:", AddressError::EmptyPath(own("unix:"))),
            ("unix:a\0b", AddressError::ZeroByte(own("unix:a\0b"))),
        ] {
            assert_eq!(parsed(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn an_error_quotes_the_address() {
        let error = parsed("tcp:host").unwrap_err();
        assert_eq!(error.to_string(), "address \"tcp:host\" has no port");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_path_of_107_bytes_is_the_longest() {
        for (length, fits) in [(106, true), (107, true), (108, false)] {
            let address = parsed(&format!("unix:{}", "a".repeat(length)));
            assert_eq!(address.is_ok(), fits, "{length}");
        }
    }
}
