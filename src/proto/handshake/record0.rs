//! Bodies of the handshake, and record 0 of each direction (spec: H-14 to H-18, H-20).

use super::{HandshakeError, Result, internal};
use crate::{
    noise::{Exchange, Opener, PublicKey, Sealer, TAG},
    wire::{self, Code, Frame, HEADER, Kind, Params, Violation},
};

pub(super) struct Keys {
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
    pub(super) hash: [u8; 32],
    pub(super) remote: PublicKey,
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn of(exchange: Exchange) -> Result<Self> {
        let remote = exchange.remote().ok_or(HandshakeError::Failed)?;
        let (sealer, opener, hash) = exchange.finish().map_err(internal)?;
        Ok(Self {
            sealer,
            opener,
            hash,
            remote,
        })
    }

    pub(super) fn put_params(&mut self, params: &Params, output: &mut Vec<u8>) -> Result<()> {
        let mut parameters = Vec::new();
        params.put(self.hash[0], &mut parameters);
        self.put_batch(Frame::Params(&parameters), output)
    }

    /// Our last word; that it cannot be said changes nothing.
    pub(super) fn put_abort(&mut self, code: Code, reason: &str, output: &mut Vec<u8>) {
        let _unsaid = self.put_batch(Frame::Abort { code, reason }, output);
    }

    fn put_batch(&mut self, frame: Frame<'_>, output: &mut Vec<u8>) -> Result<()> {
        let mut record = Vec::new();
        frame.put(&mut record);
        record.push(Kind::Batch.byte());
        record.resize(record.len().saturating_add(TAG), 0);
        self.sealer.seal(&mut record).map_err(internal)?;
        put_body(&record, output);
        Ok(())
    }

    /// Tells the authenticated peer what it did, and fails with it. Without keys there is nobody to tell.
    // spec: T-20, H-24
    pub(super) fn fail(&mut self, error: HandshakeError, output: &mut Vec<u8>) -> HandshakeError {
        let code = match &error {
            HandshakeError::Violation(violation) => violation.code(),
            _bad_record => Code::VIOLATION,
        };
        self.put_abort(code, "", output);
        error
    }
}

pub(super) enum Record0 {
    Params(Params),
    Abort(Code, String),
}

/// Record 0: PARAMS or ABORT, and nothing else but PADDING. Each side has a clause of its own.
// spec: H-14, H-15, H-20
pub(super) fn read_record0(plaintext: &[u8], clause: &'static str) -> Result<Record0, Violation> {
    let wrong = Violation::new(clause, "record 0 is not one PARAMS frame");
    let (mut body, Kind::Batch) = wire::split_kind(plaintext)? else {
        return Err(wrong);
    };
    let record = match Frame::take(&mut body)? {
        Frame::Params(parameters) => Record0::Params(Params::take(parameters)?),
        Frame::Abort { code, reason } => Record0::Abort(code, reason.to_owned()),
        _other => return Err(wrong),
    };
    if !body.is_empty() && !matches!(Frame::take(&mut body)?, Frame::Padding { .. }) {
        return Err(wrong);
    }
    Ok(record)
}

// spec: H-18
pub(super) fn take_record(opener: &mut Opener, input: &mut &[u8]) -> Result<Option<Vec<u8>>> {
    let length =
        wire::record_length(input, wire::RECORD_EARLY).map_err(HandshakeError::Violation)?;
    let Some(length) = length else {
        return Ok(None);
    };
    let Some(body) = take_exact(input, length)? else {
        return Ok(None);
    };
    let mut record = body.to_vec();
    opener
        .open(&mut record)
        .map_err(|_bad| HandshakeError::BadRecord)?;
    record.truncate(length.saturating_sub(TAG));
    Ok(Some(record))
}

/// The body at the front once it is whole; its length is judged before (spec: H-3, W-3).
pub(super) fn take_exact<'a>(input: &mut &'a [u8], length: usize) -> Result<Option<&'a [u8]>> {
    let Some((head, rest)) = input.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    if usize::from(u16::from_be_bytes(*head)) != length {
        return Err(HandshakeError::WrongSize);
    }
    let Some((body, behind)) = rest.split_at_checked(length) else {
        return Ok(None);
    };
    *input = behind;
    Ok(Some(body))
}

pub(super) fn put_body(body: &[u8], output: &mut Vec<u8>) {
    let length = u16::try_from(body.len()).unwrap_or_default();
    output.extend_from_slice(&length.to_be_bytes());
    output.extend_from_slice(body);
}
