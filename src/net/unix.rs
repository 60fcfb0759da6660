//! Unix sockets: binding safely, who the peer is, and dialling.

use core::time::Duration;
use std::{
    fs::{self, Metadata, Permissions},
    io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::{SocketAddr, UnixListener as StdListener},
        },
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Socket as RawSocket, Type};
use tokio::{
    net::{UnixListener, UnixStream},
    time::sleep,
};

use super::listen_error::Obstacle;
use crate::Origin;

pub(super) const AVAILABLE: bool = true;

/// Connections that the system holds until we take them.
const BACKLOG: i32 = 1_024;
/// Between two tries to connect to a listener whose backlog is full.
const RETRY: Duration = Duration::from_millis(10);

/// Only the owner may connect; to let others in is a decision of the application.
const PRIVATE: u32 = 0o600;
const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
const PERMISSIONS: u32 = 0o7777;
const ROOT: u32 = 0;

pub(super) type Stream = UnixStream;

/// Whether a path is short enough for the address of a socket.
pub(super) fn fits(path: &Path) -> bool {
    SocketAddr::from_pathname(path).is_ok()
}

/// A listening socket, and its file if we made it.
#[derive(Debug)]
pub(super) struct Socket {
    // Dropped first: while the socket is open its inode's number is not given out again.
    _file: Option<SocketFile>,
    listener: UnixListener,
}

impl Socket {
    pub(super) fn bind(path: &Path) -> Result<Self, Obstacle> {
        check_directory(path)?;
        let socket = match bound(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path, own_uid())?;
                bound(path)?
            }
            other => other?,
        };
        let file = SocketFile::of(path)?;
        // Nobody can connect before `listen`, so nobody slips in before the mode is set.
        fs::set_permissions(&file.path, Permissions::from_mode(PRIVATE))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        if !file.is_ours() {
            // Another listener took us for dead between `bind` and `listen`.
            return Err(Obstacle::InUse);
        }
        Ok(Self {
            _file: Some(file),
            listener: UnixListener::from_std(StdListener::from(OwnedFd::from(socket)))?,
        })
    }

    /// A socket that somebody else has bound, and whose file is theirs to remove.
    pub(super) fn handed_over(listener: StdListener) -> io::Result<(Self, PathBuf)> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let path = address
            .as_pathname()
            .map(Path::to_owned)
            .unwrap_or_default();
        let socket = Self {
            _file: None,
            listener: UnixListener::from_std(listener)?,
        };
        Ok((socket, path))
    }

    pub(super) async fn accept(&self) -> io::Result<Stream> {
        let (stream, _unnamed) = self.listener.accept().await?;
        Ok(stream)
    }
}

/// Who has connected: the operating system vouches for the user.
pub(super) fn origin(stream: &Stream) -> io::Result<Origin> {
    let peer = stream.peer_cred()?;
    Ok(Origin::unix(peer.uid(), peer.gid(), peer.pid()))
}

/// Connects to a listener, and waits while its backlog is full.
pub(super) async fn connect(path: &Path) -> io::Result<Stream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(RETRY).await,
            other => return other,
        }
    }
}

/// A socket bound to a path where nothing was.
fn bound(path: &Path) -> io::Result<RawSocket> {
    let socket = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

/// Removes the socket that an ended process of ours has left behind, and nothing else.
// threat: 109
fn remove_stale(path: &Path, own: u32) -> Result<(), Obstacle> {
    let found = match fs::symlink_metadata(path) {
        // Gone in the meantime.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if !found.file_type().is_socket() {
        return Err(Obstacle::NotASocket);
    }
    if found.uid() != own {
        return Err(Obstacle::NotOurs { uid: found.uid() });
    }
    refuses(path)?;
    let directory = fs::metadata(directory_of(path))?;
    let (uid, mode) = (directory.uid(), directory.mode());
    if mode & GROUP_OR_OTHERS_WRITE != 0 || (uid != own && uid != ROOT) {
        return Err(shared(&directory));
    }
    // Two of us may be starting: what is there now must be what was judged.
    if Identity::of(&fs::symlink_metadata(path)?) != Identity::of(&found) {
        return Err(Obstacle::InUse);
    }
    Ok(fs::remove_file(path)?)
}

/// Whether connecting is refused: only then does nobody listen.
fn refuses(path: &Path) -> Result<(), Obstacle> {
    let probe = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        // A full backlog is a listener's too.
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
        _ => Err(Obstacle::InUse),
    }
}

/// In a directory where all may write, and remove what is not theirs, a path means nothing.
fn check_directory(path: &Path) -> Result<(), Obstacle> {
    let directory = fs::metadata(directory_of(path))?;
    if directory.mode() & (OTHERS_WRITE | STICKY) == OTHERS_WRITE {
        return Err(shared(&directory));
    }
    Ok(())
}

fn shared(directory: &Metadata) -> Obstacle {
    Obstacle::SharedDirectory {
        uid: directory.uid(),
        mode: directory.mode() & PERMISSIONS,
    }
}

fn directory_of(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Which file a path names, the time of its making included: inode numbers are given out again.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

impl Identity {
    fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            modified: (file.mtime(), file.mtime_nsec()),
        }
    }
}

/// The file of a socket that we have bound, removed when it is dropped and still ours.
#[derive(Debug)]
struct SocketFile {
    /// Absolute: the process may change its directory.
    path: PathBuf,
    identity: Identity,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: std::path::absolute(path)?,
            identity: Identity::of(&fs::symlink_metadata(path)?),
        })
    }

    fn is_ours(&self) -> bool {
        let now = fs::symlink_metadata(&self.path);
        now.is_ok_and(|now| Identity::of(&now) == self.identity)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_ours() {
            // Left behind, it is stale and will be replaced.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
