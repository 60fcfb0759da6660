//! The contestants, and how each of their ends comes about.

use duologue::{Config, PeerPolicy, Provider, PublicKey, SecretKey, Session, Suite};
use futures::AsyncWriteExt as _;
use libp2p_core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p_identity::Keypair;
use rustls::{CipherSuite, NamedGroup};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::compat::{FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};

use crate::{
    quic,
    snow_end::{Engine, SnowEnd},
    tls::{self, Choice, Tls},
    wire::Wire,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// No encryption: the limit.
    Plain,
    TlsAes,
    TlsChaCha,
    Libp2pNoise,
    Libp2pYamux,
    /// One stream of a connection over UDP, on loopback; the wire only carries its port.
    Quinn,
    SnowRing,
    SnowDefault,
    Aes,
    ChaCha,
    PortableAes,
    PortableChaCha,
    /// The byte-stream face.
    Stream,
}

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain tokio (limit)",
            Self::TlsAes => "tokio-rustls AES-256-GCM",
            Self::TlsChaCha => "tokio-rustls ChaCha20",
            Self::Libp2pNoise => "libp2p-noise",
            Self::Libp2pYamux => "libp2p-noise + yamux",
            Self::Quinn => "quinn (UDP)",
            Self::SnowRing => "snow by hand, AESGCM ring",
            Self::SnowDefault => "snow by hand, ChaChaPoly default",
            Self::Aes => "Duologue AES-256-GCM",
            Self::ChaCha => "Duologue ChaCha20",
            Self::PortableAes => "Duologue AES-256-GCM portable",
            Self::PortableChaCha => "Duologue ChaCha20 portable",
            Self::Stream => "Duologue AES byte stream",
        }
    }
}

pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One established end.
pub enum End {
    Stream(Box<dyn Io>),
    Snow(Box<SnowEnd<Wire>>),
    Duologue(Box<Session>),
}

/// Every contestant's keys and configurations.
pub struct Keys {
    pub alice: Config,
    pub bob: Config,
    pub bob_public: PublicKey,
    tls_aes: Tls,
    tls_chacha: Tls,
    quic: quic::Quic,
    libp2p: [Keypair; 2],
    pub snow: [Vec<u8>; 2],
    /// Duologue's, by contestant: sessions share one configuration, as they do in an application.
    configs: Vec<(Peer, [Config; 2])>,
}

impl Keys {
    pub fn new() -> Self {
        let (alice, bob) = (
            SecretKey::generate().expect("key"),
            SecretKey::generate().expect("key"),
        );
        let (alice_public, bob_public) = (alice.public_key(), bob.public_key());
        let choice = |suite| Choice {
            suite: Some(suite),
            group: None::<NamedGroup>,
        };
        let snow_key = || {
            let builder = Engine::Default.builder("Noise_XX_25519_ChaChaPoly_SHA256");
            builder.generate_keypair().expect("key").private
        };
        let mut keys = Self {
            configs: Vec::new(),
            alice: Config::new(alice).peers(PeerPolicy::pinned([bob_public])),
            bob: Config::new(bob).peers(PeerPolicy::pinned([alice_public])),
            bob_public,
            tls_aes: Tls::raw_keys(choice(CipherSuite::TLS13_AES_256_GCM_SHA384)),
            tls_chacha: Tls::raw_keys(choice(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256)),
            quic: quic::Quic::new(),
            libp2p: [Keypair::generate_ed25519(), Keypair::generate_ed25519()],
            snow: [snow_key(), snow_key()],
        };
        let ours = [
            Peer::Aes,
            Peer::Stream,
            Peer::ChaCha,
            Peer::PortableAes,
            Peer::PortableChaCha,
        ];
        keys.configs = ours.map(|peer| (peer, keys.configure(peer))).into();
        keys
    }

    fn tls(&self, peer: Peer) -> &Tls {
        if peer == Peer::TlsChaCha {
            &self.tls_chacha
        } else {
            &self.tls_aes
        }
    }

    /// Both sides' configurations of Duologue for a contestant.
    pub fn duologue(&self, peer: Peer) -> &[Config; 2] {
        let known = self.configs.iter().find(|(known, _configs)| *known == peer);
        &known.expect("a contestant of ours").1
    }

    fn configure(&self, peer: Peer) -> [Config; 2] {
        let suite = match peer {
            Peer::ChaCha | Peer::PortableChaCha => Suite::HybridChaChaPoly,
            _ => Suite::HybridAesGcm,
        };
        let provider = match peer {
            Peer::PortableAes | Peer::PortableChaCha => Provider::portable(),
            _ => Provider::aws_lc(),
        };
        [&self.alice, &self.bob].map(|config| config.clone().suites([suite]).provider(provider))
    }

