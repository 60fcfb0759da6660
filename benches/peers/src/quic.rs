//! quinn: one stream of a QUIC connection over UDP on loopback, with the certificates of the TLS contestant.

use std::{
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use quinn::{
    ClientConfig, Connection, Endpoint, RecvStream, SendStream, ServerConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::CipherSuite;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::{
    tls::{Choice, Tls},
    wire::Wire,
};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Both sides' configurations.
pub struct Quic {
    client: ClientConfig,
    server: ServerConfig,
}

impl Quic {
    pub fn new() -> Self {
        // Its first packets want AES-128-GCM, so the choice of suites stays the default one: AES-256-GCM is first.
        let tls = Tls::certificates(Choice {
            suite: None::<CipherSuite>,
            group: None,
        });
        let client = QuicClientConfig::try_from(tls.client).expect("client");
        let server = QuicServerConfig::try_from(tls.server).expect("server");
        Self {
            client: ClientConfig::new(Arc::new(client)),
            server: ServerConfig::with_crypto(Arc::new(server)),
        }
    }

    pub async fn accept(&self, mut wire: Wire) -> Stream {
        let endpoint = Endpoint::server(self.server.clone(), LOOPBACK).expect("endpoint");
        let port = endpoint.local_addr().expect("address").port();
        wire.write_u16(port).await.expect("port");
        let incoming = endpoint.accept().await.expect("connection");
        let connection = incoming.await.expect("connection");
        let (send, mut receive) = connection.accept_bi().await.expect("stream");
        // The other side learns of a stream by its first bytes.
        receive.read_exact(&mut [0]).await.expect("read");
        Stream::new(endpoint, connection, send, receive)
    }

    pub async fn connect(&self, mut wire: Wire) -> Stream {
        let mut address = LOOPBACK;
        address.set_port(wire.read_u16().await.expect("port"));
        let endpoint = Endpoint::client(LOOPBACK).expect("endpoint");
        let connecting = endpoint.connect_with(self.client.clone(), address, "peer");
        let connection = connecting.expect("address").await.expect("connection");
        let (mut send, receive) = connection.open_bi().await.expect("stream");
        send.write_all(&[0]).await.expect("write");
        Stream::new(endpoint, connection, send, receive)
    }
}

/// Both directions of one stream, and what keeps it alive.
pub struct Stream {
    send: SendStream,
    receive: RecvStream,
    connection: Connection,
    endpoint: Endpoint,
}

impl Stream {
    fn new(
        endpoint: Endpoint,
        connection: Connection,
        send: SendStream,
        receive: RecvStream,
    ) -> Self {
        Self {
            send,
            receive,
            connection,
            endpoint,
        }
    }
}

/// A connection that is dropped takes with it what was not delivered: it stays until the other side has it.
impl Drop for Stream {
    fn drop(&mut self) {
        let kept = (self.connection.clone(), self.endpoint.clone());
        tokio::spawn(async move {
            let (connection, _endpoint) = kept;
            let _late = tokio::time::timeout(Duration::from_secs(1), connection.closed()).await;
        });
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut self.get_mut().receive), cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.get_mut().send), cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.get_mut().send), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.get_mut().send), cx)
    }
}
