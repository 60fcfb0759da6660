//! Postcard: small, fast, without names.

use postcard::{Deserializer, Error, ser_flavors::Flavor};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Codec, DecodeError, EncodeError,
    error::{Extent, Reading},
    limit,
};

/// The default codec: small and fast, for two sides with the same types.
///
/// Fields are written in order and without names, so both sides must have exactly the same type:
/// a field added, removed, moved or changed is another protocol. What serde must ask the message
/// about (`untagged`, internally tagged, `flatten`, `skip_serializing_if`) does not work.
///
/// # Examples
///
/// ```
/// use duologue::codec::{Codec, Postcard};
///
/// let mut message = Vec::new();
/// Postcard.encode(&(1_u32, "one"), &mut message)?;
/// assert_eq!(message, b"\x01\x03one");
/// assert_eq!(Postcard.decode::<(u32, String)>(&message)?, (1, "one".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "its name is its value, and there is nothing to add"
)]
pub struct Postcard;

impl Codec for Postcard {
    fn encode<T: Serialize + ?Sized>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let before = out.len();
        postcard::serialize_with_flavor(value, Append(out)).map_err(|error| {
            out.truncate(before);
            match error {
                Error::SerializeSeqLengthUnknown => EncodeError::Unsupported {
                    what: "a sequence or map whose length is not known beforehand".into(),
                },
                Error::WontImplement | Error::NotYetImplemented => EncodeError::Unsupported {
                    what: "a value that must describe itself".into(),
                },
                _ => EncodeError::Refused,
            }
        })
    }

    fn decode<T: DeserializeOwned>(&self, message: &[u8]) -> Result<T, DecodeError> {
        let read = |lesson| {
            let mut source = Deserializer::from_bytes(message);
            let outcome = limit::decode(message.len(), lesson, &mut source);
            let extent = Extent {
                len: message.len(),
                rest: source.finalize().map_or(0, <[u8]>::len),
            };
            Reading { outcome, extent }
        };
        limit::readings(read, Reading::lesson).finish(explain)
    }
}

fn explain(error: Error, at: usize) -> DecodeError {
    let what = match error {
        Error::DeserializeUnexpectedEnd => return DecodeError::UnexpectedEnd,
        Error::WontImplement | Error::NotYetImplemented => {
            return DecodeError::Mismatch {
                what: "the type asks what comes next, and postcard does not say".into(),
                at,
            };
        }
        Error::DeserializeBadVarint => "a number that is too large",
        Error::DeserializeBadBool => "a boolean that is neither 0 nor 1",
        Error::DeserializeBadChar => "a character that is none",
        Error::DeserializeBadUtf8 => "a text that is not UTF-8",
        Error::DeserializeBadOption => "an option that is neither 0 nor 1",
        Error::DeserializeBadEnum => "an enum's variant that is too large",
        _ => "not postcard",
    };
    DecodeError::Malformed {
        what: what.into(),
        at,
    }
}

/// Writes at the end of the caller's buffer.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
