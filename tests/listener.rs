//! Listening and dialling, as far as no session is needed for it.
#![cfg(all(feature = "net", unix))]

use std::{
    error::Error,
    io::{ErrorKind, Read},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::Path,
};

use duologue::{
    Config, HandshakeError, Listener, Origin, PeerPolicy, SecretKey, dial,
    net::{AcceptError, Admission, BindError, DialError, Excess, Obstacle, Refused},
};

type Checked = Result<(), Box<dyn Error>>;

fn config() -> Config {
    Config::new(SecretKey::generate().unwrap()).peers(PeerPolicy::dangerous_any())
}

async fn bound(address: &str) -> Listener {
    Listener::bind(address, config()).await.unwrap()
}

fn connected(listener: &Listener) -> TcpStream {
    let address = listener.local_address().to_string();
    TcpStream::connect(address.strip_prefix("tcp:").unwrap()).unwrap()
}

fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

#[tokio::test]
async fn a_failed_handshake_is_told_with_its_origin_and_counted() -> Checked {
    let mut listener = bound("tcp:127.0.0.1:0").await;
    let client = connected(&listener);
    let origin = Origin::Tcp(client.local_addr()?);
    drop(client);

    let arrival = listener.arrival().await?;
    assert_eq!(arrival.origin, origin);
    assert!(matches!(arrival.session, Err(Refused::Handshake(_))));
    let counts = listener.counts();
    assert_eq!(
        (counts.pending, counts.failed, counts.turned_away),
        (0, 1, 0)
    );
    Ok(())
}

#[tokio::test]
async fn an_ipv4_peer_of_an_ipv6_socket_is_shown_as_ipv4() -> Checked {
    let mut listener = bound("tcp:[::]:0").await;
    let address = listener.local_address().to_string();
    let port: u16 = address.rsplit_once(':').unwrap().1.parse()?;
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let origin = Origin::Tcp(client.local_addr()?);
    drop(client);
    assert_eq!(listener.arrival().await?.origin, origin);
    Ok(())
}

// spec: L-8
#[tokio::test]
async fn a_connection_beyond_the_budget_is_closed_unread() -> Checked {
    let limits = Admission::default().pending_per_source(0);
    let mut listener = bound("tcp:127.0.0.1:0").await.admission(limits);
    let mut client = connected(&listener);

    let arrival = listener.arrival().await?;
    let excess = Excess::PendingOfSource;
    assert!(matches!(arrival.session, Err(Refused::Excess(found)) if found == excess));
    assert_eq!(client.read(&mut [0; 1])?, 0);
    assert_eq!(listener.counts().turned_away, 1);
    Ok(())
}

// spec: L-9
#[tokio::test]
async fn the_users_of_a_unix_socket_share_a_budget_of_starts() -> Checked {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("bob.sock");
    let limits = Admission::default().starts(0, 3);
    let mut listener = bound(&unix(&path)).await.admission(limits);
    for _ in 0..4 {
        drop(UnixStream::connect(&path)?);
    }
    for _ in 0..4 {
        drop(listener.arrival().await?);
    }
    let counts = listener.counts();
    assert_eq!((counts.failed, counts.turned_away), (3, 1));
    Ok(())
}

// threat: 101
#[tokio::test]
async fn a_future_dropped_at_any_poll_loses_no_connection() -> Checked {
    let mut listener = bound("tcp:127.0.0.1:0").await;
    for _ in 0..8 {
        drop(connected(&listener));
    }
    let mut told = 0;
    while told < 8 {
        tokio::select! {
            biased;
            arrival = listener.arrival() => told += u32::from(arrival?.session.is_err()),
            () = tokio::task::yield_now() => {}
        }
    }
    let counts = listener.counts();
    assert_eq!((counts.pending, counts.failed), (0, 8));
    Ok(())
}

