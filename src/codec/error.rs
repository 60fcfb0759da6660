//! Why a value is no message, or a message no value; never what is in it.

use std::borrow::Cow;

use super::limit::{Fault, Lesson, MAX_DEPTH, Reason, most_elements, most_memory};

/// A value that could not become a message.
///
/// The text never holds the value, nor what its `Serialize` said: it may quote the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The format cannot hold such a value.
    #[error("the format cannot hold the value: {what}")]
    Unsupported {
        /// What it cannot hold.
        what: Cow<'static, str>,
    },
    /// The value's own `Serialize` gave up, for example on a lock or a path that is not text.
    #[error("the value's own `Serialize` refused")]
    Refused,
}

/// A message that is not a value of the expected type.
///
/// The text never holds a part of the message (threat: 110 to 115). Field names in it come from
/// the type, `at` is the number of bytes read before the fault was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The value is nested too deeply; see [`MAX_DEPTH`].
    #[error("the message is nested deeper than {max} levels")]
    TooDeep {
        /// How deep it may be.
        max: usize,
    },
    /// The value has more elements than its bytes explain; see
    /// [`SPARE_ELEMENTS`](super::SPARE_ELEMENTS).
    #[error("the message has more than {max} elements")]
    TooManyElements {
        /// How many it may have.
        max: usize,
    },
    /// The value needs more memory than its bytes pay for; see
    /// [`MEMORY_PER_BYTE`](super::MEMORY_PER_BYTE).
    #[error("the message's value needs more than {max} bytes of memory")]
    TooMuchMemory {
        /// How many it may need.
        max: usize,
    },
    /// Bytes follow the value: the peer's type has more fields, or its codec is another.
    #[error("the value is followed by {count} more bytes")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The message ends before its value does: the peer's type has fewer fields, or its codec
    /// is another.
    #[error("the message ends before its value does")]
    UnexpectedEnd,
    /// The bytes are not of this codec.
    #[error("the message is malformed at byte {at}: {what}")]
    Malformed {
        /// What the codec found wrong.
        what: Cow<'static, str>,
        /// Where it stopped.
        at: usize,
    },
    /// The bytes are of this codec, but are not a value of the type.
    #[error("the message does not fit the type at byte {at}: {what}")]
    Mismatch {
        /// What does not fit.
        what: Cow<'static, str>,
        /// Where it was seen.
        at: usize,
    },
    /// A field that the type needs is not there; `#[serde(default)]` would make it optional.
    #[error("the message lacks the field `{field}`")]
    MissingField {
        /// Its name in the type.
        field: &'static str,
    },
    /// A field is there twice.
    #[error("the message has the field `{field}` twice")]
    DuplicateField {
        /// Its name in the type.
        field: &'static str,
    },
}

/// What a reading came to, and where.
#[derive(Debug)]
pub(super) struct Reading<T, E> {
    pub(super) outcome: Result<T, Fault<E>>,
    pub(super) extent: Extent,
}

impl<T, E> Reading<T, E> {
    /// What it learned for another, if it ended for want of memory.
    pub(super) const fn lesson(&self) -> Option<Lesson> {
        match self.outcome {
            Err(Fault::Ours(Reason::TooMuchMemory(lesson))) => Some(lesson),
            _ => None,
        }
    }

    /// The value, if nothing follows it, or the error in words of this crate.
    pub(super) fn finish(
        self,
        explain: impl FnOnce(E, usize) -> DecodeError,
    ) -> Result<T, DecodeError> {
        let Self { outcome, extent } = self;
        let Extent { len, rest } = extent;
        let at = len.saturating_sub(rest);
        match outcome {
            Ok(value) if rest == 0 => Ok(value),
            Ok(_) => Err(DecodeError::TrailingBytes { count: rest }),
            Err(Fault::Codec(error)) => Err(explain(error, at)),
            Err(Fault::Ours(reason)) => Err(match reason {
                Reason::TooDeep => DecodeError::TooDeep { max: MAX_DEPTH },
                Reason::TooManyElements => DecodeError::TooManyElements {
                    max: most_elements(len),
                },
                Reason::TooMuchMemory(_) => DecodeError::TooMuchMemory {
                    max: most_memory(len),
                },
                Reason::Mismatch(what) => DecodeError::Mismatch {
                    what: what.into(),
                    at,
                },
                Reason::MissingField(field) => DecodeError::MissingField { field },
                Reason::DuplicateField(field) => DecodeError::DuplicateField { field },
            }),
        }
    }
}

/// The bytes of a message, and how many of them were not used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) len: usize,
    pub(super) rest: usize,
}
