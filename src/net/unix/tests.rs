use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};

use tempfile::TempDir;

use super::*;

/// A directory that only we can write, and the path of a socket in it.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bob.sock");
    (directory, path)
}

/// What a killed process leaves behind.
fn leave_stale(path: &Path) {
    drop(StdListener::bind(path).unwrap());
    assert!(path.exists());
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_fresh_path_is_bound_for_our_user_alone() {
    let (_directory, path) = place();
    let _socket = Socket::bind(&path).unwrap();
    let file = fs::symlink_metadata(&path).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.mode() & PERMISSIONS, 0o600);
    StdStream::connect(&path).unwrap();
}

#[tokio::test]
async fn the_file_is_removed_when_the_listener_is_dropped() {
    let (_directory, path) = place();
    let socket = Socket::bind(&path).unwrap();
    assert!(path.exists());
    drop(socket);
    assert!(!path.exists());
    drop(Socket::bind(&path).unwrap());
}

#[tokio::test]
async fn a_file_that_is_no_longer_ours_stays_when_the_listener_is_dropped() {
    let (_directory, path) = place();
    let socket = Socket::bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let _other = StdListener::bind(&path).unwrap();
    drop(socket);
    assert!(path.exists());
}

// threat: 109
#[tokio::test]
async fn a_path_where_somebody_listens_is_refused_and_left_alone() {
    let (_directory, path) = place();
    let other = StdListener::bind(&path).unwrap();
    assert!(matches!(Socket::bind(&path), Err(Obstacle::InUse)));
    StdStream::connect(&path).unwrap();
    drop(other);
}

#[tokio::test]
async fn a_second_listener_of_ours_is_refused_and_the_first_goes_on() {
    let (_directory, path) = place();
    let _first = Socket::bind(&path).unwrap();
    assert!(matches!(Socket::bind(&path), Err(Obstacle::InUse)));
    StdStream::connect(&path).unwrap();
}

#[tokio::test]
async fn a_listener_whose_backlog_is_full_is_in_use() {
    let (_directory, path) = place();
    let other = RawSocket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    other.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    other.listen(0).unwrap();
    let _queued = StdStream::connect(&path).unwrap();
    assert!(matches!(Socket::bind(&path), Err(Obstacle::InUse)));
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let (_directory, path) = place();
    leave_stale(&path);
    let _socket = Socket::bind(&path).unwrap();
    StdStream::connect(&path).unwrap();
}

// threat: 109
#[tokio::test]
async fn what_is_not_a_socket_is_refused_and_left_alone() {
    let (directory, path) = place();
    fs::write(&path, "kept").unwrap();
    assert!(matches!(Socket::bind(&path), Err(Obstacle::NotASocket)));
    assert_eq!(fs::read(&path).unwrap(), b"kept");

    let folder = directory.path().join("folder");
    fs::create_dir(&folder).unwrap();
    assert!(matches!(Socket::bind(&folder), Err(Obstacle::NotASocket)));
}

// threat: 109
#[tokio::test]
async fn a_symbolic_link_to_a_stale_socket_is_refused() {
    let (directory, path) = place();
    let real = directory.path().join("real.sock");
    leave_stale(&real);
    symlink(&real, &path).unwrap();
    assert!(matches!(Socket::bind(&path), Err(Obstacle::NotASocket)));
    assert!(real.exists());
}

// threat: 109
#[tokio::test]
async fn a_stale_socket_in_a_directory_that_others_can_write_is_refused() {
    let (directory, path) = place();
    leave_stale(&path);
    for mode in [0o770, 0o720, 0o702, 0o1777, 0o777] {
        set_mode(directory.path(), mode);
        let refused = Socket::bind(&path);
        assert!(
            matches!(refused, Err(Obstacle::SharedDirectory { mode: found, .. }) if found == mode),
            "{mode:o}"
        );
        assert!(path.exists());
    }
    set_mode(directory.path(), 0o755);
    Socket::bind(&path).unwrap();
}

// threat: 109
#[tokio::test]
async fn a_fresh_path_is_refused_only_where_all_may_replace_it() {
    let (directory, path) = place();
    for (mode, bound) in [
        (0o1777, true),
        (0o775, true),
        (0o777, false),
        (0o702, false),
    ] {
        set_mode(directory.path(), mode);
        assert_eq!(Socket::bind(&path).is_ok(), bound, "{mode:o}");
    }
}

// threat: 109
#[test]
fn another_users_stale_socket_is_refused() {
    let (_directory, path) = place();
    leave_stale(&path);
    let refused = remove_stale(&path, own_uid() + 1);
    assert!(matches!(refused, Err(Obstacle::NotOurs { uid }) if uid == own_uid()));
    assert!(path.exists());
}

#[tokio::test]
async fn a_directory_that_does_not_exist_is_named_by_the_system() {
    let (_directory, path) = place();
    let refused = Socket::bind(&path.join("deeper.sock"));
    assert!(matches!(refused, Err(Obstacle::Failed(_))));
}

#[tokio::test]
async fn the_system_vouches_for_the_peers_user() {
    let (_directory, path) = place();
    let socket = Socket::bind(&path).unwrap();
    let (_client, server) = tokio::join!(connect(&path), socket.accept());
    let origin = origin(&server.unwrap()).unwrap();
    let gid = rustix::process::getegid().as_raw();
    let pid = i32::try_from(std::process::id()).unwrap();
    assert_eq!(origin, Origin::unix(own_uid(), gid, Some(pid)));
}

#[tokio::test]
async fn connecting_waits_while_the_backlog_is_full() {
    let (_directory, path) = place();
    let full = RawSocket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    full.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    full.listen(0).unwrap();
    let _queued = StdStream::connect(&path).unwrap();
    let waiting = tokio::spawn(async move { connect(&path).await.map(drop) });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());

    full.accept().unwrap();
    waiting.await.unwrap().unwrap();
}
