//! The length before each body, and the kind behind each plaintext (spec: W-3, T-1, T-5).

use super::{Violation, limits::RECORD_ACCEPTED};

/// Bytes of the length.
pub(crate) const HEADER: usize = 2;
const TAG: usize = 16;
/// What a bare record adds to its body: length, kind and tag.
pub(crate) const OVERHEAD: usize = HEADER + 1 + TAG;

/// What the body of a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Batch,
    Message,
    Piece,
}

impl Kind {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Batch => 0,
            Self::Message => 1,
            Self::Piece => 2,
        }
    }

    fn of(byte: u8) -> Result<Self, Violation> {
        match byte {
            0 => Ok(Self::Batch),
            1 => Ok(Self::Message),
            2 => Ok(Self::Piece),
            // spec: T-6
            _ => Err(Violation::new("T-6", "record of an unknown kind")),
        }
    }
}

/// Splits a plaintext into body and kind.
pub(crate) fn split_kind(plaintext: &[u8]) -> Result<(&[u8], Kind), Violation> {
    let Some((kind, body)) = plaintext.split_last() else {
        return Err(Violation::new("T-1", "record without a plaintext"));
    };
    let kind = Kind::of(*kind)?;
    match kind {
        Kind::Batch if body.is_empty() => Err(Violation::new("T-6", "batch without a frame")),
        Kind::Piece if body.is_empty() => Err(Violation::new("T-6", "empty piece")),
        Kind::Batch | Kind::Message | Kind::Piece => Ok((body, kind)),
    }
}

/// The body's length of the record at the front, judged before the body is waited for.
// spec: T-1, W-1, W-4
pub(crate) fn record_length(
    input: &[u8],
    most_plaintext: usize,
) -> Result<Option<usize>, Violation> {
    let Some(head) = input.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*head));
    let most = most_plaintext.min(RECORD_ACCEPTED).saturating_add(TAG);
    if length <= TAG {
        return Err(Violation::new("T-1", "record too short for a plaintext"));
    }
    if length > most {
        return Err(Violation::new(
            "H-18",
            "record too long before establishment",
        ));
    }
    Ok(Some(length))
}
