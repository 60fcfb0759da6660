//! snow as one uses it by hand: a length before each message, two fixed buffers, one write for many.

use snow::{Builder, HandshakeState, TransportState, resolvers::CryptoResolver};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest plaintext of a Noise message.
pub const MOST: usize = 65_535 - 16;
/// Bytes gathered for one write, where messages are batched.
const GATHERED: usize = 64 * 1024;

/// Which of snow's own implementations computes the primitives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Default,
    Ring,
}

impl Engine {
    fn resolver(self) -> Box<dyn CryptoResolver + Send> {
        let default = Box::new(snow::resolvers::DefaultResolver);
        match self {
            Self::Default => default,
            Self::Ring => Box::new(snow::resolvers::FallbackResolver::new(
                Box::new(snow::resolvers::RingResolver),
                default,
            )),
        }
    }

    pub fn builder<'a>(self, name: &str) -> Builder<'a> {
        Builder::with_resolver(name.parse().expect("Noise name"), self.resolver())
    }
}

pub struct SnowEnd<T> {
    io: T,
    state: TransportState,
    out: Vec<u8>,
    input: Vec<u8>,
    filled: std::ops::Range<usize>,
    plain: Vec<u8>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> SnowEnd<T> {
    pub async fn new(mut io: T, mut state: HandshakeState) -> Self {
        let mut message = vec![0; 1_024];
        let mut payload = vec![0; 1_024];
        while !state.is_handshake_finished() {
            if state.is_my_turn() {
                let length = state.write_message(&[], &mut message).expect("message");
                io.write_u16(length as u16).await.expect("write");
                io.write_all(&message[..length]).await.expect("write");
                io.flush().await.expect("flush");
            } else {
                let length = usize::from(io.read_u16().await.expect("read"));
                io.read_exact(&mut message[..length]).await.expect("read");
                state
                    .read_message(&message[..length], &mut payload)
                    .expect("message");
            }
        }
        Self {
            io,
            state: state.into_transport_mode().expect("transport mode"),
            out: Vec::with_capacity(GATHERED + 2 + 65_535),
            input: vec![0; 128 * 1024],
            filled: 0..0,
            plain: vec![0; 65_535],
        }
    }

    pub async fn feed(&mut self, message: &[u8]) {
        let at = self.out.len();
        let sealed = message.len() + 16;
        self.out.extend_from_slice(&(sealed as u16).to_be_bytes());
        self.out.resize(at + 2 + sealed, 0);
        self.state
            .write_message(message, &mut self.out[at + 2..])
            .expect("sealing");
        if self.out.len() >= GATHERED {
            self.flush().await;
        }
    }

    pub async fn flush(&mut self) {
        self.io.write_all(&self.out).await.expect("write");
        self.io.flush().await.expect("flush");
        self.out.clear();
    }

    /// The next message.
    pub async fn recv(&mut self) -> &[u8] {
        loop {
            let waiting = &self.input[self.filled.clone()];
            if let Some((head, rest)) = waiting.split_first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes(*head));
                if rest.len() >= length {
                    let plain = self
                        .state
                        .read_message(&rest[..length], &mut self.plain)
                        .expect("opening");
                    self.filled.start += 2 + length;
                    return &self.plain[..plain];
                }
            }
            self.input.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
            let room = &mut self.input[self.filled.end..];
            let read = self.io.read(room).await.expect("read");
            assert!(read > 0, "end of the stream");
            self.filled.end += read;
        }
    }
}
