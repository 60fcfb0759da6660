//! From a transport to a session, under one deadline (spec: H-19).

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout, timeout_at},
};

use super::{Session, events, link::Link, transport::Transport};
use crate::{
    noise::PublicKey,
    proto::{Channel, Config, Handshake, HandshakeError, Judgement, Judging, Origin, Step},
    wire,
};

/// Input held before the peer is known: every message of a handshake fits,
// spec: L-10
const INPUT_FIRST: usize = 1_280;
/// and every record that may come before we are established (spec: H-18).
const INPUT_MOST: usize = 4_160;
/// Bytes of one read after our last word.
const READ_OFF_CHUNK: usize = 1_024;

pub(super) async fn initiate(
    transport: Transport,
    remote: Option<&PublicKey>,
    config: &Config,
) -> Result<Session, HandshakeError> {
    let mut output = Vec::new();
    let handshake = Handshake::initiator(config, remote, &mut output)?;
    run(transport, handshake, output, config).await
}

pub(super) async fn respond(
    transport: Transport,
    config: &Config,
    origin: Origin,
) -> Result<Session, HandshakeError> {
    let handshake = Handshake::responder(config, origin)?;
    run(transport, handshake, Vec::new(), config).await
}

struct Talk {
    transport: Transport,
    input: Vec<u8>,
    output: Vec<u8>,
    waiting_for: &'static str,
    /// Writing failed; what the peer said before may still tell why.
    write_failed: Option<io::ErrorKind>,
}

/// A [`Step`] that takes little room.
enum Next {
    Wait(Handshake),
    Judge(Judging),
    Established(Box<Channel>),
}

async fn run(
    transport: Transport,
    handshake: Handshake,
    output: Vec<u8>,
    config: &Config,
) -> Result<Session, HandshakeError> {
    let origin = handshake.origin();
    let mut talk = Talk {
        transport,
        input: Vec::new(),
        output,
        waiting_for: handshake.waiting_for(),
        write_failed: None,
    };
    let deadline = Instant::now().checked_add(config.limits().handshake);
    let all = talk.all_steps(handshake, config);
    let result = match deadline {
        Some(deadline) => Box::pin(timeout_at(deadline, all)).await,
        None => Ok(Box::pin(all).await),
    };
    let error = match result {
        Ok(Ok(channel)) => {
            events::established(&channel.peer);
            return Ok(Session::of(Link::new(
                *channel,
                talk.transport,
                talk.input,
                config,
            )));
        }
        Ok(Err(error)) => error,
        Err(_elapsed) => {
            // A message that has left in part is not begun anew.
            talk.output.clear();
            HandshakeError::TimedOut {
                waiting_for: talk.waiting_for,
            }
        }
    };
    events::handshake_failed(origin, &error);
    talk.close().await;
    Err(error)
}

impl Talk {
    async fn all_steps(
        &mut self,
        mut handshake: Handshake,
        config: &Config,
    ) -> Result<Box<Channel>, HandshakeError> {
        loop {
            handshake = match self.step(handshake)? {
                Next::Established(channel) => {
                    self.write().await;
                    return Ok(channel);
                }
                Next::Judge(judging) => {
                    let accepted = match config.policy().judge(judging.candidate()) {
                        Judgement::Known(accepted) => accepted,
                        Judgement::Asked(answer) => answer.await,
                    };
                    if !accepted {
                        return Err(judging.refuse(&mut self.output));
                    }
                    judging.accept(&mut self.output)?
                }
                Next::Wait(handshake) => {
                    self.write().await;
                    self.read().await?;
                    handshake
                }
            };
        }
    }

    /// Apart from the future, which would keep room for a channel through every wait.
    // spec: L-10
    fn step(&mut self, handshake: Handshake) -> Result<Next, HandshakeError> {
        self.waiting_for = handshake.waiting_for();
        let mut rest = self.input.as_slice();
        let step = handshake.step(&mut rest, &mut self.output, Instant::now().into_std());
        let used = self.input.len().saturating_sub(rest.len());
        self.input.drain(..used);
        Ok(match step? {
            Step::Established(channel) => Next::Established(Box::new(channel)),
            Step::Judge(judging) => Next::Judge(judging),
            Step::NeedInput(handshake) => {
                self.waiting_for = handshake.waiting_for();
                Next::Wait(handshake)
            }
        })
    }

    async fn write(&mut self) {
        if let Err(error) = self.write_all().await {
            self.write_failed.get_or_insert(error.kind());
        }
        self.output.clear();
    }

    async fn write_all(&mut self) -> io::Result<()> {
        let writer = &mut self.transport.writer;
        let mut rest = self.output.as_slice();
        while !rest.is_empty() {
            match writer.write(rest).await {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        writer.flush().await
    }

    async fn read(&mut self) -> Result<(), HandshakeError> {
        // Straight into the input, which never holds more than one body that is not whole.
        let most = if self.input.len() < INPUT_FIRST {
            INPUT_FIRST
        } else {
            INPUT_MOST
        };
        self.input
            .reserve_exact(most.saturating_sub(self.input.len()));
        let failed = match self.transport.reader.read_buf(&mut self.input).await {
            Ok(0) => match self.write_failed {
                Some(kind) => HandshakeError::TransportFailed(kind),
                None => HandshakeError::TransportEnded {
                    waiting_for: self.waiting_for,
                },
            },
            Ok(_read) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => HandshakeError::TransportFailed(error.kind()),
        };
        Err(failed)
    }

    /// Says the last word, if there is one, so that it arrives (spec: L-14).
    async fn close(mut self) {
        if self.output.is_empty() {
            return;
        }
        let last_word = async {
            self.write().await;
            let _unsaid = self.transport.writer.shutdown().await;
            let mut chunk = [0_u8; READ_OFF_CHUNK];
            let mut left = wire::READ_OFF_BYTES;
            while left > 0 {
                match self.transport.reader.read(&mut chunk).await {
                    Ok(0) | Err(_) => return,
                    Ok(read) => left = left.saturating_sub(read),
                }
            }
        };
        let _late = Box::pin(timeout(wire::READ_OFF_TIME, last_word)).await;
    }
}
