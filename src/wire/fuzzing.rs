//! Reading and writing of the wire without a session, for fuzz targets.

use super::{Frame, Params, Refusal, Violation, next_message, varint};

/// What PARAMS say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "fuzz targets fill it in")]
pub struct Parameters {
    /// Application protocols.
    pub protocols: Option<Vec<String>>,
    /// The largest message.
    pub max_message: u64,
    /// The idle timeout in milliseconds, 0 for none.
    pub idle_ms: u64,
}

/// Reads the frames of a body and writes them again, until one breaks a rule of its bytes.
#[must_use]
pub fn rewrite_batch(mut body: &[u8]) -> (Vec<u8>, Option<Violation>) {
    let mut out = Vec::new();
    while !body.is_empty() {
        match Frame::take(&mut body) {
            Ok(frame) => frame.put(&mut out),
            Err(violation) => return (out, Some(violation)),
        }
    }
    (out, None)
}

/// The messages of a body as they are handed out.
#[must_use]
pub fn messages(mut body: &[u8]) -> Vec<&[u8]> {
    core::iter::from_fn(|| next_message(&mut body)).collect()
}

/// Reads PARAMS.
///
/// # Errors
///
/// The rule that they break.
pub fn read_params(input: &[u8]) -> Result<Parameters, Violation> {
    let Params {
        protocols,
        max_message,
        idle_ms,
    } = Params::take(input)?;
    Ok(Parameters {
        protocols,
        max_message,
        idle_ms,
    })
}

impl Parameters {
    /// Writes them, and the one that nobody knows.
    #[must_use]
    pub fn write(&self, first_of_hash: u8) -> Vec<u8> {
        let params = Params {
            protocols: self.protocols.clone(),
            max_message: self.max_message,
            idle_ms: self.idle_ms,
        };
        let mut out = Vec::new();
        params.put(first_of_hash, &mut out);
        out
    }
}

/// Reads a refusal list with its status byte and writes it again.
#[must_use]
pub fn rewrite_refusal(body: &[u8]) -> Option<Vec<u8>> {
    let refusal = Refusal::take(body)?;
    let mut out = Vec::new();
    refusal.put(&mut out);
    Some(out)
}

/// Reads a varint and writes it again; the value, its bytes, and how many were used.
///
/// # Errors
///
/// The rule that the bytes break.
pub fn rewrite_varint(mut input: &[u8]) -> Result<(u64, Vec<u8>, usize), Violation> {
    let before = input.len();
    let value = varint::take(&mut input)?;
    let mut out = Vec::new();
    varint::put(value, &mut out);
    Ok((value, out, before.saturating_sub(input.len())))
}
