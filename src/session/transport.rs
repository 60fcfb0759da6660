//! A transport as two halves: natively where it can be split, through tokio's split elsewhere.

use std::any::Any;

use tokio::io::{AsyncRead, AsyncWrite};

pub(super) type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Both halves of a transport.
pub(super) struct Transport {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
}

impl Transport {
    pub(super) fn of_halves<R, W>(reader: R, writer: W) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        Self {
            reader: Box::new(reader),
            writer: Box::new(writer),
        }
    }

    pub(super) fn of<T>(io: T) -> Self
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut io = Some(io);
        if let Some(native) = native(&mut io) {
            return native;
        }
        match io {
            Some(io) => {
                let (reader, writer) = tokio::io::split(io);
                Self::of_halves(reader, writer)
            }
            None => Self::of_halves(tokio::io::empty(), tokio::io::sink()),
        }
    }
}

#[cfg(feature = "net")]
fn native(io: &mut dyn Any) -> Option<Transport> {
    if let Some(tcp) = io.downcast_mut::<Option<tokio::net::TcpStream>>() {
        let (reader, writer) = tcp.take()?.into_split();
        return Some(Transport::of_halves(reader, writer));
    }
    native_unix(io)
}

#[cfg(all(feature = "net", unix))]
fn native_unix(io: &mut dyn Any) -> Option<Transport> {
    let unix = io.downcast_mut::<Option<tokio::net::UnixStream>>()?;
    let (reader, writer) = unix.take()?.into_split();
    Some(Transport::of_halves(reader, writer))
}

#[cfg(all(feature = "net", not(unix)))]
fn native_unix(_io: &mut dyn Any) -> Option<Transport> {
    None
}

#[cfg(not(feature = "net"))]
fn native(_io: &mut dyn Any) -> Option<Transport> {
    None
}