#[tokio::test]
async fn a_socket_that_does_not_listen_is_a_final_error() -> Checked {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let mut listener = Listener::from_tcp(TcpListener::from(OwnedFd::from(socket)), config())?;
    for _ in 0..2 {
        let error = listener.accept().await.unwrap_err();
        assert!(matches!(error, AcceptError::NotListening { .. }));
        assert!(error.to_string().starts_with("tcp:127.0.0.1:"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_tcp_socket_handed_over_takes_connections() -> Checked {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let name = format!("tcp:{}", socket.local_addr()?);
    let mut listener = Listener::from_tcp(socket, config())?;
    assert_eq!(listener.local_address().to_string(), name);
    drop(connected(&listener));
    assert!(listener.arrival().await?.session.is_err());
    Ok(())
}

#[tokio::test]
async fn the_file_of_a_unix_socket_handed_over_stays() -> Checked {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("bob.sock");
    let mut listener = Listener::from_unix(UnixListener::bind(&path)?, config())?;
    assert_eq!(listener.local_address().to_string(), unix(&path));
    drop(UnixStream::connect(&path)?);
    assert!(listener.arrival().await?.session.is_err());
    drop(listener);
    assert!(path.exists());
    Ok(())
}

#[tokio::test]
async fn a_place_in_use_is_named_in_the_error() -> Checked {
    let first = bound("tcp:127.0.0.1:0").await;
    let error = Listener::bind(first.local_address(), config())
        .await
        .unwrap_err();
    let text = format!("{}: somebody listens there already", first.local_address());
    assert_eq!(error.to_string(), text);
    assert!(matches!(
        error,
        BindError::Place {
            obstacle: Obstacle::InUse,
            ..
        }
    ));
    Ok(())
}

#[tokio::test]
async fn an_unusable_configuration_binds_and_dials_nothing() {
    let unusable = config().max_message(0);
    let refused = Listener::bind("tcp:127.0.0.1:0", unusable.clone()).await;
    assert!(matches!(refused, Err(BindError::Config(_))));
    let bob = SecretKey::generate().unwrap().public_key();
    let refused = dial("tcp:127.0.0.1:1", &bob, &unusable).await;
    assert!(matches!(refused, Err(DialError::Config(_))));
}

async fn dialled(address: &str) -> DialError {
    let bob = SecretKey::generate().unwrap().public_key();
    dial(address, &bob, &config()).await.unwrap_err()
}

#[tokio::test]
async fn dialling_where_nothing_listens_says_so_with_the_address() -> Checked {
    let directory = tempfile::tempdir()?;
    let address = unix(&directory.path().join("bob.sock"));
    let error = dialled(&address).await.to_string();
    assert_eq!(
        error,
        format!("{address}: nothing listens there: no such file")
    );

    let stale = directory.path().join("stale.sock");
    drop(UnixListener::bind(&stale)?);
    let error = dialled(&unix(&stale)).await.to_string();
    assert_eq!(error, format!("{}: nothing listens there", unix(&stale)));

    // The port is ours until the end of the test, and nobody listens at it.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let target = socket.local_addr()?.as_socket().unwrap();
    let error = dialled(&format!("tcp:{target}")).await.to_string();
    assert_eq!(
        error,
        format!("tcp:{target}: nothing listens there ({target})")
    );
    Ok(())
}

#[tokio::test]
async fn every_place_of_a_name_is_tried_and_named() -> Checked {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let port = socket.local_addr()?.as_socket().unwrap().port();
    let error = dialled(&format!("tcp:localhost:{port}")).await;
    let DialError::NotReached { attempts, .. } = error else {
        panic!("{error}");
    };
    assert!(!attempts.is_empty());
    for attempt in attempts {
        assert_eq!(attempt.target.unwrap().port(), port);
        assert_ne!(attempt.error.kind(), ErrorKind::TimedOut);
    }
    Ok(())
}

#[tokio::test]
async fn a_handshake_that_fails_is_told_with_the_address() -> Checked {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = format!("tcp:{}", silent.local_addr()?);
    let bob = SecretKey::generate()?.public_key();
    let hasty = config().handshake_deadline(std::time::Duration::from_millis(50));
    let error = dial(&address, &bob, &hasty).await.unwrap_err();
    assert!(error.to_string().starts_with(&address), "{error}");
    let DialError::Handshake { error, .. } = error else {
        panic!("{error}");
    };
    assert_ne!(error, HandshakeError::NotDuologue);
    Ok(())
}
