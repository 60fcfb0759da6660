//! JSON: text, for people and other languages.

use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Deserializer, Error, error::Category};

use super::{
    Codec, DecodeError, EncodeError,
    error::{Extent, Reading},
    limit::{self, Lesson},
};

/// Text that people and other languages read, whose types may grow.
///
/// Fields go by name: one that the reader does not know is skipped, one with `#[serde(default)]`
/// may be missing. White space around the value is part of JSON and allowed.
///
/// NaN and the infinities do not exist in JSON: they are written as `null`, which reads as `None`
/// and is refused where a number must be. Keys of maps are written as text.
///
/// # Examples
///
/// A field is added, and old messages can still be read:
///
/// ```
/// use duologue::codec::{Codec, Json};
///
/// #[derive(serde::Deserialize)]
/// struct Greeting {
///     name: String,
///     #[serde(default)]
///     formal: bool,
/// }
///
/// let greeting: Greeting = Json.decode(br#"{ "name": "Alice" }"#)?;
/// assert_eq!((greeting.name.as_str(), greeting.formal), ("Alice", false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "its name is its value, and there is nothing to add"
)]
pub struct Json;

impl Codec for Json {
    fn encode<T: Serialize + ?Sized>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let before = out.len();
        serde_json::to_writer(&mut *out, value).map_err(|error| {
            out.truncate(before);
            match error.classify() {
                Category::Syntax => EncodeError::Unsupported {
                    what: "a map key that is not text, a number or a boolean".into(),
                },
                Category::Data | Category::Eof | Category::Io => EncodeError::Refused,
            }
        })
    }

    fn decode<T: DeserializeOwned>(&self, message: &[u8]) -> Result<T, DecodeError> {
        let mut source = Deserializer::from_slice(message);
        // One reading: JSON claims no lengths, and there is nothing to learn.
        let outcome = limit::decode(message.len(), Lesson::default(), &mut source);
        let only_space_follows = outcome.is_ok() && source.end().is_ok();
        // An iterator over further values is the only thing that tells where the source stands.
        let used = source.into_iter::<IgnoredAny>().byte_offset();
        let extent = Extent {
            len: message.len(),
            rest: match only_space_follows {
                true => 0,
                false => message.len().saturating_sub(used),
            },
        };
        Reading { outcome, extent }.finish(explain)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "one signature for each codec's error"
)]
fn explain(error: Error, at: usize) -> DecodeError {
    match error.classify() {
        Category::Eof => DecodeError::UnexpectedEnd,
        // These texts are constants and a position; only those of `Data` quote the message.
        Category::Syntax => DecodeError::Malformed {
            what: error.to_string().into(),
            at,
        },
        Category::Data => DecodeError::Mismatch {
            what: "a value of another type".into(),
            at,
        },
        Category::Io => DecodeError::Malformed {
            what: "not JSON".into(),
            at,
        },
    }
}
