//! Messages as values of your types, over serde.
//!
//! A session carries whole messages of bytes. A [`Codec`] turns a value into one message and back;
//! both sides must use the same one, so name it in the protocol that the session agrees on
//! (`"greeting/1+postcard"`).
//!
//! | codec | a message is | a later version may |
//! | --- | --- | --- |
//! | [`Postcard`], the default | small and fast: fields in order, no names | change nothing: a new field is a new protocol |
//! | [`Cbor`] | binary, fields by name | add fields with `#[serde(default)]`, add enum variants |
//! | [`Json`] | text that people and other languages read | the same; it has no NaN, no infinity, no bytes |
//!
//! # What a hostile message can do
//!
//! Our three codecs read through one set of limits, whatever the type:
//!
//! - nested at most [`MAX_DEPTH`] levels: each sequence, tuple, map, struct, enum, newtype and
//!   `Some` is a level, and so are the fields of an enum's variant. A recursive type cannot
//!   overflow the stack;
//! - sequence elements and map entries number at most the message's length plus
//!   [`SPARE_ELEMENTS`], so elements that take no bytes, like those of `Vec<()>`, cost no time
//!   either. Fields of tuples and structs are not counted: your type fixes their number;
//! - the memory that the value needs on the heap is at most [`MEMORY_PER_BYTE`] times the message's
//!   length plus [`SPARE_MEMORY`]: 32 times and 4 KiB. It is reckoned before it is needed, from the
//!   sizes of your types; a message that would need more is [`DecodeError::TooMuchMemory`];
//! - the whole message is one value: bytes after it are an error.
//!
//! Most honest messages stay far below that. Refused is a value whose elements are much larger
//! than their bytes:
//!
//! | elements | from about | for example |
//! | --- | --- | --- |
//! | in a vector, behind a length (postcard, CBOR) | 28 times their bytes | many `None` of an `Option<[u64; 4]>` in postcard |
//! | the same, when they fill more than 1 MiB, or without a length (JSON) | 9 to 18 times: a vector doubles, and holds its old place while it moves | many `None` of a 20-byte type in postcard, many `{}` of a 40-byte struct in JSON |
//! | in maps and sets | 8 to 12 times | many ordered maps with one small entry each: there is room for eleven |
//!
//! Box what is large and mostly absent: a `None` of an `Option<Box<T>>` takes 8 bytes.
//!
//! The reckoning knows the collections of the standard library, but not `LinkedList`; texts, boxes,
//! and what derives make of them. It does not know what your own `Deserialize` allocates by itself,
//! the 16 bytes that an `Rc` or `Arc` adds, or the allocator's own. Elements of more than 1 KiB
//! behind a false length may need their part more before they are refused. Types that read ahead
//! (`untagged`, internally tagged, `flatten`) are under these limits while they read; what serde
//! does with the buffer afterwards is not.
//!
//! # Errors hold no content
//!
//! serde's own errors quote the value that did not fit. [`EncodeError`] and [`DecodeError`] say
//! what went wrong and at which byte, and name fields of your type, but never repeat what was in
//! the message: they can be logged. A text that your own `Deserialize` makes is dropped for the
//! same reason.
//!
//! # Examples
//!
//! ```
//! use duologue::codec::{Codec, DecodeError, Postcard};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! enum Request {
//!     Greet { name: String },
//!     Count(u32),
//! }
//!
//! let request = Request::Greet { name: "Alice".to_owned() };
//! let mut message = Vec::new();
//! Postcard.encode(&request, &mut message)?;
//! assert_eq!(Postcard.decode::<Request>(&message)?, request);
//!
//! message.push(0);
//! let refused = Postcard.decode::<Request>(&message);
//! assert_eq!(refused, Err(DecodeError::TrailingBytes { count: 1 }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cbor;
mod error;
mod json;
mod limit;
mod postcard;
#[cfg(test)]
mod tests;

use serde::{Serialize, de::DeserializeOwned};

pub use cbor::Cbor;
pub use error::{DecodeError, EncodeError};
pub use json::Json;
pub use limit::{MAX_DEPTH, MEMORY_PER_BYTE, SPARE_ELEMENTS, SPARE_MEMORY};
pub use postcard::Postcard;

/// Turns values into messages and messages into values.
///
/// Take [`Postcard`], [`Cbor`] or [`Json`], or write your own. A codec of your own reads what a
/// peer has written: it must not panic, must refuse bytes after the value, and must bound depth
/// and memory by itself, most easily by ending in one of ours.
///
/// # Examples
///
/// JSON in a form for people, read as strictly as any other:
///
/// ```
/// use duologue::codec::{Codec, DecodeError, EncodeError, Json};
/// use serde::{Serialize, de::DeserializeOwned};
///
/// struct PrettyJson;
///
/// impl Codec for PrettyJson {
///     fn encode<T: Serialize + ?Sized>(
///         &self,
///         value: &T,
///         out: &mut Vec<u8>,
///     ) -> Result<(), EncodeError> {
///         let text = serde_json::to_vec_pretty(value).map_err(|_| EncodeError::Refused)?;
///         out.extend_from_slice(&text);
///         Ok(())
///     }
///
///     fn decode<T: DeserializeOwned>(&self, message: &[u8]) -> Result<T, DecodeError> {
///         Json.decode(message)
///     }
/// }
///
/// let mut message = Vec::new();
/// PrettyJson.encode(&["good", "morning"], &mut message)?;
/// assert!(message.contains(&b'\n'));
/// assert_eq!(PrettyJson.decode::<Vec<String>>(&message)?, ["good", "morning"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A value is owned; a type that borrows from the message does not compile:
///
/// ```compile_fail,E0277
/// use duologue::codec::{Codec, Postcard};
///
/// #[derive(serde::Deserialize)]
/// struct Borrowed<'a>(&'a str);
///
/// let borrowed: Borrowed<'_> = Postcard.decode(b"\x02hi").unwrap();
/// ```
pub trait Codec {
    /// Appends the value to `out`, as one message.
    ///
    /// # Errors
    /// [`EncodeError`] if the value or the format does not allow it; `out` is then as it was.
    fn encode<T: Serialize + ?Sized>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError>;

    /// Reads the one value that the whole message is.
    ///
    /// # Errors
    /// [`DecodeError`] says why the message is not such a value, and not what is in it.
    fn decode<T: DeserializeOwned>(&self, message: &[u8]) -> Result<T, DecodeError>;
}
