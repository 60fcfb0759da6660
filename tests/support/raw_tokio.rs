//! The raw peer over a tokio transport. Stands beside `raw_peer` in the including file.

use super::raw_peer::wire::{take_body, with_length};
use super::raw_peer::{Opened, Options, RawError, RawFrame, RawHandshake};
use super::raw_peer::{RawParams, RawRecord, RawSession};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// What the transport gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A record; a REKEY in it has been followed already.
    Record(RawRecord),
    /// A record whose plaintext breaks the format.
    Malformed(String),
    /// A record that did not open.
    Broken,
    /// The end of the stream, or a reset.
    EndOfStream,
    /// Nothing within the time.
    Silence,
}

/// A raw session on a transport.
#[derive(Debug)]
pub struct RawPeer<T> {
    /// The transport.
    pub transport: T,
    /// Keys and counters.
    pub session: RawSession,
    /// What came and is not read yet.
    pub input: Vec<u8>,
    /// How long `next` waits.
    pub patience: Duration,
}

/// Why no session came about.
#[derive(Debug)]
pub enum RawFailure {
    /// The handshake itself.
    Handshake(RawError),
    /// The transport ended or failed.
    Transport(io::Error),
    /// Anything else than PARAMS where PARAMS should stand.
    Answer(Heard),
}

impl From<RawError> for RawFailure {
    fn from(error: RawError) -> Self {
        Self::Handshake(error)
    }
}

impl From<io::Error> for RawFailure {
    fn from(error: io::Error) -> Self {
        Self::Transport(error)
    }
}

async fn read_body<T: AsyncRead + Unpin>(transport: &mut T) -> io::Result<Vec<u8>> {
    let length = transport.read_u16().await?;
    let mut body = vec![0; usize::from(length)];
    transport.read_exact(&mut body).await?;
    Ok(body)
}

impl<T: AsyncRead + AsyncWrite + Unpin> RawPeer<T> {
    /// The three messages and nothing more, as initiator.
    pub async fn initiate(mut transport: T, options: Options) -> Result<Self, RawFailure> {
        let mut handshake = RawHandshake::initiator(options);
        let body = handshake.write_body()?;
        transport.write_all(&with_length(&body)).await?;
        handshake.read_body(&read_body(&mut transport).await?)?;
        let body = handshake.write_body()?;
        transport.write_all(&with_length(&body)).await?;
        Ok(Self::over(transport, handshake.into_session()?))
    }

    /// The three messages and nothing more, as responder.
    pub async fn respond(mut transport: T, options: Options) -> Result<Self, RawFailure> {
        let mut handshake = RawHandshake::responder(options);
        handshake.read_body(&read_body(&mut transport).await?)?;
        let body = handshake.write_body()?;
        transport.write_all(&with_length(&body)).await?;
        handshake.read_body(&read_body(&mut transport).await?)?;
        Ok(Self::over(transport, handshake.into_session()?))
    }

    /// Dials to establishment; gives the peer's parameters too.
    pub async fn connect(
        transport: T,
        options: Options,
        params: &RawParams,
    ) -> Result<(Self, RawParams), RawFailure> {
        let mut this = Self::initiate(transport, options).await?;
        this.send_params(params).await?;
        let theirs = this.read_params().await?;
        Ok((this, theirs))
    }

    /// Accepts to establishment; gives the peer's parameters too.
    pub async fn accept(
        transport: T,
        options: Options,
        params: &RawParams,
    ) -> Result<(Self, RawParams), RawFailure> {
        let mut this = Self::respond(transport, options).await?;
        let theirs = this.read_params().await?;
        this.send_params(params).await?;
        Ok((this, theirs))
    }

    /// A session that was made elsewhere.
    pub const fn over(transport: T, session: RawSession) -> Self {
        Self {
            transport,
            session,
            input: Vec::new(),
            patience: Duration::from_secs(5),
        }
    }

    /// Sends record 0.
    pub async fn send_params(&mut self, params: &RawParams) -> io::Result<()> {
        let params = params.encode(&self.session.hash);
        self.send_frames(&[RawFrame::Params(params)]).await
    }

    /// Reads record 0.
    pub async fn read_params(&mut self) -> Result<RawParams, RawFailure> {
        match self.next().await {
            Heard::Record(RawRecord::Batch(frames)) => match frames.as_slice() {
                [RawFrame::Params(params)] | [RawFrame::Params(params), RawFrame::Padding(_)] => {
                    RawParams::parse(params)
                        .map_err(|rule| RawFailure::Answer(Heard::Malformed(rule)))
                }
                _ => Err(RawFailure::Answer(Heard::Record(RawRecord::Batch(frames)))),
            },
            other => Err(RawFailure::Answer(other)),
        }
    }

    /// Sends bytes as they are.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.transport.write_all(bytes).await?;
        self.transport.flush().await
    }

    /// Seals and sends any plaintext.
    pub async fn send_plaintext(&mut self, plaintext: &[u8]) -> io::Result<()> {
        let record = self.session.seal_plaintext(plaintext);
        self.send_bytes(&record).await
    }

    /// Seals and sends one record.
    pub async fn send(&mut self, record: &RawRecord) -> io::Result<()> {
        self.send_plaintext(&record.encode()).await
    }

    /// Sends one BATCH; a REKEY in it takes effect behind it.
    pub async fn send_frames(&mut self, frames: &[RawFrame]) -> io::Result<()> {
        self.send(&RawRecord::Batch(frames.to_vec())).await?;
        if frames.contains(&RawFrame::Rekey) {
            self.session.rekey_send();
        }
        Ok(())
    }

    /// The next thing heard, within the patience.
    pub async fn next(&mut self) -> Heard {
        let patience = self.patience;
        (timeout(patience, self.hear()).await).unwrap_or(Heard::Silence)
    }

    async fn hear(&mut self) -> Heard {
        loop {
            match self.session.open(&mut self.input) {
                Some(Opened::Plaintext(plaintext)) => return self.judge(&plaintext),
                Some(Opened::Broken(_)) => return Heard::Broken,
                None => {}
            }
            match self.transport.read_buf(&mut self.input).await {
                Ok(0) | Err(_) => return Heard::EndOfStream,
                Ok(_) => {}
            }
        }
    }

    fn judge(&mut self, plaintext: &[u8]) -> Heard {
        match RawRecord::parse(plaintext) {
            Ok(record) => {
                if matches!(&record, RawRecord::Batch(frames) if frames.contains(&RawFrame::Rekey))
                {
                    self.session.rekey_receive();
                }
                Heard::Record(record)
            }
            Err(rule) => Heard::Malformed(rule),
        }
    }

    /// The next body as it is, unopened.
    pub async fn next_body(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(body) = take_body(&mut self.input) {
                return Ok(body);
            }
            if self.transport.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