    fn snow_state(&self, peer: Peer, at: usize) -> snow::HandshakeState {
        let (engine, name) = match peer {
            Peer::SnowRing => (Engine::Ring, "Noise_XX_25519_AESGCM_SHA256"),
            _ => (Engine::Default, "Noise_XX_25519_ChaChaPoly_SHA256"),
        };
        let builder = engine
            .builder(name)
            .local_private_key(&self.snow[at])
            .expect("key");
        let state = if at == 0 {
            builder.build_initiator()
        } else {
            builder.build_responder()
        };
        state.expect("state")
    }

    /// The initiator's end.
    pub async fn connect(&self, peer: Peer, wire: Wire) -> End {
        match peer {
            Peer::Plain => End::Stream(Box::new(wire)),
            Peer::TlsAes | Peer::TlsChaCha => {
                let client = self.tls(peer).client.clone();
                let connector = tokio_rustls::TlsConnector::from(client);
                End::Stream(Box::new(
                    connector.connect(tls::name(), wire).await.expect("TLS"),
                ))
            }
            Peer::Libp2pNoise | Peer::Libp2pYamux => {
                let config = libp2p_noise::Config::new(&self.libp2p[0]).expect("config");
                let upgrade = config.upgrade_outbound(wire.compat(), "");
                let (_peer, output) = upgrade.await.expect("noise");
                if peer == Peer::Libp2pNoise {
                    return End::Stream(Box::new(output.compat()));
                }
                let mut connection =
                    yamux::Connection::new(output, yamux::Config::default(), yamux::Mode::Client);
                let stream = std::future::poll_fn(|cx| connection.poll_new_outbound(cx)).await;
                let mut stream = stream.expect("stream");
                drive(connection);
                // The other side learns of a stream by its first bytes.
                stream.write_all(&[0]).await.expect("write");
                stream.flush().await.expect("flush");
                End::Stream(Box::new(stream.compat()))
            }
            Peer::Quinn => End::Stream(Box::new(self.quic.connect(wire).await)),
            Peer::SnowRing | Peer::SnowDefault => {
                End::Snow(Box::new(SnowEnd::new(wire, self.snow_state(peer, 0)).await))
            }
            _ => {
                let [config, _bob] = self.duologue(peer);
                let remote = Some(&self.bob_public);
                let session = match wire {
                    Wire::Duplex(io) => duologue::connect(io, remote, config).await,
                    Wire::Unix(io) => duologue::connect(io, remote, config).await,
                    Wire::Tcp(io) => duologue::connect(io, remote, config).await,
                };
                ours(peer, session.expect("session"))
            }
        }
    }

    /// The responder's end.
    pub async fn accept(&self, peer: Peer, wire: Wire) -> End {
        match peer {
            Peer::Plain => End::Stream(Box::new(wire)),
            Peer::TlsAes | Peer::TlsChaCha => {
                let acceptor = tokio_rustls::TlsAcceptor::from(self.tls(peer).server.clone());
                End::Stream(Box::new(acceptor.accept(wire).await.expect("TLS")))
            }
            Peer::Libp2pNoise | Peer::Libp2pYamux => {
                let config = libp2p_noise::Config::new(&self.libp2p[1]).expect("config");
                let upgrade = config.upgrade_inbound(wire.compat(), "");
                let (_peer, output) = upgrade.await.expect("noise");
                if peer == Peer::Libp2pNoise {
                    return End::Stream(Box::new(output.compat()));
                }
                let mut connection =
                    yamux::Connection::new(output, yamux::Config::default(), yamux::Mode::Server);
                let stream = std::future::poll_fn(|cx| connection.poll_next_inbound(cx)).await;
                let mut stream = stream.expect("stream").expect("stream");
                drive(connection);
                futures::AsyncReadExt::read_exact(&mut stream, &mut [0])
                    .await
                    .expect("read");
                End::Stream(Box::new(stream.compat()))
            }
            Peer::Quinn => End::Stream(Box::new(self.quic.accept(wire).await)),
            Peer::SnowRing | Peer::SnowDefault => {
                End::Snow(Box::new(SnowEnd::new(wire, self.snow_state(peer, 1)).await))
            }
            _ => {
                let [_alice, config] = self.duologue(peer);
                let session = match wire {
                    Wire::Duplex(io) => duologue::accept(io, config).await,
                    Wire::Unix(io) => duologue::accept(io, config).await,
                    Wire::Tcp(io) => duologue::accept(io, config).await,
                };
                ours(peer, session.expect("session"))
            }
        }
    }
}

fn ours(peer: Peer, session: Session) -> End {
    if peer == Peer::Stream {
        End::Stream(Box::new(session.into_stream()))
    } else {
        End::Duologue(Box::new(session))
    }
}

/// yamux moves only while its connection is polled.
fn drive<T>(mut connection: yamux::Connection<T>)
where
    T: futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static,
{
    tokio::spawn(async move {
        while let Some(Ok(_stream)) =
            std::future::poll_fn(|cx| connection.poll_next_inbound(cx)).await
        {}
    });
}
