//! The transports, in one type.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    net::{TcpStream, UnixStream},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Duplex,
    Unix,
    Tcp,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Duplex => "duplex",
            Self::Unix => "Unix",
            Self::Tcp => "TCP",
        }
    }

    /// Two ends, not yet bound to a runtime.
    pub fn pair(self) -> (Unbound, Unbound) {
        match self {
            Self::Duplex => {
                let (near, far) = duplex(256 * 1024);
                (Unbound::Duplex(near), Unbound::Duplex(far))
            }
            Self::Unix => {
                let (near, far) = std::os::unix::net::UnixStream::pair().expect("socket pair");
                (Unbound::Unix(near), Unbound::Unix(far))
            }
            Self::Tcp => {
                let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listener");
                let address = listener.local_addr().expect("address");
                let near = std::net::TcpStream::connect(address).expect("connection");
                let (far, _from) = listener.accept().expect("connection");
                for end in [&near, &far] {
                    end.set_nodelay(true).expect("socket option");
                }
                (Unbound::Tcp(near), Unbound::Tcp(far))
            }
        }
    }
}

pub enum Unbound {
    Duplex(DuplexStream),
    Unix(std::os::unix::net::UnixStream),
    Tcp(std::net::TcpStream),
}

impl Unbound {
    /// Binds the end to the runtime that calls.
    pub fn bind(self) -> Wire {
        match self {
            Self::Duplex(end) => Wire::Duplex(end),
            Self::Unix(end) => {
                end.set_nonblocking(true).expect("socket option");
                Wire::Unix(UnixStream::from_std(end).expect("registration"))
            }
            Self::Tcp(end) => {
                end.set_nonblocking(true).expect("socket option");
                Wire::Tcp(TcpStream::from_std(end).expect("registration"))
            }
        }
    }
}

#[derive(Debug)]
pub enum Wire {
    Duplex(DuplexStream),
    Unix(UnixStream),
    Tcp(TcpStream),
}

macro_rules! each {
    ($self:ident, $end:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Duplex($end) => $call,
            Self::Unix($end) => $call,
            Self::Tcp($end) => $call,
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, end => Pin::new(end).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, end => Pin::new(end).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, end => Pin::new(end).poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Duplex(end) => end.is_write_vectored(),
            Self::Unix(end) => end.is_write_vectored(),
            Self::Tcp(end) => end.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, end => Pin::new(end).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, end => Pin::new(end).poll_shutdown(cx))
    }
}
