//! CBOR: binary, with names.

use core::{fmt, marker::PhantomData};
use std::io::{self, Read};

use ciborium::de::Error;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, DeserializeSeed, Error as _, SeqAccess, Visitor},
};

use super::{
    Codec, DecodeError, EncodeError,
    error::{Extent, Reading},
    limit::{self, Fault, Lesson, Reason},
};

/// Binary and with names: types may grow, and other languages can read it (RFC 8949).
///
/// Fields go by name: one that the reader does not know is skipped, one with `#[serde(default)]`
/// may be missing. Unlike JSON it has bytes, NaN and the infinities.
///
/// # Examples
///
/// A newer peer sends a field that we do not know:
///
/// ```
/// use duologue::codec::{Cbor, Codec};
///
/// #[derive(serde::Serialize)]
/// struct New { name: String, formal: bool }
/// #[derive(serde::Deserialize)]
/// struct Old { name: String }
///
/// let mut message = Vec::new();
/// Cbor.encode(&New { name: "Alice".to_owned(), formal: true }, &mut message)?;
/// let old: Old = Cbor.decode(&message)?;
/// assert_eq!(old.name, "Alice");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "its name is its value, and there is nothing to add"
)]
pub struct Cbor;

impl Codec for Cbor {
    fn encode<T: Serialize + ?Sized>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let before = out.len();
        ciborium::into_writer(value, &mut *out).map_err(|_error| {
            out.truncate(before);
            // A vector takes every write, and CBOR every value: only the type can have refused.
            EncodeError::Refused
        })
    }

    fn decode<T: DeserializeOwned>(&self, message: &[u8]) -> Result<T, DecodeError> {
        let read = |lesson| {
            let head = Head {
                len: message.len(),
                lesson,
            };
            let head = head.written();
            let mut source = head.chain(message);
            let outcome = match ciborium::from_reader(&mut source) {
                Ok(Guarded(Ok(value))) => Ok(value),
                Ok(Guarded(Err(reason))) => Err(Fault::Ours(reason)),
                Err(error) => Err(Fault::Codec(error)),
            };
            let extent = Extent {
                len: message.len(),
                rest: source.get_ref().1.len(),
            };
            Reading { outcome, extent }
        };
        limit::readings(read, Reading::lesson).finish(explain)
    }
}

/// What the limits must know.
///
/// ciborium keeps its deserializer to itself and takes no seed, so it goes in as values of its own
/// before the message: `[len, sequences, largest, message]`.
struct Head {
    len: usize,
    lesson: Lesson,
}

impl Head {
    fn written(&self) -> [u8; 28] {
        let mut head = [0x84; 28];
        let [_, numbers @ ..] = &mut head;
        let Lesson { sequences, largest } = self.lesson;
        let (places, _) = numbers.as_chunks_mut::<9>();
        for (place, number) in places.iter_mut().zip([self.len, sequences, largest]) {
            let [kind, value @ ..] = place;
            *kind = 0x1b;
            *value = u64::try_from(number).unwrap_or(u64::MAX).to_be_bytes();
        }
        head
    }

    fn read<'de, A: SeqAccess<'de>>(seq: &mut A) -> Result<Self, A::Error> {
        let mut next = || {
            let number = seq.next_element::<usize>()?;
            number.ok_or_else(|| A::Error::custom("no head"))
        };
        Ok(Self {
            len: next()?,
            lesson: Lesson {
                sequences: next()?,
                largest: next()?,
            },
        })
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "one signature for each codec's error"
)]
fn explain(error: Error<io::Error>, at: usize) -> DecodeError {
    match error {
        // A slice has no failure but its end.
        Error::Io(_) => DecodeError::UnexpectedEnd,
        Error::Syntax(_) => DecodeError::Malformed {
            what: "not CBOR".into(),
            at,
        },
        Error::Semantic(..) => DecodeError::Mismatch {
            what: "a value of another type".into(),
            at,
        },
        Error::RecursionLimitExceeded => DecodeError::TooDeep {
            max: super::MAX_DEPTH,
        },
    }
}

/// A value read under limits, or our reason why not.
struct Guarded<T>(Result<T, Reason>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Guarded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(4, HeadThenValue(PhantomData))
    }
}

struct HeadThenValue<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for HeadThenValue<T> {
    type Value = Guarded<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a head and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Guarded<T>, A::Error> {
        let head = Head::read(&mut seq)?;
        let value = seq.next_element_seed(Guard {
            head,
            value: PhantomData,
        })?;
        value.ok_or_else(|| A::Error::custom("no value"))
    }
}

struct Guard<T> {
    head: Head,
    value: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Guard<T> {
    type Value = Guarded<T>;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<Guarded<T>, D::Error> {
        match limit::decode(self.head.len, self.head.lesson, inner) {
            Ok(value) => Ok(Guarded(Ok(value))),
            Err(Fault::Ours(reason)) => Ok(Guarded(Err(reason))),
            Err(Fault::Codec(error)) => Err(error),
        }
    }
}
