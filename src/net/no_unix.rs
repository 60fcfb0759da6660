//! Stands in for Unix sockets where the platform has none: nothing of it can be made.

use core::convert::Infallible;
use std::{io, path::Path};

use tokio::net::TcpStream;

use super::listen_error::Obstacle;
use crate::Origin;

pub(super) const AVAILABLE: bool = false;

pub(super) type Stream = TcpStream;

pub(super) fn fits(_path: &Path) -> bool {
    false
}

#[derive(Debug)]
pub(super) struct Socket(Infallible);

impl Socket {
    pub(super) fn bind(_path: &Path) -> Result<Self, Obstacle> {
        Err(io::Error::from(io::ErrorKind::Unsupported).into())
    }

    #[expect(clippy::unused_async, reason = "stands in for one that waits")]
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match self.0 {}
    }
}

pub(super) fn origin(_stream: &Stream) -> io::Result<Origin> {
    Err(io::ErrorKind::Unsupported.into())
}

#[expect(clippy::unused_async, reason = "stands in for one that waits")]
pub(super) async fn connect(_path: &Path) -> io::Result<Stream> {
    Err(io::ErrorKind::Unsupported.into())
}
